"""The lessons in a real browser, alone and as a class: predict, act, reveal, go on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import WAIT, Visit

from pages.classroom import lessons

pytestmark = pytest.mark.browser
Server = tuple[str, subprocess.Popen[bytes]]
#: Keeps the first moment that a page has drawn.
FIRST_MOMENT = """new MutationObserver((_, watcher) => {
  const stage = document.querySelector("[data-moment]");
  if (!stage) return;
  window.firstMoment = stage.dataset.moment;
  watcher.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true });"""
LAPTOP = {"width": 1366, "height": 768}
# Where everything of the story and the first row below it stands on the page.
PLACES = """() => [".svae-transport", ".svae-remark", ".svae-card", ".svae-sheet",
  ".svae-kl canvas", ".svae-loss", ".svae-sigma2", ".svae-beta", ".svae-trail",
  ".svae-lifelines"].map((one) => {
    const { left, top, bottom } = document.querySelector(one).getBoundingClientRect();
    return [one, left + scrollX, top + scrollY, bottom + scrollY];
  })"""


@contextmanager
def standing_still(page: Page) -> Iterator[None]:
    """Nothing of the story moves by more than 5 pixels meanwhile."""
    before = page.evaluate(PLACES)
    yield
    for (name, *was), (_, *now) in zip(before, page.evaluate(PLACES), strict=True):
        assert max(abs(a - b) for a, b in zip(was, now, strict=True)) <= 5, (name, was, now)


def in_one_screen(page: Page) -> None:
    """Bars and levers are in sight, and nobody scrolled."""
    places = {name: bottom for name, _, _, bottom in page.evaluate(PLACES)}
    for name in (".svae-kl canvas", ".svae-loss", ".svae-sigma2", ".svae-beta"):
        assert places[name] <= LAPTOP["height"], name
    assert page.evaluate("scrollY") == 0
    whole_lesson(page)


def whole_lesson(page: Page) -> None:
    """The lesson's place, of fixed height, holds all of its words and buttons."""
    page.wait_for_function(
        "(box => box.scrollHeight <= box.clientHeight)(document.querySelector('.svae-lesson'))"
    )


def predict(page: Page, lesson: lessons.Lesson, option: int) -> None:
    button = page.get_by_role("button", name=lesson.options[option])
    expect(button).to_be_enabled(timeout=WAIT)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true", timeout=WAIT)


def alive(page: Page) -> list[int]:
    """How many dimensions of each model have a bar."""
    bars = page.locator(".svae-kl canvas")
    found = bars.evaluate_all("(all) => all.map((one) => one.dataset.alive)")
    return [int(count) for count in found]


def revealed(page: Page) -> str:
    expect(page.locator(".svae-reveal")).not_to_be_empty(timeout=WAIT)
    return page.locator(".svae-lesson").inner_text()


def test_kill_it(visit: Visit, server: Server) -> None:
    """The slider is dragged past the last mark, and with it the last bar goes out."""
    page, lesson = visit.page, lessons.LESSONS["kill"]
    page.set_viewport_size(LAPTOP)
    page.goto(f"{server[0]}/train?lesson=kill")
    page.wait_for_selector("[data-moment]")
    slider = page.get_by_label("σ², decoder variance")
    expect(page.locator(".svae-sigma2")).to_have_attribute("inert", "")
    with standing_still(page):
        predict(page, lesson, 1)
        page.wait_for_selector("[data-status=paused]")
        assert alive(page)[0] == 5
        in_one_screen(page)
        visit.picture("kill-turn")
        box = slider.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.1 * box["width"], y)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * box["width"], y, steps=6)
        expect(page.locator(".svae-law")).to_contain_text("0 of 5 marks")
        page.mouse.up()
        told = revealed(page)
        visit.picture("kill-reveal")
        in_one_screen(page)
    assert f"“{lesson.options[2]}”" in told and f"You predicted “{lesson.options[1]}”" in told
    assert alive(page)[0] == 0 < alive(page)[1]
    expect(page.locator(".svae-tree li")).to_have_count(2)
    page.get_by_role("link", name="Next: Bring it back").click()
    expect(page.get_by_text(lessons.LESSONS["revive"].question)).to_be_visible(timeout=WAIT)
    assert visit.errors == []


def test_bring_it_back(visit: Visit, server: Server) -> None:
    """The band's handle is dragged, what it guarantees is read meanwhile, and one lives."""
    page, lesson = visit.page, lessons.LESSONS["revive"]
    page.set_viewport_size(LAPTOP)
    page.emulate_media(color_scheme="dark")
    page.goto(f"{server[0]}/train?lesson=revive")
    page.wait_for_selector("[data-moment]")
    with standing_still(page):
        predict(page, lesson, 1)
        page.wait_for_selector("[data-status=paused]")
        promise = page.locator(".svae-guarantee b")
        expect(promise).to_have_text("≥ 0.00 nats", timeout=WAIT)
        upper, lower = (page.locator(f".svae-{edge}").bounding_box() for edge in ("upper", "lower"))
        assert upper is not None and lower is not None
        x, y = upper["x"] + upper["width"] / 2, upper["y"] + upper["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        promised = []
        for step in range(1, 9):
            page.mouse.move(x, y + step / 16 * (lower["y"] - upper["y"]))
            promised.append(float(promise.inner_text().split()[1]))
        assert promised == sorted(promised) and promised[-1] > 0.1, "read while it is dragged"
        visit.picture("revive-drag")
        page.mouse.up()
        told = revealed(page)
        in_one_screen(page)
        visit.picture("revive-reveal")
    assert f"As you predicted: “{lesson.options[1]}”" in told
    assert alive(page)[0] == 0 < alive(page)[1]
    page.get_by_role("button", name="Why two δ?").click()
    expect(page.locator(".svae-reasons")).to_contain_text("inside the shell")
    visit.picture("why-two")
    assert visit.errors == []


@pytest.mark.parametrize(("name", "option", "dead"), [("break", 1, None), ("units", 1, 2)])
def test_lessons_that_hide_their_results(
    visit: Visit, server: Server, name: str, option: int, dead: int | None
) -> None:
    page, lesson = visit.page, lessons.LESSONS[name]
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server[0]}/train?lesson={name}&epochs=100")
    page.wait_for_selector(".svae-option")
    expect(page.locator(".svae-loss")).to_be_hidden()
    predict(page, lesson, option)
    assert "As you predicted" in revealed(page)
    if dead is not None:
        counts = alive(page)
        assert counts[dead] == 0 < min(counts[:dead]) and counts[0] == counts[1]
    visit.picture(f"{name}-phone")
    whole_lesson(page)
    page.set_viewport_size(LAPTOP)
    whole_lesson(page)
    assert visit.errors == []


def test_a_class_of_three_browsers(visit: Visit, browser: Browser, server: Server) -> None:
    """Predictions on everyone's own screen, a tally, the reveal for all; who is late or back."""
    lesson, teacher = lessons.LESSONS["kill"], visit.page
    teacher.set_viewport_size({"width": 1920, "height": 1080})
    teacher.goto(f"{server[0]}/train?lesson=kill&projector=1")
    teacher.wait_for_selector("[data-moment]")
    teacher.get_by_role("button", name="Share").click()
    teacher.get_by_role("button", name="Begin a class").click()
    letters = teacher.locator("h2 code").inner_text()
    link = teacher.locator("code").filter(has_text="follow=").inner_text()
    visit.picture("class-code")
    teacher.keyboard.press("Escape")
    sizes = {"phone": {"width": 390, "height": 844}, "laptop": LAPTOP, "late": LAPTOP}
    students = {name: browser.new_context(viewport=size).new_page() for name, size in sizes.items()}  # type: ignore[arg-type]
    for student in students.values():
        student.set_default_timeout(WAIT)
    phone, laptop, late = students.values()
    phone.goto(server[0])
    phone.get_by_placeholder("Class code").fill(letters.lower())
    phone.get_by_role("button", name="Join a class").click()
    laptop.goto(link)
    predict(phone, lesson, 2)
    predict(laptop, lesson, 0)
    expect(teacher.get_by_text("2 of 2 predicted:")).to_be_visible(timeout=WAIT)
    visit.picture("class-tally")
    assert not phone.locator(".svae-option b").first.inner_text(), "a tally would be a hint"
    teacher.wait_for_selector("[data-status=paused]")
    field = teacher.get_by_label("σ² as a number")
    field.fill("0.2")
    field.press("Enter")
    late.goto(link)
    expect(late.get_by_text("The question is closed:")).to_be_visible(timeout=WAIT)
    reveal = teacher.get_by_role("button", name="Reveal for all")
    expect(reveal).to_be_visible(timeout=WAIT)
    for student in students.values():
        expect(student.locator(".svae-reveal")).to_be_empty()
    laptop.get_by_role("button", name="Let go").click()
    reveal.click()
    for page, begins in ((teacher, "The outcome"), (phone, "As you"), (laptop, "You predicted")):
        assert begins in revealed(page)
    assert "The outcome" in revealed(late)
    visit.picture("class-reveal")
    phone.screenshot(path=visit.screenshots / "class-phone.png")
    phone.reload()
    assert "As you predicted" in revealed(phone)
    expect(phone.locator(".svae-sigma2")).to_have_attribute("inert", "")
    laptop.get_by_role("button", name="Follow again").click()
    expect(laptop.get_by_label("σ² as a number")).to_have_value("0.2", timeout=WAIT)
    for student in students.values():
        student.context.close()
    assert visit.errors == []


def test_start_plays_from_its_first_step_and_stands_still_where_motion_is_unwanted(
    visit: Visit, browser: Browser, server: Server
) -> None:
    page = visit.page
    page.set_viewport_size(LAPTOP)
    page.add_init_script(FIRST_MOMENT)
    page.goto(server[0])
    page.wait_for_selector("[data-moment]")
    # A busy machine may have drawn later moments by the time that this looks.
    assert page.evaluate("Number(window.firstMoment)") == 0
    for lesson in lessons.LESSONS.values():
        link = page.get_by_role("link", name=lesson.title)
        box = link.bounding_box()
        assert box is not None and box["y"] + box["height"] < LAPTOP["height"]
    page.wait_for_function("document.querySelector('.svae-stage').dataset.moment >= 60")
    visit.picture("start")
    still = browser.new_context(reduced_motion="reduce").new_page()
    still.set_default_timeout(WAIT)
    still.goto(server[0])
    still.wait_for_selector("[data-moment='0']")
    expect(still.locator(".svae-clock")).to_contain_text("step 0 of")
    expect(still.get_by_role("button", name="Play", exact=True)).to_be_enabled()
    still.context.close()
    assert visit.errors == []
