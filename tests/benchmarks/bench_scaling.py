"""The cost of training against the number of members, and of points.

    PYTHONPATH=. python tests/benchmarks/bench_scaling.py

CPU time, one thread, all sizes in alternating rounds of one run; medians as Markdown.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import machine

from svae_core.records import Budget, Settings
from svae_core.training.batch_context import steps_per_epoch
from svae_core.training.loop import advance, begin, chunk_size, point_count

ROUNDS = 7
MEMBERS = (1, 2, 4, 8, 16, 32)
STEPS = {"digits": 28, "clusters": 32, "mnist5k": 6}
POINTS = (1_000, 2_000, 4_000, 8_000, 16_000)


def batch(dataset: str, count: int) -> tuple[Settings, ...]:
    """Members as in a sweep: one method, one seed, a different σ² each."""
    base = Settings(dataset=dataset, method="spherical", epochs=1_000, device="cpu")
    return tuple(replace(base, sigma2=0.1 + 0.01 * i) for i in range(count))


def cost(members: tuple[Settings, ...], steps: int) -> float:
    """CPU milliseconds of a number of steps of all members."""
    state = advance(begin(members), Budget(steps=2, frames=False)).state
    started = time.process_time()
    advance(state, Budget(steps=steps, frames=False))
    return 1e3 * (time.process_time() - started)


def by_members() -> None:
    """Milliseconds per step and member, for growing batches."""
    print("# Cost of training\n\n## Members\n")
    print("CPU milliseconds per step and member, when so many members train as one batch:\n")
    print("| data | " + " | ".join(map(str, MEMBERS)) + " | chunk size | gain over 1 |")
    print("| --- |" + " ---: |" * (len(MEMBERS) + 2))
    for dataset, steps in STEPS.items():
        rounds = [[cost(batch(dataset, m), steps) for m in MEMBERS] for _ in range(ROUNDS)]
        each = [
            statistics.median(column) / steps / m
            for m, column in zip(MEMBERS, zip(*rounds, strict=True), strict=True)
        ]
        size = chunk_size(batch(dataset, 1)[0])
        gain = each[0] / each[MEMBERS.index(size)]
        cells = " | ".join(f"{value:.3f}" for value in each)
        print(f"| {dataset} | {cells} | {size} | {gain:.2f} |", flush=True)


def by_points() -> None:
    """Milliseconds per epoch of a pair, for growing data."""
    print("\n## Points\n\nCPU milliseconds per epoch of a pair on `clusters` with N points:\n")
    print("| N | per epoch | per 1,000 points |\n| ---: | ---: | ---: |")
    pairs = []
    for n in POINTS:
        base = Settings(
            dataset="clusters", dataset_options=(("points", n),), epochs=1_000, device="cpu"
        )
        pairs.append(tuple(replace(base, method=name) for name in ("baseline", "spherical")))
    steps = [steps_per_epoch(pair[0], point_count(begin(pair))) for pair in pairs]
    rounds = [
        [cost(pair, count) for pair, count in zip(pairs, steps, strict=True)] for _ in range(ROUNDS)
    ]
    for n, column in zip(POINTS, zip(*rounds, strict=True), strict=True):
        median = statistics.median(column)
        print(f"| {n:,} | {median:.1f} | {1e3 * median / n:.2f} |", flush=True)


def main() -> None:
    """Print both tables."""
    machine.check()
    by_members()
    by_points()
    print(f"\nMedian of {ROUNDS} alternating rounds. {machine.about()}")


if __name__ == "__main__":
    main()
