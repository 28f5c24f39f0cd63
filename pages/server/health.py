"""`/healthz`: whether this server can serve one more visitor, for those who watch it.

200 and a line of numbers while it can; 503 and what is wrong where workers or file descriptors are
exhausted. It tells nothing of visitors but their number.
"""

from __future__ import annotations

import asyncio

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages.server.current import server
from svae_core.config import machine

_BASE = str(st.get_option("server.baseUrlPath")).strip("/")
PATH = f"/{_BASE}/healthz" if _BASE else "/healthz"
#: Descriptors that a visitor and a saved run take, with some to spare.
FEWEST_FILES = 32


def route() -> Route:
    """The route, for the app."""
    return Route(PATH, serve_health)


async def serve_health(_request: Request) -> Response:
    """Answer from the event loop, so that a loop that hangs does not answer either."""
    found = await asyncio.to_thread(machine.descriptors)
    wrong = problems(found)
    numbers = {"well": not wrong, "problems": wrong, **counts(), "open_files": found and found.open}
    return JSONResponse(numbers, 503 if wrong else 200, {"Cache-Control": "no-store"})


def problems(files: machine.Descriptors | None) -> list[str]:
    """What keeps this server from serving one more visitor, one sentence each."""
    found = [server().engine.trouble]
    if files is not None and files.left < FEWEST_FILES:
        found.append(
            f"{files.open} of {files.allowed} files and connections are open; raise the limit "
            "(ulimit -n)."
        )
    return [one for one in found if one]


def counts() -> dict[str, int]:
    """How much there is to do: runs with viewers, runs in memory, runs that train, workers."""
    runs, engine = list(server().runs.by_id.values()), server().engine
    return {
        "watched_runs": sum(live.viewers.count > 0 for live in runs),
        "runs": len(runs),
        "training": engine.runs_in_training,
        "workers": engine.size,
    }
