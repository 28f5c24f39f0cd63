"""Maps of latent means: aligned from frame to frame, and honest about noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.projection import pca_layout, procrustes, umap_layout


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 6.28), st.booleans(), st.integers(0, 1000))
def test_procrustes_undoes_turns_mirrors_and_shifts(angle, mirrored, seed):
    fixed = np.random.default_rng(seed).normal(size=(40, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moving = (fixed * [-1 if mirrored else 1, 1]) @ turn + [3.0, -1.0]
    np.testing.assert_allclose(procrustes(moving, fixed), fixed, atol=1e-9)


def test_pca_keeps_distances_of_flat_latents_and_follows_the_one_before():
    latent = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    first = pca_layout(latent, 0)
    turned = pca_layout(latent[:, ::-1] * [1, -1], 1, first)
    np.testing.assert_allclose(turned.coordinates, first.coordinates, atol=1e-5)
    assert first.kind == "pca" and "step 0" in first.sentence
    assert pca_layout(latent[:, :1], 0).coordinates.shape == (200, 2)


@pytest.fixture(scope="module")
def separate():
    rng = np.random.default_rng(1)
    labels = rng.integers(4, size=240)
    latent = 6 * np.eye(4, 5)[labels] + rng.normal(size=(240, 5))
    return latent.astype(np.float32), labels


def test_umap_keeps_clusters_and_stands_still_when_latents_do(separate):
    latent, labels = separate
    first = umap_layout(latent, 0.9, 10)
    again = umap_layout(latent, 0.9, 20, first)
    np.testing.assert_array_equal(again.coordinates, first.coordinates)
    assert again.step == 20 and "step 20" in again.sentence
    gap = ((first.coordinates[:, None] - first.coordinates) ** 2).sum(axis=2)
    np.fill_diagonal(gap, np.inf)
    assert (labels[gap.argmin(axis=1)] == labels).mean() > 0.97


def test_slow_movement_is_kept_as_a_debt_and_followed(separate):
    latent, _ = separate
    layout = start = umap_layout(latent, 0.9, 0)
    moved = False
    for step in range(1, 12):
        latent = latent * 1.01
        layout = umap_layout(latent, 0.9, step, layout)
        moved = moved or not np.array_equal(layout.coordinates, start.coordinates)
    assert moved


def test_noise_is_not_drawn(separate):
    layout = umap_layout(separate[0], 0.03, 5)
    assert layout.kind == "none" and layout.coordinates.shape == (0, 2)
    assert "No structure above posterior noise" in layout.sentence
