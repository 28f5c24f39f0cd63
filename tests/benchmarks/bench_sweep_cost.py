"""The cost of a sweep of 256 runs, in plain single runs.

    PYTHONPATH=. python tests/benchmarks/bench_sweep_cost.py

A plain single run is the same training of one conventional VAE, with the same nets and steps, as a
PyTorch loop over batches in memory (`plain` of bench_throughput). Both are measured in CPU time on
one thread, in alternating rounds. All chunks of a sweep cost the same, so one chunk is measured
for some epochs per round and multiplied by 256 ÷ its size; certificates are left out.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import machine
from bench_throughput import plain

from svae_core.records import Budget, Settings
from svae_core.training.loop import advance, begin, chunk_size

RUNS = 256
ROUNDS = 7
EPOCHS = {"digits": 4, "clusters": 4, "mnist5k": 1}


def main() -> None:
    """Print the table."""
    machine.check()
    print("# The cost of a sweep\n")
    print(f"| data | members in a chunk | {RUNS} runs cost, in plain single runs |")
    print("| --- | ---: | ---: |")
    for dataset, epochs in EPOCHS.items():
        settings = Settings(dataset=dataset, method="spherical", epochs=epochs, device="cpu")
        size = chunk_size(settings)
        rounds = [(_chunk(settings, size), _single(settings)) for _ in range(ROUNDS)]
        chunk, single = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {dataset} | {size} | {RUNS / size * chunk / single:.0f} |", flush=True)
    print(f"\nMedian of {ROUNDS} alternating rounds. {machine.about()}")


def _chunk(settings: Settings, size: int) -> float:
    """CPU seconds of one chunk: spherical VAEs of one seed, with a different σ² each."""
    members = tuple(replace(settings, sigma2=0.1 + 0.01 * i) for i in range(size))
    state = begin(members)
    started = time.process_time()
    advance(state, Budget(frames=False))
    return time.process_time() - started


def _single(settings: Settings) -> float:
    started = time.process_time()
    plain(settings)
    return time.process_time() - started


if __name__ == "__main__":
    main()
