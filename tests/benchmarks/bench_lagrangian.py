"""A multiplier against the fixed penalty: where runs end in the band, and their KL there.

    PYTHONPATH=. python tests/benchmarks/bench_lagrangian.py [--datasets NAME …] > lagrangian.md

β × σ² × seeds, `spherical` and `spherical_lagrangian` from the same weights and minibatches.
"""

from __future__ import annotations

import argparse
import itertools
import math
import platform
import sys
from dataclasses import dataclass, replace

import numpy as np
import torch
import tqdm

from svae_core import __version__
from svae_core.records import Budget, Certificate, Settings
from svae_core.training.batch_context import total_steps
from svae_core.training.loop import advance, begin, certify, point_count

BETAS = (0.5, 1.0, 4.0, 16.0)
SIGMA2 = (0.05, 0.5, 2.0)
#: Epochs of each data set, about two thousand steps.
EPOCHS = {"digits": 150, "clusters": 130, "mnist5k": 50}
PENALTY, MULTIPLIER = "spherical", "spherical_lagrangian"


@dataclass(frozen=True)
class Run:
    """One trained member."""

    end: Certificate
    peak: float  # the highest KL of its frames, nats
    slope: float  # Λ/β, nats per unit of loss at its end; nan for the penalty

    @property
    def position(self) -> float:
        """(D − hi) in widths of the band."""
        return (self.end.loss - self.end.hi) / (self.end.hi - self.end.lo)

    @property
    def kl_at_hi(self) -> float:
        """The KL that the run would need at D = hi, extrapolated along its final slope."""
        return self.end.kl - self.slope * (self.end.hi - self.end.loss)


def trained(dataset: str, method: str, seeds: int) -> list[Run]:
    """All runs of a method, by β, σ² and seed."""
    base = Settings(dataset=dataset, method=method, epochs=EPOCHS[dataset], device="cpu")
    grid = [
        replace(base, beta=beta, sigma2=sigma2, seed=seed)
        for beta, sigma2, seed in itertools.product(BETAS, SIGMA2, range(seeds))
    ]
    runs: list[Run] = []
    for start in range(0, len(grid), 12):
        members = tuple(grid[start : start + 12])
        state = begin(members)
        steps = total_steps(base, point_count(state))
        peaks = np.zeros(len(members))
        with tqdm.tqdm(total=steps, file=sys.stderr, disable=None) as bar:
            while state.step < steps:
                before = state.step
                state, moments = _further(state)
                bar.update(state.step - before)
                for moment in moments:
                    peaks = np.maximum(peaks, [frame.kl for frame in moment])
        log = state.memory.get(f"{MULTIPLIER}:log_multiplier", np.full(len(members), np.nan))
        slopes = [math.exp(at) / one.beta for at, one in zip(log, members, strict=True)]
        ends = certify(state)
        runs += [Run(*of) for of in zip(ends, peaks, slopes, strict=True)]
    return runs


def _further(state):
    done = advance(state, Budget(seconds=2.0))
    return done.state, done.moments


def rows(dataset: str, seeds: int) -> tuple[list[str], list[bool]]:
    """Lines of the table; whether each multiplier run met both criteria."""
    penalty, multiplier = trained(dataset, PENALTY, seeds), trained(dataset, MULTIPLIER, seeds)
    needed = float(np.median([run.kl_at_hi for run in multiplier]))
    lines = []
    for name, runs in (("penalty", penalty), ("multiplier", multiplier)):
        at = [run.position for run in runs]
        final = [run.end.kl - needed for run in runs]
        peak = [run.peak - needed for run in runs]
        certified = sum(run.end.verdict == "certified" for run in runs)
        lines.append(
            f"| {dataset} | {name} | {len(runs)} | {sum(abs(p) <= 0.05 for p in at)} "
            f"| {min(at):+.3f} … {max(at):+.3f} | {certified} | {needed:.3f} "
            f"| {np.median(final):+.3f} ({min(final):+.3f} … {max(final):+.3f}) "
            f"| {np.median(peak):.3f} ({min(peak):.3f} … {max(peak):.3f}) |"
        )
    near = [abs(run.position) <= 0.05 for run in multiplier]
    pairs = list(zip(multiplier, penalty, strict=True))
    ends = [(a.end.kl - needed) / max(b.end.kl - needed, 1e-9) for a, b in pairs]
    tops = [(a.peak - needed) / max(b.peak - needed, 1e-9) for a, b in pairs]
    lines.append(
        f"| {dataset} | **ratio, run by run** | {len(pairs)} | | | | "
        f"| {np.median(ends):.2f}; below .25 in {sum(r < 0.25 for r in ends)} "
        f"| {np.median(tops):.2f}; below .25 in {sum(r < 0.25 for r in tops)} |"
    )
    both = [n and e < 0.25 for n, e in zip(near, ends, strict=True)]
    return lines, both


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=list(EPOCHS), choices=list(EPOCHS))
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    print("# Multiplier against penalty\n")
    print(
        f"svae_core {__version__}, torch {torch.__version__}, Python {platform.python_version()}. "
        f"β ∈ {BETAS}, σ² ∈ {SIGMA2}, {asked.seeds} seed(s), "
        "default band and net. Position: (D − hi) in "
        "widths of the band, from certificates. KL needed at hi: the median of multiplier runs' "
        "KL, carried from D to hi along Λ/β. Excess: KL above that, at the end and at its "
        "highest during training; median (least … greatest), in nats.\n"
    )
    print(
        "| data | method | runs | within 5 % of hi | position | certified | KL needed at hi "
        "| excess at the end | excess at its peak |"
    )
    print("|" + " --- |" * 9)
    met: list[bool] = []
    for dataset in asked.datasets:
        lines, both = rows(dataset, asked.seeds)
        print("\n".join(lines), flush=True)
        met += both
    print(
        f"\nWithin 5 % of hi and with less than 25 % of the penalty's excess KL at the end: "
        f"{sum(met)} of {len(met)} runs ({100 * sum(met) / len(met):.0f} %)."
    )


if __name__ == "__main__":
    main()
