"""Shows 1 to 3 of issue 4: the stage against a fragment with st.plotly_chart, and by itself.

    PYTHONPATH=. python tests/benchmarks/bench_stage.py > tests/benchmarks/stage.md

Headless Chromium, WebGL in software, everything in one run, so that ratios can be compared. The
stage draws all its views, the peers only the two shells.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import chromium
from support.ports import free_port

APP = Path(__file__).parent / "stage_app" / "app.py"
SECONDS = 10
STAGE = "document.querySelector('.svae-sentence')?.textContent"
CHART = "document.querySelector('.js-plotly-plot')?._fullLayout?.meta?.made"
# In every animation frame: which moment is drawn, and its age.
WATCH = """(seconds) => new Promise((done) => {
  const seen = [];
  const end = performance.now() + 1000 * seconds;
  let last = SHOWN;
  const look = () => {
    const made = SHOWN;
    if (made && made !== last) seen.push(Date.now() - 1000 * Number(made));
    last = made ?? last;
    if (performance.now() < end) requestAnimationFrame(look); else done(seen);
  };
  requestAnimationFrame(look);
})"""
# The same clouds as the fragment's, in a Plotly figure that is updated in place.
PATCHED = """(seconds) => new Promise((done) => {
  const place = document.createElement("div");
  document.body.prepend(place);
  const traces = DATA;
  const LAYOUT_ = LAYOUT;
  Plotly.newPlot(place, traces, { ...LAYOUT_, uirevision: 1 }, { plotGlPixelRatio: 1 });
  let count = 0;
  const end = performance.now() + 1000 * seconds;
  const next = () => {
    if (performance.now() > end) { done(count / seconds); return; }
    const turned = (name, other, sign) => traces.map((t) => t[name].map(
      (v, n) => v * Math.cos(count / 9) + sign * t[other][n] * Math.sin(count / 9)));
    Plotly.restyle(place, { x: turned("x", "y", 1), y: turned("y", "x", -1) }).then(() => {
      count += 1;
      requestAnimationFrame(() => requestAnimationFrame(next));
    });
  };
  requestAnimationFrame(next);
})"""
SCRUB = """() => new Promise((done) => {
  const bar = document.querySelector(".svae-transport input[type=range]");
  const root = document.querySelector(".svae-stage");
  let [step, drawn, frames, last] = [0, 0, 0, null];
  const started = performance.now();
  const charts = [...document.querySelectorAll(".js-plotly-plot")];
  const updates = charts.map(() => 0);
  charts.forEach((chart, n) => chart.on("plotly_afterplot", () => { updates[n] += 1; }));
  const next = () => {
    drawn += root.dataset.moment !== last;
    last = root.dataset.moment;
    frames += 1;
    if (step === 600) {
      const seconds = (performance.now() - started) / 1000;
      done({ rate: drawn / seconds, charts: updates.map((n) => n / seconds), seconds });
      return;
    }
    step += 1;
    const place = step % 398;
    bar.value = place < 199 ? place : 398 - place;
    bar.dispatchEvent(new Event("input", { bubbles: true }));
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})"""
COUNT_CONTEXTS = """
const original = HTMLCanvasElement.prototype.getContext;
window.webgl = new Set();
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  const found = original.call(this, kind, ...rest);
  if (found && kind.includes("webgl")) window.webgl.add(this);
  return found;
};"""
NODES = """() => [...document.querySelectorAll(
  ".svae-view canvas, .svae-view .js-plotly-plot, .svae-view .main-svg")]"""
CAMERA = "Object.values(document.querySelector('.svae-shells .svae-place').camera)"


def measure() -> None:
    """Print the tables."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(APP), f"--server.port={port}"],
        cwd=APP.parents[3],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}/?run="
    try:
        with chromium() as browser:
            print("# The stage\n")
            speed(browser, url)
            scrubbing(browser, url)
            endurance(browser, url)
            load = f"{os.getloadavg()[0]:.1f}"
            print(f"Chromium {browser.version}, software WebGL, two cores, load {load} at the end.")
    finally:
        server.terminate()
        server.wait()


def opened(browser: Browser, address: str, ready: str, watched: str = "") -> Page:
    """Open a page that shows the run to be measured."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    if watched:
        page.add_init_script(watched)
    for _ in range(60):
        try:
            page.goto(address)
            break
        except Exception:  # the server is not up yet
            time.sleep(1)
    page.wait_for_function(ready)
    page.wait_for_timeout(1500)
    return page


def watched(page: Page, shown: str) -> tuple[float, float]:
    """Frames per second, and median milliseconds from a moment's creation to its display."""
    seen = page.evaluate(WATCH.replace("SHOWN", shown), SECONDS)
    return len(seen) / SECONDS, statistics.median(seen) if seen else float("inf")


def speed(browser: Browser, url: str) -> None:
    """Print show 1."""
    rows: list[tuple[str, float, float]] = []
    for every in (0.1, 0.5, 1.0):
        page = opened(browser, f"{url}live-2000&every={every}", CHART)
        rows.append((f"fragment, st.plotly_chart every {every:g} s", *watched(page, CHART)))
        page.close()
    best = max(fps for _, fps, _ in rows), min(latency for *_, latency in rows)
    for count in (2000, 5000):
        page = opened(browser, f"{url}live-{count}", STAGE)
        rows.append((f"the stage, {count} points", *watched(page, STAGE)))
        page.close()
    print("| two shells, 2,000 points | frames/s | made → drawn, median ms |")
    print("| --- | ---: | ---: |")
    for name, fps, latency in rows:
        print(f"| {name} | {fps:.1f} | {latency:.0f} |")
    name, fps, latency = rows[3]
    print(
        f"\nAgainst the best of the fragments the stage draws {fps / best[0]:.1f} times as many "
        f"frames (asked: 4), in {latency / best[1]:.2f} of the time (asked: .25).\n"
    )


def scrubbing(browser: Browser, url: str) -> None:
    """Print show 3, and the same with shells drawn by Plotly."""
    page = opened(browser, f"{url}scrub-2000", STAGE)
    # The page fetches all moments while it is idle.
    page.wait_for_function(
        "document.querySelector('.svae-stage').dataset.moment === '199'", timeout=60_000
    )
    page.wait_for_timeout(8000)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    received: list[dict[str, Any]] = []
    session.on("Network.webSocketFrameReceived", lambda event: received.append(event))
    found: dict[str, Any] = page.evaluate(SCRUB)
    big = sum(len(event["response"]["payloadData"]) > 20_000 for event in received)
    patched = page.evaluate(patched_script(), SECONDS)
    page.close()
    charts = " / ".join(f"{rate:.0f}" for rate in found["charts"])
    print("| scrubbing 200 moments of 2,000 points | per second |\n| --- | ---: |")
    print(f"| views updated (asked: 20) | {found['rate']:.1f} |")
    print(f"| bars, loss and plane redrawn meanwhile, each in its turn | {charts} |")
    print(f"| answers with points from the server meanwhile, in all | {big} |")
    print(f"| for comparison: two Plotly scenes patched in place, alone | {patched:.1f} |\n")


def patched_script() -> str:
    """The comparison's script, with the fragment's own figure in it."""
    sys.path[:0] = [str(APP.parent), str(APP.parents[3])]
    import json

    import rig

    class Shown:
        prepared = rig.ground(2000)

    plain = json.loads(rig.figure(Shown(), 0).to_json())  # type: ignore[arg-type]
    for trace, label in zip(plain["data"], list(range(10)) * 2, strict=True):
        points = rig.clouds(2000)[0][Shown.prepared.clusters.labels == label]
        trace |= dict(zip("xyz", points.T.tolist(), strict=True))
    plain["layout"].pop("template", None)
    script = PATCHED.replace("DATA", json.dumps(plain["data"]))
    return script.replace("= LAYOUT;", f"= {json.dumps(plain['layout'])};")


def endurance(browser: Browser, url: str) -> None:
    """Print show 2."""
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.extend(complaints(said)))
    page.add_init_script(COUNT_CONTEXTS)
    # Its own run, from the first moment: show 1 has played the others.
    page.goto(url + "slow-2000")
    page.wait_for_selector("[data-moment]")
    box = page.locator(".svae-shells .svae-sheet").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 20, steps=6)
    page.mouse.up()
    page.mouse.wheel(0, -200)
    page.wait_for_timeout(500)
    camera = page.evaluate(CAMERA)
    page.evaluate(f"window.kept = ({NODES})()")
    session = page.context.new_cdp_session(page)
    heaps = []
    for index in (50, 300):
        page.wait_for_function(
            f"Number(document.querySelector('.svae-stage').dataset.moment) >= {index}",
            timeout=120_000,
        )
        session.send("HeapProfiler.collectGarbage")
        heaps.append(session.send("Runtime.getHeapUsage"))
    nodes = page.evaluate(
        f"(() => {{ const now = ({NODES})(); return [window.kept.length, "
        "window.kept.filter((node) => !now.includes(node)).length]; })()"
    )
    used = [heap["usedSize"] / 1e6 for heap in heaps]
    backing = [heap.get("backingStorageSize", 0) / 1e6 for heap in heaps]
    print("| 300 live frames of 2,000 points | |\n| --- | ---: |")
    print(f"| nodes of figures, of them replaced | {nodes[0]}, {nodes[1]} |")
    print(f"| camera and zoom set by hand are kept | {page.evaluate(CAMERA) == camera} |")
    print(f"| WebGL contexts (asked: at most 2) | {page.evaluate('window.webgl.size')} |")
    print(f"| heap at frame 50 and 300, MB | {used[0]:.1f}, {used[1]:.1f} |")
    print(f"| growth (asked: 20 %) | {100 * (used[1] / used[0] - 1):.0f} % |")
    print(f"| recorded moments beside the heap, MB | {backing[0]:.0f}, {backing[1]:.0f} |")
    print(f"| errors in the console | {len(errors)} |\n")
    for error in errors:
        print("*", error, file=sys.stderr)
    page.close()


def complaints(said: ConsoleMessage) -> list[str]:
    """The errors in the page's console, without Streamlit's own search for its server."""
    own = "/_stcore/" not in said.location.get("url", "")
    return [said.text] if own and said.type == "error" else []


if __name__ == "__main__":
    measure()
