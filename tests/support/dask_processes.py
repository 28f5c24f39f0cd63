"""A Dask scheduler and workers as real processes of this machine, as `make cluster` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
WAIT = 600.0  # only ends a test that hangs: a busy machine may be slow


@dataclass
class Dask:
    """A scheduler and its workers, each with a nanny of one worker of one thread."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    options: list[str] = field(default_factory=list)  # of all commands, for TLS

    def add_worker(self, code: str | Path = ROOT) -> None:
        """One more worker, with the code of this folder; returns when the scheduler knows it."""
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address]
        command += ["--nthreads=1", "--no-dashboard", *self.options]
        self.workers.append(_start(command, code))
        from distributed import Client

        with Client(self.address, timeout=WAIT, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=WAIT)

    def process_of(self, number: int) -> psutil.Process:
        """The process in which a worker's calls are made."""
        nanny = psutil.Process(self.workers[number].pid)
        for child in nanny.children(recursive=True):
            if "spawn_main" in " ".join(child.cmdline()):
                return child
        raise AssertionError("no worker found")

    def kill_a_worker(self) -> None:
        """kill -9 of a process in which calls are made; its nanny starts another."""
        self.process_of(0).kill()


@contextmanager
def dask_processes(
    workers: int = 1, scheme: str = "tcp", options: tuple[str, ...] = ()
) -> Iterator[Dask]:
    """A scheduler with so many workers; all are killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    listens = [f"--host={scheme}://127.0.0.1:{port}", "--no-dashboard", *options]
    scheduler = _start([*program, *listens], ROOT)
    dask = Dask(f"{scheme}://127.0.0.1:{port}", scheduler, options=list(options))
    try:
        for _ in range(workers):
            dask.add_worker()
        yield dask
    finally:
        for process in (*dask.workers, scheduler):
            for child in [*psutil.Process(process.pid).children(recursive=True)]:
                child.kill()
            process.kill()
            process.wait()


def _start(command: list[str], code: str | Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(code)}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=env, cwd="/", stdout=quiet, stderr=quiet)
