"""Shows 6 and 7 of issue 5: a closed tab, its link an hour later or sooner, and the first paint.

    PYTHONPATH=. python tests/benchmarks/bench_tabs.py > tests/benchmarks/tabs.md

Headless Chromium. First paints of this app and of an empty Streamlit app are measured alternately,
each in a fresh browser context, and compared by their medians.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright
from students import free_port, processor_seconds, server, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import FLAGS

PAINTS = 9
EMPTY = 'import streamlit as st\n\nst.title("Hello")\n'
# When the browser first painted something, and when the page's heading was there.
PAINTED = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime"""
WAIT = 120_000


def main() -> None:
    """Print both tables."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as play, server() as (address, process), empty() as other:
        browser = play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        print("# Tabs\n")
        closed(browser, address, process)
        paints(browser, address, other)
        browser.close()
    print(
        f"\n{psutil.cpu_count()} cores, shared with others; load at the end "
        f"{os.getloadavg()[0]:.1f}."
    )


@contextmanager
def empty() -> Iterator[str]:
    """A Streamlit app with nothing in it, with the same configuration."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "empty.py")
        script.write_text(EMPTY)
        options = ["--server.headless=true", "--browser.gatherUsageStats=false"]
        command = [sys.executable, "-m", "streamlit", "run", str(script), *options]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            [*command, f"--server.port={port}"], cwd=folder, stdout=quiet, stderr=quiet
        )
        wait_for(f"localhost:{port}", process)
        yield f"localhost:{port}"
        process.terminate()
        process.wait(30)


def closed(browser: Browser, address: str, process: psutil.Process) -> None:
    """Close the tab of a run in training, measure when the CPU is idle, open the link again."""
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    page.goto(f"http://{address}/train?epochs=5000")
    page.wait_for_selector("[data-status=playing][data-moment]")
    page.wait_for_function("document.querySelector('.svae-clock').innerText.includes('left')")
    time.sleep(30)  # UMAP is compiled by then
    link, before = page.url, page.locator(".svae-clock").inner_text()
    training = load(process, 3.0)
    page.close()
    left = time.monotonic()
    quiet = None
    while quiet is None and time.monotonic() - left < 60:
        if load(process, 1.0) < 0.10:
            quiet = time.monotonic() - left - 1.0
    time.sleep(15)
    rest = load(process, 5.0)
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    page.goto(link)
    page.wait_for_selector("[data-moment]")
    found = page.locator(".svae-clock").inner_text()
    again = page.url == link
    page.close()
    print("| a tab is closed while its run trains | |")
    print("| --- | ---: |")
    print(f"| CPU of server and workers before, cores | {training:.2f} |")
    print(f"| at rest (less than a tenth of a core) after, s (asked: 20) | {quiet:.0f} |")
    print(f"| CPU later, cores | {rest:.3f} |")
    print(f"| its clock before it was closed | {before} |")
    print(f"| its clock when the link was opened again | {found} |")
    print(f"| the same run | {again} |")


def load(process: psutil.Process, seconds: float) -> float:
    """Mean number of busy cores of a process and its children, over some seconds."""
    before = processor_seconds(process)
    time.sleep(seconds)
    after = processor_seconds(process)
    return sum(used - before.get(pid, 0.0) for pid, used in after.items()) / seconds


def paints(browser: Browser, ours: str, other: str) -> None:
    """First paint, and first heading, of both apps alternately."""
    taken: dict[str, list[tuple[float, float]]] = {ours: [], other: []}
    for turn in range(PAINTS + 1):
        for address, times in taken.items():
            context = browser.new_context()
            page = context.new_page()
            page.set_default_timeout(WAIT)
            started = time.perf_counter()
            page.goto(f"http://{address}")
            page.get_by_test_id("stApp").get_by_role("heading").first.wait_for()
            heading = time.perf_counter() - started
            page.wait_for_function(f"({PAINTED})() !== undefined")
            if turn:  # the first measurement is a warm-up
                times.append((page.evaluate(PAINTED) / 1000, heading))
            context.close()
    mine, its = (
        [statistics.median(column) for column in zip(*taken[address], strict=True)]
        for address in (ours, other)
    )
    print(f"\n| medians of {PAINTS} fresh visits | this app | an empty one | ratio (asked: 1.5) |")
    print("| --- | ---: | ---: | ---: |")
    for name, a, b in zip(("first paint, s", "page with its heading, s"), mine, its, strict=True):
        print(f"| {name} | {a:.2f} | {b:.2f} | {a / b:.2f} |")


if __name__ == "__main__":
    main()
