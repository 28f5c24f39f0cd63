"""Quality and diversity of samples: precision, recall, density and coverage.

All four use exact nearest neighbours in the points' own coordinates. The ball of a point reaches to
its k-th nearest neighbour within its own set (data or samples); then

    precision  fraction of samples inside some data point's ball        (quality)
    recall     fraction of data points inside some sample's ball        (diversity)
    density    mean number of data balls that hold a sample, over k     (quality; may exceed 1)
    coverage   fraction of data points whose ball holds a sample        (diversity)

Precision and recall: Kynkäänniemi et al., arXiv 1904.06991, k = 3. Density and coverage: Naeem et
al., arXiv 2002.09797, k = 5; they use the balls of data points only, since an outlying sample has a
large ball, which inflates recall. Distances are those of the loss, not of another network's
features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from svae_core.records import RequestError

_PRECISION_NEIGHBOURS, _DENSITY_NEIGHBOURS = 3, 5
#: Relative slack of radii, so that float32 copies of a point count as inside its ball.
_ROUNDING = 1e-6
_BLOCK = 1_024  # samples per block of the distance matrix


@dataclass(frozen=True)
class Diversity:
    """Quality and diversity of samples; all measures but density lie in [0, 1]."""

    precision: float
    recall: float
    density: float
    coverage: float


def diversity(data: np.ndarray, samples: np.ndarray) -> Diversity:
    """Compare samples [s, d] with data [n, d]; RequestError if there are too few of either."""
    for name, points in (("data points", data), ("samples", samples)):
        if len(points) <= _DENSITY_NEIGHBOURS:
            raise RequestError(
                f"There are {len(points)} {name}, but each needs {_DENSITY_NEIGHBOURS} neighbours; "
                f"give at least {_DENSITY_NEIGHBOURS + 1}."
            )
    data, samples = (np.asarray(points, dtype=np.float64) for points in (data, samples))
    narrow, wide = _radii(data, _PRECISION_NEIGHBOURS, _DENSITY_NEIGHBOURS)
    (own,) = _radii(samples, _PRECISION_NEIGHBOURS)
    inside_data = np.zeros(len(samples), dtype=bool)
    balls = 0
    recalled, covered = (np.zeros(len(data), dtype=bool) for _ in range(2))
    for start in range(0, len(samples), _BLOCK):
        rows = slice(start, start + _BLOCK)
        gaps = _distances(samples[rows], data)
        inside_data[rows] = (gaps <= narrow).any(axis=1)
        recalled |= (gaps <= own[rows, None]).any(axis=0)
        near = gaps <= wide
        balls += int(near.sum())
        covered |= near.any(axis=0)
    return Diversity(
        precision=float(inside_data.mean()),
        recall=float(recalled.mean()),
        density=balls / (_DENSITY_NEIGHBOURS * len(samples)),
        coverage=float(covered.mean()),
    )


def nearest(data: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row [p] of the data point nearest to each of the points [p, d], and its distance [p]."""
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(data)
    gaps, rows = search.kneighbors(points)
    return rows[:, 0], gaps[:, 0]


def _radii(points: np.ndarray, *counts: int) -> list[np.ndarray]:
    """The distance of each point to its k-th nearest other point, for each k."""
    search = NearestNeighbors(n_neighbors=max(counts), algorithm="brute").fit(points)
    gaps, _ = search.kneighbors()
    scale = float(np.abs(points).max(initial=0.0))
    return [gaps[:, count - 1] + _ROUNDING * scale for count in counts]


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squared = (one**2).sum(axis=1)[:, None] - 2.0 * one @ other.T + (other**2).sum(axis=1)
    return np.sqrt(np.maximum(squared, 0.0))
