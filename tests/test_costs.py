"""What a link may cost: asked for before a worker takes it, ended when it takes too long."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bench import opened

from pages.server.shared_results import SharedResults
from pages.visitor import page_parameters
from pages.widgets import phase_axes
from svae_core import problem
from svae_core.compute import tasks
from svae_core.compute.engine import Engine, Lane
from svae_core.compute.preparation_worker import Preparation, check_size
from svae_core.compute.scheduler import Priority
from svae_core.compute.workers import WorkerPool
from svae_core.config.limits import check_clusters, check_preparation
from svae_core.config.settings import MOST_CHANGES, change, settings_from_dict, settings_to_dict
from svae_core.own_data import kept
from svae_core.own_data.read_by_format import read_table
from svae_core.records import RequestError, Settings
from svae_core.studies import grid

WAIT = 600.0  # only ends a test that hangs: a busy machine may be slow
TOY = Settings(dataset="clusters", n_points=120, clusters=3, epochs=4, batch_size=60, latent_dim=2)
BOMB = replace(TOY, dataset_options=(("points", 100_000),), n_points=0, clusters=20_000)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1)
    yield engine
    engine.stop()


def _sleep(settings: Settings) -> None:
    time.sleep(600)


# ------------------------------------------------------------------------------ how much


def test_k_is_refused_before_any_worker_sees_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(WorkerPool, "in_turn", lambda *asked: taken.append(asked))
    for task in (tasks.prepare, tasks.prepared_data):
        with pytest.raises(RequestError, match="K is 20,000, and 1,000 clusters are allowed"):
            engine.submit(task, BOMB, lane=Lane.PREPARATION).result(0)
    assert not taken


def test_what_preparing_costs_is_bounded_by_its_size() -> None:
    check_preparation(70_000, 784, 10)  # MNIST
    check_preparation(200_000, 16, 100)
    check_preparation(1_797, 64, 1_000)
    for size in ((100_000, 16, 20_000), (200_000, 784, 500), (200_000, 10_000, 0)):
        with pytest.raises(RequestError, match=r"would take about .* SVAE_MAX_PREPARE_S"):
            check_preparation(*size)
    check_clusters(1_000)


def test_a_server_refuses_what_its_owner_may_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVAE_MAX_PREPARE_S", "1")
    asked = replace(BOMB, clusters=1_000, data_seed=4)
    monkeypatch.setattr(problem, "_shared", tmp_path)
    began = time.process_time()
    with pytest.raises(RequestError, match="K = 1,000 clusters would take about"):
        problem.prepared_data(asked)
    del began
    monkeypatch.setattr(problem, "_shared", None)
    problem.prepared_data(replace(TOY, data_seed=4))


def test_the_weights_of_a_run_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    check_size((TOY, TOY))
    with pytest.raises(RequestError, match="weights, and 16,000,000 are allowed"):
        check_size((replace(TOY, hidden=4096), replace(TOY, hidden=4096)))


def test_changes_are_bounded() -> None:
    changed = replace(TOY, changes=tuple((step, "beta", 1.5) for step in range(MOST_CHANGES)))
    assert settings_from_dict(settings_to_dict(changed)) == changed
    with pytest.raises(RequestError, match="1,000 times"):
        change(changed, MOST_CHANGES, "beta", 2.0)


@pytest.mark.parametrize(
    "query",
    [
        {"seeds": "100000"},
        {"seeds": "9" * 5000},
        {"seeds": " ".join(map(str, range(5000)))},
        {"grid.sigma2": "0.1:1:100000"},
        {"grid.band": "0.1:0.9:100000", "grid.sigma2": "0.1:1:100000"},
        {"grid.sigma2": "0.1:1:90000 " * 500},
        {"grid.clusters": "1:1000000:100000"},
    ],
)
def test_a_map_is_counted_before_it_is_made(
    query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By how many settings are made on the way, which is what took the time."""
    made = 0
    check = grid.check_settings

    def counted(settings: Settings) -> Settings:
        nonlocal made
        made += 1
        return check(settings)

    monkeypatch.setattr(grid, "check_settings", counted)
    monkeypatch.setattr(
        page_parameters, "parameter", lambda name, default: query.get(name, default)
    )
    axes = ("clusters", "sigma2") if "grid.clusters" in query else ("band", "sigma2")
    with pytest.raises(RequestError):
        phase_axes.grid_of(TOY, ("baseline", "spherical"), axes)
    assert made < 100


# ------------------------------------------------------------------------------- how long


@pytest.mark.slow
def test_preparation_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVAE_MAX_PREPARE_S", "1")
    preparation = Preparation()
    try:
        late = preparation.make(_sleep, TOY, long_calls=WorkerPool(1, int))
        with pytest.raises(RequestError, match=r"took more than the 1 s .* SVAE_MAX_PREPARE_S"):
            late.result(WAIT)
        monkeypatch.setenv("SVAE_MAX_PREPARE_S", "60")
        assert preparation.make(_is_toy, TOY, long_calls=WorkerPool(1, int)).result(WAIT)
    finally:
        preparation.shutdown()


def _is_toy(settings: Settings) -> bool:
    return settings == TOY


def test_a_call_that_is_late_is_given_up_and_one_without_a_limit_made_again() -> None:
    scheduler, bench = opened()
    late = scheduler.in_turn(Priority(patience=0.0, refusal="It took too long."), int)
    with pytest.raises(RequestError, match=r"^It took too long\.$"):
        late.result(WAIT)
    assert bench.replaced == 1
    scheduler.shutdown()


@pytest.mark.slow
def test_a_call_that_nobody_waits_for_ends_its_worker() -> None:
    scheduler, bench = opened()
    call = scheduler.in_turn(Priority(refusal="It took too long."), int)
    assert call.cancel()
    _eventually(lambda: bench.replaced == 1)
    assert scheduler.busy == 0
    other = scheduler.in_turn(Priority(), int)
    assert other.cancel()
    time.sleep(1.2)  # two looks of the watchdog
    assert bench.replaced == 1, "training is never ended by its viewers"
    scheduler.shutdown()


@pytest.mark.slow
def test_a_call_that_nobody_waits_for_may_end_where_a_new_worker_takes_longer() -> None:
    scheduler, bench = opened()
    bench.start_seconds = 600.0
    call = scheduler.in_turn(Priority(refusal="It took too long."), int)
    assert call.cancel()
    time.sleep(1.2)  # two looks of the watchdog
    assert bench.replaced == 0
    bench.start_seconds = 0.0
    _eventually(lambda: bench.replaced == 1)
    scheduler.shutdown()


def test_what_nobody_waits_for_is_cancelled_and_asked_again() -> None:
    results: SharedResults[Future[Any]] = SharedResults(2, patience=0.05)
    future = results.get("key", Future)
    assert results.get("key", Future) is future
    with pytest.raises(KeyboardInterrupt), results.waiting("key", future):
        raise KeyboardInterrupt  # as a tab that is closed ends the script of its page
    _eventually(lambda: results.get("key", Future) is not future)
    assert future.cancelled()


def test_as_long_as_one_waits_it_goes_on() -> None:
    results: SharedResults[Future[Any]] = SharedResults(2, patience=0.05)
    future = results.get("key", Future)
    with results.waiting("key", future):
        with pytest.raises(KeyboardInterrupt), results.waiting("key", future):
            raise KeyboardInterrupt
        time.sleep(0.3)
        assert not future.cancelled()
        future.set_result(1)
    assert future not in results.waiters


def test_of_shared_results_those_used_last_are_kept() -> None:
    results: SharedResults[object] = SharedResults(2)
    first, second = results.get("first", object), results.get("second", object)
    assert results.get("first", object) is first
    results.get("third", object)
    assert results.get("first", object) is first
    assert results.get("second", object) is not second


# ------------------------------------------------------------------------- whose turn it is


@pytest.mark.slow
def test_preparing_takes_no_turn_of_training(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(engine._local, "in_turn", lambda *call: asked.append("training"))
    assert engine.submit(tasks.prepare, TOY, lane=Lane.PREPARATION).result(WAIT).clusters.k == 3
    assert (
        engine.submit(tasks.prepared_data, TOY, lane=Lane.PREPARATION).result(WAIT).clusters.k == 3
    )
    assert not asked


@pytest.mark.slow
def test_a_heavy_preparation_holds_up_no_light_one(engine: Engine) -> None:
    """Five links that ask for all they may, and a visitor who asks for little."""
    heavy = [
        engine.submit(
            tasks.prepare, replace(BOMB, clusters=700, data_seed=seed), lane=Lane.PREPARATION
        )
        for seed in range(5)
    ]
    assert engine.submit(tasks.prepare, TOY, lane=Lane.PREPARATION).result(WAIT).clusters.k == 3
    assert not any(future.done() for future in heavy)
    for future in heavy:
        future.cancel()
    with pytest.raises(CancelledError):
        heavy[0].result(WAIT)


def test_what_one_process_prepared_the_others_take_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(TOY, data_seed=77)
    monkeypatch.setattr(problem, "_shared", tmp_path)
    first = problem.prepare(asked)
    assert len(list(tmp_path.glob("*.pickle"))) == 3, "spectrum, clusters, floors"
    for made in (problem._on_shell, problem._clusters, problem._floors):
        made.cache_clear()
    for name in ("cluster", "floor_curves", "covariance_spectrum"):
        monkeypatch.setattr(problem, name, lambda *_, **__: pytest.fail("made again"))
    again = problem.prepare(asked)
    assert again.clusters.centroids.tobytes() == first.clusters.centroids.tobytes()
    assert again.floors.tight.tobytes() == first.floors.tight.tobytes()
    for path in tmp_path.glob("*.pickle"):
        path.write_bytes(b"")
    monkeypatch.undo()
    for made in (problem._on_shell, problem._clusters, problem._floors):
        made.cache_clear()
    monkeypatch.setattr(problem, "_shared", tmp_path)
    assert problem.prepare(asked).clusters.within == first.clusters.within


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -------------------------------------------------------------------------------- own data


@pytest.mark.slow
def test_one_visitors_data_make_no_others_go(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond their share of the disk it is their own longest unused table that goes."""
    monkeypatch.setattr(kept, "read_apart", read_table)
    monkeypatch.setenv("SVAE_MAX_VISITOR_MB", "1")
    keys = []
    for number, owner in enumerate(("me", "them", "them", "them", "")):
        path = tmp_path / f"{number}.npy"
        np.save(path, np.random.default_rng(number).normal(size=(20_000, 4)))  # 0.6 MB
        keys.append(kept.deposit(path))
        kept.give_to(keys[-1], owner)
        used = time.time() - 1000 + number
        os.utime(home / "data" / keys[-1], (used, used))
    there = [(home / "data" / key).exists() for key in keys]
    assert there == [True, False, False, True, True]
