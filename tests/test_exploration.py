"""Looks into latent spaces: what a question must get, whatever the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.latent import explore
from svae_core.latent.results import (
    DecodeAt,
    Decoding,
    Interpolate,
    Interpolations,
    LatentSpaces,
    Overview,
    Plane,
    PriorSamples,
    SamplePrior,
)
from svae_core.records import Budget, RequestError, Settings, State
from svae_core.training import loop
from svae_core.training.evaluate import decode, encode

BASE = Settings(
    dataset="digits", n_points=300, epochs=60, batch_size=50, latent_dim=4, hidden=32, device="cpu"
)


@pytest.fixture(scope="module")
def state() -> State:
    """A conventional VAE that has collapsed by its units, and a spherical one that has not."""
    members = (replace(BASE, method="baseline"), BASE)
    return loop.advance(loop.begin(members), Budget(frames=False)).state


def _spaces(state: State, question: Overview) -> LatentSpaces:
    spaces = explore.answer(state, question)
    assert isinstance(spaces, LatentSpaces)
    return spaces


def test_an_overview_is_complete_and_repeatable(state: State) -> None:
    spaces = _spaces(state, Overview(start=2))
    again = _spaces(state, Overview(start=2))
    assert spaces.step == spaces.steps == state.step and spaces.image == (8, 8)
    for space, same in zip(spaces.members, again.members, strict=True):
        assert space.traversals.shape == (4, len(space.values), 64)
        assert (space.traversals >= 0).all() and (space.traversals <= 1).all()
        assert space.map.shape == (len(spaces.rows), 2)
        assert (np.diff(space.kl_per_dim[space.order]) <= 0).all()
        np.testing.assert_array_equal(space.traversals, same.traversals)


def test_dimensions_of_a_collapsed_model_are_dead_and_move_nothing(state: State) -> None:
    collapsed, alive = _spaces(state, Overview(start=0)).members
    assert collapsed.dead.all() and not alive.dead.all()
    assert collapsed.travel.max() < 0.5 < 1.5 < alive.travel.max()
    np.testing.assert_array_equal(collapsed.dead, collapsed.kl_per_dim < COLLAPSED_KL)


def test_aggregate_posteriors_are_densities_and_the_prior_where_all_is_dead(state: State) -> None:
    for space in _spaces(state, Overview()).members:
        width = space.grid[1] - space.grid[0]
        np.testing.assert_allclose(space.aggregate.sum(axis=1) * width, 1.0, atol=0.02)
    collapsed = _spaces(state, Overview()).members[0]
    np.testing.assert_allclose(collapsed.aggregate, np.tile(collapsed.prior, (4, 1)), atol=0.02)
    np.testing.assert_allclose(collapsed.variance, 1.0, atol=0.02)


def test_a_traversal_is_the_decoder_along_one_dimension(state: State) -> None:
    space = _spaces(state, Overview()).members[1]
    model = loop.models(state)[1]
    z = np.zeros((1, 4), np.float32)
    z[0, space.order[1]] = space.values[-1]
    there = explore.output_pictures(model.prepared, decode(model, z))[0]
    np.testing.assert_allclose(space.traversals[1, -1], there, atol=1e-6)


def test_the_map_of_two_dimensions_is_those_dimensions(state: State) -> None:
    model = loop.models(state)[1]
    ground = model.prepared
    mean = encode(model, ground.shell.points[ground.view_index]).mean
    space = _spaces(state, Overview(plane=Plane((2, 0)))).members[1]
    np.testing.assert_allclose(space.map, mean[:, [2, 0]], atol=1e-6)
    pca = _spaces(state, Overview()).members[1]
    assert pca.explained >= space.explained
    covariance = np.cov(pca.map.T)
    assert abs(covariance[0, 1]) < 1e-3 and covariance[0, 0] >= covariance[1, 1]


def test_decoding_at_a_point_of_the_map_gives_that_points_neighbourhood(state: State) -> None:
    """In the plane of all of a 2-D latent space, the place of a point is its latent mean."""
    members = tuple(replace(settings, latent_dim=2, epochs=20) for settings in state.settings)
    flat = loop.advance(loop.begin(members), Budget(frames=False)).state
    space = _spaces(flat, Overview(plane=Plane((0, 1)))).members[1]
    place = (float(space.map[7, 0]), float(space.map[7, 1]))
    found = explore.answer(flat, DecodeAt(1, Plane((0, 1)), place))
    assert isinstance(found, Decoding) and len(found.reconstructions) == 2
    model = loop.models(flat)[1]
    ground = model.prepared
    mean = encode(model, ground.shell.points[ground.view_index[[7]]]).mean
    np.testing.assert_allclose(
        found.decoded, explore.output_pictures(ground, decode(model, mean))[0], atol=1e-5
    )
    gaps = np.linalg.norm(ground.shell.points - decode(model, mean), axis=1)
    assert found.row == gaps.argmin() and found.distance == pytest.approx(gaps.min(), abs=1e-5)


def test_ways_begin_and_end_where_they_should(state: State) -> None:
    ways = explore.answer(state, Interpolate(0, 9))
    assert isinstance(ways, Interpolations)
    ideal, *others = ways.paths
    assert [(path.name, path.method) for path in others] == [
        *(("straight", "baseline"), ("shell", "baseline")),
        *(("straight", "spherical"), ("shell", "spherical")),
    ]
    assert ideal.deviation.max() == 0 and ideal.nearest[[0, -1]].max() < 1e-3
    for straight, shell in (others[:2], others[2:]):  # both end in the points' own reconstructions
        np.testing.assert_allclose(straight.pictures[[0, -1]], shell.pictures[[0, -1]], atol=1e-4)
    still = explore.answer(state, Interpolate(4, 4))
    assert isinstance(still, Interpolations) and still.angle == 0
    np.testing.assert_allclose(still.paths[0].pictures, np.tile(still.paths[0].pictures[0], (9, 1)))


@given(st.integers(0, 10_000), st.integers(2, 9), st.floats(0.8, 1.2), st.floats(0.8, 1.2))
def test_great_circles_stay_on_the_shell_and_turn_evenly(
    seed: int, d: int, one: float, other: float
) -> None:
    points = np.random.default_rng(seed).normal(size=(2, d))
    points *= np.array([[one], [other]]) / np.linalg.norm(points, axis=1, keepdims=True)
    way = explore._great_circle(points.astype(np.float32)).astype(float)
    np.testing.assert_allclose(way[[0, -1]], points, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), np.linspace(one, other, 9), rtol=1e-5)
    steps = [explore._angle(way[[i, i + 1]]) for i in range(8)]
    np.testing.assert_allclose(steps, explore._angle(points) / 8, atol=1e-5)


def test_opposite_points_have_a_way_too() -> None:
    point = np.array([1.0, 0.0, 0.0], np.float32)
    way = explore._great_circle(np.stack([point, -point]))
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(way[-1], -point, atol=1e-6)


def test_samples_of_a_collapsed_model_are_all_alike(state: State) -> None:
    draws = explore.answer(state, SamplePrior(3))
    assert isinstance(draws, PriorSamples)
    collapsed, alive = draws.members
    assert (
        collapsed.mean_distance
        < 0.1 * draws.data_mean_distance
        < 0.5 * draws.data_mean_distance
        < alive.mean_distance
    )
    other = explore.answer(state, SamplePrior(4))
    assert isinstance(other, PriorSamples)
    assert not np.array_equal(alive.samples, other.members[1].samples)
    points = loop.models(state)[0].prepared.dataset.points
    np.testing.assert_allclose(alive.nearest, points[alive.rows] / points.max(), atol=1e-6)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Overview(start=300), "no point 301"),
        (Overview(plane=Plane((0, 4))), "no latent dimension 5; there are 4"),
        (Interpolate(0, -1), "no point 0"),
        (DecodeAt(2, Plane(), (0.0, 0.0)), "no model 3"),
    ],
)
def test_what_is_not_there_is_refused_in_words(state: State, question: object, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        explore.answer(state, question)


def test_one_latent_dimension_has_a_map_too() -> None:
    members = (replace(BASE, latent_dim=1, epochs=1),)
    space = _spaces(loop.begin(members), Overview()).members[0]
    assert space.map.shape[1] == 2 and (space.map[:, 1] == 0).all()
