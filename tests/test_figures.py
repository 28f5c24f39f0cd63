"""Figures: the right things are drawn at the right places, and words carry the same numbers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from support.information_laws import assert_information_laws

from svae_core.certificate.floors import floors_at
from svae_core.figures import (
    cluster_curves,
    conditions,
    gauge,
    guarantee,
    number_line,
    outcomes,
    recorded,
    sensitivity,
    shell_view,
    trajectories,
)
from svae_core.figures.palette import CLUSTER_STYLES, MARKS, cluster_style
from svae_core.problem import prepare, with_band
from svae_core.records import Certificate, Moment, Problem, Settings
from svae_core.studies import attack
from svae_core.studies.k_sensitivity import sensitivity as bands_over_k
from svae_core.training import loop

_OPTIONS = (("ambient_dim", 6), ("number", 3), ("points", 150))
_SETTINGS = Settings(dataset="clusters", dataset_options=_OPTIONS, clusters=3, band=(0.1, 0.4))


@pytest.fixture(scope="module")
def problem() -> Problem:
    return prepare(_SETTINGS)


@dataclasses.dataclass(frozen=True)
class _Run:
    """A pair of models, watched from start to end."""

    moments: tuple[Moment, ...]
    certificates: tuple[Certificate, ...]


@pytest.fixture(scope="module")
def run() -> _Run:
    spherical = dataclasses.replace(_SETTINGS, epochs=40, batch_size=32, learning_rate=5e-3)
    state = loop.begin((dataclasses.replace(spherical, method="baseline"), spherical))
    advance = loop.advance(state)
    certificates = loop.certify(advance.state)
    for certificate in certificates:
        assert_information_laws(certificate)
    return _Run((loop.first_frames(state), *advance.moments), certificates)


@pytest.fixture(scope="module")
def free() -> Problem:
    return prepare(dataclasses.replace(_SETTINGS, method="baseline"))


@pytest.fixture(scope="module")
def empty() -> Problem:
    settings = Settings(clusters=10, collapse_loss="between", n_points=400)
    problem = prepare(settings)
    assert problem.region.empty
    return problem


def _named(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def _texts(figure: go.Figure) -> str:
    return " | ".join(str(note.text) for note in figure.layout.annotations)


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
        guarantee.guarantee(problem.floors, problem.region, dark),
        gauge.unit_gauge(problem, problem.settings, dark),
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
    assert len({symbol for _, symbol in styles[:7]}) == 7


def test_shell_has_a_trace_per_cluster_with_all_its_points(problem: Problem) -> None:
    figure = shell_view.shell_view(problem)
    for index, size in enumerate(problem.clusters.sizes):
        trace = _named(figure, str(index + 1))
        assert len(trace.x) == size
        assert (trace.marker.color, trace.marker.symbol) == cluster_style(index)
    radii = np.linalg.norm(np.stack([_named(figure, "1")[axis] for axis in "xyz"]), axis=0)
    assert (radii > 0.8 - 1e-5).all() and (radii < 1.2 + 1e-5).all()


def test_spokes_join_points_to_their_own_centroid(problem: Problem) -> None:
    figure = shell_view.shell_view(problem)
    spokes, centroids = _named(figure, "spokes"), _named(figure, "centroid")
    ends = np.stack([np.asarray(spokes[axis])[1::3] for axis in "xyz"], axis=1)
    own = np.stack([np.asarray(centroids[axis]) for axis in "xyz"], axis=1)
    np.testing.assert_allclose(ends, own[problem.clusters.labels[problem.view_index]], atol=1e-6)
    assert np.isnan(np.asarray(spokes.x, float)[2::3]).all()


def test_before_the_map_points_are_centred_but_not_moved_to_the_shell(problem: Problem) -> None:
    figure = shell_view.raw_view(problem)
    shown = np.concatenate([np.asarray(_named(figure, str(i + 1)).x) for i in range(3)])
    raw = (problem.dataset.points - problem.shell.center) @ problem.view_basis
    np.testing.assert_allclose(np.sort(shown), np.sort(raw[problem.view_index, 0]), atol=1e-5)


def test_views_keep_their_camera_and_their_range(problem: Problem) -> None:
    figure = shell_view.shell_view(problem)
    assert figure.layout.uirevision
    assert figure.layout.scene.xaxis.range == figure.layout.scene.zaxis.range


def test_band_is_drawn_from_lo_to_hi(problem: Problem) -> None:
    region = problem.region
    band = _named(number_line.number_line(region), MARKS["band"].name)
    assert band.x == (region.lo, region.hi)
    free = with_band(problem, dataclasses.replace(_SETTINGS, lower_edge=False)).region
    band = _named(number_line.number_line(free), MARKS["band"].name)
    assert band.x == (free.within, free.hi)
    assert "switched off" in number_line.describe_number_line(free)


def test_number_line_shows_every_statistic_and_definition(problem: Problem) -> None:
    region = problem.region
    texts = _texts(number_line.number_line(region))
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


def test_empty_band_is_drawn_and_explained(empty: Problem) -> None:
    region = empty.region
    figure = number_line.number_line(region)
    assert "no band" in _texts(figure)
    assert _named(figure, "empty band").x == (region.delta, region.within)
    words = number_line.describe_number_line(region)
    assert words == region.explanation and f"{region.within:.3f}" in words
    values = {value for _, value, _ in guarantee.floor_rows(empty.floors, region)}
    assert values == {"–"}
    assert "nothing is guaranteed" in guarantee.describe_guarantee(empty.floors, region)
    guarantee.guarantee(empty.floors, region)
    assert "from W to δ" not in cluster_curves.describe_restarts(empty.clusters, region)


def test_guarantee_marks_the_floors_at_hi_and_says_them(problem: Problem) -> None:
    curves, region = problem.floors, problem.region
    floors = floors_at(curves, region.hi)
    marks = _named(guarantee.guarantee(curves, region), f"guaranteed at hi = {region.hi:.3f}")
    assert marks.y == (floors.elementary, floors.proved, floors.tight)
    assert set(marks.x) == {region.hi}
    words = guarantee.describe_guarantee(curves, region)
    for value in dataclasses.astuple(floors):
        assert f"{value:.3f}" in words
    assert "numerical" in words and "total collapse" in words


def test_forbidden_region_ends_at_the_tight_floor_and_collapse_sits_at_its_end(
    problem: Problem,
) -> None:
    figure = guarantee.guarantee(problem.floors, problem.region)
    forbidden, tight = _named(figure, guarantee.FORBIDDEN), _named(figure, MARKS["tight"].name)
    np.testing.assert_array_equal(forbidden.y, tight.y)
    collapse = _named(figure, "total collapse")
    assert (collapse.x[0], collapse.y[0]) == (problem.floors.delta, 0)
    cluster = _named(figure, "cluster only: (W, H)")
    assert (cluster.x[0], cluster.y[0]) == (problem.floors.within, problem.floors.cluster_entropy)


def test_a_hi_beyond_the_decoders_own_collapse_loss_guarantees_nothing(problem: Problem) -> None:
    free = dataclasses.replace(problem.floors, delta=0.9 * problem.region.hi)
    assert "nothing is guaranteed" in guarantee.describe_guarantee(free, problem.region)


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
    high = dataclasses.replace(_SETTINGS, sigma2=2 * problem.lambda_max)
    low = dataclasses.replace(_SETTINGS, sigma2=0.5 * problem.lambda_max)
    assert gauge.gauge_value(problem, high) == pytest.approx(2.0)
    assert "above 1" in gauge.describe_gauge(problem, high)
    assert "below 1" in gauge.describe_gauge(problem, low)


def test_recorded_run_plays_and_ends_where_its_words_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    run = recorded.Recording(
        titles=np.array(["one", "two"]),
        sentences=np.array(["Collapsed.", "Certified."]),
        points=rng.random((2, 3, 5, 3)).astype(np.float16),
        data=rng.random((5, 3)).astype(np.float16),
        labels=np.arange(5),
        epochs=np.array([0, 1, 9]),
        losses=rng.random((2, 3)),
        kls=rng.random((2, 3)),
        deltas=np.array([1.0, 2.0]),
        radii=np.array([0.8, 1.2]),
    )
    path = tmp_path / "run.npz"
    recorded.save_recording(run, path)
    figure = recorded.recorded(recorded.load_recording(path))
    assert len(figure.frames) == 3
    assert f"{run.kls[1, 2]:.2f} nats" in figure.layout.annotations[1].text
    assert f"{run.kls[0, 0]:.2f} nats" in figure.frames[0].layout.annotations[0].text
    np.testing.assert_array_equal(figure.data[0].x, run.points[0, 2, :, 0])
    assert "two: Certified." in recorded.describe_recorded(run)


def test_trajectories_start_and_end_where_the_frames_do(
    problem: Problem, free: Problem, run: _Run
) -> None:
    figure = trajectories.trajectories(free.floors, problem.floors, problem.region, run.moments)
    for index, name in enumerate(("Baseline VAE", "Spherical VAE")):
        path = _named(figure, name)
        frames = [moment[index] for moment in run.moments]
        assert list(path.x) == [frame.loss for frame in frames]
        assert list(path.y) == [frame.kl for frame in frames]
        assert path.marker.symbol[0].endswith("-open") and path.marker.size[-1] == 15
        words = trajectories.describe_trajectories(run.moments)
        assert f"{name}: from loss {frames[0].loss:.3f}" in words
        assert f"{frames[-1].kl:.2f} nats" in words
    assert _named(figure, "Baseline VAE").line.dash != _named(figure, "Spherical VAE").line.dash


def test_both_floors_are_drawn_and_the_shells_is_the_higher_one(
    problem: Problem, free: Problem
) -> None:
    figure = trajectories.trajectories(free.floors, problem.floors, problem.region, ())
    low, high = _named(figure, trajectories.FORBIDDEN), _named(figure, trajectories.ON_SHELL)
    assert low.fill == "tozeroy" and high.fill is None
    shared = np.linspace(0.1, 0.95, 50) * problem.region.total
    on_shell, anywhere = (np.interp(shared, floor.x, floor.y) for floor in (high, low))
    assert (on_shell >= anywhere - 0.02).all()
    for name, delta in (("T", problem.region.total), ("δ shell", problem.region.delta)):
        collapse = _named(figure, f"total collapse, {name}")
        assert (collapse.x[0], collapse.y[0]) == (pytest.approx(delta), 0)
    assert "No run" in trajectories.describe_trajectories(())


def test_conditions_are_open_without_a_run_and_judged_with_one(problem: Problem, run: _Run) -> None:
    without = conditions.conditions(problem, _SETTINGS, ())
    assert [item.state for item in without].count(conditions.OPEN) == 5
    assert without[0].state == conditions.HOLDS  # the band needs no run
    judged = conditions.conditions(problem, _SETTINGS, run.certificates)
    assert conditions.OPEN not in [item.state for item in judged]
    for certificate in run.certificates:
        (found,) = [item for item in judged if conditions.title(certificate) in item.sentence]
        holds = certificate.verdict == "certified"
        assert found.state == (conditions.HOLDS if holds else conditions.FAILS)
        assert f"{certificate.loss:.3f} + {certificate.loss_margin:.3f}" in found.finding
    marks = {name: name for name in ("holds", "open", "note", "fails")}
    assert conditions.table(judged, marks).count("\n") == len(judged) + 1


def test_conditions_see_other_points_dead_dimensions_and_empty_bands(
    problem: Problem, empty: Problem, run: _Run
) -> None:
    other = tuple(dataclasses.replace(item, fingerprint="0" * 16) for item in run.certificates)
    states = {item.sentence: item for item in conditions.conditions(problem, _SETTINGS, other)}
    assert states["Loss and δ are measured on the same points."].state == conditions.FAILS
    dead = dataclasses.replace(
        run.certificates[1], verdict="certified", kl_per_dim=(1.0, 0.0), active_units=1
    )
    (found,) = [
        item
        for item in conditions.conditions(problem, _SETTINGS, (dead,))
        if "Only total collapse" in item.sentence
    ]
    assert found.state == conditions.NOTE and "1 of 2 inactive" in found.finding
    assert conditions.conditions(empty, empty.settings, ())[0].state == conditions.FAILS


def test_the_gauge_is_a_note_above_one_only(problem: Problem) -> None:
    for factor, state in ((2.0, conditions.NOTE), (0.5, conditions.HOLDS)):
        settings = dataclasses.replace(_SETTINGS, sigma2=factor * problem.lambda_max)
        assert conditions.conditions(problem, settings, ())[-1].state == state


def test_definitions_are_tabled_with_the_band_each_leaves(problem: Problem, empty: Problem) -> None:
    for prepared in (problem, empty):
        regions = {
            name: with_band(
                prepared, dataclasses.replace(prepared.settings, collapse_loss=name)
            ).region
            for name in prepared.region.deltas
        }
        table = sensitivity.definition_table(regions, "free")
        assert "| **free** |" in table and table.count("\n") == 4
        for region in regions.values():
            assert f"{region.delta:.3f}" in table
            assert region.empty or f"{region.lo:.3f} – {region.hi:.3f}" in table
        words = sensitivity.describe_definitions(regions)
        assert ("no error" in words) == any(region.empty for region in regions.values())


def test_sensitivity_draws_best_and_worst_starts(problem: Problem) -> None:
    bands = bands_over_k(_SETTINGS)
    figure = sensitivity.sensitivity(bands, problem.floors, 3)
    within = _named(figure, MARKS["W"].name)
    assert list(within.y) == [band.best.within for band in bands]
    ends = np.asarray(within.y) + np.asarray(within.error_y.array)
    np.testing.assert_allclose(ends, [band.worst.within for band in bands], atol=1e-9)
    proved = np.asarray(_named(figure, MARKS["proved"].name).y, float)
    tight = np.asarray(_named(figure, MARKS["tight"].name).y, float)
    assert (proved <= tight + 1e-6).all()
    words = sensitivity.describe_sensitivity(bands, problem.floors)
    assert f"{bands[0].best.within:.3f}" in words and "proved nats" in words


def test_outcomes_of_a_search_are_counted_in_bars_and_words(run: _Run) -> None:
    attempts = (
        attack.Attempt(_SETTINGS, attack.HELD, "", run.certificates[1]),
        attack.Attempt(_SETTINGS, attack.OUTSIDE, "below the band", run.certificates[0]),
        attack.Attempt(_SETTINGS, attack.NO_BAND, "empty", None),
    )
    summary = attack.summary([attack.record(None, 0, 0, attempts)], 0)
    (bars,) = outcomes.outcomes(summary).data
    assert list(bars.x) == [1, 0, 1, 1] and list(bars.y) == list(attack.OUTCOMES)
    words = outcomes.describe_outcomes(summary)
    assert "3 runs: no counter-example" in words
    assert f"{run.certificates[1].kl:.3f} nats" in words
    assert "| below the band | 1 |" in outcomes.explanation_table(summary)
    broken = attack.Attempt(_SETTINGS, attack.BROKEN, "why", run.certificates[1])
    loud = attack.summary([attack.record(None, 0, 0, (broken,))], 0)
    assert "1 COUNTER-EXAMPLE" in outcomes.describe_outcomes(loud)


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
