"""Laws of the cluster: the same frames, bit for bit, and one sentence when it is not there."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.dask_processes import WAIT, Dask, dask_processes

from pages.live.run import LiveRun
from pages.live.shared_training import Trainings
from svae_core.__main__ import main
from svae_core.commands import _cluster
from svae_core.compute import dask_cluster, tasks
from svae_core.compute.dask_cluster import ClusterLost, versions
from svae_core.compute.engine import Engine
from svae_core.records import Budget, Moment, Settings, State

TOY = Settings(dataset="clusters", n_points=120, clusters=3, epochs=30, batch_size=60, latent_dim=2)
PAIR = (replace(TOY, method="baseline"), TOY)
STEPS = 60
#: Takes seconds, so that a loss comes on the way however fast the machine is.
LONG = tuple(replace(member, epochs=3000) for member in PAIR)


@pytest.fixture
def dask() -> Iterator[Dask]:
    with dask_processes() as found:
        yield found


def trained(engine: Engine, budget: Budget, disturb: object = None) -> tuple[State, list[Moment]]:
    state, first = engine.submit(tasks.begin, PAIR).result(WAIT)
    moments = [first]
    while state.step < STEPS:
        advance = engine.submit(tasks.advance, state, budget).result(WAIT)
        state = advance.state
        moments += advance.moments
        if callable(disturb) and state.step >= STEPS // 3:
            disturb()
            disturb = None
    return state, moments


def here(members: tuple[Settings, ...] = PAIR) -> list[Moment]:
    from svae_core.training import loop

    state = loop.begin(members)
    return [loop.first_frames(state), *loop.advance(state).moments]


def assert_same(moments: list[Moment], others: list[Moment]) -> None:
    assert [moment[0].step for moment in moments] == [other[0].step for other in others]
    for moment, other in zip(moments, others, strict=True):
        for frame, its in zip(moment, other, strict=True):
            assert (frame.loss, frame.kl) == (its.loss, its.kl)
            np.testing.assert_array_equal(frame.latent_mean, its.latent_mean)
            np.testing.assert_array_equal(frame.shell_view, its.shell_view)


@pytest.mark.slow
def test_a_cluster_gives_the_same_frames_and_loses_nothing(
    dask: Dask, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker is killed on the way, then the scheduler: the run pauses, and goes on here."""
    assert _swept(capsys) == _swept(capsys, "--scheduler", dask.address)
    engine = Engine(workers=1, scheduler=dask.address)
    _, moments = trained(engine, Budget(steps=7), dask.kill_a_worker)
    assert_same(moments, here())
    asyncio.run(asyncio.wait_for(_watched_to_its_end(engine, dask), WAIT))
    engine.stop()


DATA = "--dataset clusters --n-points 120 --clusters 3 --batch-size 60 --latent-dim 2"
SWEEP = ["sweep", *DATA.split(), "--epochs", "2", "--sigma2", "0.1", "10", "--seeds", "2", "--json"]


def _swept(capsys: pytest.CaptureFixture[str], *where: str) -> Any:
    assert main([*SWEEP, *where]) == 0
    return json.loads(capsys.readouterr().out)["cells"]


async def _watched_to_its_end(engine: Engine, dask: Dask) -> None:
    live = LiveRun(LONG, Trainings(engine))
    with live.viewed():
        await _through_the_loss(live, dask)
    shells = [[frame.shell_view for frame in moment] for moment in live.moments]
    undisturbed = [[frame.shell_view for frame in moment] for moment in here(LONG)]
    np.testing.assert_array_equal(shells, undisturbed)
    live.stop()


async def _through_the_loss(live: LiveRun, dask: Dask) -> None:
    await live.signal.wait_for(lambda: len(live.moments) > 5)
    dask.scheduler.send_signal(signal.SIGKILL)
    await live.signal.wait_for(lambda: live.status in ("paused", "finished"))
    assert live.status == "paused", "the run was over before the scheduler was"
    assert live.error is not None and live.error.startswith(f"The cluster at {dask.address} ")
    assert live.error.count(".") == dask.address.count(".") + 1, "one sentence"
    kept = len(live.moments)
    live.play()
    await live.signal.wait_for(lambda: live.status == "finished" or bool(live.error))
    assert live.error is None and kept < len(live.moments)


@pytest.mark.slow
def test_a_command_says_that_the_cluster_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dask_cluster, "_PATIENCE", 1.0)
    assert main(["train", "--epochs", "1", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "svae_core: The cluster at tcp://127.0.0.1:9 does not" in capsys.readouterr().err


@pytest.mark.slow
def test_a_wrong_address_is_said_and_the_next_call_runs_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask_cluster, "_PATIENCE", 1.0)
    monkeypatch.setenv("SVAE_SCHEDULER", "tcp://127.0.0.1:9")
    engine = Engine(workers=1)
    with pytest.raises(ClusterLost, match=r"^The cluster at tcp://127.0.0.1:9 does not answer"):
        engine.submit(tasks.begin, PAIR).result(WAIT)
    state, _ = engine.submit(tasks.begin, PAIR).result(WAIT)
    assert state.step == 0
    engine.stop()


def test_other_versions_and_other_code_are_told_apart() -> None:
    mine = versions()
    assert dask_cluster._version_difference({"tcp://a": mine, "tcp://b": dict(mine)}) == ""
    other = dask_cluster._version_difference({"tcp://a": mine, "tcp://b": {**mine, "torch": "1.0"}})
    assert other.startswith("has a worker (tcp://b) with torch 1.0, and here it is ")
    assert "svae_core" in dask_cluster._version_difference({"tcp://a": {**mine, "svae_core": "0"}})


def test_own_plug_ins_are_part_of_the_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever their folder lies; commands, which workers do not run, may differ."""

    def with_plugins(place: str, files: dict[str, str]) -> dict[str, str]:
        for name, source in files.items():
            file = tmp_path / place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, encoding="utf-8")
        monkeypatch.setenv("SVAE_PLUGINS", str(tmp_path / place))
        return versions()

    monkeypatch.delenv("SVAE_PLUGINS", raising=False)
    none = versions()
    theirs = {"methods/mine.py": "a = 1\n", "architectures/deep.py": "b = 1\n"}
    one = with_plugins("one", theirs)
    assert with_plugins("two", {**theirs, "commands/hello.py": "c = 1\n"}) == one
    other = with_plugins("three", {**theirs, "architectures/deep.py": "b = 2\n"})
    said = dask_cluster._version_difference({"tcp://a": one})
    assert said.startswith("has a worker (tcp://a) with architectures of SVAE_PLUGINS ")
    assert other["methods of SVAE_PLUGINS"] == one["methods of SVAE_PLUGINS"]
    without = dask_cluster._version_difference({"tcp://a": none})
    assert "with methods of SVAE_PLUGINS none, and here it is" in without


def test_a_worker_without_the_code_is_named_as_it_or_dask_says_it() -> None:
    raised = ModuleNotFoundError("No module named 'svae_core'")
    for error in (raised, Exception(repr(raised))):
        assert "cannot import svae_core (" in dask_cluster._told_by_a_worker(error)
    assert "(OSError: full)" in dask_cluster._told_by_a_worker(OSError("full"))


def test_a_cluster_that_was_let_go_connects_no_more() -> None:
    one = dask_cluster.Cluster("tcp://127.0.0.1:9", versions)
    one.shutdown()
    with pytest.raises(RuntimeError, match="stopped"):
        one.submit(versions)
    assert one._connecting is None


NO_ADDRESSES = ("nonsense://nowhere", "hello", "http://127.0.0.1:80", "tcp://", "tcp://a", "a:1")


def test_addresses_that_are_none_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    for address in NO_ADDRESSES:
        assert main(["train", "--epochs", "1", "--scheduler", address]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and address in said and "tcp://192.168.0.7:8786" in said
    engine = Engine(workers=1, scheduler="nonsense://nowhere")
    with pytest.raises(ClusterLost, match="nonsense://nowhere"):
        engine.submit(int).result(WAIT)
    engine.stop()


def test_a_port_without_dask_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dask's own client would wait for ever for the handshake."""
    monkeypatch.setattr(dask_cluster, "_PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert main(["train", "--epochs", "1", "--scheduler", address]) == 2
    said = capsys.readouterr().err
    assert f"The cluster at {address} does not answer as a Dask scheduler does" in said
    assert said.count("\n") == 1 and "--on-loss local" in said


@pytest.mark.slow
def test_what_the_cluster_lost_is_made_here() -> None:
    engine = Engine(workers=1, scheduler="nonsense://nowhere", repeats=True)
    assert engine.submit(int, "7").result(WAIT) == 7
    engine.stop()


@pytest.mark.slow
@pytest.mark.parametrize("keeps", [True, False])
def test_a_sweep_whose_cluster_is_lost_keeps_what_ended(
    keeps: bool, tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 1, and one sentence; the same command ends with all rows."""
    made: list[Any] = []

    def go_on(self: Any, task: Any, part: Any, *rest: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if len(made) < 2:
            made.append(part)
            future.set_result(task(part, *rest))
        else:
            future.set_exception(
                ClusterLost("gone; all goes on", "The cluster at tcp://c:1 is gone")
            )
        return future

    far = SimpleNamespace(ready=True, size=1, elsewhere=True, stop=lambda: None)
    far.submit = lambda task, *rest: go_on(far, task, *rest)
    monkeypatch.setattr(_cluster, "Engine", lambda *_, **__: far)
    out = ["--out", str(tmp_path / "rows.jsonl")] if keeps else []
    assert main([*SWEEP, *out]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["complete"] is False
    assert said.err.startswith("svae_core: The cluster at tcp://c:1 is gone; stopped after ")
    assert said.err.count("\n") == 1
    assert ("the same command goes on" if keeps else "--out FILE keeps them") in said.err
    if keeps:
        monkeypatch.undo()
        assert main([*SWEEP, *out]) == 0
        assert json.loads(capsys.readouterr().out)["complete"] is True
