"""The routes of the stage: a websocket that gives frames when asked, and the browser's code.

**Protocol.** The browser asks, in JSON; it asks again when it has drawn what it got, so a slow or
hidden page is never sent more than it can show. The last request counts.

    {"want": "scene"}                       what is fixed before training, once it is known
    {"want": "newest", "have": 17, "version": 3, "generation": 0, "rows": 18, "layout": 5}
                                            answered as soon as there is something else to show
    {"want": 4, …}                          that moment again
    {"decode": 40}                          that viewed point, as the newest models give it back
    {"do": "play" | "pause" | "step" | "reset" | "leave"}
    {"do": "change", "changes": {"band": [0, 0.6]}}      from the next slice on; also σ², β
    {"do": "branch", "step": 412, "changes": {"beta": 4}}    another run, which goes on from there
    {"do": "reseed"}                                     another run with another seed
    {"do": "predict", "answer": 2}                       a lesson's question; only then it trains
    {"do": "lead", "key": "…", "shown": 17}              what a teacher's class is to see

A class is served at an address of its own, by its code: the same requests for moments, nothing that
changes the run, and `{"do": "copy"}`, which gives a run of one's own. Its answers say which moment
the teacher shows (`lead`), never the run's id; where the teacher goes on to another run, the answer
is `{"kind": "again"}`.

To a branch, a copy or another seed the answer is `{"kind": "moved", "run": …, "query": …}`; what
makes no sense there, or is not for this viewer, is `{"kind": "refused", "sentence": …}`. Nonsense
of any other kind ends the connection.

Every answer is one binary message, `encode` below; `pages.wire.messages` says what is in it.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import json
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pages.classroom import lessons, sessions
from pages.classroom.sessions import Class
from pages.live import registry
from pages.live.changes import read_changes
from pages.live.run import LiveRun
from pages.visitor import owner_cookie
from pages.wire import browser_code, messages, replay
from pages.wire import headers as telling
from svae_core.records import RequestError

_ASSETS = Path(__file__).parents[2] / "assets" / "stage"
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_BASE = str(st.get_option("server.baseUrlPath")).strip("/")
_PREFIX = f"/{_BASE}/stage" if _BASE else "/stage"
#: Requests are short; who sends more is not our page.
LONGEST_REQUEST = 1024
#: What browsers say when a page is left; it may be a reload.
GOING_AWAY = 1001
UNKNOWN_RUN, BAD_REQUEST, TOO_LONG = 4404, 4400, 1009


def socket_path(run: str) -> str:
    """Where the frames of a run are."""
    return f"{_PREFIX}/run/{run}"


def class_path(code: str) -> str:
    """Where the frames of a class are."""
    return f"{_PREFIX}/class/{code}"


def module_path() -> str:
    """Where the browser's code starts; a path changes when what it leads to does."""
    return f"{_PREFIX}/code-{_version()}/index.js"


def plotly_path() -> str:
    """Where Plotly.js is: that of the installed package, so nothing is fetched from elsewhere."""
    return f"{_PREFIX}/plotly-{importlib.metadata.version('plotly')}.min.js"


def replay_path(run: str) -> str:
    """Where a run can be had as one file."""
    return f"{_PREFIX}/replay/{run}.html"


def routes() -> list[BaseRoute]:
    """All routes of the stage, for the app."""
    return [
        WebSocketRoute(socket_path("{run}"), serve_run),
        WebSocketRoute(class_path("{code}"), serve_class),
        Route(replay_path("{run}"), serve_replay),
        Route(f"{_PREFIX}/plotly-{{version}}.min.js", serve_plotly),
        Route(f"{_PREFIX}/code-{{version}}/{{path:path}}", serve_code),
    ]


# ------------------------------------------------------------------------ the websocket


async def serve_run(socket: WebSocket) -> None:
    """One viewer of one run, until they leave."""
    if not _same_origin(socket):
        await socket.close(1008)
        return
    await socket.accept()
    live = await _recall(socket.path_params["run"])
    if live is None:
        sentence = "This run is no longer on the server: reload the page to train it again."
        await socket.close(UNKNOWN_RUN, sentence)
        return
    await _serve(socket, live)


async def serve_class(socket: WebSocket) -> None:
    """One follower of a class, until they leave or the class ends."""
    if not _same_origin(socket):
        await socket.close(1008)
        return
    await socket.accept()
    room = sessions.find(socket.path_params["code"])
    live = await _recall(room.run) if room else None
    if room is None or live is None:
        await socket.close(UNKNOWN_RUN, "This class has ended: ask your teacher for another link.")
        return
    room.followers += 1
    try:
        await _serve(socket, live, room)
    finally:
        room.followers -= 1


async def _serve(socket: WebSocket, live: LiveRun, room: Class | None = None) -> None:
    with live.viewed() as wake:
        desk = ViewerConnection(socket, live, wake, room)
        answering = asyncio.create_task(desk.answer())
        try:
            await desk.listen()
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError, RuntimeError, WebSocketDisconnect):
                await answering


async def _recall(run: str) -> LiveRun | None:
    """The run of that id, from disk if need be; None also where it cannot be read.

    Why not is said by the page, when it is loaded again.
    """
    with suppress(RequestError):
        return registry.find(run) or await asyncio.to_thread(registry.recall, run)
    return None


class ViewerConnection:
    """Where one viewer's requests are read and answered."""

    def __init__(
        self, socket: WebSocket, live: LiveRun, wake: asyncio.Event, room: Class | None = None
    ) -> None:
        self._socket = socket
        self._live = live
        self._room = room  # whose follower this viewer is, if any
        self._wake = wake
        self._asked: messages.FrameRequest | None = None
        self._point: int | None = None  # to be decoded
        self._replies: list[dict[str, Any]] = []
        self._noticed: str | None = None

    async def listen(self) -> None:
        """Take requests until the viewer is gone: whoever does not listen is never told."""
        try:
            while True:
                text = await self._socket.receive_text()
                if len(text) > LONGEST_REQUEST:
                    await self._socket.close(TOO_LONG, "That request is too long.")
                    return
                self._take(json.loads(text))
        except WebSocketDisconnect as gone:
            if gone.code != GOING_AWAY:  # lost, or silent for two pings
                self._live.disconnect()
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            await self._socket.close(BAD_REQUEST, "That request makes no sense.")

    async def answer(self) -> None:
        """Answer the last request as soon as there is an answer to it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._live.notice and self._live.notice != self._noticed:
                self._noticed = self._live.notice
                self._replies.append({"kind": "refused", "sentence": self._noticed})
            while self._replies:
                await self._socket.send_bytes(messages.encode(self._replies.pop(0), {}))
            if self._point is not None:
                await self._decode()
            if self._room and not self._room.shows(self._live):
                await self._socket.send_bytes(messages.encode({"kind": "again"}, {}))
                return
            if self._asked and (message := self._answered(self._asked)):
                self._asked = None
                await self._socket.send_bytes(messages.encode(*message))

    def _answered(self, asked: messages.FrameRequest) -> messages.Message | None:
        if self._room is None:
            return messages.answer(self._live, asked)
        return messages.answer_follower(self._live, asked, self._room.shown)

    async def _decode(self) -> None:
        index, self._point = self._point, None
        if index is None or self._live.ground is None:
            return
        point = await self._live.decode(index)
        if point is not None:
            message = messages.decoded(self._live.ground, point)
            await self._socket.send_bytes(messages.encode(*message))

    def _take(self, request: dict[str, Any]) -> None:
        if "decode" in request:
            self._point = self._live.check_point(int(request["decode"]))
        elif "do" in request:
            try:
                self._do(str(request["do"]), request)
            except RequestError as error:
                self._replies.append({"kind": "refused", "sentence": str(error)})
        else:
            self._asked = messages.FrameRequest.read(request)
        self._wake.set()

    def _do(self, doing: str, request: dict[str, Any]) -> None:
        """What a viewer wants done. RequestError, one sentence, where it is refused."""
        commands = {
            "play": self._live.play,
            "pause": self._live.pause,
            "step": self._live.step,
            "reset": self._live.restart,
        }
        if doing == "leave":
            self._live.disconnect()
        elif self._room is not None:
            self._follow(self._room, doing)
        elif doing in commands:
            commands[doing]()
        elif doing == "lead":
            run = self._socket.path_params["run"]
            sessions.lead(str(request["key"]), run, int(request["shown"]))
        else:
            self._alter(doing, request)

    def _follow(self, room: Class, doing: str) -> None:
        """What a follower may do beside looking: take a copy away."""
        if doing != "copy":
            raise RequestError("Only the teacher can change this run; take a copy to change it.")
        copy = registry.copy(room.run, owner_cookie.key_of(self._socket))
        self._replies.append(telling.copied(copy, registry.find(copy), room.code))

    def _alter(self, doing: str, request: dict[str, Any]) -> None:
        """Other settings, for this run or for another that stems from it."""
        run = self._socket.path_params["run"]
        if doing == "change":
            self._live.change(read_changes(request["changes"]))
        elif doing == "predict":
            lesson = lessons.find(self._live.request.lesson)
            self._live.predict(lessons.check_prediction(lesson, int(request["answer"])))
        elif doing in ("branch", "reseed"):
            if doing == "branch":
                moved = registry.branch(run, int(request["step"]), read_changes(request["changes"]))
            else:
                moved = registry.reseed(run)
            self._replies.append(telling.moved(moved, registry.find(moved)))
        else:
            raise KeyError(doing)


def _same_origin(asker: HTTPConnection) -> bool:
    """Whether a page of this very server asks; any page may open a websocket to anywhere."""
    origin = urlsplit(asker.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == asker.headers.get("host")


# --------------------------------------------------------------------------- the replay


async def serve_replay(request: Request) -> Response:
    """The run so far as one file. A link sends no Origin; then the browser says who links."""
    site = request.headers.get("sec-fetch-site", "none")
    if "origin" in request.headers:
        site = "same-origin" if _same_origin(request) else "cross-site"
    if site not in ("same-origin", "none"):
        return Response("Other pages may not fetch runs.", 403)
    live = await _recall(request.path_params["run"])
    if live is None or not live.moments:
        return Response("There is nothing of this run on the server.", 404)
    live.start()
    await live.signal.wait_for(lambda: bool(live.ground or live.error))
    if live.ground is None:
        return Response(str(live.error), 409)
    held = replay.still(live)
    page = await asyncio.to_thread(replay.page, held, _code(), _plotly_source().decode())
    name = f"svae-{held.members[0].dataset}-replay.html"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(page, headers=headers, media_type="text/html; charset=utf-8")


# ----------------------------------------------------------------------------- the code


async def serve_code(request: Request) -> Response:
    """A file of the browser's code."""
    content = _code().get(request.path_params["path"])
    if content is None:
        return Response("There is no such file.", 404)
    kind = browser_code.TYPES[Path(request.path_params["path"]).suffix]
    return Response(content, headers=_FOREVER, media_type=kind)


async def serve_plotly(_request: Request) -> Response:
    """Plotly.js, compressed once: it is 4.8 MB, and a classroom opens at the same moment."""
    content = await asyncio.to_thread(_plotly)
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", **_FOREVER}
    return Response(content, headers=headers, media_type=browser_code.TYPES[".js"])


@cache
def _code() -> dict[str, bytes]:
    return browser_code.read(_ASSETS)


@cache
def _version() -> str:
    return browser_code.version(_code())


@cache
def _plotly() -> bytes:
    packer = zlib.compressobj(6, wbits=31)
    return packer.compress(_plotly_source()) + packer.flush()


def _plotly_source() -> bytes:
    package = importlib.util.find_spec("plotly")
    assert package is not None and package.origin is not None
    return (Path(package.origin).parent / "package_data" / "plotly.min.js").read_bytes()
