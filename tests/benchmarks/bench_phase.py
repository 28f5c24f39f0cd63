"""The measured phase diagram against theory, cell by cell.

    PYTHONPATH=. python tests/benchmarks/bench_phase.py > tests/benchmarks/phase.md

Theory, from the covariance of the data alone: a linear VAE keeps as many dimensions active as
there are λ_i > βσ² (arXiv 1911.02469), and total collapse of a Gaussian VAE whose decoder is not
projected is stable where βσ² ≥ λ_max. Nothing is fitted; every cell is trained.
"""

from __future__ import annotations

import argparse
import itertools
import math
import platform
import sys
import time
from dataclasses import replace

import numpy as np
import torch
import tqdm

from svae_core import __version__
from svae_core.records import Settings
from svae_core.studies.grid import Grid
from svae_core.studies.phase_cells import Cell, Theory, cells
from svae_core.studies.sweep import plan, theory_of

#: Relative distance to a line below which a cell is not judged: the KL of theory is near 0 there.
NEAR = 0.05
LATENT = 4
#: Epochs known to bring a linear VAE within 2 % of its closed form (tests/test_linear_vae.py).
LINEAR_EPOCHS = {"wine": 4000, "breast_cancer": 1500, "digits": 1000}
MLP_EPOCHS = {"wine": 400, "clusters": 150, "digits": 150}
MLP_BETAS = (0.5, 1.0, 2.0)
MLP_SEEDS = (0, 1)


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--linear", nargs="*", default=["wine", "breast_cancer", "digits"])
    parser.add_argument("--mlp", nargs="*", default=["wine", "clusters", "digits"])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"# The phase map against theory\n\n{_INTRODUCTION}\n")
    print("## Linear VAE: active dimensions against the number of λ_i > βσ²\n")
    print("| data | grid β × σ² | cells | judged | agree | share | CPU s per run |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for dataset in asked.linear:
        print(linear_row(dataset), flush=True)
    print("\n## mlp, conventional VAE: where it collapses against βσ² = λ_max\n")
    print("| data | β | λ_max/β | last σ² alive | first σ² collapsed | grid step | off by, steps |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for dataset in asked.mlp:
        for line in mlp_rows(dataset):
            print(line, flush=True)
    print(
        f"\nsvae_core {__version__}, torch {torch.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}, one thread of a busy machine."
    )


_INTRODUCTION = f"""Every cell is trained from the usual start and measured like any sweep's.
In the linear table a cell within {NEAR:.0%} of some βσ² = λ_i is not judged; a dimension is active
when its mean varies by more than .01. In the mlp table all {len(MLP_SEEDS)} seeds must agree: σ² is
alive where none collapsed, and collapsed from where all did. "Off by": how far λ_max/β is outside
the gap between the two, in steps of the grid; 0 when it is inside."""


def linear_row(dataset: str) -> str:
    """One line of the first table."""
    base = Settings(
        dataset=dataset,
        clusters=3,
        method="baseline",
        arch="linear",
        latent_dim=LATENT,
        epochs=LINEAR_EPOCHS[dataset],
        batch_size=256,
        learning_rate=3e-2,
        device="cpu",
    )
    theory = theory_of(Grid((base,), (), (0,)))
    # From all latents active to none, for every β.
    low, high = 0.4 * theory.eigenvalues[LATENT - 1], 2.5 * theory.lambda_max
    betas = tuple(np.geomspace(0.25, 4.0, 5).tolist())
    sigma2 = tuple(np.geomspace(low / 2, high * 2, 14).tolist())
    grid = Grid((base,), (("beta", betas), ("sigma2", sigma2)), (0,))
    found, seconds = trained(grid, theory)
    judged = [cell for cell in found if not near_a_line(cell, theory)]
    agree = sum(cell.values["active_units"].mean == cell.eigenvalues_above for cell in judged)
    for cell in judged:
        if cell.values["active_units"].mean != cell.eigenvalues_above:
            print(f"{dataset}: {cell.settings.beta} {cell.settings.sigma2}", cell, file=sys.stderr)
    return (
        f"| {dataset} | {len(betas)} × {len(sigma2)} | {len(found)} | {len(judged)} | {agree} "
        f"| {agree / len(judged):.1%} | {seconds / len(found):.2f} |"
    )


def near_a_line(cell: Cell, theory: Theory) -> bool:
    """Whether a cell is within 5 % of a line βσ² = λ_i, for i up to the latent dimension."""
    c = cell.gauge * theory.lambda_max
    return any(abs(c / value - 1.0) <= NEAR for value in theory.eigenvalues[:LATENT])


def mlp_rows(dataset: str) -> list[str]:
    """The lines of the second table for one data set, one for each β."""
    base = Settings(
        dataset=dataset,
        clusters=3,
        method="baseline",
        epochs=MLP_EPOCHS[dataset],
        device="cpu",
    )
    theory = theory_of(Grid((base,), (), (0,)))
    lines = []
    for beta in MLP_BETAS:
        critical = theory.lambda_max / beta
        # An even number of values, so that the line never falls on one.
        sigma2 = tuple((critical * np.geomspace(0.25, 4.0, 12)).tolist())
        found, _ = trained(
            Grid((replace(base, beta=beta),), (("sigma2", sigma2),), MLP_SEEDS), theory
        )
        alive, collapsed = boundary(found)
        step = math.log(sigma2[1] / sigma2[0])
        off = max(0.0, math.log(alive / critical), math.log(critical / collapsed)) / step
        lines.append(
            f"| {dataset} | {beta:g} | {critical:.4f} | {alive:.4f} | {collapsed:.4f} "
            f"| × {math.exp(step):.3f} | {off:.2f} |"
        )
    return lines


def boundary(found: tuple[Cell, ...]) -> tuple[float, float]:
    """The last σ² at which no seed collapsed, and the first from which all did."""
    count = len(MLP_SEEDS)
    alive = [cell.settings.sigma2 for cell in found if cell.verdicts["collapsed"] == 0]
    gone = list(
        itertools.takewhile(lambda cell: cell.verdicts["collapsed"] == count, reversed(found))
    )
    return max(alive, default=0.0), gone[-1].settings.sigma2 if gone else math.inf


def trained(grid: Grid, theory: Theory) -> tuple[tuple[Cell, ...], float]:
    """All cells of a grid, and the CPU seconds they took."""
    started, ended = time.process_time(), []
    chunks = plan(grid)
    with tqdm.tqdm(total=len(grid.runs), file=sys.stderr, disable=None) as bar:
        for chunk in chunks:
            while not chunk.done:
                chunk = chunk.advance(5.0)
            ended += chunk.rows
            bar.update(chunk.runs)
    return cells(grid, ended, theory), time.process_time() - started


if __name__ == "__main__":
    main()
