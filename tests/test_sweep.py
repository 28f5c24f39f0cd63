"""Grids of runs: spelling, planning, resuming, and a phase map that agrees with theory."""

import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.grids import BASE, grid

from svae_core.methods import scan_methods
from svae_core.problem import prepared_data
from svae_core.records import Budget, RequestError, Settings
from svae_core.studies import jsonl, sweep
from svae_core.studies.grid import Grid, check_grid, seeds_of, values_of
from svae_core.studies.job import row_to_dict
from svae_core.studies.phase_cells import (
    MEASURES,
    Outcome,
    cells,
    outcome_from_dict,
    spread,
)
from svae_core.training import loop
from svae_core.training.loop import chunk_size


def finish(chunks, seconds=60.0):
    ended = []
    for chunk in chunks:
        work = chunk
        while not work.done:
            work = work.advance(seconds)
        ended += work.rows
    return ended


# ------------------------------------------------------------------------------- spelling


def test_values_are_spelt_as_lists_and_ranges():
    assert values_of("sigma2", ".05 .1 .2") == (0.05, 0.1, 0.2)
    assert values_of("beta", "1, 2,4") == (1.0, 2.0, 4.0)
    assert values_of("sigma2", "0.01:1:3 5") == (0.01, 0.1, 1.0, 5.0)
    assert values_of("clusters", "2:50:5") == (2, 4, 10, 22, 50)
    assert values_of("clusters", "auto 7") == (0, 7)
    assert values_of("arch", "linear mlp") == ("linear", "mlp")
    assert values_of("band", "0,0.25 0.1,0.5") == ((0.0, 0.25), (0.1, 0.5))
    assert values_of("band", "0.1,0.2:0.8:3") == ((0.1, 0.2), (0.1, 0.5), (0.1, 0.8))
    assert values_of("band", "0.2:0.8:2") == ((0.0, 0.2), (0.0, 0.8))
    assert values_of("band", "0 0.25") == ((0.0, 0.25),)  # as other commands spell it
    assert seeds_of("3", first=4) == (4, 5, 6)
    assert seeds_of("3 9, 1") == (3, 9, 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("sigma2", text) for text in ("", "many", "0:1:3", "1:2", "1:2:0", "nan:1:3", "1:2:x")),
        *(("clusters", "2.5"), ("clusters", "few")),
        *(("band", text) for text in ("0.5", "0.1 0.2 0.3", "0,x", "0,1:2", "0,0.1:nan:2")),
    ],
)
def test_what_cannot_be_read_is_one_sentence(name, text):
    with pytest.raises(RequestError, match=f"--{name}"):
        values_of(name, text)


@pytest.mark.parametrize("name", ["sigma2", "clusters", "band"])
def test_what_is_no_range_is_told_in_our_words(name):
    with pytest.raises(RequestError, match=r": 1:2 is no range\.$"):
        values_of(name, "1:2")


@given(some.floats(1e-6, 1e6), some.floats(1e-6, 1e6), some.integers(1, 40))
def test_ranges_hold_both_ends_and_are_even_on_a_logarithmic_scale(low, high, steps):
    values = values_of("sigma2", f"{low!r}:{high!r}:{steps}")
    assert len(values) <= steps and values[0] == pytest.approx(low, rel=1e-5)
    if steps > 1:
        assert values[-1] == pytest.approx(high, rel=1e-5)
    if len(values) == steps > 2 and not math.isclose(low, high, rel_tol=0.1):
        np.testing.assert_allclose(np.diff(np.log(values)), np.log(high / low) / (steps - 1), 1e-2)


@pytest.mark.parametrize(
    ("axes", "seeds", "says"),
    [
        ((("sigma2", ()),), (0,), "empty"),
        ((("sigma2", (1.0,)),), (), "empty"),
        ((("sigma2", (1.0, 1.0)),), (0,), "sigma2 names a value twice"),
        ((("sigma2", (1.0,)),), (0, 0), "seeds names a value twice"),
        ((("sigma2", (-1.0,)),), (0,), "--sigma2"),
        ((("band", ((0.5, 0.2),)),), (0,), "--band"),
        ((("sigma2", tuple(range(1, 1001))), ("beta", tuple(range(1, 1001)))), (0,), "2,000,000"),
    ],
)
def test_grids_that_make_no_sense_are_refused(axes, seeds, says):
    with pytest.raises(RequestError, match=says):
        check_grid(grid(axes, seeds))


# ------------------------------------------------------------------------------- planning


def test_a_plan_settles_every_run_once_and_trains_alike_runs_once():
    asked = grid()
    chunks = sweep.plan(asked)
    settled = [run for chunk in chunks for runs in chunk.answers for run in runs]
    assert len(settled) == len(set(settled)) == 24 and set(settled) == set(asked.runs)
    trained = [run for chunk in chunks for run in chunk.members]
    methods = [run.method for run in trained]
    assert methods.count("spherical") == 12
    assert methods.count("baseline") == 6  # it does not ask for the band
    for chunk in chunks:
        assert len({(run.seed, run.method) for run in chunk.members}) == 1
    assert [chunk.members[0].seed for chunk in chunks] == sorted(
        chunk.members[0].seed for chunk in chunks
    )


def test_what_cannot_share_a_batch_is_planned_apart_and_what_can_is_not():
    asked = grid((("arch", ("linear", "mlp")), ("clusters", (2, 3)), ("sigma2", (0.1, 1.0))), (0,))
    chunks = sweep.plan(asked)
    assert sorted(
        (chunk.members[0].arch, chunk.members[0].method, len(chunk.members), chunk.runs)
        for chunk in chunks
    ) == [
        *(("linear", "baseline", 2, 4), ("linear", "spherical", 4, 4)),
        *(("mlp", "baseline", 2, 4), ("mlp", "spherical", 4, 4)),
    ]
    for chunk in chunks:
        loop.begin(chunk.members)  # or it raises


def test_large_grids_are_cut_into_chunks():
    asked = grid((("sigma2", tuple(float(v) for v in range(1, 101))),), (0,))
    chunks = sweep.plan(asked)
    assert max(len(chunk.members) for chunk in chunks) <= chunk_size(BASE)
    first = sorted(run.sigma2 for run in chunks[0].members)
    assert max(np.diff([1, *first, 100])) < 25  # the whole axis is seen early


@pytest.mark.slow
def test_points_that_cannot_be_are_settled_by_saying_why():
    asked = grid((("clusters", (1, 3, 500)), ("sigma2", (1.0,))), (0,), collapse_loss="between")
    ended = finish(sweep.plan(asked))
    assert len(ended) == 6
    reasons = {(item.settings.method, item.settings.clusters): item.refused for item in ended}
    assert "empty" in reasons["spherical", 1] and reasons["baseline", 1] == ""
    assert "178 points" in reasons["baseline", 500]
    found = cells(asked, ended, sweep.theory_of(asked))
    assert [bool(cell.refused) for cell in found] == [
        bool(r) for r in reasons_in_order(found, reasons)
    ]
    with pytest.raises(RequestError, match="178 points"):
        sweep.plan(grid((("clusters", (500, 600)),), (0,)))


def reasons_in_order(found, reasons):
    return [reasons[cell.settings.method, cell.settings.clusters] for cell in found]


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(scan_methods()))
def test_runs_taken_for_alike_train_to_the_same_weights(method):
    """Whatever a method asks of the settings: answering for another run must be exact."""
    members = [
        dataclasses.replace(BASE, method=method, clusters=k, band=band, lower_edge=edge)
        for k, band, edge in (
            (3, (0.0, 0.25), True),
            (4, (0.1, 0.5), True),
            (3, (0.0, 0.25), False),
        )
    ]
    ends = {}
    for settings in members:
        state = loop.advance(loop.begin((settings,)), Budget(frames=False)).state
        ends.setdefault(sweep._training_key(settings), []).append(state.parameters)
    for alike in ends.values():
        for other in alike[1:]:
            np.testing.assert_array_equal(alike[0], other)


# -------------------------------------------------------------------------------- working


@pytest.mark.slow
def test_slices_change_nothing_and_a_run_is_what_training_it_alone_gives():
    asked = grid()
    whole = {item.settings: item for item in finish(sweep.plan(asked))}
    sliced = []
    for chunk in sweep.plan(asked):
        work = chunk
        while not work.done:
            before = work.progress
            work = pickle.loads(pickle.dumps(work.advance(0.0)))
            assert before <= work.progress <= 1
        sliced += work.rows
    assert {item.settings: item for item in sliced} == whole
    for settings in (asked.runs[0], asked.runs[7], asked.runs[-1]):
        state = loop.advance(loop.begin((settings,)), Budget(frames=False)).state
        (alone,) = loop.certify(state, draws=sweep.draws(178))
        found = whole[settings]
        assert (found.loss, found.kl) == (alone.loss, alone.kl)
        assert (found.lo, found.hi, found.in_band) == (alone.lo, alone.hi, alone.in_band)
        assert found.mutual_information == alone.mutual_information
        assert found.verdict == alone.verdict and found.draws == 93


@pytest.mark.slow
def test_the_map_of_a_linear_vae_agrees_with_theory():
    """As many dimensions active as there are eigenvalues above βσ², at every point of β × σ²."""
    base = Settings(
        dataset="wine",
        clusters=3,
        method="baseline",
        arch="linear",
        latent_dim=4,
        epochs=1500,
        batch_size=256,
        learning_rate=3e-2,
        device="cpu",
    )
    asked = Grid(
        (base,), (("beta", (0.5, 2.0)), ("sigma2", values_of("sigma2", "0.023:1.1:5"))), (0,)
    )
    theory = sweep.theory_of(asked)
    assert theory.lambda_max == prepared_data(base).lambda_max
    found = cells(asked, finish(sweep.plan(asked)), theory)
    clear = [
        cell
        for cell in found
        if all(
            abs(value / (cell.gauge * theory.lambda_max) - 1) > 0.05
            for value in theory.eigenvalues[:4]
        )
    ]
    assert len(clear) >= 8
    for cell in clear:
        assert cell.values["active_units"].mean == cell.eigenvalues_above
        assert (cell.verdicts["collapsed"] == 1) == (cell.gauge >= 1)
        assert cell.gauge * theory.lambda_max == pytest.approx(
            cell.settings.beta * cell.settings.sigma2
        )
    assert {cell.eigenvalues_above for cell in clear} >= {0, 4}


def test_a_cell_says_how_its_seeds_differ():
    asked = grid((("sigma2", (1.0,)),), (0, 1, 2))
    run = asked.runs[0]
    ended = [
        Outcome(
            dataclasses.replace(run, seed=seed),
            **{"loss": 0.5 + seed, "lo": 0.5, "hi": 1.5, "kl": float(seed), "floor": 0.25},
            verdict="certified" if seed else "collapsed",
        )
        for seed in (0, 1)
    ]
    cell, other = cells(
        asked, [*ended, Outcome(dataclasses.replace(BASE, sigma2=7.0))], sweep.theory_of(asked)
    )
    assert cell.seeds == (0, 1) and other.seeds == () and other.values == {}
    assert cell.verdicts == {"certified": 1, "not certified": 0, "collapsed": 1}
    kl = cell.values["kl"]
    assert (kl.mean, kl.low, kl.high, kl.deviation) == (0.5, 0.0, 1.0, pytest.approx(0.5**0.5))
    assert cell.values["position"].mean == pytest.approx(0.5)
    assert cell.values["floor_slack"].low == -0.25
    assert cell.values["certified"].mean == 0.5
    assert set(cell.values) == set(MEASURES)
    assert math.isnan(spread([1.0]).deviation)


# --------------------------------------------------------------------------- the record


@given(
    some.floats(), some.sampled_from(["", "certified"]), some.booleans(), some.integers(0, 10**6)
)
def test_outcomes_survive_json(number, word, truth, seed):
    ended = Outcome(
        dataclasses.replace(BASE, seed=seed),
        **{"loss": number, "verdict": word, "in_band": truth, "refused": word},
    )
    again = outcome_from_dict(json.loads(json.dumps(row_to_dict(ended), allow_nan=False)))
    assert again.settings == ended.settings and again.verdict == word and again.in_band == truth
    assert again.loss == number or not math.isfinite(number)


def test_a_journal_survives_being_torn_anywhere(tmp_path):
    rows = [{"row": index, "text": "σ²\n"} for index in range(3)]
    path = tmp_path / "rows.jsonl"
    assert jsonl.read_rows(path, '{"row":') == []
    jsonl.append(path, rows)
    whole = path.read_bytes()
    assert jsonl.read_rows(path, '{"row":') == rows
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        kept = jsonl.read_rows(path, '{"row":')
        assert kept == rows[: len(kept)] and len(kept) >= whole[:cut].count(b"\n")
        jsonl.append(path, [{"row": "next"}])
        assert jsonl.read_rows(path, '{"row":') == [*kept, {"row": "next"}]
