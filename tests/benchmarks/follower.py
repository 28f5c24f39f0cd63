"""Follows a run on the stage's websocket, as the stage's own code does, without drawing it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tab import PATIENCE, Tab
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from pages.wire.messages import decode

DRAWING = 0.040  # seconds from a moment's arrival to the next request: 25 frames per second


@dataclass(eq=False)
class Follower:
    """What one viewer of a run was told so far."""

    socket: ClientConnection
    scene: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)  # of the scene
    moment: dict[str, Any] = field(default_factory=dict)  # the newest header
    refused: list[str] = field(default_factory=list)
    moved: dict[str, Any] = field(default_factory=dict)  # where a branch or copy is
    again: bool = False  # whether a class was moved, or has ended
    failures: list[str] = field(default_factory=list)
    status: str = ""
    steps: int = 0  # most that were trained, as far as was told
    moments: int = 0
    first: float = 0.0  # when the first moment came and …
    last: float = 0.0  # … the newest, on the clock of `time.monotonic`

    def __post_init__(self) -> None:
        self._news = asyncio.Event()

    async def send(self, **request: Any) -> None:
        """A request, such as do="pause"."""
        await self.socket.send(json.dumps(request))

    async def wait_for(self, there: Callable[[], Any], seconds: float = PATIENCE) -> bool:
        """Whether that is there within these seconds, and before the socket closes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not there() and not self.again and self.socket.close_code is None:
                    self._news.clear()
                    await self._news.wait()
        return bool(there())

    async def follow(self) -> None:
        """Ask for one moment after another until the socket closes."""
        known = {"have": -1, "version": -1, "generation": -1, "rows": 0, "layout": -1}
        known |= {"remarks": 0, "floors": 0, "lead": -2, "seat": -1}
        with suppress(ConnectionClosed):
            await self.send(want="scene")
            async for message in self.socket:
                header, arrays = decode(message)  # type: ignore[arg-type]
                self._take(header, arrays, known)
                self._news.set()
                if header["kind"] == "moment":
                    await asyncio.sleep(DRAWING)
                if header["kind"] in ("moment", "scene"):
                    await self.send(want="newest", **known)
        self._news.set()

    def _take(self, header: dict[str, Any], arrays: Any, known: dict[str, int]) -> None:
        if header.get("error"):
            self.failures.append(header["error"])
        if header["kind"] == "scene":
            self.scene, self.arrays = header, arrays
        elif header["kind"] == "refused":
            self.refused.append(header["sentence"])
        elif header["kind"] == "moved":
            self.moved = header
        elif header["kind"] == "again":
            self.again = True
        elif header["kind"] == "moment":
            self.status = header["status"]
            known |= {"version": header["version"], "generation": header["generation"]}
            known |= {"lead": header.get("lead", -2), "seat": header["seat"]}
            if header["index"] < 0:
                return
            self.moment = header
            self.last = time.monotonic()
            self.first = self.first or self.last
            self.moments += header["index"] > known["have"]
            self.steps = max(self.steps, header["step"])
            known |= {"have": header["index"], "rows": header["count"]}
            if "layout" in header:
                known["layout"] = header["layout"]["number"]
            known["remarks"] = header["remarks"]["from"] + len(header["remarks"]["lines"])
            known["floors"] = int(known["floors"] or "floors" in arrays)


@asynccontextmanager
async def following(tab: Tab) -> AsyncIterator[Follower]:
    """The run that a page's stage shows, followed until the context ends."""
    component = json.loads(tab.find("bidi_component").json)
    socket = await tab.socket(component["socket"])
    follower = Follower(socket, failures=tab.failures)
    going = asyncio.create_task(follower.follow())
    try:
        yield follower
    finally:
        await socket.close()
        await going
