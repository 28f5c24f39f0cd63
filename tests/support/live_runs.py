"""Runs that are watched without a network and without workers: for tests of the stage."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest
from starlette.websockets import WebSocket

from pages.live import registry
from pages.live.run import LiveRun
from pages.live.shared_training import Trainings
from pages.wire import connection, messages, routes
from pages.wire.messages import decode
from svae_core.compute import engine, tasks
from svae_core.compute.scheduler import QueuePosition
from svae_core.compute.workers import WorkerLost
from svae_core.records import RequestError, Settings

TOY = Settings(dataset="clusters", n_points=120, clusters=3, epochs=4, batch_size=60, latent_dim=2)
PAIR = registry.pair(TOY)
STEPS = 8  # 4 epochs of 2 minibatches, and a frame after each
WAIT = 300.0  # only ends a test that hangs: a busy machine may be slow


class Inline:
    """An engine that works where it is called, at once."""

    cluster_lost = ""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.slices = 0

    def submit(self, task: Callable[..., Any], *arguments: Any, **_how: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if task is tasks.advance:
            self.slices += 1
            state, budget = arguments
            arguments = state, dataclasses.replace(budget, steps=1)
        if self.refuse:
            future.set_exception(RequestError(self.refuse))
        else:
            future.set_result(task(*arguments))
        return future

    @classmethod
    def lose(cls, monkeypatch: pytest.MonkeyPatch, *lost: Any) -> list[tuple[Any, ...]]:
        """Lose the worker of every call of these tasks; the arguments of those calls."""
        submit, asked = cls.submit, list[tuple[Any, ...]]()

        def losing(self: Inline, task: Any, *arguments: Any, **how: Any) -> Future[Any]:
            if task not in lost:
                return submit(self, task, *arguments, **how)
            asked.append(arguments)
            future: Future[Any] = Future()
            future.set_exception(WorkerLost("gone"))
            return future

        monkeypatch.setattr(cls, "submit", losing)
        return asked

    def start_maps(self) -> bool:
        return False

    def queue_position(self, _line: Any) -> QueuePosition:
        return QueuePosition(0, 1)

    def slice_seconds(self) -> float:
        return engine.SLICE


def trainings(refuse: str = "") -> Trainings:
    """The trainings of an engine of their own."""
    return Trainings(Inline(refuse))  # type: ignore[arg-type]


def toy_run(refuse: str = "") -> LiveRun:
    return LiveRun(PAIR, trainings(refuse))


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that runs on an event loop of its own, with its fixtures."""

    @functools.wraps(test)
    def run(*fixtures: Any, **named: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*fixtures, **named), WAIT))

    return run


async def until(live: LiveRun, condition: Callable[[], bool]) -> None:
    await asyncio.wait_for(live.signal.wait_for(condition), WAIT)


class Viewer:
    """The other end of a websocket, without a network: what a browser would send and get."""

    def __init__(self, run: str, origin: str | None = "http://lecture:8501", **by: str) -> None:
        """Opened by `code` of a class or `token` of a read-only link, instead of the run's id."""
        headers = [(b"host", b"lecture:8501")]
        if origin:
            headers.append((b"origin", origin.encode()))
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.lost = False  # whether what is sent to it finds no connection any more
        scope = {
            "type": "websocket",
            "path": routes.socket_path(run),
            "path_params": by or {"run": run},
            "headers": headers,
        }
        self._in.put_nowait({"type": "websocket.connect"})
        socket = WebSocket(scope, self._in.get, self._take)
        doors = {"code": routes.serve_class, "token": routes.serve_reader}
        door = next((doors[name] for name in by), routes.serve_run)
        self.served = asyncio.create_task(door(socket))

    async def _take(self, event: Any) -> None:
        if self.lost:
            raise OSError("The connection is lost.")
        self._out.put_nowait(event)

    async def event(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._out.get(), WAIT)

    def send(self, text: str) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": text})

    async def ask(self, **request: Any) -> messages.Message:
        self.send(json.dumps(request))
        return decode((await self.event())["bytes"])

    def hear_nothing(self) -> bool:
        return self._out.empty()

    async def leave(self, code: int = connection.GOING_AWAY) -> None:
        self._in.put_nowait({"type": "websocket.disconnect", "code": code})
        await asyncio.wait_for(self.served, WAIT)
