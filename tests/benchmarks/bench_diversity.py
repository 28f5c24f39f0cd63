"""Sample quality against the width of the band, a question that the paper leaves open.

    PYTHONPATH=. python tests/benchmarks/bench_diversity.py [--seeds N] > diversity.md

Also writes the results to assets/band_study.json, which the Latent page draws.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch
import tqdm

from svae_core import __version__
from svae_core.latent.results import BandStudy, Sampling, save_studies
from svae_core.records import Settings
from svae_core.studies.band_study import study

EDGES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
DATA = {"digits": Settings(), "clusters": Settings(dataset="clusters", clusters=5)}
ASSET = Path(__file__).parents[2] / "assets" / "band_study.json"
COLUMNS = ("loss", "kl", "coverage", "precision", "density", "recall", "reconstructed")


def measured(name: str, seeds: int) -> BandStudy:
    """The study of one data set, with a progress bar."""
    settings = Settings(**{**vars(DATA[name]), "device": "cpu"})
    with tqdm.tqdm(total=100, desc=name, file=sys.stderr, disable=None) as bar:
        return study(settings, EDGES, seeds, lambda share: bar.update(round(100 * share) - bar.n))


def table(found: BandStudy) -> str:
    """Mean ± standard deviation over seeds, one line for each kind of run."""
    lines = [
        f"## {found.title}",
        "",
        f"{found.n_points} points, {found.epochs} epochs, W = {found.within:.3f}, "
        f"T = {found.total:.3f}, δ = {found.delta:.3f}.",
        "",
        "| model | D | KL | coverage | precision | density | recall | coverage, reconstructions |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, rows in kinds(found).items():
        cells = []
        for column in COLUMNS:
            values = np.array([getattr(row, column) for row in rows])
            cells.append(f"{values.mean():.3f} ± {values.std():.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    best = found.best
    lines.append(
        f"| half of the data against the other | – | – | {best.coverage:.3f} "
        f"| {best.precision:.3f} | {best.density:.3f} | {best.recall:.3f} | – |"
    )
    return "\n".join(lines) + "\n"


def kinds(found: BandStudy) -> dict[str, list[Sampling]]:
    """The runs grouped by all settings except the seed, in the order of a table."""
    spherical = [row for row in found.samplings if row.method == "spherical"]
    named = {
        f"spherical, b = {edge:g}": [row for row in spherical if row.edge == edge]
        for edge in sorted({row.edge for row in spherical})
    }
    plain = [row for row in found.samplings if row.method == "baseline"]
    for sigma2 in sorted({row.sigma2 for row in plain}):
        named[f"baseline, σ² = {sigma2:g}"] = [row for row in plain if row.sigma2 == sigma2]
    return named


def main() -> None:
    """Print the tables as Markdown and store the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    started = time.perf_counter()
    studies = tuple(measured(name, seeds) for name in DATA)
    save_studies(studies, ASSET)
    print("# Samples and the width of the band\n")
    print(
        "Spherical VAEs with band [W, W + b(δ − W)] (β = 1, σ² = 1, default settings otherwise) "
        f"and conventional ones, {seeds} seeds each, mean ± deviation over seeds. Samples "
        "g(z), z ~ N(0, I), as many as there are points, against the points: coverage and density "
        "(arXiv 2002.09797, 5 neighbours), precision and recall (arXiv 1904.06991, 3 neighbours), "
        "by exact nearest neighbours on the shell.\n"
    )
    print("\n".join(map(table, studies)))
    print(
        f"svae_core {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"one thread, {time.perf_counter() - started:.0f} s."
    )


if __name__ == "__main__":
    main()
