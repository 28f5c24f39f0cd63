"""Laws of the cluster: the same frames, bit for bit, and one sentence when it is not there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pages.live.run import LiveRun
from pages.live.shared_training import Trainings
from svae_core.__main__ import main
from svae_core.compute import dask_cluster, tasks
from svae_core.compute.dask_cluster import ClusterLost, versions
from svae_core.compute.engine import Engine
from svae_core.records import Budget, Moment, Settings, State

ROOT = Path(__file__).resolve().parents[1]
TOY = Settings(dataset="clusters", n_points=120, clusters=3, epochs=30, batch_size=60, latent_dim=2)
PAIR = (replace(TOY, method="baseline"), TOY)
STEPS = 60
#: Takes seconds, so that a loss comes on the way however fast the machine is.
LONG = tuple(replace(member, epochs=3000) for member in PAIR)
WAIT = 600.0  # only ends a test that hangs: a busy machine may be slow


@dataclass
class Dask:
    """A scheduler and a worker of one thread, as `make cluster` starts them."""

    address: str
    scheduler: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes]

    def kill_a_worker(self) -> None:
        """kill -9 of a process in which calls are made; its nanny starts another."""
        nanny = psutil.Process(self.worker.pid)
        for child in nanny.children(recursive=True):
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()
                return
        raise AssertionError("no worker found")


@pytest.fixture
def dask() -> Iterator[Dask]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = _start([*program, "--host=127.0.0.1", f"--port={port}", "--no-dashboard"])
    program = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    worker = _start([*program, "--nthreads=1", "--no-dashboard"])
    from distributed import Client

    with Client(address, timeout=WAIT, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=WAIT)
    yield Dask(address, scheduler, worker)
    for process in (worker, scheduler):
        for child in [*psutil.Process(process.pid).children(recursive=True)]:
            child.kill()
        process.kill()
        process.wait()


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet)


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


def _swept(capsys: pytest.CaptureFixture[str], *where: str) -> Any:
    data = "--dataset clusters --n-points 120 --clusters 3 --batch-size 60 --latent-dim 2"
    grid = "--epochs 2 --sigma2 0.1 10 --seeds 2 --json"
    assert main(["sweep", *data.split(), *grid.split(), *where]) == 0
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
    await live.signal.wait_for(lambda: live.status == "finished")
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


def test_a_cluster_that_was_let_go_connects_no_more() -> None:
    one = dask_cluster.Cluster("tcp://127.0.0.1:9", versions)
    one.shutdown()
    with pytest.raises(RuntimeError, match="stopped"):
        one.submit(versions)
    assert one._connecting is None


def test_addresses_that_are_none_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_PATIENCE", 1.0)
    engine = Engine(workers=1, scheduler="nonsense://nowhere")
    with pytest.raises(ClusterLost, match="nonsense://nowhere"):
        engine.submit(tasks.begin, PAIR).result(WAIT)
    engine.stop()
