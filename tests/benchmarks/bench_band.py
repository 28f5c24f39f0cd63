"""Whether the weight rule keeps the loss in the band: β × σ² × data × seeds, by certificates.

    PYTHONPATH=. python tests/benchmarks/bench_band.py [--datasets NAME …] > band.md

The rule (region.penalty_weight) depends on data and band only, not on the results measured here.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sys
import time
from dataclasses import replace

import numpy as np
import torch
import tqdm

from svae_core import __version__
from svae_core.records import Budget, Certificate, Settings
from svae_core.training.batch_context import total_steps
from svae_core.training.loop import advance, begin, certify, point_count

BETAS = (0.5, 1.0, 4.0, 16.0)
SIGMA2 = (0.05, 0.5, 2.0)
SEEDS = 3
#: Epochs of each data set, about two thousand steps.
EPOCHS = {"digits": 150, "clusters": 130, "mnist5k": 50}
COLLAPSE_LOSSES = ("shell", "free")


def runs(dataset: str, collapse_loss: str) -> list[tuple[Settings, Certificate]]:
    """All runs of one data set under one definition of δ, with their certificates."""
    base = Settings(
        dataset=dataset, collapse_loss=collapse_loss, epochs=EPOCHS[dataset], device="cpu"
    )
    grid = [
        replace(base, beta=beta, sigma2=sigma2, seed=seed)
        for beta, sigma2, seed in itertools.product(BETAS, SIGMA2, range(SEEDS))
    ]
    ended: list[tuple[Settings, Certificate]] = []
    for start in range(0, len(grid), 12):
        members = tuple(grid[start : start + 12])
        state = begin(members)
        steps = total_steps(base, point_count(state))
        with tqdm.tqdm(total=steps, file=sys.stderr, disable=None) as bar:
            while state.step < steps:
                before = state.step
                state = advance(state, Budget(seconds=1.0, frames=False)).state
                bar.update(state.step - before)
        ended += zip(members, certify(state), strict=True)
    return ended


def row(dataset: str, collapse_loss: str) -> str:
    """One line of the table."""
    ended = runs(dataset, collapse_loss)
    for settings, found in ended:
        if found.kl < found.floors.tight or found.kl < found.mutual_information - 0.05:
            raise AssertionError(f"a floor or ceiling is broken by {settings}: {found}")
    width = np.array([found.delta - found.lo for _, found in ended])
    over = np.array([found.loss - found.hi for _, found in ended]) / width
    certified = sum(found.verdict == "certified" for _, found in ended)
    below = np.mean(over < 0)
    return (
        f"| {dataset} | {collapse_loss} | {len(ended)} | {below:.1%} | {over.max():+.3f} "
        f"| {np.median(over):+.3f} | {over.min():+.3f} | {certified} |"
    )


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=list(EPOCHS), choices=list(EPOCHS))
    parser.add_argument("--collapse-losses", nargs="+", default=list(COLLAPSE_LOSSES))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    print("# The weight rule and the band\n")
    print(
        f"β ∈ {BETAS}, σ² ∈ {SIGMA2}, {SEEDS} seeds, default settings otherwise. Where the final "
        "loss D lies against hi, as a share of the way from W to δ: below 0 is below hi.\n"
    )
    print("| data | δ | runs | D < hi | highest | median | lowest | certified |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for dataset in chosen.datasets:
        for collapse_loss in chosen.collapse_losses:
            print(row(dataset, collapse_loss), flush=True)
    seconds = time.perf_counter() - started
    print(
        f"\nsvae_core {__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, one thread, {seconds:.0f} s."
    )


if __name__ == "__main__":
    main()
