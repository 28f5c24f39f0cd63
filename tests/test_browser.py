"""The app as a visitor sees it: the real server, a real browser, every screen in turn."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import WAIT, Visit, app_at, query_of
from support.layout import assert_all_is_whole
from support.points_on_stage import RIGHT_SHELL
from support.ports import free_port
from support.shell_figure import assert_figure_is_the_canvas, save_figure

pytestmark = pytest.mark.browser
# One camera looks at both shells.
CAMERA = """() => {
  const { turn, tilt, zoom } = document.querySelector(".svae-shells .svae-place").camera;
  return [turn, tilt, zoom];
}"""
MOMENT = "Number(document.querySelector('.svae-stage').dataset.moment)"


def test_from_the_shell_to_the_certificate(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(server[0])
    expect(page.get_by_role("heading", name="Spherical VAE Explorer")).to_be_visible()
    for name in ("Shell", "Region"):
        visit.go_to(name)
        page.locator(".js-plotly-plot .main-svg").first.wait_for()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        visit.picture(name.lower())
        assert_all_is_whole(page)
    visit.go_to("Train")
    baseline, spherical = (
        page.locator(f".svae-card[data-method={method}]") for method in ("baseline", "spherical")
    )
    page.wait_for_selector("[data-moment]")
    visit.picture("train")
    expect(baseline.locator(".svae-badge")).to_have_text("✕ collapsed", timeout=WAIT)
    expect(spherical.locator(".svae-badge")).to_have_text("✓ certified", timeout=WAIT)
    expect(page.get_by_role("heading", name="Certificate")).to_be_visible()
    visit.picture("certificate")
    assert visit.errors == []


def test_the_stage_obeys(visit: Visit, server: tuple[str, subprocess.Popen[bytes]]) -> None:
    """Pause, step, scrub, keys, both cameras as one, and the same run after a reload."""
    page = visit.page
    page.goto(f"{server[0]}/train?epochs=5000&beta=0.5")
    page.wait_for_selector("[data-moment]")
    page.keyboard.press("Space")
    page.wait_for_selector("[data-status=paused]")
    _drag(page)
    page.wait_for_function(f"Math.abs(({CAMERA})()[0] - Math.PI / 4) > 0.05")
    camera = page.evaluate(CAMERA)
    before = visit.clock()
    page.get_by_role("button", name="One moment on").click()
    expect(page.locator(".svae-clock")).not_to_have_text(before, timeout=WAIT)
    page.wait_for_selector("[data-status=paused]")
    assert page.evaluate(CAMERA) == camera, "an update moved the camera"
    assert_figure_is_the_canvas(page)

    page.keyboard.press("Home")
    expect(page.locator(".svae-clock")).to_have_text(re.compile("^step 0 of .* recorded$"))
    page.wait_for_selector("[data-moment='0']")
    page.keyboard.press("End")
    expect(page.locator(".svae-clock")).to_have_text(re.compile("paused$"))

    address, shown = page.url, visit.clock()
    page.reload()
    page.wait_for_selector("[data-moment]")
    assert page.url == address
    expect(page.locator(".svae-clock")).to_have_text(shown, timeout=WAIT)

    page.get_by_role("button", name="Start over").click()
    page.wait_for_selector("[data-status=playing]")
    assert visit.errors == []


def test_the_camera_is_turned_while_frames_arrive(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?epochs=5000&beta=0.5")
    page.wait_for_selector("[data-moment]")
    before, moment = page.evaluate(CAMERA), page.evaluate(MOMENT)
    _drag(page, until=lambda: page.wait_for_function(f"{MOMENT} > {moment + 3}"))
    assert page.locator(".svae-stage").get_attribute("data-status") == "playing"
    turned = page.evaluate(CAMERA)
    assert abs(turned[0] - before[0]) > 0.05
    page.wait_for_function(f"{MOMENT} > {moment + 6}")
    assert page.evaluate(CAMERA) == turned, "an update moved the camera"
    assert visit.errors == []


def test_two_tabs_of_a_run_agree_and_a_hidden_one_costs_nothing(
    browser: Browser, visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?dataset=wine&clusters=3&epochs=40000")
    page.wait_for_selector("[data-moment]")
    page.wait_for_url(re.compile("run="))
    other = browser.new_page()
    other.set_default_timeout(WAIT)
    answers: list[str] = []

    def hear(url: str) -> None:
        if "/stage/run/" in url:
            answers.append(url)

    other.on("websocket", lambda socket: socket.on("framereceived", lambda _: hear(socket.url)))
    # A browser gives a hidden tab no animation frames: here they can be withheld by hand.
    other.add_init_script(
        "window.usual = window.requestAnimationFrame.bind(window); window.held = [];"
        "window.requestAnimationFrame = (f) => window.hide ? window.held.push(f) : usual(f);"
    )
    other.goto(page.url)
    other.wait_for_selector("[data-moment]")
    other.evaluate("window.hide = true")
    assert answers
    before, seen = len(answers), page.evaluate(MOMENT)
    page.wait_for_function(f"{MOMENT} > {seen + 8}")
    assert len(answers) <= before + 2, "more than what was under way"
    other.evaluate("window.hide = false; window.held.splice(0).forEach((next) => usual(next))")
    other.get_by_role("button", name="Pause").click()
    for tab in (page, other):
        tab.wait_for_selector("[data-status=paused]")
    expect(other.locator(".svae-clock")).to_have_text(visit.clock(), timeout=WAIT)
    sentences = [tab.locator(".svae-sentence").all_inner_texts() for tab in (page, other)]
    assert sentences[0] == sentences[1]
    other.close()
    assert visit.errors == []


def test_a_class_follows_its_teacher_until_it_lets_go(
    browser: Browser, visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?dataset=wine&clusters=3&epochs=60")
    page.wait_for_selector("[data-status=finished]")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Begin a class").click()
    link = page.get_by_text("follow=").first.inner_text()
    visit.picture("class")
    assert "run=" not in link
    page.keyboard.press("Escape")

    student = browser.new_page()
    student.set_default_timeout(WAIT)
    student.goto(link)
    student.wait_for_selector("[data-moment]")
    page.locator(".svae-stage").focus()
    page.keyboard.press("Home")
    student.wait_for_selector("[data-moment='0']")
    page.keyboard.press("ArrowRight")
    student.wait_for_selector("[data-moment='1']")
    student.get_by_label("Colour by").select_option("label")
    # As a screen reader names them: figures without their buttons, classes not by a number alone.
    expect(student.get_by_role("button", name=re.compile("^label .*, shown$"))).to_have_count(3)
    figure = student.get_by_role("figure", name="KL per latent dimension, in nats", exact=True)
    expect(figure).to_have_count(1)
    assert "run=" not in student.url
    assert save_figure(student, "shells").read_text().startswith("<svg")
    student.screenshot(path=visit.screenshots / "class-student.png")
    student.get_by_role("button", name="Let go").click()
    student.locator(".svae-stage").focus()
    student.keyboard.press("ArrowRight")
    student.wait_for_selector("[data-moment='2']")
    assert page.evaluate(MOMENT) == 1, "a follower moved the teacher's screen"
    expect(student.get_by_role("button", name="Start over")).to_be_hidden()
    student.get_by_role("button", name="Follow again").click()
    student.wait_for_selector("[data-moment='1']")
    student.get_by_role("button", name="Let go").click()
    student.get_by_role("button", name="Take a copy").click()
    student.wait_for_url(re.compile("run="))
    assert "follow=" not in student.url
    student.wait_for_selector("[data-status=finished]")
    student.get_by_role("link", name="Class board").first.click()
    expect(student.get_by_text(re.compile("Spherical VAE, 2 models"))).to_be_visible()
    student.screenshot(path=visit.screenshots / "class-board.png")
    student.close()
    assert visit.errors == []


def test_an_exported_run_plays_from_disk_without_a_network(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?dataset=wine&epochs=20")
    page.wait_for_selector("[data-status=finished]")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export replay").click()
    file = tmp_path / "replay.html"
    download.value.save_as(file)
    plotly = Path(importlib.util.find_spec("plotly").origin).parent / "package_data/plotly.min.js"  # type: ignore[union-attr, arg-type]
    assert file.stat().st_size - plotly.stat().st_size < 8e6

    page.context.set_offline(True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    last = page.wait_for_selector("[data-moment]").get_attribute("data-moment")  # type: ignore[union-attr]
    bars = "[...document.querySelectorAll('.svae-kl canvas')].map((one) => one.ariaLabel)"
    page.wait_for_function(f"{bars}[1].includes('alive')")
    before, points = page.evaluate(bars), page.evaluate(RIGHT_SHELL)
    page.get_by_label("Colour by").select_option("alcohol")
    expect(page.locator(".svae-groups")).to_have_text("−2.432.26")  # standardised
    assert "colour=alcohol" in page.evaluate("location.hash")
    expect(page.locator(".svae-paper")).to_have_count(0)  # no server that draws them
    visit.picture("replay")
    page.keyboard.press("Home")
    page.wait_for_selector("[data-moment='0']")
    page.wait_for_function(f"JSON.stringify({bars}) !== {json.dumps(json.dumps(before))}")
    assert page.evaluate(RIGHT_SHELL) != points
    page.keyboard.press("Space")
    page.wait_for_selector(f"[data-moment='{last}']")
    schemes = {url.split(":")[0] for url in asked}
    assert schemes <= {"file", "data", "blob"}
    assert visit.errors == []


def test_the_band_is_dragged_and_a_branch_taken(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """Drag while it trains, scrub back without the server, branch there, and go back again."""
    page = visit.page
    page.goto(f"{server[0]}/train?dataset=wine&clusters=3&epochs=40000")
    page.wait_for_function("document.querySelector('.svae-stage')?.dataset.moment > 10")
    camera, tree = page.evaluate(CAMERA), page.locator(".svae-tree li")
    page.locator(".svae-upper").scroll_into_view_if_needed()
    box = page.locator(".svae-upper").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 15, steps=3)
    visit.picture("dragging")
    page.mouse.up()
    expect(tree.nth(1)).to_contain_text(
        re.compile(r"band 0–0\.25 → 0–0\.\d+ at step \d+"), timeout=WAIT
    )
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector("[data-status=paused]")

    page.locator(".svae-lower").press("ArrowUp")
    expect(tree.nth(2)).to_have_count(0)  # paused: it is due at the next slice
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Home")
    page.wait_for_selector("[data-moment='0']")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("[data-moment='4']")
    parent = page.url
    field = page.get_by_label("β as a number")
    field.fill("4")
    field.press("Enter")
    here = page.locator(".svae-tree [aria-current]")
    expect(here).to_have_text(re.compile("^β 1 → 4 at step"), timeout=WAIT)
    # The server writes the URL, one answer after the stage has moved.
    page.wait_for_url(lambda url: query_of(url) != query_of(parent) and "run=" in url)
    assert page.evaluate(CAMERA) == camera, "another run moved the camera"
    page.wait_for_function("document.querySelector('.svae-stage').dataset.moment > 5")
    visit.picture("branch")
    page.get_by_role("button", name="the start").click()
    expect(here).to_have_text("the start", timeout=WAIT)
    page.wait_for_url(lambda url: query_of(url) == query_of(parent))
    assert visit.errors == []


def test_a_lesson_asks_before_it_shows(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?lesson=break&lock=1&projector=1&epochs=60")
    answer = page.get_by_role("button", name="No: below δ, it carries information")
    expect(answer).to_be_visible(timeout=WAIT)
    expect(page.locator(".svae-loss")).to_be_hidden()
    visit.picture("lesson")
    answer.click()
    expect(page.locator(".svae-reveal")).to_contain_text("As you predicted", timeout=WAIT)
    expect(page.locator(".svae-loss")).to_be_visible()
    visit.picture("reveal")
    assert visit.errors == []


def test_what_makes_no_sense_is_said_in_a_sentence(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?collapse_loss=between")
    expect(page.locator(".svae-trouble")).to_contain_text("empty", timeout=WAIT)
    visit.picture("empty-band")
    assert visit.errors == []


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(390, 844, "light"), (1280, 800, "dark"), (1920, 1080, "light")]
)
def test_it_fits(
    browser: Browser,
    visit: Visit,
    server: tuple[str, subprocess.Popen[bytes]],
    width: int,
    height: int,
    scheme: str,
) -> None:
    """Nothing is wider than the window, on a phone, a laptop and a projector."""
    page = visit.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{server[0]}/train")
    page.wait_for_selector("[data-status=finished]")
    assert page.locator(".svae-stage").get_attribute("data-theme") == scheme
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.svae-stage :not(svg *, .svae-scroll *)')]"
        ".filter((element) => element.checkVisibility())"  # closed panels have no place yet
        ".map((element) => element.getBoundingClientRect().right))"
    )
    assert widest <= width + 1
    visit.picture(f"train-{width}-{scheme}")
    assert visit.errors == []


def test_the_server_ends_while_pages_are_open(visit: Visit, tmp_path: Path) -> None:
    port = free_port()
    process = app_at(port, tmp_path / "home")
    visit.page.goto(f"http://localhost:{port}/train")
    visit.page.wait_for_selector("[data-moment]")
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=WAIT / 1000)
    expect(visit.page.locator(".svae-trouble")).to_be_visible()


def _drag(page: Page, until: Callable[[], object] = lambda: None) -> None:
    box = page.locator(".svae-shells .svae-place").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y + 10, steps=4)
    until()
    page.mouse.move(x + 90, y + 10, steps=2)
    page.mouse.up()
