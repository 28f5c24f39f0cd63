"""How long a click on each page takes until the page has settled, with a trained run there.

    PYTHONPATH=. python tests/benchmarks/bench_pages.py > tests/benchmarks/pages.md

Headless Chromium. A pair on digits is trained to its end on the Train page; then the pages are
visited by clicks in the menu, in rounds. A page has settled when its script has ended, no element
of the page before is left, every chart is drawn, and all this stays so for half a second; the
time is that from the click until then, without the half second. Workers keep what they computed
for the first visit to a page, which is therefore told apart from the median of later ones.
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

PAGES = {
    "Shell": "shell",
    "Region": "region",
    "Train": "train",
    "Latent": "latent",
    "Compare": "compare",
    "Phase diagram": "phase",
    "Runs": "runs",
    "Clinic": "clinic",
    "Theory": "theory",
}
ROUNDS = 4
WAIT = 120_000
# From a click on a link until the page has settled; the stage has when it shows a moment.
SETTLED = """([name, path]) => new Promise((done, fail) => {
  const app = document.querySelector("[data-testid=stApp]");
  const settled = () => location.pathname.endsWith(path) &&
    app.dataset.testScriptState === "notRunning" &&
    !document.querySelector("[data-stale=true], [data-testid=stSkeleton]") &&
    [...document.querySelectorAll("[data-testid=stPlotlyChart]")].every(
      (chart) => chart.querySelector(".main-svg")) &&
    [...document.querySelectorAll(".svae-stage")].every((stage) => stage.dataset.moment);
  const started = performance.now();
  let since = null;
  const look = () => {
    const now = performance.now();
    since = settled() ? since ?? now : null;
    if (document.querySelector("[data-testid=stAlertContentError]")) fail(new Error("it failed"));
    else if (since !== null && now - since > 500) done((since - started) / 1000);
    else requestAnimationFrame(look);
  };
  [...document.querySelectorAll("a")].find((link) => link.textContent.trim() === name).click();
  requestAnimationFrame(look);
})"""


def main() -> None:
    """Print the table."""
    with chromium() as browser, server() as (address, _):
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(WAIT)
        page.goto(f"http://{address}/train?epochs=60")
        page.wait_for_selector("[data-status=finished][data-moment]", timeout=300_000)
        page.wait_for_timeout(5000)  # the certificate is there, the compilers are quiet
        taken = visits(page)
    print("# Page switches\n")
    print("| to | first visit, s | later visits, median s (asked: 1.5) |\n| --- | ---: | ---: |")
    for name, times in taken.items():
        print(f"| {name} | {times[0]:.2f} | {statistics.median(times[1:]):.2f} |")
    print(f"\n{psutil.cpu_count()} cores; load at the end {os.getloadavg()[0]:.1f}; {about()}")


def visits(page: Page) -> dict[str, list[float]]:
    """Seconds of each visit to each page."""
    taken: dict[str, list[float]] = {name: [] for name in PAGES}
    for _ in range(ROUNDS):
        for name, path in PAGES.items():
            taken[name].append(page.evaluate(SETTLED, [name, path]))
            print(name, taken[name], file=sys.stderr, flush=True)
    return taken


if __name__ == "__main__":
    main()
