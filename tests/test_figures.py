"""Figures: the right things are drawn at the right places, and words carry the same numbers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from support.figure_subjects import SETTINGS, an_empty_band, notes_of, three_clusters, trace_of

from svae_core.certificate.certify import certify
from svae_core.certificate.information_floors import floors_at
from svae_core.figures import cluster_curves, number_line, rate_distortion, shell_view, unit_gauge
from svae_core.figures.palette import (
    CLUSTER_STYLES,
    MARKS,
    SCENE_STYLES,
    cluster_style,
    scene_style,
)
from svae_core.problem import prepare, with_band
from svae_core.records import Problem, Settings


@pytest.fixture(scope="module")
def problem() -> Problem:
    return three_clusters()


@pytest.fixture(scope="module")
def empty() -> Problem:
    return an_empty_band()


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_is_finite_json_without_backgrounds(problem: Problem, dark: bool) -> None:
    proposal = ((2, 0.8, 0.2), (3, 0.5, 0.6))
    figures = [
        shell_view.shell_view(problem, dark),
        shell_view.raw_view(problem, dark),
        cluster_curves.choosing_k(proposal, 3, dark),
        cluster_curves.per_cluster(problem.clusters, dark),
        cluster_curves.restarts(problem.clusters, dark),
        number_line.number_line(problem.region, dark),
        rate_distortion.guarantee(problem.floors, problem.region, dark),
        unit_gauge.unit_gauge(unit_gauge.gauge_value(problem, problem.settings), dark),
    ]
    for figure in figures:
        plain = json.loads(figure.to_json())
        template = plain["layout"]["template"]["layout"]
        assert template["paper_bgcolor"] == template["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert template["font"]["size"] >= 14
        for trace in figure.data:
            if trace.type == "bar" or (trace.type == "scatter" and trace.mode != "lines"):
                assert np.isfinite(np.asarray(trace.y, float)).all()


def test_cluster_styles_are_all_different_and_symbols_tell_colours_apart() -> None:
    styles = [cluster_style(index) for index in range(CLUSTER_STYLES)]
    assert len(set(styles)) == CLUSTER_STYLES
    assert all(len({symbol for _, symbol in styles[at : at + 10]}) == 10 for at in range(60))
    in_scenes = [scene_style(index) for index in range(SCENE_STYLES)]
    assert len(set(in_scenes)) == SCENE_STYLES and in_scenes[:7] == styles[:7]


def test_shell_has_a_trace_per_cluster_with_all_its_points(problem: Problem) -> None:
    figure = shell_view.shell_view(problem)
    for index, size in enumerate(problem.clusters.sizes):
        trace = trace_of(figure, str(index + 1))
        assert len(trace.x) == size
        assert (trace.marker.color, trace.marker.symbol) == scene_style(index)
    radii = np.linalg.norm(np.stack([trace_of(figure, "1")[axis] for axis in "xyz"]), axis=0)
    assert (radii > 0.8 - 1e-5).all() and (radii < 1.2 + 1e-5).all()


def test_spokes_join_points_to_their_own_centroid(problem: Problem) -> None:
    figure = shell_view.shell_view(problem)
    spokes, centroids = trace_of(figure, "spokes"), trace_of(figure, "centroid")
    ends = np.stack([np.asarray(spokes[axis])[1::3] for axis in "xyz"], axis=1)
    own = np.stack([np.asarray(centroids[axis]) for axis in "xyz"], axis=1)
    np.testing.assert_allclose(ends, own[problem.clusters.labels[problem.view_index]], atol=1e-6)
    assert np.isnan(np.asarray(spokes.x, float)[2::3]).all()


def test_before_the_map_points_are_centred_but_not_moved_to_the_shell(problem: Problem) -> None:
    figure = shell_view.raw_view(problem)
    shown = np.concatenate([np.asarray(trace_of(figure, str(i + 1)).x) for i in range(3)])
    raw = (problem.dataset.points - problem.shell.center) @ problem.view_basis
    np.testing.assert_allclose(np.sort(shown), np.sort(raw[problem.view_index, 0]), atol=1e-5)


def test_views_keep_their_camera_and_their_range(problem: Problem) -> None:
    figure = shell_view.shell_view(problem)
    assert figure.layout.uirevision
    assert figure.layout.scene.xaxis.range == figure.layout.scene.zaxis.range


def test_band_is_drawn_from_lo_to_hi(problem: Problem) -> None:
    region = problem.region
    band = trace_of(number_line.number_line(region), MARKS["band"].name)
    assert band.x == (region.lo, region.hi)
    free = with_band(problem, dataclasses.replace(SETTINGS, lower_edge=False)).region
    band = trace_of(number_line.number_line(free), MARKS["band"].name)
    assert band.x == (free.within, free.hi)
    assert "switched off" in number_line.describe_number_line(free)


def test_number_line_shows_every_statistic_and_definition(problem: Problem) -> None:
    region = problem.region
    texts = notes_of(number_line.number_line(region))
    for name, value in (("W", region.within), ("B", region.between), ("T", region.total)):
        assert f"{name} {value:.3f}" in texts
    for name, value in region.deltas.items():
        assert f"δ {name} {value:.3f}" in texts
    assert f"<b>δ shell {region.delta:.3f}</b>" in texts


def test_labels_that_would_touch_climb(problem: Problem) -> None:
    close = dataclasses.replace(problem.region, within=1.0, between=1.01, total=2.01, hi=1.02)
    figure = number_line.number_line(close)
    heights = {note.text: note.y for note in figure.layout.annotations}
    near = [heights["W 1.000"], heights["B 1.010"], heights["<b>hi 1.020</b>"]]
    assert len(set(near)) == 3


@pytest.mark.slow
def test_empty_band_is_drawn_and_explained(empty: Problem) -> None:
    region = empty.region
    figure = number_line.number_line(region)
    assert "no band" in notes_of(figure)
    assert trace_of(figure, "empty band").x == (region.delta, region.within)
    words = number_line.describe_number_line(region)
    assert words == region.explanation and f"{region.within:.3f}" in words
    values = {value for _, value, _ in rate_distortion.floor_rows(empty.floors, region)}
    assert values == {"–"}
    assert "nothing is guaranteed" in rate_distortion.describe_guarantee(empty.floors, region)
    rate_distortion.guarantee(empty.floors, region)
    assert "from W to δ" not in cluster_curves.describe_restarts(empty.clusters, region)


def test_starts_of_k_means_that_agree_look_and_are_said_to_agree(problem: Problem) -> None:
    clusters = dataclasses.replace(problem.clusters, restarts=np.array([0.5, 0.50001, 0.5]))
    figure = cluster_curves.restarts(clusters)
    assert np.ptp(figure.layout.yaxis.range) > 0.01
    assert tuple(figure.layout.xaxis.range) == (0.5, 3.5)
    words = cluster_curves.describe_restarts(clusters, problem.region)
    assert words.startswith("All 3 starts of K-means end at the same W = 0.500")
    apart = dataclasses.replace(clusters, restarts=np.array([0.5, 0.9, 0.6]))
    low, high = cluster_curves.restarts(apart).layout.yaxis.range
    assert low < 0.5 and high > 0.9
    assert "between 0.500 and 0.900" in cluster_curves.describe_restarts(apart, problem.region)


@pytest.mark.slow
def test_guarantee_marks_measured_models_by_their_own_floor(problem: Problem) -> None:
    """Older certificates have none: they are left out."""
    rng = np.random.default_rng(0)
    measured = certify(
        lambda points: points + 0.1 * rng.normal(size=points.shape), rng.normal(size=(20, 2))
    )
    floors = dataclasses.replace(measured.floors, specific=0.9, specific_answers=5)
    known = dataclasses.replace(measured, loss=0.4, floors=floors)
    older = dataclasses.replace(known, floors=dataclasses.replace(floors, specific=None))
    figure = rate_distortion.guarantee(problem.floors, problem.region, certificates=(known, older))
    marks = trace_of(figure, "model-specific floor (99 %)")
    assert marks.x == (0.4,) and marks.y == (0.9,)
    bare = rate_distortion.guarantee(problem.floors, problem.region)
    assert all("specific" not in (trace.name or "") for trace in bare.data)


def test_guarantee_marks_the_floors_at_hi_and_says_them(problem: Problem) -> None:
    curves, region = problem.floors, problem.region
    floors = floors_at(curves, region.hi)
    marks = trace_of(
        rate_distortion.guarantee(curves, region), f"guaranteed at hi = {region.hi:.3f}"
    )
    assert marks.y == (floors.elementary, floors.proved, floors.tight)
    assert set(marks.x) == {region.hi}
    words = rate_distortion.describe_guarantee(curves, region)
    for value in (floors.elementary, floors.proved, floors.tight):
        assert f"{value:.3f}" in words
    assert "numerical" in words and "total collapse" in words


def test_forbidden_region_ends_at_the_tight_floor_and_collapse_sits_at_its_end(
    problem: Problem,
) -> None:
    figure = rate_distortion.guarantee(problem.floors, problem.region)
    forbidden, tight = (
        trace_of(figure, rate_distortion.FORBIDDEN),
        trace_of(figure, MARKS["tight"].name),
    )
    np.testing.assert_array_equal(forbidden.y, tight.y)
    collapse = trace_of(figure, "total collapse")
    assert (collapse.x[0], collapse.y[0]) == (problem.floors.delta, 0)
    cluster = trace_of(figure, "cluster only: (W, H)")
    assert (cluster.x[0], cluster.y[0]) == (problem.floors.within, problem.floors.cluster_entropy)


def test_a_hi_beyond_the_decoders_own_collapse_loss_guarantees_nothing(problem: Problem) -> None:
    free = dataclasses.replace(problem.floors, delta=0.9 * problem.region.hi)
    assert "nothing is guaranteed" in rate_distortion.describe_guarantee(free, problem.region)


def test_chosen_k_is_marked(problem: Problem) -> None:
    proposal = ((2, 0.8, 0.2), (3, 0.5, 0.6), (4, 0.4, 0.3))
    for trace in cluster_curves.choosing_k(proposal, 3).data:
        assert trace.marker.symbol[1] == "star" and "star" not in trace.marker.symbol[::2]
    assert "at K = 3; it is in use" in cluster_curves.describe_choice(proposal, 3)
    assert "K = 2 is in use" in cluster_curves.describe_choice(proposal, 2)
    assert "too few" in cluster_curves.describe_choice((), 2)


def test_cluster_words_carry_the_numbers_and_the_edge_cases(problem: Problem) -> None:
    clusters = problem.clusters
    words = cluster_curves.describe_clusters(clusters)
    assert f"{clusters.separation:.3f}" in words and f"{clusters.smallest_gap:.3f}" in words
    some_empty = dataclasses.replace(clusters, sizes=np.array([150, 0, 0]))
    assert "2 of them are empty" in cluster_curves.describe_clusters(some_empty)
    one = dataclasses.replace(clusters, k=1, silhouette=float("nan"))
    assert "one cluster" in cluster_curves.describe_clusters(one)


def test_shell_words_count_what_was_lost(problem: Problem) -> None:
    assert "150 points in 6 dimensions" in shell_view.describe_shell(problem)
    lost = dataclasses.replace(problem, shell=dataclasses.replace(problem.shell, directionless=2))
    assert "2 points sit at the centre" in shell_view.describe_shell(lost)


def test_gauge_says_which_side_of_one(problem: Problem) -> None:
    high = dataclasses.replace(SETTINGS, sigma2=2 * problem.lambda_max)
    low = dataclasses.replace(SETTINGS, sigma2=0.5 * problem.lambda_max)
    assert unit_gauge.gauge_value(problem, high) == pytest.approx(2.0)
    assert "above 1" in unit_gauge.describe_gauge(problem, high)
    assert "below 1" in unit_gauge.describe_gauge(problem, low)


def test_no_more_dimensions_are_kept_than_are_set(problem: Problem) -> None:
    many = dataclasses.replace(SETTINGS, sigma2=1e-6, latent_dim=2)
    told = unit_gauge.describe_latents(problem, many)
    assert "keeps at most 6 latent" in told and "Of the 2 that are set it keeps all." in told


@pytest.mark.slow
def test_on_a_telephone_labels_climb_and_shells_are_seen_whole() -> None:
    problem = prepare(Settings())
    wide, narrow = (number_line.number_line(problem.region, narrow=it) for it in (False, True))
    assert narrow.layout.height >= wide.layout.height
    texts = {note.text: note.y for note in narrow.layout.annotations}
    hi, total = (next(y for text, y in texts.items() if name in text) for name in ("hi ", "T "))
    assert hi != total, "next to each other they would touch"
    near, far = (
        shell_view.shell_view(problem, narrow=it).layout.scene.camera.eye.x for it in (False, True)
    )
    assert far > near
