"""The routes of the stage: a websocket that answers requests for frames, and the browser's code.

**Protocol.** The browser sends requests in JSON, the next one when it has drawn the last answer,
so a slow or hidden page is never sent more than it can show. Only the last request is answered.

    {"want": "scene"}                       what is fixed before training, once it is known
    {"want": "newest", "have": 17, "version": 3, "generation": 0, "rows": 18, "layout": 5}
                                            answered as soon as there is something else to show
    {"want": 4, …}                          that moment again
    {"decode": 40}                          that viewed point, reconstructed by the newest models
    {"do": "play" | "pause" | "step" | "reset" | "leave"}
    {"do": "change", "changes": {"band": [0, 0.6]}}      from the next slice on; also σ², β
    {"do": "branch", "step": 412, "changes": {"beta": 4}}    another run, which starts from there
    {"do": "reseed"}                                     another run with another seed
    {"do": "predict", "answer": 2}                       to a lesson's question; starts training
    {"do": "lead", "key": "…", "shown": 17}              the moment that a teacher shows the class
    {"do": "reveal", "key": "…"}                         show the class what came true

A class has its own address, by its code. It accepts the same requests for moments, none that
changes the run, `{"do": "predict", "answer": 2}`, which is the student's own and counts in the
class's tally, and `{"do": "copy"}`, which gives the student a run of their own. Its answers contain
the moment that the teacher shows (`lead`), never the run's id; when the teacher moves to another
run, the answer is `{"kind": "again"}`.

To a branch, a copy or another seed the answer is `{"kind": "moved", "run": …, "query": …}`; to a
request that is invalid there, or not allowed to this viewer,
`{"kind": "refused", "sentence": …}`. A malformed request ends the connection.

Every answer is one binary message; `pages.wire.messages` defines its content.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import json
import secrets
import zlib
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pages.classroom import lessons
from pages.classroom.sessions import Class
from pages.live.run import LiveRun
from pages.live.run_view import view_of
from pages.live.setting_changes import read_changes
from pages.server.current import server
from pages.visitor import owner_cookie
from pages.visitor.markdown import for_visitors
from pages.wire import browser_code, message_fields, messages, replay_file
from svae_core.records import RequestError

_ASSETS = Path(__file__).parents[2] / "assets" / "stage"
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_BASE = str(st.get_option("server.baseUrlPath")).strip("/")
_PREFIX = f"/{_BASE}/stage" if _BASE else "/stage"
#: Characters of the longest request; our own page sends shorter ones.
LONGEST_REQUEST = 1024
#: The code with which browsers close a page, which may be reloading.
GOING_AWAY = 1001
UNKNOWN_RUN, BAD_REQUEST, TOO_LONG = 4404, 4400, 1009


def socket_path(run: str) -> str:
    """The websocket of a run."""
    return f"{_PREFIX}/run/{run}"


def class_path(code: str) -> str:
    """The websocket of a class."""
    return f"{_PREFIX}/class/{code}"


def module_path() -> str:
    """The entry module of the browser's code; the path changes with the code."""
    return f"{_PREFIX}/code-{_version()}/index.js"


def plotly_path() -> str:
    """Plotly.js of the installed package, so that nothing is fetched from other servers."""
    return f"{_PREFIX}/plotly-{importlib.metadata.version('plotly')}.min.js"


def replay_path(run: str) -> str:
    """A run as one HTML file."""
    return f"{_PREFIX}/replay/{run}.html"


def recorded_path() -> str:
    """The run that the Start page plays; the path changes with it."""
    return f"{_PREFIX}/recorded-{hashlib.sha256(_recorded()).hexdigest()[:12]}"


def routes() -> list[BaseRoute]:
    """All routes of the stage, for the app."""
    return [
        WebSocketRoute(socket_path("{run}"), serve_run),
        WebSocketRoute(class_path("{code}"), serve_class),
        Route(replay_path("{run}"), serve_replay),
        Route(f"{_PREFIX}/recorded-{{version}}", serve_recorded),
        Route(f"{_PREFIX}/plotly-{{version}}.min.js", serve_plotly),
        Route(f"{_PREFIX}/code-{{version}}/{{path:path}}", serve_code),
    ]


# ------------------------------------------------------------------------ the websocket


async def serve_run(socket: WebSocket) -> None:
    """Serve one viewer of one run, until the viewer disconnects."""
    gone = "This run is no longer on the server: reload the page to train it again."
    await _serve(socket, socket.path_params["run"], gone)


async def serve_class(socket: WebSocket) -> None:
    """Serve one student of a class, until the student disconnects or the class ends."""
    classroom = server().classes.find(socket.path_params["code"])
    gone = "This class has ended: ask your teacher for another link."
    await _serve(socket, classroom.run if classroom else "", gone, classroom)


async def _serve(socket: WebSocket, run: str, gone: str, classroom: Class | None = None) -> None:
    """`gone`: what is said if the run is not on the server."""
    if not _same_origin(socket):
        await socket.close(1008)
        return
    await socket.accept()
    live = await _find_or_load(run)
    if live is None:
        await socket.close(UNKNOWN_RUN, gone)
        return
    with live.viewed() as wake, classroom.followed() if classroom else nullcontext():
        connection = ViewerConnection(socket, live, wake, classroom)
        answering = asyncio.create_task(connection.send_answers())
        try:
            await connection.receive_requests()
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError, RuntimeError, WebSocketDisconnect):
                await answering


async def _find_or_load(run: str) -> LiveRun | None:
    """The run of that id, loaded from disk if necessary; None also if it cannot be read.

    The page shows why, when it is loaded again.
    """
    with suppress(RequestError):
        runs = server().runs
        return runs.find(run) or await asyncio.to_thread(runs.find_or_load, run)
    return None


class ViewerConnection:
    """The connection of one viewer: reads requests and answers them."""

    def __init__(
        self, socket: WebSocket, live: LiveRun, wake: asyncio.Event, classroom: Class | None = None
    ) -> None:
        self._socket = socket
        self._live = live
        self._classroom = classroom  # the class that this viewer follows, if any
        self._wake = wake
        self._request: messages.FrameRequest | None = None
        self._point: int | None = None  # to be decoded
        self._replies: list[dict[str, Any]] = []
        self._sent_notice: str | None = None
        self._led: Class | None = None  # the class that this viewer leads, if any
        # Who a student is, so that the prediction is still theirs when they come back.
        self._student = owner_cookie.key_of(socket) or secrets.token_urlsafe(12)

    async def receive_requests(self) -> None:
        """Receive requests until the viewer disconnects, which only receiving detects."""
        try:
            while True:
                text = await self._socket.receive_text()
                if len(text) > LONGEST_REQUEST:
                    await self._socket.close(TOO_LONG, "That request is too long.")
                    return
                self._receive(json.loads(text))
        except WebSocketDisconnect as gone:
            if gone.code != GOING_AWAY:  # connection lost, or two pings unanswered
                self._live.disconnect()
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            await self._socket.close(BAD_REQUEST, "That request is invalid.")

    async def send_answers(self) -> None:
        """Answer the last request as soon as there is an answer to it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._live.notice and self._live.notice != self._sent_notice:
                self._sent_notice = self._live.notice
                self._replies.append({"kind": "refused", "sentence": self._sent_notice})
            while self._replies:
                await self._socket.send_bytes(messages.encode(self._replies.pop(0), {}))
            if self._point is not None:
                await self._decode()
            if self._classroom and not server().classes.shows(self._classroom, self._live):
                await self._socket.send_bytes(messages.encode({"kind": "again"}, {}))
                return
            if self._request and (message := self._answered(self._request)):
                self._request = None
                await self._socket.send_bytes(messages.encode(*message))

    def _answered(self, request: messages.FrameRequest) -> messages.Message | None:
        if self._classroom is None:
            seat = self._led.seat(None) if self._led else None
            return messages.answer(self._live, request, seat)
        seat = self._classroom.seat(self._student)
        return messages.answer_class_follower(self._live, request, self._classroom.shown, seat)

    async def _decode(self) -> None:
        index, self._point = self._point, None
        if index is None or self._live.prepared is None:
            return
        point = await self._live.decode(index)
        if point is not None:
            message = messages.decoded(self._live.prepared, point)
            await self._socket.send_bytes(messages.encode(*message))

    def _receive(self, request: dict[str, Any]) -> None:
        if "decode" in request:
            self._point, prepared = int(request["decode"]), self._live.prepared
            if prepared is None or not 0 <= self._point < len(prepared.view_points):
                raise ValueError("there is no such viewed point")
        elif "do" in request:
            try:
                self._run_command(str(request["do"]), request)
            except RequestError as error:
                self._replies.append({"kind": "refused", "sentence": for_visitors(str(error))})
        else:
            self._request = messages.FrameRequest.read(request)
        self._wake.set()

    def _run_command(self, command: str, request: dict[str, Any]) -> None:
        """Run a viewer's command. RequestError, one sentence, if it is refused."""
        commands = {
            "play": self._live.play,
            "pause": self._live.pause,
            "step": self._live.step,
            "reset": self._live.restart,
        }
        if command == "leave":
            self._live.disconnect()
        elif self._classroom is not None:
            self._run_follower_command(self._classroom, command, request)
        elif command in commands:
            commands[command]()
        elif command == "lead":
            run = self._socket.path_params["run"]
            server().classes.lead(str(request["key"]), run, int(request["shown"]))
            self._led = server().classes.find_by_key(str(request["key"]))
        elif command == "reveal":
            server().classes.reveal(str(request["key"]))
        else:
            self._change_run(command, request)

    def _run_follower_command(
        self, classroom: Class, command: str, request: dict[str, Any]
    ) -> None:
        """Run one of the two commands that a student has: predict, and take a copy."""
        if command == "predict":
            lesson = lessons.find(self._live.request.lesson)
            answer = lessons.check_prediction(lesson, int(request["answer"]))
            server().classes.answer(classroom, self._student, answer)
            return
        if command != "copy":
            raise RequestError("Only the teacher can change this run; take a copy to change it.")
        runs = server().runs
        copy = runs.copy(classroom.run, owner_cookie.key_of(self._socket))
        self._replies.append(message_fields.copy_taken(copy, runs.view(copy), classroom.code))

    def _change_run(self, command: str, request: dict[str, Any]) -> None:
        """Change settings of this run, or start another run from it."""
        run, runs = self._socket.path_params["run"], server().runs
        if command == "change":
            self._live.change(read_changes(request["changes"]))
        elif command == "predict":
            lesson = lessons.find(self._live.request.lesson)
            self._live.predict(lessons.check_prediction(lesson, int(request["answer"])))
        elif command in ("branch", "reseed"):
            if command == "branch":
                moved = runs.branch(run, int(request["step"]), read_changes(request["changes"]))
            else:
                moved = runs.reseed(run)
            self._replies.append(message_fields.moved(moved, runs.view(moved)))
        else:
            raise KeyError(command)


def _same_origin(connection: HTTPConnection) -> bool:
    """Whether a page of this server sends the request; any page may open a websocket."""
    origin = urlsplit(connection.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == connection.headers.get("host")


# --------------------------------------------------------------------------- the replay


async def serve_replay(request: Request) -> Response:
    """The run so far as one file. A link sends no Origin; Sec-Fetch-Site says where it is."""
    site = request.headers.get("sec-fetch-site", "none")
    if "origin" in request.headers:
        site = "same-origin" if _same_origin(request) else "cross-site"
    if site not in ("same-origin", "none"):
        return Response("Other pages may not fetch runs.", 403)
    live = await _find_or_load(request.path_params["run"])
    if live is None or not live.moments:
        return Response("There is nothing of this run on the server.", 404)
    live.start()
    await live.signal.wait_for(lambda: bool(live.prepared or live.error))
    if live.prepared is None:
        return Response(for_visitors(str(live.error)), 409)
    page = await replay_of(live)
    name = f"svae-{live.members[0].dataset}-replay.html"
    sent = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(page, headers=sent, media_type="text/html; charset=utf-8")


async def replay_of(live: LiveRun) -> str:
    """The HTML file of a run, as far as it is, once its data are prepared."""
    view = view_of(live)
    return await asyncio.to_thread(replay_file.page, view, _code(), _plotly_source().decode())


# ----------------------------------------------------------------------------- the code


async def serve_code(request: Request) -> Response:
    """A file of the browser's code."""
    content = _code().get(request.path_params["path"])
    if content is None:
        return Response("There is no such file.", 404)
    kind = browser_code.TYPES[Path(request.path_params["path"]).suffix]
    return Response(content, headers=_FOREVER, media_type=kind)


async def serve_plotly(_request: Request) -> Response:
    """Plotly.js, compressed once: it is 4.8 MB, and a whole class opens it at once."""
    content = await asyncio.to_thread(_plotly)
    sent = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", **_FOREVER}
    return Response(content, headers=sent, media_type=browser_code.TYPES[".js"])


async def serve_recorded(_request: Request) -> Response:
    """The run that the Start page plays."""
    return Response(_recorded(), headers=_FOREVER, media_type="application/octet-stream")


@cache
def _recorded() -> bytes:
    return (_ASSETS.parent / "recorded_run.gz").read_bytes()


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
