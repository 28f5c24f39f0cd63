"""Files for other programs: a saved run as a ZIP, its numbers as CSV, and what a page offers.

They have addresses of their own; `server.offered_files` says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from pages.server.current import server
from pages.visitor.markdown import for_visitors, without_paths
from pages.wire.access import attachment, from_elsewhere
from svae_core.records import RequestError
from svae_core.runs import store, transfer
from svae_core.runs.folder import home, load


async def serve_export(request: Request) -> Response:
    """The whole run, to import on another server."""
    return await _file_of(request, transfer.pack, transfer.SUFFIX, "application/zip")


async def serve_numbers(request: Request) -> Response:
    """Loss, KL and more of every recorded moment."""
    return await _file_of(request, _numbers, ".csv", "text/csv; charset=utf-8")


async def serve_offered(request: Request) -> Response:
    """A file that a page offered to one visitor."""
    if refusal := from_elsewhere(request):
        return refusal
    file = server().offered.find(request.path_params["key"])
    if file is None:
        return Response("This file is offered no longer: reload the page that offered it.", 404)
    content = await asyncio.to_thread(file.make)
    return Response(content, headers=attachment(file.name), media_type=file.media_type)


def _numbers(folder: Path) -> bytes:
    return transfer.history(load(folder, to_use=False)).encode()


async def _file_of(
    request: Request, make: Callable[[Path], bytes], suffix: str, kind: str
) -> Response:
    """What is made of the run's folder, or a sentence that says why there is nothing."""
    if refusal := from_elsewhere(request):
        return refusal

    def made() -> tuple[str, bytes] | None:
        folder = store.by_id(home(), request.path_params["run"])
        return (folder.name, make(folder)) if folder else None

    try:
        found = await asyncio.to_thread(made)
    except RequestError as error:
        return Response(for_visitors(without_paths(str(error))), 409)
    if found is None:
        return Response("There is nothing saved of this run on the server.", 404)
    name, content = found
    return Response(content, headers=attachment(f"{name}{suffix}"), media_type=kind)
