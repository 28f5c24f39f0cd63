"""The collapse table: every method × four data sets × two decoder variances × five seeds.

    PYTHONPATH=. python tests/benchmarks/bench_collapse.py > tests/benchmarks/collapse.md

All methods have the same shell points, nets, first weights, minibatches and epochs. With
`--keep FILE` a stopped benchmark resumes from the results in FILE. The last columns compare the
spherical VAE **at equal KL**: its loss at that KL is interpolated on its own curve, which is
trained over six bands.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svae_core import __version__
from svae_core.config.settings import settings_key
from svae_core.methods import scan_methods
from svae_core.records import Settings
from svae_core.studies import comparison

#: Epochs of each data set: some thousands of steps, with fewer passes over larger data.
EPOCHS = {"clusters": 150, "digits": 150, "mnist5k": 20, "breast_cancer": 150}
SIGMA2 = (1.0, 0.05)
SEEDS = range(5)
BANDS = (0.05, 0.1, 0.25, 0.4, 0.55, 0.7)
SHOWN = (
    ("loss", "D"),
    ("kl", "KL"),
    ("information", "I(x;z)"),
    ("floor", "floor"),
    ("sensitivity", "sens."),
    ("accuracy", "5-NN"),
)


def plan(datasets: list[str], methods: list[str], variances: list[float]) -> list[Settings]:
    """All runs of the table, then those of the spherical curve."""
    runs = []
    for dataset in datasets:
        base = Settings(dataset=dataset, epochs=EPOCHS[dataset], device="cpu")
        for sigma2 in variances:
            for method in methods:
                runs += [replace(base, method=method, sigma2=sigma2, seed=s) for s in SEEDS]
            for b in BANDS:
                runs += [replace(base, sigma2=sigma2, band=(0.0, b), seed=s) for s in SEEDS]
    return list(dict.fromkeys(runs))


def measured(runs: list[Settings], keep: Path | None) -> dict[Settings, dict[str, Any]]:
    """The result of each run; results that the file contains are not measured again."""
    known = {}
    if keep and keep.exists():
        for line in keep.read_text().splitlines():
            row = json.loads(line)
            known[row["key"]] = row
    left = [settings for settings in runs if settings_key(settings) not in known]
    for number, batch in enumerate(todo := comparison.plan(left)):
        while not batch.done:
            batch = batch.advance(5.0)
        for score in batch.rows:
            row = _kept(score)
            known[row["key"]] = row
            if keep:
                with keep.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        print(f"{number + 1}/{len(todo)} {batch.runs[0].method}", file=sys.stderr, flush=True)
    return {settings: known[settings_key(settings)] for settings in runs}


def _kept(score: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"key": settings_key(score.settings), "refused": score.refused}
    if score.certificate:
        c = score.certificate
        row |= {"verdict": c.verdict, "loss": c.loss, "kl": c.kl, "floor": c.floors.proved}
        row |= {"information": c.mutual_information, "seconds": score.seconds}
        row |= {"sensitivity": score.sensitivity, "accuracy": score.accuracy}
    return row


def curve(results: dict[Settings, dict[str, Any]], dataset: str, sigma2: float) -> np.ndarray:
    """KL and loss of the spherical VAE over its bands, means over seeds, by increasing KL."""
    points = defaultdict(list)
    for settings, row in results.items():
        about = (settings.dataset, settings.sigma2, settings.method)
        if about == (dataset, sigma2, "spherical") and not row["refused"]:
            points[settings.band].append((row["kl"], row["loss"]))
    return np.array(sorted(tuple(np.mean(pairs, axis=0)) for pairs in points.values()))


def at_equal_kl(line: np.ndarray, kl: float) -> float:
    """The spherical VAE's loss at this KL; NaN outside its curve."""
    if not line[0, 0] <= kl <= line[-1, 0]:
        return float("nan")
    return float(np.interp(kl, line[:, 0], line[:, 1]))


def table(results: dict[Settings, dict[str, Any]], methods: list[str]) -> None:
    """Print one table for each data set and variance."""
    plain = Settings().band
    variances: dict[str, dict[float, None]] = {}
    for settings in results:
        variances.setdefault(settings.dataset, {})[settings.sigma2] = None
    for dataset, of_data in variances.items():
        for sigma2 in of_data:
            line = curve(results, dataset, sigma2)
            print(f"\n## {dataset}, σ² = {sigma2:g}, {EPOCHS[dataset]} epochs\n")
            print(
                "| method | guards KL | guards information | certified | collapsed | "
                + " | ".join(title for _, title in SHOWN)
                + " | D of the spherical VAE at this KL | lower by |"
            )
            print("| --- | --- | --- |" + " ---: |" * (len(SHOWN) + 4))
            for method in methods:
                mine = [
                    row
                    for s, row in results.items()
                    if (s.dataset, s.sigma2, s.method, s.band) == (dataset, sigma2, method, plain)
                ]
                print(_line(method, [row for row in mine if not row["refused"]], line))


def _line(method: str, rows: list[dict[str, Any]], line: np.ndarray) -> str:
    guard = scan_methods()[method].module.Method
    cells = [method, "yes" if guard.guards_kl else "–", "yes" if guard.guards_information else "–"]
    if not rows:
        return "| " + " | ".join([*cells, "refused", *["–"] * (len(SHOWN) + 3)]) + " |"
    ended = [row["verdict"] for row in rows]
    cells += [f"{ended.count(name)}/{len(rows)}" for name in ("certified", "collapsed")]
    for name, _ in SHOWN:
        values = np.array([row[name] for row in rows], float)
        cells.append(f"{values.mean():.3f} ± {values.std(ddof=1):.3f}")
    kl = float(np.mean([row["kl"] for row in rows]))
    loss = float(np.mean([row["loss"] for row in rows]))
    equal = at_equal_kl(line, kl)
    cells += [f"{equal:.3f}", f"{loss - equal:+.3f}"] if np.isfinite(equal) else ["–", "–"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=list(EPOCHS))
    parser.add_argument("--methods", nargs="+", default=list(scan_methods()))
    parser.add_argument("--sigma2", nargs="+", type=float, default=list(SIGMA2))
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    results = measured(plan(chosen.datasets, chosen.methods, chosen.sigma2), chosen.keep)
    print("# The collapse table\n\n    python tests/benchmarks/bench_collapse.py\n")
    print(
        f"{len(SEEDS)} seeds, mean ± standard deviation; band up to b = {Settings().band[1]:g} "
        "with δ shell, β = 1, otherwise default settings. D is the loss with sampled latents on "
        "the shell; floor: nats proved at that loss; sens.: variance of reconstructions as a share "
        "of the data's; 5-NN: label accuracy of sampled latents. The last two columns compare **at "
        "equal KL**: the spherical VAE's loss there, from its curve over bands, and by how much it "
        "is lower (–: beyond the ends of that curve, or nothing to compare)."
    )
    table(results, chosen.methods)
    seconds = sum(row.get("seconds", 0.0) for row in results.values())
    print(
        f"\n{len(results)} runs, {seconds / 60:.0f} minutes of training, "
        f"{(time.perf_counter() - started) / 60:.0f} in this call. svae_core {__version__}, "
        f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}."
    )


if __name__ == "__main__":
    main()
