"""A real browser at the real app: what the browser tests share, as a pytest plug-in.

Screenshots are left in $SVAE_SCREENSHOTS, or in the test's own folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
WAIT = 300_000  # milliseconds; a busy machine draws 3-D in software, slowly
expect.set_options(timeout=WAIT)  # Playwright's own five seconds would be a test by the clock
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--enable-unsafe-swiftshader",
    # Each window would draw the menu of an address bar that nobody sees, in a process of its own: a
    # fifth of what a page costs. Only the last such switch counts: Playwright's own are said again.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,HttpsUpgrades,PaintHolding,Translate",
)
# The server's messages come one by one, window.pause apart, as over a slow line.
_SLOW_LINE = """
window.pause = 0;
const pause = () => new Promise(resolve => setTimeout(resolve, window.pause));
window.WebSocket = class extends WebSocket {
  #line = Promise.resolve();
  addEventListener(name, read) {
    super.addEventListener(name, name !== "message" ? read : event => {
      this.#line = this.#line.then(() => window.pause && pause()).then(() => read(event));
    });
  }
};
"""


@dataclass
class Visit:
    """A page in the browser, and everything that went wrong on it."""

    page: Page
    screenshots: Path
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT)
        self.page.add_init_script(_SLOW_LINE)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        # Opened at a page's own address, Streamlit itself looks for its server there first.
        # Pictures of a page that was left before all of them had come are deleted by Streamlit.
        url = message.location.get("url", "")
        missing = "404" in message.text or "Image source error" in message.text
        left = missing and "/media/" in f"{url} {message.text}"
        if message.type == "error" and "/_stcore/" not in url and not left:
            self.errors.append(f"{message.text} {url}")

    def go_to(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).click()
        self.page.wait_for_url(re.compile(f"/{name.lower()}"))

    @contextmanager
    def slow_line(self) -> Iterator[None]:
        """The page hears from the server as over a slow line."""
        self.page.evaluate("window.pause = 30")
        yield
        self.page.evaluate("window.pause = 0")

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.screenshots / f"{name}.png")

    def clock(self) -> str:
        return self.page.locator(".svae-clock").inner_text()


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The app's address, and its process; whoever ends it starts one of their own (`app_at`)."""
    port = free_port()
    process = app_at(port, tmp_path_factory.mktemp("home"))
    yield f"http://localhost:{port}", process
    process.terminate()
    process.wait()


def app_at(port: int, home: Path) -> subprocess.Popen[bytes]:
    """The app, once it answers on this port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
        cwd=ROOT,
        env=os.environ | {"SVAE_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT / 1000
    while not answers(f"http://localhost:{port}/_stcore/health"):
        assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.1)
    return process


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium without a window; benchmarks open it by this, too."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, "There is no chromium here, and these tests need one: make chromium"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    folder = Path(os.environ.get("SVAE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    yield Visit(page, folder)
    page.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def query_of(url: str) -> dict[str, str]:
    """The query of a URL, whatever the order of its parameters."""
    return dict(parse_qsl(urlsplit(url).query))
