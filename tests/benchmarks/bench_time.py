"""Show 5 of issue 4 on the real engine: change a band live, branch, replay, compare all frames.

    PYTHONPATH=. python tests/benchmarks/bench_time.py > tests/benchmarks/time.md

Digits, default settings, 60 epochs, in worker processes as on the server.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from pages.live import registry
from pages.live.run import LiveRun
from pages.live.shared_training import Trainings
from pages.server.current import server
from svae_core.records import Settings


async def measure() -> None:
    """Print the table."""
    server().runs.loop = asyncio.get_running_loop()
    root = server().runs.start_run(registry.pair(Settings(epochs=60)))
    parent = live_run_of(root)
    with parent.viewed():
        await parent.signal.wait_for(lambda: len(parent.moments) > 40)
        start = time.perf_counter()
        parent.change({"band": (0.0, 0.6)})
        await parent.signal.wait_for(lambda: bool(parent.members[0].changes))
        taken = time.perf_counter() - start
        await parent.signal.wait_for(lambda: parent.status == "finished")
    start = time.perf_counter()
    child = live_run_of(server().runs.branch(root, parent.moments[150][0].step, {"beta": 4.0}))
    made = time.perf_counter() - start
    with child.viewed():
        await child.signal.wait_for(lambda: len(child.moments) > 151)
        shown = time.perf_counter() - start
        await child.signal.wait_for(lambda: child.status == "finished")
    replay = LiveRun(child.members, Trainings(server().engine))  # shares nothing with the child
    with replay.viewed():
        await replay.signal.wait_for(lambda: replay.status == "finished")
    compared, equal = compare(child, replay)
    print("# Changing, branching and replaying a run\n")
    print("| what | measured |\n| --- | ---: |")
    print(f"| a live change takes effect after | {1000 * taken:.0f} ms |")
    print(f"| a branch at moment 150 is made in | {1000 * made:.0f} ms |")
    print(f"| and shows its first new moment after | {1000 * shown:.0f} ms |")
    print(f"| frames' fields compared, branch against its replay | {compared} |")
    print(f"| of them equal bit for bit | {equal} |")
    print(f"| same remarks | {child.remarks == replay.remarks} |")
    print(f"| same certificates | {child.certificates == replay.certificates} |")
    print(
        f"| checkpoints kept, all of the run in MB | {len(parent.shared.history.states)}, ", end=""
    )
    print(f"{parent.size / 1e6:.1f} |")
    for live in (parent, child, replay):
        live.stop()


def live_run_of(run: str) -> LiveRun:
    """The live run of that id."""
    live = server().runs.find(run)
    assert live is not None
    return live


def compare(one: LiveRun, other: LiveRun) -> tuple[int, int]:
    """The number of fields of all frames, and how many are equal."""
    compared = equal = 0
    for mine, theirs in zip(one.moments, other.moments, strict=True):
        for frame, twin in zip(mine, theirs, strict=True):
            for item in dataclasses.fields(frame):
                if item.name != "latent_mean":  # of the newest moment only
                    values = getattr(frame, item.name), getattr(twin, item.name)
                    compared += 1
                    equal += int(np.array_equal(*values))
    return compared, equal


if __name__ == "__main__":
    asyncio.run(measure())
