"""The file that plays anywhere, in a sandboxed frame of another page, in a real browser."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser import WAIT, Visit

from svae_core.stage import browser_code, replay_file

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[1]
STAGE = ".svae-stage[data-moment]"
# Fields wider than what holds them: here no page's own styles count a field's padding in.
BEYOND = """() => [...document.querySelectorAll(".svae-stage input")]
  .filter((field) => field.getClientRects().length)
  .filter((field) => field.getBoundingClientRect().right
    > field.parentElement.getBoundingClientRect().right + 1)
  .map((field) => field.outerHTML)"""


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with the recorded run in a frame, by the line that export prints."""
    folder = tmp_path_factory.mktemp("slides")
    packed = (ROOT / "assets" / "recorded_run.gz").read_bytes()
    code = browser_code.read(browser_code.folder())
    page = replay_file.page("A run", packed, code, browser_code.plotly())
    assert len(page) < 3_200_000, "most of it is Plotly.js, compressed"
    (folder / "run 1.html").write_text(page, encoding="utf-8")
    frame = replay_file.embedding("run 1.html")
    head = '<!doctype html><link rel="icon" href="data:,"><style>body { margin: 0 }</style>'
    slide = f"{head}<h2>A slide</h2>{frame}"
    (folder / "slide.html").write_text(slide, encoding="utf-8")
    serve = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/slide.html"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_run_plays_in_a_sandboxed_frame(slide: str, visit: Visit, scheme: str) -> None:
    page = visit.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(slide)
    frame = page.frame_locator("iframe")
    stage = frame.locator(STAGE)
    expect(stage).to_have_attribute("data-status", "finished", timeout=WAIT)
    expect(stage).to_have_attribute("data-theme", scheme, timeout=WAIT)
    last = int(stage.get_attribute("data-moment") or 0)
    assert last > 10
    frame.locator("input[type=range]").first.fill("0")
    expect(stage).to_have_attribute("data-moment", "0", timeout=WAIT)
    frame.get_by_role("button", name="Play").first.click()
    expect(stage).not_to_have_attribute("data-moment", "0", timeout=WAIT)
    expect(frame.locator(".svae-loss .main-svg").first).to_be_visible(timeout=WAIT)
    assert frame.locator("body").evaluate(BEYOND) == []
    box = page.locator("iframe").bounding_box()
    assert box is not None and box["width"] / box["height"] == pytest.approx(1.6, rel=0.01)
    pages = [url for url in asked if url.endswith(".html")]
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == pages
    assert len(pages) == 2 and page.context.cookies() == []
    assert not visit.errors
    visit.picture(f"framed-{scheme}")
