"""False certificates at a true loss of 1.001 δ, and what the margin costs on trained models.

    PYTHONPATH=. python tests/benchmarks/bench_margin.py > tests/benchmarks/margin.md

Points are ±1 on a line: δ = 1, losses lie in [0, 4], and an answer of any loss can be given. Each
trial is a whole measurement, with its doublings. Rows differ in scale by up to three times.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from scipy.stats import t

from svae_core.certificate.losses import is_below, measure_losses

ROWS, TRUE, MOST = 1_000, 1.001, 4.0
POINTS = np.where(np.arange(ROWS) % 2, 1.0, -1.0)[:, None]
SCALES = np.linspace(0.5, 1.5, ROWS)
Law = Callable[[np.random.Generator, int], np.ndarray]


#: How rows are tied; the last doubles the variance of a draw's mean for χ² of 8, about.
OWN, ONE, PARTLY = "each row's own", "one for all rows", "own, and a little of one"


def scaled(law: Law, level: float, noise: str, rng: np.random.Generator) -> np.ndarray:
    """The losses [n] of one draw."""
    values = level * SCALES * law(rng, 1 if noise == ONE else ROWS)
    if noise == PARTLY:
        values *= rng.choice([1 - 0.016, 1 + 0.016])
    return np.minimum(values, MOST)


def usual_or_4(share: float) -> Law:
    """4 with this probability, else the scale of the row: rare errors, or two values."""
    return lambda rng, n: np.where(rng.random(n) < share, 1e9, 1.0)


HALF = (TRUE - 0.5) / (MOST - 0.5)
#: A law, and the exact share of losses that are 4 whatever the scale.
LAWS: dict[str, tuple[Law, float]] = {
    "lognormal, σ = 1.5": (lambda rng, n: rng.lognormal(0, 1.5, n), 0.0),
    "lognormal, σ = 3": (lambda rng, n: rng.lognormal(0, 3.0, n), 0.0),
    "rare errors, 1e-4": (usual_or_4(1e-4), 1e-4),
    "rare errors, 1e-5": (usual_or_4(1e-5), 1e-5),
    "two-valued, about ½ or 4": (usual_or_4(HALF), HALF),
    "two-valued, about 0 or 4": (usual_or_4(0.99 * TRUE / MOST), 0.99 * TRUE / MOST),
    "χ² of 1": (lambda rng, n: rng.chisquare(1, n), 0.0),
    "χ² of 8": (lambda rng, n: rng.chisquare(8, n), 0.0),
}


def calibrated(law: Law, share: float) -> float:
    """The scale at which the expected loss is 1.001 δ.

    Quantiles of the law stand for it where it is continuous: 100,000 of a large sample.
    """
    if share:
        return (TRUE - share * MOST) / (1 - share)  # the scales have mean 1 and stay below 4
    drawn = np.sort(law(np.random.default_rng(1), 4_000_000))
    usual = drawn[20::40]
    low, top = 0.0, 1e4
    for _ in range(50):
        level = (low + top) / 2
        mean = float(np.mean([np.minimum(level * s * usual, MOST).mean() for s in SCALES[::8]]))
        low, top = (level, top) if mean < TRUE else (low, level)
    return level


def trial(name: str, noise: str, level: float, seed: int) -> tuple[bool, bool]:
    """Whether our limit, and Student's margin on 16 draws, would certify falsely."""
    law, _ = LAWS[name]
    rng = np.random.default_rng([seed, 5])

    def draw() -> np.ndarray:
        losses = scaled(law, level, noise, rng)
        return POINTS - POINTS * np.sqrt(np.broadcast_to(losses, (ROWS,)))[:, None]

    found = measure_losses(draw, POINTS, (0.0, 1.0), 1.0)
    means = np.array([np.mean(scaled(law, level, noise, rng)) for _ in range(16)])
    student = means.mean() + t.ppf(0.99, 15) * means.std(ddof=1) / 4
    return is_below(found.limit, 1.0), bool(student < 1.0)


def trials(task: tuple[str, str, float, range]) -> np.ndarray:
    """How many of these seeds were false, by each rule."""
    name, noise, level, seeds = task
    return np.array([trial(name, noise, level, seed) for seed in seeds]).sum(axis=0)


def table(count: int, workers: int) -> None:
    """The rates of false certificates."""
    print(f"| losses | noise | false of {count:,} | Student's t, 16 draws |\n|---|---|---:|---:|")
    with ProcessPoolExecutor(workers) as pool:
        for name, (law, share) in LAWS.items():
            level = calibrated(law, share)
            for noise in (OWN, ONE, PARTLY) if name == "χ² of 8" else (OWN, ONE):
                parts = [range(at, min(at + 50, count)) for at in range(0, count, 50)]
                tasks = [(name, noise, level, part) for part in parts]
                ours, student = np.sum(list(pool.map(trials, tasks)), axis=0)
                print(f"| {name} | {noise} | {ours} | {student} |", flush=True)
                print(name, noise, ours, student, file=sys.stderr, flush=True)


def widths() -> None:
    """Margins of trained models, and what other limits would have been."""
    from svae_core.records import Settings
    from svae_core.training import loop

    print("\n| run | losses | margin | δ | normal, single losses | empirical Bernstein, 99 % |")
    print("|---|---:|---:|---:|---:|---:|")
    for data, clusters in (("digits", 10), ("wine", 3)):
        for method, sigma2 in (("spherical", 1.0), ("sigma_vae", 1.0), ("baseline", 0.05)):
            settings = Settings(
                dataset=data, clusters=clusters, method=method, sigma2=sigma2, device="cpu"
            )
            state = loop.advance(loop.begin((settings,))).state
            (found,) = loop.certify(state)
            deviation, bound = spread_and_bound(state)
            n = found.draws * found.n_points
            normal = t.ppf(0.99, n - 1) * deviation / math.sqrt(n)
            wide = math.log(200)
            bernstein = deviation * math.sqrt(2 * wide / n) + 7 * bound * wide / (3 * (n - 1))
            print(
                f"| {data}, {method} | {n:,} | {found.loss_margin:.4f} | {found.delta:.3f} "
                f"| {normal:.4f} | {bernstein:.4f} |",
                flush=True,
            )


def spread_and_bound(state: object) -> tuple[float, float]:
    """The deviation of single losses, and the largest that one can be."""
    from svae_core.problem import prepare
    from svae_core.training.evaluate import decode, encode
    from svae_core.training.loop import models

    (model,) = models(state)
    points = model.prepared.shell.points
    posteriors = encode(model, points)
    noise = np.random.default_rng(0).normal(size=posteriors.mean.shape)
    losses = ((decode(model, posteriors.draw(noise)) - points) ** 2).sum(axis=1)
    return float(losses.std()), prepare(model.prepared.settings).floors.bound


def main() -> None:
    """Both tables."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--trials", type=int, default=1_000)
    words.add_argument("--workers", type=int, default=1)
    asked = words.parse_args()
    print("# The margin: false certificates at 1.001 δ, and its width\n")
    print("`python tests/benchmarks/bench_margin.py`, python", platform.python_version(), "\n")
    table(asked.trials, asked.workers)
    widths()


if __name__ == "__main__":
    main()
