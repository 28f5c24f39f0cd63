"""K-means on the shell: the decomposition T = W + B and the edge cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.geometry.kmeans import cluster, propose, too_many
from svae_core.records import RequestError


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(6, 60), st.integers(1, 5), st.integers(1, 6), st.integers(0, 1000))
def test_total_is_within_plus_between(n, dim, k, seed):
    points = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    found = cluster(points, min(k, n - 1), seed)
    center = points.mean(axis=0, dtype=np.float64)
    total = ((points - center) ** 2).sum(axis=1).mean()
    means = np.array([points[found.labels == j].mean(axis=0) for j in range(found.k)])
    between = (found.sizes / n * ((means - center) ** 2).sum(axis=1)).sum()
    assert found.total == pytest.approx(total, rel=1e-6)
    assert found.within + between == pytest.approx(total, rel=1e-3, abs=1e-6)
    assert found.sizes.sum() == n
    assert (found.sizes * found.variances).sum() / n == pytest.approx(found.within)
    assert found.within <= found.restarts.min() * (1 + 1e-4) + 1e-9


def test_one_cluster_leaves_everything_within():
    points = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    found = cluster(points, 1)
    assert found.within == pytest.approx(found.total)
    assert found.separation == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(found.smallest_gap) and np.isnan(found.silhouette)


def test_as_many_clusters_as_points_is_refused():
    points = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    for k in (10, 11):
        with pytest.raises(RequestError, match="only 10 points"):
            cluster(points, k)


def test_duplicate_points_leave_nothing_within_and_empty_clusters():
    points = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    found = cluster(points, 5)
    assert found.within == pytest.approx(0.0, abs=1e-12)
    assert (found.sizes == 0).sum() == 2


def test_the_number_of_separate_clusters_is_proposed():
    rng = np.random.default_rng(3)
    centers = 5 * rng.normal(size=(6, 8))
    points = (centers[rng.integers(6, size=400)] + rng.normal(size=(400, 8)) / 4).astype("f4")
    found = cluster(points, 0)
    assert found.k == 6
    assert [row[0] for row in found.proposal] == list(range(2, 21))


def test_more_clusters_than_distinct_points_are_said_and_never_proposed() -> None:
    distinct = np.random.default_rng(0).normal(size=(6, 3))
    points = np.repeat(distinct, 10, axis=0)
    assert "only 6 distinct points" in too_many(cluster(points, 9))
    assert too_many(cluster(points, 6)) == "" and too_many(cluster(points, 3)) == ""
    assert max(k for k, _, _ in propose(points)) == 6
