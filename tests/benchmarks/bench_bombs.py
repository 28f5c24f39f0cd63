"""One visitor's page beside five links that ask for as much clustering as is allowed.

    PYTHONPATH=. python tests/benchmarks/bench_bombs.py > tests/benchmarks/bombs.md

Headless Chromium, and every link in a context of its own. A page is ready when its first moment is
trained. The times without and with the five links are medians of the same visits; other data are
opened at every visit, so that nothing was prepared before.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser
from students import server

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import chromium

VISITS = 7
WAIT = 300_000
#: 20,000 clusters are refused at once; 900 would take 58 s by the estimate, 60 being allowed.
DATA = "dataset=clusters&clusters.points=100000"
BOMBS = (
    f"{DATA}&clusters=20000",
    *(f"{DATA}&clusters=900&data_seed={seed}" for seed in range(4)),
)


def main() -> None:
    """Print the table."""
    with chromium() as browser, server() as (address, _):
        visit(browser, address, 999)
        alone = [visit(browser, address, seed) for seed in range(VISITS)]
        contexts = [browser.new_context() for _ in BOMBS]
        for context, query in zip(contexts, BOMBS, strict=True):
            context.new_page().goto(f"http://{address}/shell?{query}", wait_until="commit")
        beside = [visit(browser, address, seed) for seed in range(100, 100 + VISITS)]
        still = sum(
            context.pages[0].locator(".js-plotly-plot").count() == 0 for context in contexts
        )
    before, after = statistics.median(alone), statistics.median(beside)
    print("# Five links that ask for much, and another visitor\n")
    print(f"| medians of {VISITS} fresh visits | s |\n| --- | ---: |")
    print(f"| to the first trained moment, alone | {before:.2f} |")
    print(f"| beside the five links | {after:.2f} |")
    print(f"| ratio (asked: at most 3) | {after / before:.2f} |")
    print(f"| the longest visit beside them | {max(beside):.2f} |")
    print(f"| links that still showed no shell at the end (one is refused) | {still} |")
    print(f"\n{psutil.cpu_count()} cores, shared with others; load {os.getloadavg()[0]:.1f}.")


def visit(browser: Browser, address: str, seed: int) -> float:
    """Seconds until a fresh visitor sees a trained moment on data that nobody prepared."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(WAIT)
    started = time.perf_counter()
    page.goto(f"http://{address}/train?dataset=wine&clusters=3&epochs=20&data_seed={seed}")
    page.wait_for_selector("[data-moment]")
    seconds = time.perf_counter() - started
    context.close()
    return seconds


if __name__ == "__main__":
    main()
