"""Laws of the engine: workers give what the function gives, whatever happens to a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from svae_core.compute import tasks, workers
from svae_core.compute.engine import ROUND, SHORTEST_SLICE, SLICE, Engine, Lane
from svae_core.compute.workers import Worker, WorkerLost, WorkerPool
from svae_core.records import Budget, RequestError, Settings, State

TOY = Settings(dataset="clusters", n_points=120, clusters=3, epochs=4, batch_size=60, latent_dim=2)
PAIR = (Settings(**{**vars(TOY), "method": "baseline"}), TOY)
WAIT = 600.0  # only ends a test that hangs: a busy machine may be slow


def _nothing() -> None: ...


def _refuse(message: str) -> None:
    raise RequestError(message)


def _unpicklable() -> None:
    raise ValueError(lambda: None)


def _process() -> int:
    return os.getpid()


def _print(text: str) -> str:
    print(text, flush=True)
    return text


def _mark_and_hang(folder: Path) -> int:
    """Say who runs this; hang the first time, answer the second."""
    (folder / str(os.getpid())).touch()
    if len(list(folder.iterdir())) == 1:
        signal.pause()
    return os.getpid()


def _die() -> None:
    os._exit(3)


def _main_module() -> tuple[str | None, list[str]]:
    return getattr(sys.modules["__main__"], "__file__", None), sorted(sys.modules)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(1, _nothing)
    pool.start()
    yield pool
    pool.shutdown()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1)  # its workers start with the first call
    yield engine
    engine.stop()


def test_calls_run_elsewhere_and_printing_does_no_harm(pool: WorkerPool) -> None:
    assert pool.submit(_process).result(WAIT) != os.getpid()
    assert pool.submit(_print, "to standard output").result(WAIT) == "to standard output"


def test_request_errors_come_back_as_they_were(pool: WorkerPool) -> None:
    with pytest.raises(RequestError, match=r"^Say what you want\.$"):
        pool.submit(_refuse, "Say what you want.").result(WAIT)
    with pytest.raises(ValueError, match="lambda"):
        pool.submit(_unpicklable).result(WAIT)


@pytest.mark.slow
def test_a_call_whose_worker_is_killed_is_made_again(pool: WorkerPool, tmp_path: Path) -> None:
    call: Future[int] = pool.submit(_mark_and_hang, tmp_path)
    after: Future[int] = pool.submit(_process)
    first = _eventually(lambda: [int(path.name) for path in tmp_path.iterdir()])[0]
    os.kill(first, signal.SIGKILL)
    second = call.result(WAIT)
    assert second != first
    assert after.result(WAIT) == second, "a call behind the lost one is not lost"


@pytest.mark.slow
def test_a_call_that_ends_its_process_every_time_is_given_up(pool: WorkerPool) -> None:
    with pytest.raises(WorkerLost):
        pool.submit(_die).result(WAIT)
    assert pool.submit(_process).result(WAIT) > 0


def test_workers_import_no_main_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Streamlit's `__main__` is the page script while it runs: no worker may execute it."""
    page = tmp_path / "page.py"
    page.write_text("raise SystemExit('a worker ran the page')")
    script = ModuleType("__main__")
    script.__file__ = str(page)
    monkeypatch.setitem(sys.modules, "__main__", script)
    pool = WorkerPool(1, _nothing)
    pool.start()
    main, modules = pool.submit(_main_module).result(WAIT)
    pool.shutdown()
    assert main != str(page)
    assert "torch" not in modules and "streamlit" not in modules


@pytest.mark.slow
def test_an_idle_worker_ends_and_starts_again_when_asked() -> None:
    pool = WorkerPool(1, _nothing, idle_seconds=1.0)
    pool.start()
    first = pool.submit(_process).result(WAIT)
    _eventually(lambda: not pool.warm.is_set() and not _alive(first))
    assert pool.submit(_process).result(WAIT) != first
    pool.shutdown()


@pytest.mark.slow
def test_stopping_cancels_what_waits(tmp_path: Path) -> None:
    pool = WorkerPool(1, _nothing)
    pool.start()
    running = pool.submit(_mark_and_hang, tmp_path)
    waiting = pool.submit(_process)
    worker = _eventually(lambda: [int(path.name) for path in tmp_path.iterdir()])[0]
    pool.shutdown()
    assert running.cancelled() and waiting.cancelled()
    _eventually(lambda: not _alive(worker))


@pytest.mark.slow
def test_workers_end_with_a_killed_server() -> None:
    code = (
        "from svae_core.compute.workers import WorkerPool; import os, signal, time\n"
        "pool = WorkerPool(1, int); pool.start()\n"
        "print(pool.submit(os.getpid).result(), flush=True)\n"
        "pool.submit(time.sleep, 600); signal.pause()"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    worker = int(server.stdout.readline())
    server.kill()
    server.wait()
    server.stdout.close()
    _eventually(lambda: not _alive(worker))


@pytest.mark.slow
def test_the_engine_gives_what_the_core_gives(engine: Engine) -> None:
    """Two slices in a worker equal one in this process."""
    from svae_core.training import (
        loop,
    )  # here: the other workers that import this module need no torch

    state, first = engine.submit(tasks.begin, PAIR).result(WAIT)
    assert [frame.step for frame in first] == [0, 0]
    middle = engine.submit(tasks.advance, state, Budget(steps=3)).result(WAIT)
    end = engine.submit(tasks.advance, middle.state, Budget()).result(WAIT)
    here = loop.advance(loop.begin(PAIR))
    assert _same(end.state, here.state)
    moments = (*middle.moments, *end.moments)
    assert [m[0].step for m in moments] == [m[0].step for m in here.moments]
    np.testing.assert_array_equal(moments[-1][1].latent_mean, here.moments[-1][1].latent_mean)


@pytest.mark.slow
def test_slices_get_shorter_when_many_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = []
    for runs in (0, 1, 12, 1000):
        monkeypatch.setattr(WorkerPool, "active", runs)
        seconds.append(engine.slice_seconds())
    assert seconds == [SLICE, SLICE, ROUND / 12, SHORTEST_SLICE]


@pytest.mark.parametrize("text", ["0", "two", "-1"])
def test_a_number_of_workers_that_makes_no_sense(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVAE_WORKERS", text)
    with pytest.raises(RequestError, match="SVAE_WORKERS"):
        Engine()


@pytest.mark.parametrize("text", ["20", "ten", "-1"])
def test_a_niceness_that_makes_no_sense(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVAE_NICE", text)
    with pytest.raises(RequestError, match=r"^SVAE_NICE is .* a whole number from 0 to 19\.$"):
        Engine()


@pytest.mark.parametrize("rests", [True, False])
def test_a_worker_that_was_told_to_rest_is_not_started_again_by_itself(
    rests: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_FIRST_DELAY", 0.05)
    worker = Worker(_nothing)
    begun = threading.Event()
    monkeypatch.setattr(worker, "_start_process", begun.set)
    worker.start(_nothing)
    begun.clear()
    worker._failures = 1
    worker._retry_later()
    if rests:
        worker.rest()
    assert begun.wait(0.5 if rests else WAIT) is not rests
    worker.stop(wait=True)


@pytest.mark.skipif(not hasattr(os, "nice"), reason="the system has no niceness")
@pytest.mark.parametrize(("text", "steps"), [("", 10), ("0", 0), ("3", 3)])
def test_workers_stand_behind_the_server_by_so_much(
    text: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVAE_NICE", text)
    pool = WorkerPool(1, int)
    assert pool.submit(os.nice, 0).result(WAIT) == min(19, os.nice(0) + steps)
    pool.shutdown()


@pytest.mark.slow
def test_the_engine_refuses_in_words(engine: Engine) -> None:
    wrong = Settings(dataset="nowhere")
    with pytest.raises(RequestError, match="nowhere"):
        engine.submit(tasks.prepared_data, wrong, lane=Lane.PREPARATION).result(WAIT)


@pytest.mark.slow
def test_layouts_are_pca_until_umap_is_warm(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "start_maps", lambda _: False)
    means = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    first = engine.submit(tasks.lay_out, (means,), (0.9,), 1, None, lane=Lane.MAPS).result(WAIT)
    again = engine.submit(tasks.lay_out, (means,), (0.9,), 2, first, lane=Lane.MAPS).result(WAIT)
    assert [layout.kind for layout in (*first, *again)] == ["pca", "pca"]
    np.testing.assert_allclose(first[0].coordinates, again[0].coordinates, atol=1e-5)


def test_a_worker_for_maps_that_cannot_start_is_not_started_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[int] = []
    monkeypatch.setattr(Worker, "start", lambda *_: started.append(1))
    engine = Engine(workers=1)
    assert not engine.start_maps() and started
    monkeypatch.setattr(Worker, "failed", True)
    started.clear()
    assert not engine.start_maps() and not started
    engine.stop()


@pytest.mark.slow
def test_the_worker_for_maps_draws_by_umap_and_loads_neither_torch_nor_sklearn(
    engine: Engine,
) -> None:
    _eventually(engine.start_maps)
    means = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    (drawn,) = engine.submit(tasks.lay_out, (means,), (0.9,), 1, None, lane=Lane.MAPS).result(WAIT)
    assert drawn.kind == "umap"
    _, modules = engine.submit(_main_module, lane=Lane.MAPS).result(WAIT)
    assert {"torch", "sklearn", "umap", "pynndescent"}.isdisjoint(modules)


def _same(one: State, other: State) -> bool:
    return one.step == other.step and np.array_equal(one.parameters, other.parameters)


def _alive(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def _eventually(condition: Any) -> Any:
    """The condition's value once it is true."""
    deadline = time.monotonic() + WAIT
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value
