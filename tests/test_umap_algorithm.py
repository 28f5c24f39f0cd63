"""UMAP's graph and layout against umap-learn's, and what the compiled layout promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from svae_core.latent import umap_algorithm
from svae_core.latent.umap_algorithm import NEIGHBOURS, A, B, fuzzy_graph, lay_out, nearest


def points_of(seed: int, count: int, k: int, twins: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, k)).astype(np.float32)
    points[:twins] = points[0]
    return points


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(NEIGHBOURS + 1, 90), st.integers(1, 6))
def test_neighbours_are_the_nearest_and_each_point_is_its_first(seed, count, k):
    points = points_of(seed, count, k)
    indices, distances = nearest(points)
    assert (indices[:, 0] == np.arange(count)).all()
    far, _ = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points).kneighbors(points)
    np.testing.assert_allclose(distances, far, atol=2e-3)


@pytest.mark.slow  # umap-learn takes seconds to import and to compile
@pytest.mark.parametrize("twins", [0, 10, 40])
def test_the_graph_is_that_of_umap_learn(twins):
    from umap.umap_ import fuzzy_simplicial_set

    points = points_of(3, 200, 4, twins)
    indices, distances = nearest(points)
    theirs, _, _ = fuzzy_simplicial_set(
        points, NEIGHBOURS, None, "euclidean", knn_indices=indices, knn_dists=distances
    )
    head, tail, weights = fuzzy_graph(indices, distances)
    ours = np.zeros((200, 200))
    ours[head, tail] = weights
    np.testing.assert_allclose(ours, theirs.toarray(), atol=2e-4)
    np.testing.assert_array_equal(ours, ours.T)
    assert (np.diff(head * 200 + tail) > 0).all()


@pytest.mark.slow
def test_the_curve_is_that_of_umap_learn():
    from umap.umap_ import find_ab_params

    np.testing.assert_allclose((A, B), find_ab_params(1.0, 0.1), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_layout_is_as_trustworthy_as_that_of_umap_learn(seed):
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import make_epochs_per_sample

    rng = np.random.default_rng(seed)
    points = load_digits().data[rng.permutation(1797)[:500]].astype(np.float32)
    start = rng.uniform(-5, 5, size=(500, 2)).astype(np.float32)
    head, tail, weights = fuzzy_graph(*nearest(points))
    drawn = weights >= weights.max() / 200
    theirs = optimize_layout_euclidean(
        *(start - start.mean(axis=0),) * 2,
        *(head[drawn], tail[drawn], 200, 500),
        *(make_epochs_per_sample(weights[drawn], 200), A, B),
        rng.integers(-(2**31), 2**31, 3),
        move_other=True,
    )
    ours = lay_out(start, head, tail, weights, 200, 1.0)
    ratio = trustworthiness(points, ours, n_neighbors=15) / trustworthiness(
        points, theirs, n_neighbors=15
    )
    assert ratio > 0.99


def test_a_layout_has_the_same_bits_again_and_leaves_its_start_alone():
    points = points_of(0, 100, 3)
    graph = fuzzy_graph(*nearest(points))
    start = points[:, :2].copy()
    first = lay_out(start, *graph, 50, 0.5)
    np.testing.assert_array_equal(lay_out(start, *graph, 50, 0.5), first)
    np.testing.assert_array_equal(start, points[:, :2])
    assert np.isfinite(first).all() and first.dtype == np.float32


def test_compiled_and_interpreted_layouts_agree():
    points = points_of(1, 40, 3)
    head, tail, weights = fuzzy_graph(*nearest(points))
    between = weights.max() / weights
    ours, plain = points[:, :2].copy(), points[:, :2].copy()
    umap_algorithm.compiled()(ours, head, tail, between, 2, 0.5)
    with np.errstate(over="ignore"):
        umap_algorithm._descend(plain, head, tail, between, 2, 0.5)
    np.testing.assert_allclose(ours, plain, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.sampled_from([0.0, 1e-30, 1e-6, 1e6, 1e15]), st.integers(0, 40))
def test_points_in_one_place_or_far_apart_are_laid_out_in_finite_numbers(seed, size, twins):
    points = points_of(seed, 40, 2, twins) * np.float32(size)
    graph = fuzzy_graph(*nearest(points))
    assert ((graph[2] >= 0) & (graph[2] <= 1)).all()
    assert np.isfinite(lay_out(points, *graph, 20, 1.0)).all()
