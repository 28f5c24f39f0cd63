"""Figures of trained runs: paths, conditions, tables of definitions, outcomes; and their words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.figure_subjects import SETTINGS, an_empty_band, three_clusters, trace_of
from support.information_laws import assert_information_laws

from svae_core.figures import (
    attack_outcomes,
    conditions,
    sensitivity,
    trajectories,
)
from svae_core.figures.palette import MARKS
from svae_core.problem import prepare, with_band
from svae_core.records import Certificate, Moment, Problem
from svae_core.studies import attack
from svae_core.studies.job import row_to_dict
from svae_core.studies.k_sensitivity import sensitivity as bands_over_k
from svae_core.training import loop


@pytest.fixture(scope="module")
def problem() -> Problem:
    return three_clusters()


@pytest.fixture(scope="module")
def empty() -> Problem:
    return an_empty_band()


@dataclasses.dataclass(frozen=True)
class _Run:
    """A pair of models, watched from start to end."""

    moments: tuple[Moment, ...]
    certificates: tuple[Certificate, ...]


@pytest.fixture(scope="module")
def run() -> _Run:
    spherical = dataclasses.replace(SETTINGS, epochs=40, batch_size=32, learning_rate=5e-3)
    state = loop.begin((dataclasses.replace(spherical, method="baseline"), spherical))
    advance = loop.advance(state)
    certificates = loop.certify(advance.state)
    for certificate in certificates:
        assert_information_laws(certificate)
    return _Run((loop.first_frames(state), *advance.moments), certificates)


@pytest.fixture(scope="module")
def free() -> Problem:
    return prepare(dataclasses.replace(SETTINGS, method="baseline"))


@pytest.mark.slow
def test_trajectories_start_and_end_where_the_frames_do(
    problem: Problem, free: Problem, run: _Run
) -> None:
    figure = trajectories.trajectories(free.floors, problem.floors, problem.region, run.moments)
    for index, name in enumerate(("Conventional VAE", "Spherical VAE")):
        path = trace_of(figure, name)
        frames = [moment[index] for moment in run.moments]
        assert list(path.x) == [frame.loss for frame in frames]
        assert list(path.y) == [frame.kl for frame in frames]
        assert path.marker.symbol[0].endswith("-open") and path.marker.size[-1] == 15
        words = trajectories.describe_trajectories(run.moments)
        assert f"{name}: from loss {frames[0].loss:.3f}" in words
        assert f"{frames[-1].kl:.2f} nats" in words
    assert (
        trace_of(figure, "Conventional VAE").line.dash
        != trace_of(figure, "Spherical VAE").line.dash
    )


def test_both_floors_are_drawn_and_the_shells_is_the_higher_one(
    problem: Problem, free: Problem
) -> None:
    figure = trajectories.trajectories(free.floors, problem.floors, problem.region, ())
    low, high = (
        trace_of(figure, trajectories.FORBIDDEN),
        trace_of(figure, trajectories.ON_SHELL),
    )
    assert low.fill == "tozeroy" and high.fill is None
    shared = np.linspace(0.1, 0.95, 50) * problem.region.total
    on_shell, anywhere = (np.interp(shared, floor.x, floor.y) for floor in (high, low))
    assert (on_shell >= anywhere - 0.02).all()
    for name, delta in (("T", problem.region.total), ("δ shell", problem.region.delta)):
        collapse = trace_of(figure, f"total collapse, {name}")
        assert (collapse.x[0], collapse.y[0]) == (pytest.approx(delta), 0)
    assert "No run" in trajectories.describe_trajectories(())


@pytest.mark.slow
def test_conditions_are_open_without_a_run_and_judged_with_one(problem: Problem, run: _Run) -> None:
    without = conditions.conditions(problem, SETTINGS, ())
    assert [item.state for item in without].count(conditions.OPEN) == 5
    assert without[0].state == conditions.HOLDS  # the band needs no run
    judged = conditions.conditions(problem, SETTINGS, run.certificates)
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
    states = {item.sentence: item for item in conditions.conditions(problem, SETTINGS, other)}
    assert states["Loss and δ are measured on the same points."].state == conditions.FAILS
    dead = dataclasses.replace(
        run.certificates[1], verdict="certified", kl_per_dim=(1.0, 0.0), active_units=1
    )
    (found,) = [
        item
        for item in conditions.conditions(problem, SETTINGS, (dead,))
        if "Only total collapse" in item.sentence
    ]
    assert (
        found.state == conditions.NOTE
        and found.finding.startswith("Inactive units")
        and "1 of 2" in found.finding
    )
    assert conditions.conditions(empty, empty.settings, ())[0].state == conditions.FAILS


def test_the_gauge_is_a_note_above_one_only(problem: Problem) -> None:
    for factor, state in ((2.0, conditions.NOTE), (0.5, conditions.HOLDS)):
        settings = dataclasses.replace(SETTINGS, sigma2=factor * problem.lambda_max)
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


@pytest.mark.slow
def test_sensitivity_draws_best_and_worst_starts(problem: Problem) -> None:
    bands = bands_over_k(SETTINGS)
    figure = sensitivity.sensitivity(bands, problem.floors, 3)
    within = trace_of(figure, MARKS["W"].name)
    assert list(within.y) == [band.best.within for band in bands]
    ends = np.asarray(within.y) + np.asarray(within.error_y.array)
    np.testing.assert_allclose(ends, [band.worst.within for band in bands], atol=1e-9)
    proved = np.asarray(trace_of(figure, MARKS["proved"].name).y, float)
    tight = np.asarray(trace_of(figure, MARKS["tight"].name).y, float)
    assert (proved <= tight + 1e-6).all()
    words = sensitivity.describe_sensitivity(bands, problem.floors)
    assert f"{bands[0].best.within:.3f}" in words and "proved nats" in words


def test_outcomes_of_a_search_are_counted_in_bars_and_words(run: _Run) -> None:
    attempts = (
        attack.Attempt(SETTINGS, attack.HELD, "", run.certificates[1]),
        attack.Attempt(SETTINGS, attack.OUTSIDE, "below the band", run.certificates[0]),
        attack.Attempt(SETTINGS, attack.NO_BAND, "empty", None),
    )
    summary = attack.summary(list(map(row_to_dict, attempts)), 0)
    (bars,) = attack_outcomes.outcomes(summary).data
    assert list(bars.x) == [1, 0, 1, 1] and list(bars.y) == list(attack.OUTCOMES)
    words = attack_outcomes.describe_outcomes(summary)
    assert "3 runs: no counter-example" in words
    assert f"{run.certificates[1].kl:.3f} nats" in words
    assert "| below the band | 1 |" in attack_outcomes.explanation_table(summary)
    broken = attack.Attempt(SETTINGS, attack.BROKEN, "why", run.certificates[1])
    loud = attack.summary([row_to_dict(broken)], 0)
    assert "1 COUNTER-EXAMPLE" in attack_outcomes.describe_outcomes(loud)
