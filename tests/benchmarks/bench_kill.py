"""Shows 2 and 4 of issue 5: workers that are killed, here and on a Dask cluster.

    PYTHONPATH=. python tests/benchmarks/bench_kill.py > tests/benchmarks/kill.md

Eight runs train without disturbance; then again while a random worker gets kill -9 every five
seconds for two minutes; then on a cluster of two workers, one of which is killed; then there again
until the scheduler is killed, after which they finish on this machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.ports import free_port

from svae_core.compute import tasks
from svae_core.compute.dask_cluster import ClusterLost
from svae_core.compute.engine import Engine
from svae_core.compute.scheduler import FairShare
from svae_core.records import Budget, Moment, Settings, State

ROOT = Path(__file__).resolve().parents[2]
RUNS = 8
EPOCHS = int(os.environ.get("SVAE_EPOCHS", "80"))
KILLING, EVERY = float(os.environ.get("SVAE_SECONDS", "120")), 5.0
CLUSTER_EPOCHS = EPOCHS // 4


def members(seed: int, epochs: int) -> tuple[Settings, ...]:
    """The side-by-side view of digits."""
    spherical = Settings(seed=seed, epochs=epochs)
    return replace(spherical, method="baseline"), spherical


@dataclass
class Run:
    """A run, and a hash of each of its frames."""

    members: tuple[Settings, ...]
    frames: list[str] = field(default_factory=list)
    state: State | None = None
    interruptions: list[str] = field(default_factory=list)
    line: FairShare = field(default_factory=FairShare)

    async def train(self, engine: Engine) -> Run:
        """Train to the end from the present state; a loss is recorded, and training continues."""
        while True:
            try:
                await self._train(engine)
                return self
            except ClusterLost as lost:
                self.interruptions.append(str(lost))

    async def _train(self, engine: Engine) -> None:
        if self.state is None:
            self.state, moment = await asyncio.wrap_future(
                engine.submit(tasks.begin, self.members, share=self.line)
            )
            self._note(moment)
            self.steps = moment[0].steps
        while self.state.step < self.steps:
            budget = Budget(seconds=engine.slice_seconds())
            call = engine.submit(tasks.advance, self.state, budget, share=self.line)
            advance = await asyncio.wrap_future(call)
            self.state = advance.state
            for moment in advance.moments:
                self._note(moment)

    def _note(self, moment: Moment) -> None:
        digest = hashlib.sha256()
        for frame in moment:
            digest.update(repr((frame.step, frame.loss, frame.kl, frame.sentence)).encode())
            for array in (frame.kl_per_dim, frame.latent_mean, frame.shell_view, frame.samples):
                digest.update(array.tobytes())
        self.frames.append(digest.hexdigest())


async def train_all(engine: Engine, epochs: int) -> list[Run]:
    """All runs at the same time."""
    return await asyncio.gather(*(Run(members(n, epochs)).train(engine) for n in range(RUNS)))


async def train_and_kill(engine: Engine, epochs: int, kill: Callable[[], int]) -> list[Run]:
    """Train all runs while workers are killed."""
    training = asyncio.create_task(train_all(engine, epochs))
    until = time.monotonic() + KILLING
    while not training.done() and time.monotonic() < until:
        await asyncio.wait([training], timeout=EVERY)
        if not training.done():
            KILLED.append(kill())
    return await training


KILLED: list[int] = []
RANDOM = random.Random(0)


def kill_a_worker() -> int:
    """kill -9 of a random worker of the pool; its process number."""
    workers = [
        child
        for child in psutil.Process().children(recursive=True)
        if "loky.backend.popen_loky" in " ".join(child.cmdline())
    ]
    if not workers:
        return 0
    chosen = RANDOM.choice(workers)
    chosen.kill()
    return chosen.pid


def main() -> None:
    """Print three tables."""
    engine = Engine()
    print("# Workers that are killed\n")
    print(
        f"{RUNS} runs of digits, two members each, at the same time; asked: all finish, every "
        "frame bit-identical.\n"
    )
    print("| | runs that finished | frames | of them other than undisturbed | seconds |")
    print("| --- | ---: | ---: | ---: | ---: |")
    undisturbed = timed("undisturbed", None, lambda: train_all(engine, EPOCHS))
    timed(
        f"kill −9 of a random worker every {EVERY:.0f} s for {KILLING:.0f} s",
        undisturbed,
        lambda: train_and_kill(engine, EPOCHS, kill_a_worker),
    )
    killed = len(KILLED)
    here = timed("undisturbed, shorter", None, lambda: train_all(engine, CLUSTER_EPOCHS))
    engine.stop()
    sentence = on_a_cluster(here)
    print(
        f"\n{killed} workers were killed here. When the scheduler was killed, all {RUNS} runs got "
        f"this one sentence, and went on from where they stood:\n\n> {sentence}\n"
    )
    print(
        f"{psutil.cpu_count()} cores, shared with others; load at the end {os.getloadavg()[0]:.1f}."
    )


def timed(name, expected, work) -> list[Run]:  # type: ignore[no-untyped-def]
    """Run it, and print a row."""
    started = time.monotonic()
    runs = asyncio.run(work())
    seconds = time.monotonic() - started
    frames = [run.frames for run in runs]
    wrong = (
        ""
        if expected is None
        else sum(
            mine != its
            for run, other in zip(runs, expected, strict=True)
            for mine, its in zip(run.frames, other.frames, strict=True)
        )
    )
    print(
        f"| {name} | {len(runs)} | {sum(map(len, frames))} | {wrong} | {seconds:.0f} |", flush=True
    )
    return runs


def on_a_cluster(here: list[Run]) -> str:
    """Train on a local cluster; the sentences shown when its scheduler was killed."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = _start("dask_scheduler", "--host=127.0.0.1", f"--port={port}")
    workers = _start("dask_worker", address, "--nworkers=2", "--nthreads=1")
    time.sleep(10)
    engine = Engine(scheduler=address)

    def kill_one() -> int:
        spawned = [
            child
            for child in psutil.Process(workers.pid).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]
        spawned[0].kill()
        return spawned[0].pid

    global KILLING
    KILLING = EVERY + 1  # one kill
    timed(
        "on a Dask cluster of two workers, one of them killed",
        here,
        lambda: train_and_kill(engine, CLUSTER_EPOCHS, kill_one),
    )

    def kill_the_scheduler() -> int:
        scheduler.send_signal(signal.SIGKILL)
        return 0

    ended = timed(
        "on the cluster until its scheduler is killed, then here",
        here,
        lambda: train_and_kill(engine, CLUSTER_EPOCHS, kill_the_scheduler),
    )
    engine.stop()
    for process in (workers, scheduler):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()
    sentences = {sentence for run in ended for sentence in run.interruptions}
    assert len(sentences) == 1, sentences
    return sentences.pop().replace(address, "tcp://127.0.0.1:8786")


def _start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--no-dashboard"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet)


if __name__ == "__main__":
    main()
