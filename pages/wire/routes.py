"""The routes of the stage: a websocket that answers requests for frames, and the browser's code.

**Protocol.** The browser sends requests in JSON, the next one when it has drawn the last answer,
so a slow or hidden page is never sent more than it can show. Only the last request is answered.

    {"want": "scene"}                       what is fixed before training, once it is known
    {"want": "newest", "have": 17, "version": 3, "generation": 0, "rows": 18, "layout": 5}
                                            answered as soon as there is something else to show
    {"want": 4, …}                          that moment again
    {"follow": 40, "step": 120, "asked": 3} that viewed point on its way through the models of that
                                            step, or of the newest; `seed`: other draws
    {"follow": 40, "changes": {"2": 0.5}}   the same with some coordinates set by the visitor
    {"follow": 40, "strokes": [[x, y, …]]}  a drawing instead of it, on a pad from 0 to 1
    {"follow": 40, "text": "anna"}          a text instead of it, where the data are sequences
    {"colour": 3}                           the points by that one of the scene's colours
    {"small": 1}                            some of the points as small pictures
    {"do": "play" | "pause" | "step" | "reset" | "leave"}
    {"do": "try"}                           copies of the run find its next birth and death
    {"do": "change", "changes": {"band": [0, 0.6]}}      from the next slice on; also σ², β
    {"do": "branch", "step": 412, "changes": {"beta": 4}}    another run, which starts from there
    {"do": "reseed"}                                     another run with another seed
    {"do": "predict", "answer": 2}                       to a lesson's question; starts training
    {"do": "lead", "key": "…", "shown": 17}              the moment that a teacher shows the class
    {"do": "reveal", "key": "…"}                         show the class what came true

A read-only link has its own address, by a token that does not tell the run's id. It accepts the
same requests for moments, points and looks; every `do` but `leave` is refused.

A class has its own address, by its code. It accepts the same requests for moments, none that
changes the run, `{"do": "predict", "answer": 2}`, which is the student's own and counts in the
class's tally, and `{"do": "copy"}`, which gives the student a run of their own. Its answers contain
the moment that the teacher shows (`lead`), never the run's id; when the teacher moves to another
run, the answer is `{"kind": "again"}`; when the class ends, the connection does.

To a branch, a copy or another seed the answer is `{"kind": "moved", "run": …, "query": …}`; to a
request that is invalid there, or not allowed to this viewer,
`{"kind": "refused", "sentence": …}`. A malformed request ends the connection.

Every answer is one binary message; `pages.wire.messages` defines its content.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import zlib
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pages.classroom.sessions import Class
from pages.live.run import LiveRun
from pages.live.run_view import view_of
from pages.server.current import server
from pages.wire import replay_file, saved_files
from pages.wire.access import attachment, fetched, find_or_load, run_asked_for, same_origin
from pages.wire.connection import CLASS_ENDED, UNKNOWN_RUN, ViewerConnection
from pages.wire.figure import serve_figure
from svae_core.runs import transfer
from svae_core.stage import browser_code

_ASSETS = browser_code.folder()
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_BASE = str(st.get_option("server.baseUrlPath")).strip("/")
_PREFIX = f"/{_BASE}/stage" if _BASE else "/stage"
#: The run that the Start page plays, and the tour of one minute.
SHIPPED = {"recorded_run.gz": "application/octet-stream", "tour.webp": "image/webp"}


def socket_path(run: str) -> str:
    """The websocket of a run."""
    return f"{_PREFIX}/run/{run}"


def class_path(code: str) -> str:
    """The websocket of a class."""
    return f"{_PREFIX}/class/{code}"


def read_only_path(token: str) -> str:
    """The websocket of a read-only link."""
    return f"{_PREFIX}/read-only/{token}"


def module_path() -> str:
    """The entry module of the browser's code; the path changes with the code."""
    return f"{_PREFIX}/code-{_version()}/index.js"


def claims_path() -> str:
    """The entry module of the claims that can be dragged."""
    return f"{_PREFIX}/code-{_version()}/claims/index.js"


def plotly_path() -> str:
    """Plotly.js of the installed package, so that nothing is fetched from other servers."""
    return f"{_PREFIX}/plotly-{importlib.metadata.version('plotly')}.min.js"


def replay_path(run: str) -> str:
    """A run as one HTML file."""
    return f"{_PREFIX}/replay/{run}.html"


def replay_name(dataset: str) -> str:
    """The name of the file that is downloaded from there."""
    return f"svae-{dataset}-replay.html"


def read_only_replay_path(token: str) -> str:
    """The same by a read-only link."""
    return f"{_PREFIX}/read-only-replay/{token}.html"


def export_path(run: str) -> str:
    """A saved run as one ZIP."""
    return f"{_PREFIX}/export/{run}{transfer.SUFFIX}"


def numbers_path(run: str) -> str:
    """The numbers of a saved run."""
    return f"{_PREFIX}/numbers/{run}.csv"


def offered_path(key: str) -> str:
    """A file that a page offers to one visitor."""
    return f"{_PREFIX}/offered/{key}"


def figure_path(run: str) -> str:
    """The folder of a run's views as SVG: `/shells.svg`, `?step=…&width=…`."""
    return f"{_PREFIX}/figure/{run}"


def class_figure_path(code: str) -> str:
    """The same of the run that the teacher of a class shows, by the class's code."""
    return f"{_PREFIX}/class-figure/{code}"


def read_only_figure_path(token: str) -> str:
    """The same by a read-only link."""
    return f"{_PREFIX}/read-only-figure/{token}"


def shipped_path(name: str) -> str:
    """A file of SHIPPED; the path changes with it."""
    return f"{_PREFIX}/shipped-{hashlib.sha256(_shipped(name)).hexdigest()[:12]}/{name}"


def routes() -> list[BaseRoute]:
    """All routes of the stage, for the app."""
    return [
        WebSocketRoute(socket_path("{run}"), serve_run),
        WebSocketRoute(class_path("{code}"), serve_class),
        WebSocketRoute(read_only_path("{token}"), serve_reader),
        Route(replay_path("{run}"), serve_replay),
        Route(read_only_replay_path("{token}"), serve_replay),
        Route(export_path("{run}"), saved_files.serve_export),
        Route(numbers_path("{run}"), saved_files.serve_numbers),
        Route(offered_path("{key}"), saved_files.serve_offered),
        Route(figure_path("{run}") + "/{view}.svg", serve_figure),
        Route(class_figure_path("{code}") + "/{view}.svg", serve_figure),
        Route(read_only_figure_path("{token}") + "/{view}.svg", serve_figure),
        Route(f"{_PREFIX}/shipped-{{version}}/{{name}}", serve_shipped),
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
    await _serve(socket, classroom.run if classroom else "", CLASS_ENDED, classroom)


async def serve_reader(socket: WebSocket) -> None:
    """Serve one viewer by a read-only link, until the viewer disconnects."""
    run = await run_asked_for(socket)
    await _serve(socket, run, "The run of this link is no longer on the server.", reads=True)


async def _serve(
    socket: WebSocket, run: str, gone: str, classroom: Class | None = None, reads: bool = False
) -> None:
    """`gone`: what is said if the run is not on the server."""
    if not same_origin(socket):
        await socket.close(1008)
        return
    await socket.accept()
    live = await find_or_load(run)
    if live is None:
        await socket.close(UNKNOWN_RUN, gone)
        return
    with live.viewed() as wake, classroom.followed() if classroom else nullcontext():
        connection = ViewerConnection(socket, live, wake, classroom, reads)
        answering = asyncio.create_task(connection.send_answers())
        try:
            await connection.receive_requests()
        finally:
            connection.following.stop()
            answering.cancel()
            with suppress(asyncio.CancelledError, RuntimeError, WebSocketDisconnect):
                await answering


# --------------------------------------------------------------------------- the replay


async def serve_replay(request: Request) -> Response:
    """The run so far as one file."""
    live = await fetched(request)
    if isinstance(live, Response):
        return live
    page = await replay_of(live)
    sent = attachment(replay_name(live.members[0].dataset))
    return Response(page, headers=sent, media_type="text/html; charset=utf-8")


async def replay_of(live: LiveRun) -> str:
    """The HTML file of a run, as far as it is, once its data are prepared."""
    view = view_of(live)
    return await asyncio.to_thread(replay_file.page, view, _code(), browser_code.plotly())


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


async def serve_shipped(request: Request) -> Response:
    """A file that comes with the app."""
    name = request.path_params["name"]
    if name not in SHIPPED:
        return Response("There is no such file.", 404)
    return Response(_shipped(name), headers=_FOREVER, media_type=SHIPPED[name])


@cache
def _shipped(name: str) -> bytes:
    return (_ASSETS.parent / name).read_bytes()


@cache
def _code() -> dict[str, bytes]:
    return browser_code.read(_ASSETS)


@cache
def _version() -> str:
    return browser_code.version(_code())


@cache
def _plotly() -> bytes:
    packer = zlib.compressobj(6, wbits=31)
    return packer.compress(browser_code.plotly()) + packer.flush()
