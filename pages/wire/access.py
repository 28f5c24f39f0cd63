"""Who may fetch a run, and where it is found: what all routes of the stage have in common."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from pages.live import read_only
from pages.live.run import LiveRun
from pages.server.current import server
from pages.visitor.markdown import for_visitors
from svae_core.records import RequestError


async def find_or_load(run: str) -> LiveRun | None:
    """The run of that id, loaded from disk if necessary; None also if it cannot be read.

    The page shows why, when it is loaded again.
    """
    with suppress(RequestError):
        runs = server().runs
        return runs.find(run) or await asyncio.to_thread(runs.find_or_load, run)
    return None


async def run_asked_for(connection: HTTPConnection) -> str:
    """The id of the run that an address leads to: by the id, a class's code, or a token."""
    asked = connection.path_params
    if "code" in asked:
        classroom = server().classes.find(asked["code"])
        return classroom.run if classroom else ""
    if "token" in asked:
        return await asyncio.to_thread(read_only.find, asked["token"], server().runs) or ""
    return str(asked["run"])


async def fetched(request: Request) -> LiveRun | Response:
    """The run that a link of our own asks for, prepared to be drawn; else why it is not there."""
    if refusal := from_elsewhere(request):
        return refusal
    live = await find_or_load(await run_asked_for(request))
    if live is None or not live.moments:
        return Response("There is nothing of this run on the server.", 404)
    await _settled(live)
    if live.prepared is not None:
        return live
    sentence = live.error or "This run was closed while it was prepared; ask for it again."
    return Response(for_visitors(sentence), 409)


async def _settled(live: LiveRun) -> None:
    """Wait until a run is prepared, or cannot be, or is closed.

    Who waits for a file is no viewer: the run does not train on for it, but stays in memory.
    """
    live.viewers.fetches += 1
    try:
        live.start()
        await live.signal.wait_for(
            lambda: bool(live.prepared or live.error or live.task is None),
            every=1.0,  # nothing tells that a run is closed
        )
    finally:
        live.viewers.fetches -= 1


def from_elsewhere(request: Request) -> Response | None:
    """A refusal, where another page than ours asks.

    A link sends no Origin; Sec-Fetch-Site says where it is.
    """
    site = request.headers.get("sec-fetch-site", "none")
    if "origin" in request.headers:
        site = "same-origin" if same_origin(request) else "cross-site"
    if site not in ("same-origin", "none"):
        return Response("Other pages may not fetch runs.", 403)
    return None


def same_origin(connection: HTTPConnection) -> bool:
    """Whether a page of this server sends the request; any page may open a websocket."""
    origin = urlsplit(connection.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == connection.headers.get("host")


def attachment(name: str) -> dict[str, str]:
    """The headers of a file that the browser saves under this name."""
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
