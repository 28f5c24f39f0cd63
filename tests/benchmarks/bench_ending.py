"""Seconds until the server ends after SIGTERM while pages are open and a run trains.

    PYTHONPATH=. python tests/benchmarks/bench_ending.py > tests/benchmarks/ending.md

The real app, with three pages in headless Chromium: a live run on two of them, Theory on the third.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import answers, chromium  # noqa: E402
from support.ports import free_port  # noqa: E402

TRIES = 5


def seconds_to_end(browser: Browser, home: str) -> float:
    """Seconds from SIGTERM to the end of the process, with all pages still open."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"],
        cwd=ROOT,
        env=os.environ | {"SVAE_HOME": home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}"
    while not answers(f"{url}/_stcore/health"):
        time.sleep(0.1)
    pages = [browser.new_page() for _ in range(3)]
    pages[0].goto(f"{url}/train?epochs=5000")
    pages[0].wait_for_selector("[data-moment]", timeout=120_000)
    pages[1].goto(pages[0].url)
    pages[1].wait_for_selector("[data-moment]", timeout=120_000)
    pages[2].goto(f"{url}/theory")
    pages[2].get_by_role("heading", name="What a measured loss excludes").wait_for(timeout=120_000)
    started = time.perf_counter()
    server.send_signal(signal.SIGTERM)
    server.wait()
    seconds = time.perf_counter() - started
    for page in pages:
        page.close()
    return seconds


def main() -> None:
    """Print the table."""
    with chromium() as browser, tempfile.TemporaryDirectory() as home:
        ends = sorted(seconds_to_end(browser, home) for _ in range(TRIES))
    print("# The end of the server\n")
    print("| SIGTERM with three pages open, one run in training | seconds |\n| --- | ---: |")
    print(
        f"| median of {TRIES} | {ends[TRIES // 2]:.2f} |\n| longest (asked: 2) | {ends[-1]:.2f} |"
    )
    print(f"\nTwo cores, load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
