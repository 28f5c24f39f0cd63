"""Students without browsers: a tab (`tab.py`) whose run is followed (`follower.py`), with clicks.

A student opens the page as a browser does, the page itself and then a session, and follows the run
that its stage shows. Every few seconds the student clicks: a control, or pause and play.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from follower import Follower, following
from tab import Tab

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 2**20


@contextmanager
def server(*options: str, **environment: str) -> Iterator[tuple[str, psutil.Process]]:
    """Start the app on a free port, with its own folder for runs; its address and its process.

    `options`: Streamlit's, such as --server.baseUrlPath=svae, with which the address ends.
    """
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    command += options
    prefix = "".join(f"/{one.partition('=')[2]}" for one in options if "baseUrlPath" in one)
    with tempfile.TemporaryDirectory() as home, open(Path(home) / "log", "wb") as log:
        env = {**os.environ, "SVAE_HOME": f"{home}/runs", **environment}
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        address = f"localhost:{port}{prefix}"
        try:
            wait_for(address, process)
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)
            print(Path(home, "log").read_text()[-4000:], file=sys.stderr)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not start")


def processor_seconds(process: psutil.Process) -> dict[int, float]:
    """CPU seconds used so far by a process and all its children, by process."""
    used = {}
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used[one.pid] = times.user + times.system
    return used


def memory(process: psutil.Process) -> float:
    """Resident memory of one process in megabytes."""
    return float(process.memory_info().rss) / MEGABYTE


@dataclass
class Student:
    """One session.

    `address`: host, port and prefix; `tls`: where it is spoken to by https.
    """

    address: str
    query: str
    seed: int = 0
    tls: ssl.SSLContext | None = None
    cookie: str = ""  # what this browser was told before
    reruns: list[float] = field(default_factory=list)  # seconds until the page was drawn again
    commands: list[float] = field(default_factory=list)  # … until the stage had answered
    opened: float = 0.0  # when, on the clock of `time.monotonic`
    errors: list[str] = field(default_factory=list)
    run: Follower | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    @property
    def steps(self) -> int:
        """Trained, as far as the student has seen."""
        return self.run.steps if self.run else 0

    @property
    def moments(self) -> int:
        """Shown so far."""
        return self.run.moments if self.run else 0

    @property
    def first_moment(self) -> float:
        """Seconds from opening the page to the first moment; 0 before."""
        return self.run.first - self.opened if self.run and self.run.first else 0.0

    @property
    def watched(self) -> float:
        """Seconds from the first moment to the last."""
        return self.run.last - self.run.first if self.run else 0.0

    async def attend(self, until: float, arriving: float = 0.0) -> None:
        """Open the page, watch and click until that time, then close the tab."""
        await asyncio.sleep(arriving)
        try:
            await self._attend(until)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def _attend(self, until: float) -> None:
        self.opened = time.monotonic()
        tab = Tab(self.address, self.tls, self.cookie, failures=self.errors)
        await tab.get("/train")
        async with tab:
            await tab.open("train", self.query)
            self.query = tab.query
            async with following(tab) as self.run:
                await self._click(tab, self.run, until)
                await self.run.wait_for(lambda: False, max(0.0, until - time.monotonic()))
                if self.run.socket.close_code is not None:
                    self.errors.append("the stage's socket was closed")

    async def _click(self, tab: Tab, run: Follower, until: float) -> None:
        """Use a control of the page, pause, or play, in turn."""
        while (left := until - time.monotonic()) > 4 and run.socket.close_code is None:
            await asyncio.sleep(min(left, self.random.uniform(2.0, 4.0)))
            if self.random.random() < 0.5:
                started = time.monotonic()
                await tab.rerun()
                self.reruns.append(time.monotonic() - started)
            elif run.status in ("playing", "paused"):
                for word, wanted in (("pause", "paused"), ("play", "playing")):
                    started = time.monotonic()
                    await run.send(do=word)
                    await run.wait_for(lambda: run.status == wanted, until - started)  # noqa: B023
                    self.commands.append(time.monotonic() - started)
