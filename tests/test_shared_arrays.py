"""Equal arrays of records are one array, and are given back with the last record."""

from __future__ import annotations

import gc
import pickle
from dataclasses import fields, replace

import numpy as np

from pages.live.history import PLENTY, PLENTY_BYTES, History, _state_weight
from pages.live.shared_arrays import SharedArrays
from svae_core.compute import tasks
from svae_core.records import Settings

WINE = Settings(dataset="wine", clusters=3, epochs=2)


def test_runs_on_one_data_set_hold_it_once() -> None:
    arrays = SharedArrays()
    first, second = (
        arrays.in_terms_of(pickle.loads(pickle.dumps(tasks.prepared_data(settings))))
        for settings in (WINE, replace(WINE, seed=7, band=(0.0, 0.5)))
    )
    assert second.dataset.points is first.dataset.points
    assert second.shell.points is first.shell.points
    assert second.settings.seed == 7 and second.region.hi != first.region.hi


def test_records_are_unchanged() -> None:
    found = tasks.prepared_data(WINE)
    shared = SharedArrays().in_terms_of(found)
    for field in fields(found):
        one, other = getattr(found, field.name), getattr(shared, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)


def test_nothing_is_kept_that_no_record_holds() -> None:
    arrays = SharedArrays()
    kept = arrays.in_terms_of(pickle.loads(pickle.dumps(tasks.prepared_data(WINE))))
    assert len(arrays._known)
    del kept
    gc.collect()
    assert not len(arrays._known)


def test_a_long_run_keeps_few_states_where_they_are_large() -> None:
    from svae_core.training import loop

    state = loop.begin((replace(WINE, hidden=256),))
    history = History()
    history.add((loop.first_frames(state),), state.settings)
    one = _state_weight(state)
    for step in range(1, 400):
        moment = tuple(replace(frame, step=step) for frame in history.moments[0])
        history.add((moment,), state.settings)
        history.keep_state(replace(state, step=step))
        held = one * len(history.states)
        assert held <= PLENTY_BYTES or len(history.states) <= PLENTY
    assert len(history.states) >= PLENTY // 2 and history.states[-1].step > 300
