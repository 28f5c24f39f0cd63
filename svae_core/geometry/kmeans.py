"""K-means on the shell: W, B, T, cluster separation, and a proposal for K.

W = inertia / N (mean squared distance to the own centroid), T = total variance, B = T − W.
scikit-learn's K-means finds local optima, so W of every single start is reported too.

For large data the starts run on a seeded sample. The start that is best on all points is then
continued on all of them by Lloyd's algorithm in blocks of rows, without a copy of the data.
Whichever way the centroids were found, W and all other numbers are computed from all points.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from svae_core.geometry.row_blocks import center_of, rows_of
from svae_core.records import Clusters, RequestError

_RESTARTS = 10
_SILHOUETTE_SAMPLE = 2_000  # the silhouette is quadratic in the number of points
_PROPOSED = range(2, 21)
#: Points on which K-means starts, or ten per cluster if that is more; larger data are sampled, and
#: wide ones to so many numbers: scikit-learn takes two copies of them.
_STARTED_ON, _STARTED_NUMBERS = 20_000, 2**24
_TOLERANCE = 1e-4  # in units of the mean variance of a coordinate, as in scikit-learn
_PASSES = 100  # Lloyd iterations over all points, at most


def cluster(points: np.ndarray, k: int, seed: int = 0) -> Clusters:
    """K-means with k clusters on points [n, d]; k = 0 proposes k by the best silhouette.

    Raises RequestError unless k < n. Duplicate points may leave fewer than k clusters occupied:
    `sizes` then has zeros.
    """
    n = len(points)
    if k >= n:
        raise RequestError(
            f"--clusters is {k}, but there are only {n} points; ask for fewer clusters than points."
        )
    proposal: tuple[tuple[int, float, float], ...] = ()
    if k == 0:
        proposal = propose(points, seed)
        k = max(proposal, key=lambda row: (row[2], -row[0]))[0] if proposal else 1
    center = center_of(points)
    total = total_variance(points, center)
    started_on = min(n, max(min(_STARTED_ON, _STARTED_NUMBERS // points.shape[1]), 10 * k))
    if started_on == n:
        inertias, labels, centroids = _kmeans(points, k, seed)
        restarts = inertias / n
    else:
        restarts, labels, centroids = _kmeans_of_many(points, k, seed, started_on)
    gaps = squared_distances(points, labels, centroids)
    within = float(gaps.mean())
    sizes = np.bincount(labels, minlength=k)
    sums = np.bincount(labels, weights=gaps, minlength=k)
    return Clusters(
        k=k,
        labels=labels.astype(np.int32),
        centroids=centroids,
        within=within,
        between=total - within,
        total=total,
        sizes=sizes,
        variances=np.divide(sums, sizes, out=np.zeros(k), where=sizes > 0),
        deviation=float(gaps.std()),
        smallest_gap=_smallest_gap(centroids),
        separation=(total - within) / total if total > 0 else 0.0,
        silhouette=_silhouette(points, labels, seed),
        restarts=restarts,
        proposal=proposal,
        started_on=started_on,
    )


def how_started(clusters: Clusters) -> str:
    """One sentence if the starts of K-means ran on a sample of the points, else empty."""
    if clusters.started_on in (0, clusters.sizes.sum()):
        return ""
    return (
        f"The starts of K-means ran on a seeded sample of {clusters.started_on:,} of "
        f"{clusters.sizes.sum():,} points; W of each was measured on all points, and the best "
        "start was continued on all points."
    )


def too_many(clusters: Clusters) -> str:
    """One sentence if K is above the number of distinct points, else empty."""
    occupied = int(np.count_nonzero(clusters.sizes))
    # With fewer distinct points than centroids each is a cluster of its own, and some are empty.
    if occupied == clusters.k or float(clusters.variances.max()) > 1e-10 * clusters.total:
        return ""
    return (
        f"K is {clusters.k}, but there are only {occupied} distinct points, so that W is 0 and "
        f"{clusters.k - occupied} of the clusters are empty; ask for fewer clusters."
    )


def propose(points: np.ndarray, seed: int = 0) -> tuple[tuple[int, float, float], ...]:
    """(K, W, silhouette) for K from 2 to 20, or to the distinct points, on a seeded sample."""
    if len(points) > _SILHOUETTE_SAMPLE:
        rows = np.random.default_rng([seed, 11]).choice(
            len(points), _SILHOUETTE_SAMPLE, replace=False
        )
        points = points[np.sort(rows)]
    table = []
    distinct = len(np.unique(points, axis=0))
    for k in _PROPOSED:
        if k >= len(points) or k > distinct:
            break
        _, labels, centroids = _kmeans(points, k, seed, restarts=3)
        within = float(squared_distances(points, labels, centroids).mean())
        score = _silhouette(points, labels, seed)
        if np.isfinite(score):
            table.append((k, within, score))
    return tuple(table)


def _kmeans(
    points: np.ndarray, k: int, seed: int, restarts: int = _RESTARTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inertia of each start; labels and centroids of the best one."""
    models = _starts(points, k, seed, restarts)
    best = min(models, key=lambda model: float(model.inertia_))  # the first of equals
    inertias = np.array([model.inertia_ for model in models])
    return inertias, best.labels_, best.cluster_centers_.astype(np.float64)


def _starts(points: np.ndarray, k: int, seed: int, restarts: int) -> list[Any]:
    """scikit-learn's K-means from `restarts` single starts."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    seeds = np.random.SeedSequence([seed, 19]).generate_state(restarts)
    with warnings.catch_warnings():
        # Fewer distinct points than clusters is a state that Clusters.sizes reports.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return [KMeans(k, n_init=1, random_state=int(s)).fit(points) for s in seeds]


def _kmeans_of_many(
    points: np.ndarray, k: int, seed: int, started_on: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W of each start on all points; labels and centroids of the best, continued on all points."""
    rows = np.random.default_rng([seed, 37]).choice(len(points), started_on, replace=False)
    sample = points[np.sort(rows)]
    models = _starts(sample, k, seed, _RESTARTS)
    sets = np.stack([model.cluster_centers_.astype(np.float64) for model in models])
    restarts = _within_each(points, sets)
    centroids = sets[restarts.argmin()]
    tolerance = _TOLERANCE * float(sample.var(axis=0, dtype=np.float64).mean())
    for _ in range(_PASSES):
        means = _means_of_nearest(points, centroids)
        moved = float(((means - centroids) ** 2).sum())
        centroids = means
        if moved <= tolerance:
            break
    return restarts, nearest(points, centroids), centroids


def nearest(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The index [n] of the centroid [k, d] nearest to each point, computed in float64."""
    found = np.empty(len(points), np.int32)
    for rows, block in rows_of(points, len(centroids)):
        found[rows] = _scores(block.astype(np.float64), centroids).argmin(axis=1)
    return found


def _scores(block: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """‖c‖² − 2⟨x, c⟩, [rows, k]: the squared distance without ‖x‖², which is equal for all c."""
    return np.asarray((centroids**2).sum(axis=1) - 2.0 * (block @ centroids.T))


def _within_each(points: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """W [s] of each set of centroids [s, k, d]."""
    s, k, d = sets.shape
    within = np.zeros(s)
    for _, block in rows_of(points, s * k):
        x = block.astype(np.float64)
        least = _scores(x, sets.reshape(s * k, d)).reshape(len(x), s, k).min(axis=2)
        within += np.maximum(least + (x**2).sum(axis=1)[:, None], 0.0).sum(axis=0)
    return within / len(points)


def _means_of_nearest(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """One Lloyd step: the mean of the points nearest to each centroid, [k, d].

    A centroid without points stays where it is.
    """
    k = len(centroids)
    sums, sizes = np.zeros(centroids.shape), np.zeros(k)
    for _, block in rows_of(points, k):
        x = block.astype(np.float64)
        own = _scores(x, centroids).argmin(axis=1)
        # One-hot membership turns the sums per cluster into one matrix product.
        one_hot = np.zeros((len(x), k))
        one_hot[np.arange(len(x)), own] = 1.0
        sums += one_hot.T @ x
        sizes += one_hot.sum(axis=0)
    means = sums / np.maximum(sizes, 1.0)[:, None]
    return np.where(sizes[:, None] > 0, means, centroids)


def squared_distances(points: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """[n] squared distance of each point to its own centroid, float64, in blocks."""
    out = np.empty(len(points))
    for rows, block in rows_of(points):
        out[rows] = ((block - centroids[labels[rows]]) ** 2).sum(axis=1)
    return out


def total_variance(points: np.ndarray, center: np.ndarray) -> float:
    """T: the mean squared distance to the mean (`center`) of points [n, d]."""
    squares = [((block - center) ** 2).sum() for _, block in rows_of(points)]
    return float(np.sum(squares)) / len(points)


def _smallest_gap(centroids: np.ndarray) -> float:
    if len(centroids) < 2:
        return float("nan")
    from scipy.spatial.distance import pdist

    return float(pdist(centroids).min())


def _silhouette(points: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Mean silhouette on at most 2,000 points; nan with one cluster or one cluster per point."""
    if len(points) > _SILHOUETTE_SAMPLE:
        rows = np.random.default_rng([seed, 13]).choice(
            len(points), _SILHOUETTE_SAMPLE, replace=False
        )
        points, labels = points[rows], labels[rows]
    if not 2 <= len(np.unique(labels)) < len(points):
        return float("nan")
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(points, labels))
