"""The app as a visitor sees it: the real server, a real browser, every screen in turn.

Screenshots are left in $SVAE_SCREENSHOTS, or in the test's own folder.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[1]
WAIT = 180_000  # milliseconds; a busy machine draws 3-D in software, slowly
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--enable-unsafe-swiftshader",
)
CAMERAS = """() => {
  const { scene, scene2 } = document.querySelector(".svae-shells .js-plotly-plot")._fullLayout;
  return [scene, scene2].map(({ _scene }) => Object.values(_scene.getCamera().eye));
}"""


@dataclass
class Visit:
    """A page in the browser, and everything that went wrong on it."""

    page: Page
    screenshots: Path
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        # Opened at a page's own address, Streamlit itself looks for its server there first.
        if message.type == "error" and "/_stcore/" not in message.location.get("url", ""):
            self.errors.append(message.text)

    def go_to(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).click()
        self.page.wait_for_url(re.compile(f"/{name.lower()}"))

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.screenshots / f"{name}.png")

    def clock(self) -> str:
        return self.page.locator(".svae-clock").inner_text()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + WAIT / 1000
    while not _answers(f"{url}/_stcore/health"):
        assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
    yield url, process
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium here")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    folder = Path(os.environ.get("SVAE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield Visit(page, folder)
    page.close()


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
    page.goto(f"{server[0]}/train?epochs=1000&beta=0.5")
    page.wait_for_selector("[data-moment]")
    page.keyboard.press("Space")
    page.wait_for_selector("[data-status=paused]")
    _drag(page)
    page.wait_for_function(f"Math.abs(({CAMERAS})()[0][0] - 0.94) > 0.05")
    first, second = page.evaluate(CAMERAS)
    assert first == pytest.approx(second, abs=1e-6)

    before = visit.clock()
    page.get_by_role("button", name="One moment on").click()
    expect(page.locator(".svae-clock")).not_to_have_text(before, timeout=WAIT)
    page.wait_for_selector("[data-status=paused]")
    assert page.evaluate(CAMERAS)[0] == pytest.approx(first, abs=1e-6), "an update moved the camera"

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
        ".map((element) => element.getBoundingClientRect().right))"
    )
    assert widest <= width + 1
    visit.picture(f"train-{width}-{scheme}")
    assert visit.errors == []


def test_the_server_ends_while_pages_are_open(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """Last in this file, since it ends the server."""
    url, process = server
    visit.page.goto(f"{url}/train")
    visit.page.wait_for_selector("[data-moment]")
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=WAIT / 1000)
    expect(visit.page.locator(".svae-trouble")).to_be_visible()


def _drag(page: Page) -> None:
    box = page.locator(".svae-shells .svae-place").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y + 10, steps=4)
    page.mouse.up()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False
