"""A closed tab and its link later; first paint and first trained moment; memory at rest.

    PYTHONPATH=. python tests/benchmarks/bench_tabs.py > tests/benchmarks/tabs.md

Headless Chromium. First paints of this app and of an empty Streamlit app are measured alternately,
each in a fresh browser context, and compared by their medians; so is the first trained moment of a
run of one's own on the Train page with the empty app's heading.
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
from students import processor_seconds, server, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import FLAGS
from support.ports import free_port

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
        at_rest(process)
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
    """First paint, and first heading, of both apps alternately; and the first trained moment."""
    taken: dict[str, list[tuple[float, float]]] = {ours: [], other: []}
    moments: list[float] = []
    for turn in range(PAINTS + 1):
        moments.append(first_moment(browser, ours, turn))
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
    moment = statistics.median(moments[1:])
    print(
        f"| Train: first trained moment, s | {moment:.2f} | {its[1]:.2f}, its heading | "
        f"{moment / its[1]:.2f} (asked: 2.8) |"
    )


def first_moment(browser: Browser, address: str, seed: int) -> float:
    """Seconds until a fresh visitor sees a moment after the first of a run that is new."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(WAIT)
    started = time.perf_counter()
    page.goto(f"http://{address}/train?seed={100 + seed}")
    page.wait_for_function("document.querySelector('.svae-stage')?.dataset.moment > 0")
    seconds = time.perf_counter() - started
    context.close()
    return seconds


def at_rest(process: psutil.Process) -> None:
    """Memory of server and workers, shared pages counted once (PSS)."""
    time.sleep(60)
    each = [one.memory_full_info() for one in [process, *process.children(recursive=True)]]
    total = sum(getattr(info, "pss", info.rss) for info in each) / 2**20
    print(f"\nServer and workers hold {total:.0f} MB a minute after the last tab was closed.")


if __name__ == "__main__":
    main()
