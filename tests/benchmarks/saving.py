"""The cost of saving a run to its training; a part of bench_runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

from pages.live import persistence, registry  # noqa: E402
from pages.live.persistence import Autosave  # noqa: E402
from pages.live.run import LiveRun  # noqa: E402
from pages.server.current import server  # noqa: E402
from svae_core.records import Settings  # noqa: E402
from svae_core.runs import folder as on_disk  # noqa: E402

MEGABYTE = 2**20
KILLS = 3


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A temporary folder for runs."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SVAE_HOME"] = folder
        yield Path(folder)


class Kept:
    """A live run trained for some seconds, saved or not, and the delay of the event loop."""

    def __init__(self) -> None:
        self.writes: list[float] = []
        self.late: list[float] = []
        self.speed = 0.0

    async def train(self, seed: int, seconds: float, saved: bool, slow: float = 0.0) -> LiveRun:
        """Steps per second, counted from the first moment."""
        runs = server().runs
        runs.loop = asyncio.get_running_loop()
        run = runs.start_run(registry.pair(Settings(epochs=5000, seed=seed)))
        live = runs.by_id[run]
        autosave = Autosave(lambda: {run: live})
        real = on_disk.os.fsync
        with live.viewed(), _timed(self.writes), _fsync(real, slow):
            await live.signal.wait_for(lambda: len(live.moments) > 1)
            first, started = live.moments[-1][0].step, time.monotonic()
            tasks = [asyncio.create_task(self._look())]
            if saved:
                tasks.append(asyncio.create_task(autosave.run()))
            await asyncio.sleep(seconds)
            newest = live.newest
            assert newest is not None
            self.speed = (newest.step - first) / (time.monotonic() - started)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        live.stop()
        runs.evict(run)
        if saved and not slow:
            await autosave.close()
        return live

    async def _look(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.late.append(time.perf_counter() - before - 0.005)


@contextlib.contextmanager
def _timed(writes: list[float]) -> Iterator[None]:
    real = persistence._RunAutosave._write

    def timed(self: Any, run: Any) -> None:
        started = time.perf_counter()
        real(self, run)
        writes.append(time.perf_counter() - started)

    persistence._RunAutosave._write = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        persistence._RunAutosave._write = real  # type: ignore[method-assign]


@contextlib.contextmanager
def _fsync(real: Any, slow: float) -> Iterator[None]:
    def late(handle: int) -> None:
        time.sleep(slow)
        real(handle)

    on_disk.os.fsync = late
    try:
        yield
    finally:
        on_disk.os.fsync = real


def cost() -> None:
    """Training with and without saving, alternately; and with a slow disk."""
    rows: dict[str, list[Kept]] = {"not saved": [], "saved": [], "saved, each fsync 1 s late": []}
    asyncio.run(Kept().train(99, 8, False))  # loads everything that is imported late
    with home():
        for seed in range(3):
            for name, saved, slow in (
                ("not saved", False, 0.0),
                ("saved", True, 0.0),
                ("saved, each fsync 1 s late", True, 1.0),
            ):
                kept = Kept()
                asyncio.run(kept.train(seed, 10, saved, slow))
                rows[name].append(kept)
    plain = statistics.median(kept.speed for kept in rows["not saved"])
    print("\n## What saving costs (digits, pair, 3 × 10 s each in turn)\n")
    print("| | steps/s | of not saved | one write, ms, median and most | loop late, ms, p99 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, all_kept in rows.items():
        speed = statistics.median(kept.speed for kept in all_kept)
        writes = [1000 * one for kept in all_kept for one in kept.writes]
        late = np.percentile([1000 * one for kept in all_kept for one in kept.late], 99)
        told = f"{statistics.median(writes):.0f}, {max(writes):.0f}" if writes else "–"
        print(f"| {name} | {speed:.0f} | {speed / plain:.2f} | {told} | {late:.1f} |")
