"""K-means on the shell: W, B, T, how well clusters separate, and how many to take.

W = inertia / N (mean squared distance to the own centroid), T = total variance, B = T − W.
K-means is scikit-learn's; it finds local optima, so the spread of W over single starts is kept.
"""

from __future__ import annotations

import warnings

import numpy as np

from svae_core.records import Clusters, RequestError

_RESTARTS = 10
_SILHOUETTE_SAMPLE = 2_000  # the silhouette is quadratic in the number of points
_PROPOSED = range(2, 21)


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
    inertias, labels, centroids = _kmeans(points, k, seed)
    center = points.mean(axis=0, dtype=np.float64)
    gaps = _squared_distances(points, labels, centroids)
    within = float(gaps.mean())
    total = float(_total_variance(points, center))
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
        restarts=inertias / n,
        proposal=proposal,
    )


def propose(points: np.ndarray, seed: int = 0) -> tuple[tuple[int, float, float], ...]:
    """(K, W, silhouette) for K from 2 to 20 (fewer where points are few), on a seeded sample."""
    if len(points) > _SILHOUETTE_SAMPLE:
        rows = np.random.default_rng([seed, 11]).choice(
            len(points), _SILHOUETTE_SAMPLE, replace=False
        )
        points = points[np.sort(rows)]
    table = []
    for k in _PROPOSED:
        if k >= len(points):
            break
        _, labels, centroids = _kmeans(points, k, seed, restarts=3)
        within = float(_squared_distances(points, labels, centroids).mean())
        score = _silhouette(points, labels, seed)
        if np.isfinite(score):
            table.append((k, within, score))
    return tuple(table)


def _kmeans(
    points: np.ndarray, k: int, seed: int, restarts: int = _RESTARTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inertia of each start, and labels and centroids of the best."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    best = None
    inertias = []
    seeds = np.random.SeedSequence([seed, 19]).generate_state(restarts)
    with warnings.catch_warnings():
        # Fewer distinct points than clusters is a state that Clusters.sizes reports.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for start in seeds:
            model = KMeans(k, n_init=1, random_state=int(start)).fit(points)
            inertias.append(model.inertia_)
            if best is None or model.inertia_ < best.inertia_:
                best = model
    assert best is not None
    return np.array(inertias), best.labels_, best.cluster_centers_.astype(np.float64)


def _squared_distances(points: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """[n] squared distance of each point to its own centroid, float64, in blocks."""
    out = np.empty(len(points))
    for start in range(0, len(points), 16_384):
        rows = slice(start, start + 16_384)
        out[rows] = ((points[rows] - centroids[labels[rows]]) ** 2).sum(axis=1)
    return out


def _total_variance(points: np.ndarray, center: np.ndarray) -> float:
    squares = [
        ((points[start : start + 16_384] - center) ** 2).sum()
        for start in range(0, len(points), 16_384)
    ]
    return float(np.sum(squares)) / len(points)


def _smallest_gap(centroids: np.ndarray) -> float:
    if len(centroids) < 2:
        return float("nan")
    from scipy.spatial.distance import pdist

    return float(pdist(centroids).min())


def _silhouette(points: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Mean silhouette on at most 2,000 points; nan where there is one cluster or one per point."""
    if len(points) > _SILHOUETTE_SAMPLE:
        rows = np.random.default_rng([seed, 13]).choice(
            len(points), _SILHOUETTE_SAMPLE, replace=False
        )
        points, labels = points[rows], labels[rows]
    if not 2 <= len(np.unique(labels)) < len(points):
        return float("nan")
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(points, labels))
