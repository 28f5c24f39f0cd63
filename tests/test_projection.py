"""Maps of latent means: aligned from frame to frame, and honest about noise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.latent.projection import (
    NO_STRUCTURE,
    pca_layout,
    procrustes,
    shape_change,
    umap_layout,
)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 6.28), st.booleans(), st.integers(0, 1000))
def test_procrustes_undoes_turns_mirrors_and_shifts(angle, mirrored, seed):
    fixed = np.random.default_rng(seed).normal(size=(40, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moving = (fixed * [-1 if mirrored else 1, 1]) @ turn + [3.0, -1.0]
    np.testing.assert_allclose(procrustes(moving, fixed), fixed, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 9),
    st.floats(1e-3, 1e3),
    st.floats(0, 2),
    st.booleans(),
    st.integers(0, 1000),
)
def test_change_of_shape_ignores_similarities_and_is_a_share(k, scale, noise, mirrored, seed):
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(50, k)) * rng.uniform(0.5, 2, size=k)
    turn, _ = np.linalg.qr(rng.normal(size=(k, k)))
    same = scale * (before * (-1 if mirrored else 1)) @ turn + rng.normal(size=k)
    assert shape_change(same, before) < 1e-6
    now = before + noise * rng.normal(size=before.shape)
    found = shape_change(now, before)
    assert 0 <= found <= 1
    assert abs(found - shape_change(before, now)) < 1e-6
    # Oracle: no similarity from a search does better than the closed form.
    old = before - before.mean(axis=0)
    new = now - now.mean(axis=0)
    tried = scale * new @ turn
    assert np.linalg.norm(tried - old) >= (found - 1e-6) * np.linalg.norm(old)
    left, _, right = np.linalg.svd(new.T @ old)
    best = new @ left @ right
    best *= (best * old).sum() / (best**2).sum()
    assert abs(np.linalg.norm(best - old) / np.linalg.norm(old) - found) < 1e-6


def test_change_of_shape_of_a_single_place_is_none():
    assert shape_change(np.ones((5, 3)), np.zeros((5, 3))) == 0


@pytest.mark.slow
def test_a_saved_map_has_no_latents_and_is_continued_as_if_all_had_changed(separate, drawn):
    saved = replace(drawn, latent_mean=np.empty((0, 5), np.float32))
    after = umap_layout(separate[0], 0.9, 7, saved)
    assert not np.array_equal(after.coordinates, drawn.coordinates)
    assert after.latent_mean is separate[0]


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


@pytest.fixture(scope="module")
def drawn(separate):
    return umap_layout(separate[0], 0.9, 0)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 20), st.floats(-5, 5), st.integers(0, 1000))
def test_latents_that_only_shift_turn_or_grow_leave_the_map_where_it_is(
    separate, drawn, scale, shift, seed
):
    latent, _ = separate
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))
    moved = (scale * latent @ turn + shift).astype(np.float32)
    after = umap_layout(moved, 0.9, 1, drawn)
    np.testing.assert_array_equal(after.coordinates, drawn.coordinates)


@pytest.mark.slow
def test_a_map_stands_still_for_a_thousand_frames_of_frozen_latents(separate, drawn):
    layout = drawn
    for step in range(1, 1001):
        layout = umap_layout(separate[0], 0.9, step, layout)
    np.testing.assert_array_equal(layout.coordinates, drawn.coordinates)
    assert layout.step == 1000 and "step 1000" in layout.sentence


@pytest.mark.slow
def test_change_too_small_for_a_step_adds_up_and_is_followed_in_the_end(separate, drawn):
    latent, labels = separate
    goal = (6 * np.eye(4, 5)[(labels + (latent[:, 0] > 5)) % 4] + latent % 1).astype(np.float32)
    layout, moves = drawn, []
    for step in range(1, 401):
        now = latent + np.float32(step / 400) * (goal - latent)
        assert shape_change(now, now - (goal - latent) / 400) < 0.01
        after = umap_layout(now, 0.9, step, layout)
        moves.append(not np.array_equal(after.coordinates, layout.coordinates))
        layout = after
    assert not moves[0] and 5 < sum(moves) < 200
    # What is left unfollowed is less than the smallest step.
    again = umap_layout(goal, 0.9, 401, layout)
    np.testing.assert_array_equal(again.coordinates, layout.coordinates)
    assert shape_change(goal, layout.latent_mean) < 0.1


def test_latents_that_come_back_leave_no_debt(separate, drawn):
    latent, _ = separate
    aside = latent + np.float32(0.02) * np.sin(np.arange(latent.size, dtype=np.float32)).reshape(
        latent.shape
    )
    layout = drawn
    for step in range(1, 301):
        layout = umap_layout(latent if step % 2 else aside, 0.9, step, layout)
    np.testing.assert_array_equal(layout.coordinates, drawn.coordinates)


def test_a_real_change_is_followed(separate, drawn):
    latent, labels = separate
    rng = np.random.default_rng(4)
    fresh = rng.permutation(labels)
    other = (6 * np.eye(4, 5)[fresh] + rng.normal(size=latent.shape)).astype(np.float32)
    layout = drawn
    for step in range(1, 13):
        share = np.float32(step / 12)
        layout = umap_layout((1 - share) * latent + share * other, 0.9, step, layout)
    gap = ((layout.coordinates[:, None] - layout.coordinates) ** 2).sum(axis=2)
    np.fill_diagonal(gap, np.inf)
    assert (fresh[gap.argmin(axis=1)] == fresh).mean() > 0.9


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1))
def test_the_gate_opens_at_the_least_structure_and_nowhere_else(separate, drawn, structure):
    layout = umap_layout(separate[0], structure, 5, drawn)
    assert (layout.kind == "none") == (structure < NO_STRUCTURE)


def test_after_the_gate_a_map_is_drawn_afresh(separate):
    latent, _ = separate
    closed = umap_layout(latent, 0.0, 1)
    np.testing.assert_array_equal(
        umap_layout(latent, 0.9, 2, closed).coordinates, umap_layout(latent, 0.9, 2).coordinates
    )


def test_noise_is_not_drawn(separate):
    layout = umap_layout(separate[0], 0.03, 5)
    assert layout.kind == "none" and layout.coordinates.shape == (0, 2)
    assert "No structure above posterior noise" in layout.sentence
