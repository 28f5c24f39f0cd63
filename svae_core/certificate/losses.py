"""The loss of sampled answers, and a limit that it stays under: rigorous, and safe to peek at.

Each answer is projected on the domain of the floors, the ball that holds the data or the shell:
for the ball the loss D′ of projected answers is at most D, and in both cases x̂′ is a function of
x̂, so that what D′ < δ implies of x̂′ holds of x̂. Losses then lie in [0, M], M = (R + r_hi)², and
a limit on the mean of bounded values applies, however heavy the tails of D are.

Losses are summed over coordinates and averaged over points, in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svae_core.certificate.confidence import (
    few_draws_margin,
    independent_sample,
    upper_limit,
)
from svae_core.config.shares import percent
from svae_core.geometry.row_blocks import rows_of

#: A certificate averages over at least this many independent draws of every latent …
DRAWS = 16
#: … and, where points are few, over as many as make this many losses in all.
_LOSSES = 65_536
#: How often that number may be doubled while the loss is below δ and its limit is not.
_DOUBLINGS = 3
#: Confidence of the limit.
CONFIDENCE = 0.99
#: The same as it is said.
PERCENT = percent(CONFIDENCE)
#: A loss this near to δ, relatively, is equal to it: points may be rounded to float32.
ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class Losses:
    """What was measured over some draws of all points."""

    given: float  # mean loss of the answers as given; nan where one is not finite
    projected: float  # of the projected answers, D′
    limit: float  # D′ is below this with the confidence above
    draws: int
    shared_noise: bool  # rows of a draw share noise, so the draws' means were the sample
    unfinished: bool  # the schedule ended with δ between D′ and its limit
    first: np.ndarray  # [n, d] answers of the first draw, as given


def measure_losses(
    draw: Callable[[], np.ndarray],
    points: np.ndarray,
    radii: tuple[float, float],
    delta: float,
    draws: int | None = None,
) -> Losses:
    """Measure the loss of `draw() -> answers [n, d]` to points [n, d], both about one origin.

    radii: norms of the domain, (0, r) for a ball. Draws are made until 65,536 losses (16 draws at
    least), and doubled up to three times while δ lies between the mean and its limit; with
    `draws` exactly so many. The limit holds at every stage at once (see `confidence`).
    Assumed: draws are independent of each other and of one law, and rows of a draw are
    independent or share noise to a degree that shows in the draws made.
    """
    bound = (float(np.sqrt(_squares(points).max())) + radii[1]) ** 2
    readings = _schedule(len(points), draws)
    given, projected = list[float](), list[np.ndarray]()
    first = np.empty(0)
    limit, shared = np.nan, False
    for reading in readings:
        while len(projected) < reading:
            answers = draw()
            if not given:
                first = answers
            mean, losses = _losses(answers, points, radii)
            if not np.isfinite(mean):
                return Losses(np.nan, np.nan, np.nan, len(given) + 1, False, False, answers)
            given.append(mean)
            projected.append(np.minimum(losses, bound))
        table = np.array(projected)
        mean = float(table.mean())
        sample = independent_sample(table)
        shared = sample is not table
        found = upper_limit(sample, 0.0, bound, 1 - CONFIDENCE, readings)
        limit = max(found, mean + few_draws_margin(table, 1 - CONFIDENCE))
        if is_below(limit, delta) or not is_below(mean, delta):
            break
    return Losses(
        given=float(np.mean(given)),
        projected=mean,
        limit=limit,
        draws=len(given),
        shared_noise=shared,
        unfinished=draws is None and is_below(mean, delta) and not is_below(limit, delta),
        first=first,
    )


def is_below(loss: float, delta: float) -> bool:
    """Whether a loss is below δ by more than rounding."""
    return loss < delta * (1.0 - ROUNDING)


def _schedule(n: int, draws: int | None) -> tuple[int, ...]:
    if draws is not None:
        return (draws,)
    start = max(DRAWS, -(-_LOSSES // n))
    return tuple(start << stage for stage in range(_DOUBLINGS + 1))


def _losses(
    answers: np.ndarray, points: np.ndarray, radii: tuple[float, float]
) -> tuple[float, np.ndarray]:
    """The mean loss as given, and the loss [n] of each projected answer."""
    total, projected = 0.0, np.empty(len(points))
    low, high = radii
    for rows, block in rows_of(points):
        x, y = block.astype(np.float64), answers[rows].astype(np.float64)
        gaps = _squares(y - x)
        total += float(gaps.sum())
        norms = np.sqrt(_squares(y))
        kept = np.clip(norms, low, high)
        outside = kept != norms
        if outside.any():
            y = y[outside] * (kept[outside] / np.maximum(norms[outside], 1e-300))[:, None]
            gaps[outside] = _squares(y - x[outside])
        projected[rows] = gaps
    return total / len(points), projected


def _squares(rows: np.ndarray) -> np.ndarray:
    """Squared Euclidean norms [n] of rows [n, d], float64."""
    return np.asarray(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
