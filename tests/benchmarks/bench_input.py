"""From a stroke on the pad to the picture of it in both models; and where drawn threes land.

    PYTHONPATH=. python tests/benchmarks/bench_input.py > tests/benchmarks/input.md

Headless Chromium at a pair on digits. Ten threes (tests/drawings) are drawn on the pad of the
Train page, each in pieces, as a hand draws it: after each piece the time is taken from the event
to the frame in which the answer to it is on screen. First while the pair trains, then at its end,
then with an earlier moment on screen, whose models are trained again from the last state kept.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

import psutil
from machine import about
from playwright.sync_api import Page
from students import server

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import chromium
from support.drawings import threes

WAIT = 300_000
PIECES = 4  # of a drawing, after each of which is timed
# Draws points, all but the last at once; milliseconds from the last until its answer is painted.
DRAW = """([points, begins]) => new Promise((done) => {
  const pad = document.querySelector(".svae-pad");
  const { asking } = document.querySelector(".svae-followed .svae-place");
  pad.setPointerCapture = () => {}; // these events belong to no pointer that could be captured
  pad.hasPointerCapture = () => true;
  const box = pad.getBoundingClientRect();
  const send = (kind, [x, y]) => pad.dispatchEvent(new PointerEvent(kind, {
    clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerId: 1,
  }));
  if (begins) send("pointerdown", points[0]);
  points.slice(1, -1).forEach((point) => send("pointermove", point));
  const started = performance.now();
  send("pointermove", points.at(-1));
  const look = () => {
    if (asking.waits || asking.due) requestAnimationFrame(look);
    else requestAnimationFrame(() => done(performance.now() - started));
  };
  look();
})"""
NEAR = "() => [...document.querySelectorAll('.svae-way')].map((way) => way.textContent)"


def main() -> None:
    """Print the table."""
    with chromium() as browser, server() as (address, _):
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(WAIT)
        page.goto(f"http://{address}/train?epochs=400")
        page.wait_for_selector("[data-status=playing][data-moment] .svae-pad")
        page.wait_for_timeout(10_000)  # the compilers are quiet
        taken = {"while the pair trains": drawn(page)[0]}
        page.wait_for_selector("[data-status=finished]")
        page.wait_for_timeout(5000)
        taken["at the end of the run"], landed = drawn(page)
        page.keyboard.press("Escape")
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(1000)
        taken["at an earlier moment"] = drawn(page)[0]
    print("# Own input\n")
    print("| drawing to picture | median, ms | 95 %, ms (asked: 300) | n |")
    print("| --- | ---: | ---: | ---: |")
    for name, times in taken.items():
        late = statistics.quantiles(times, n=20)[-1]
        print(f"| {name} | {statistics.median(times):.0f} | {late:.0f} | {len(times)} |")
    print(f"\nOf {len(landed)} drawn threes, {sum(landed)} have most of their five nearest latent")
    print("means among threes in the spherical model (asked: 8 of 10).")
    print(f"\n{psutil.cpu_count()} cores; load at the end {os.getloadavg()[0]:.1f}; {about()}")


def drawn(page: Page) -> tuple[list[float], list[bool]]:
    """Milliseconds of each piece of each drawing; whether it landed among threes."""
    times, landed = [], []
    for lines in threes().values():
        page.get_by_role("button", name="Clear", exact=True).click()
        for line in lines:
            cut = max(2, -(-len(line) // PIECES))
            for start in range(0, len(line) - 1, cut):
                piece = [list(point) for point in line[start : start + cut + 1]]
                times.append(page.evaluate(DRAW, [piece, start == 0]))
        near = page.evaluate(NEAR)[1].split("Nearest by latent mean: ")[1].split(" (")[0]
        landed.append(near.split(", ").count("3") > 2)
        print(near, times[-1], file=sys.stderr, flush=True)
    return times, landed


if __name__ == "__main__":
    main()
