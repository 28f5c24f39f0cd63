"""Students without browsers, who use Streamlit's own websocket protocol and the stage's.

A student opens the page as a browser does (the page itself, then a session on Streamlit's
websocket, which runs the script), reads the address of its run from the script's output, and
follows the run on the stage's websocket: it requests the next moment after a delay as long as
drawing takes. Every few seconds the student clicks.
"""

from __future__ import annotations

import asyncio
import json
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
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from pages.wire.messages import decode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DRAWING = 0.040  # seconds from a moment's arrival to the next request: 25 frames per second
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
    steps: int = 0  # trained, as far as the student has seen
    moments: int = 0
    reruns: list[float] = field(default_factory=list)  # seconds until the page was drawn again
    commands: list[float] = field(default_factory=list)  # … until the stage had answered
    first_moment: float = 0.0
    began: float = 0.0  # time of the first moment …
    watched: float = 0.0  # … and seconds from it to the last
    errors: list[str] = field(default_factory=list)
    status: str = ""

    async def attend(self, until: float, arriving: float = 0.0) -> None:
        """Open the page, watch and click until that time, then close the tab."""
        await asyncio.sleep(arriving)
        self.random = random.Random(self.seed)
        try:
            await self._attend(until)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def _attend(self, until: float) -> None:
        opened = time.monotonic()
        s = "s" if self.tls else ""
        page = f"http{s}://{self.address}/train"
        await asyncio.to_thread(
            lambda: urllib.request.urlopen(page, timeout=60, context=self.tls).read()
        )
        host = self.address.partition("/")[0]
        known: Any = {"origin": f"http{s}://{host}", "max_size": None, "ssl": self.tls}
        if self.cookie:
            known["additional_headers"] = {"Cookie": self.cookie}
        stream = f"ws{s}://{self.address}/_stcore/stream"
        subprotocols: Any = ["streamlit"]
        async with connect(stream, subprotocols=subprotocols, **known) as session:
            component = await self._run_page(session)
            async with connect(f"ws{s}://{host}{component['socket']}", **known) as stage:
                watching = asyncio.create_task(self._live(stage, opened, until))
                clicking = asyncio.create_task(self._click(session, stage, until))
                await asyncio.gather(watching, clicking)

    async def _run_page(self, session: ClientConnection) -> dict[str, Any]:
        """Run the page's script; the data that it gives its component."""
        request = BackMsg()
        request.rerun_script.query_string = self.query
        request.rerun_script.page_name = "train"
        await session.send(request.SerializeToString())
        component: dict[str, Any] = {}
        while True:
            message = ForwardMsg()
            message.ParseFromString(await session.recv())
            kind = message.WhichOneof("type")
            if kind == "delta":
                element = message.delta.new_element
                if element.WhichOneof("type") == "exception":
                    self.errors.append(element.exception.message)
                if element.WhichOneof("type") == "bidi_component":
                    component = json.loads(element.bidi_component.json)
            if kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            if kind == "script_finished" and self.errors:
                raise RuntimeError("the page shows an error")
            if kind == "script_finished" and component:
                return component

    async def _live(self, stage: ClientConnection, opened: float, until: float) -> None:
        await stage.send(json.dumps({"want": "scene"}))
        known = {"have": -1, "version": -1, "generation": -1, "rows": 0, "layout": -1}
        known |= {"remarks": 0, "floors": 0}
        while time.monotonic() < until:
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + 1.0):
                    header, arrays = decode(await stage.recv())  # type: ignore[arg-type]
            except TimeoutError:
                continue
            if header["kind"] == "moment":
                self._take(header, arrays, known, opened)
                await asyncio.sleep(DRAWING)
            elif header.get("error"):
                self.errors.append(header["error"])
            if header["kind"] in ("moment", "scene"):
                await stage.send(json.dumps({"want": "newest", **known}))

    def _take(
        self, header: dict[str, Any], arrays: Any, known: dict[str, int], opened: float
    ) -> None:
        if header["error"]:
            self.errors.append(header["error"])
        if header["status"] != self.status:
            self.status = header["status"]
            self.changed.set()
        known |= {"version": header["version"], "generation": header["generation"]}
        if header["index"] < 0:
            return
        now = time.monotonic()
        self.began = self.began or now
        self.watched = now - self.began
        self.first_moment = self.first_moment or now - opened
        self.moments += header["index"] > known["have"]
        self.steps = max(self.steps, header["step"])
        known |= {"have": header["index"], "rows": header["count"]}
        if "layout" in header:
            known["layout"] = header["layout"]["number"]
        known["remarks"] = header["remarks"]["from"] + len(header["remarks"]["lines"])
        known["floors"] = int(known["floors"] or "floors" in arrays)

    def __post_init__(self) -> None:
        self.changed = asyncio.Event()

    async def _click(
        self, session: ClientConnection, stage: ClientConnection, until: float
    ) -> None:
        """Use a control of the page, pause, or play, in turn."""
        while (left := until - time.monotonic()) > 4:
            await asyncio.sleep(min(left, self.random.uniform(2.0, 4.0)))
            if self.random.random() < 0.5:
                started = time.monotonic()
                await self._run_page(session)
                self.reruns.append(time.monotonic() - started)
            elif self.status in ("playing", "paused"):
                for word, wanted in (("pause", "paused"), ("play", "playing")):
                    started = time.monotonic()
                    await stage.send(json.dumps({"do": word}))
                    while self.status != wanted and time.monotonic() < until:
                        self.changed.clear()
                        try:
                            await asyncio.wait_for(self.changed.wait(), 1.0)
                        except TimeoutError:
                            continue
                    self.commands.append(time.monotonic() - started)
