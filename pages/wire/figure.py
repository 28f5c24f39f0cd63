"""A view of a live run as an SVG figure, of the moment and in the size that the browser shows.

draw(view_of(live), "shells", {"step": "120", "width": "800"}) -> the text of an SVG file
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pages.live.run_view import RunView, view_of
from pages.visitor.markdown import for_visitors
from pages.wire.access import attachment, fetched
from svae_core.commentary import deaths
from svae_core.figures.papers import views
from svae_core.figures.papers.run_picture import LARGEST, SMALLEST, Look, RunPicture
from svae_core.records import RequestError
from svae_core.stage.messages import handle_scale


async def serve_figure(request: Request) -> Response:
    """A view of the run at one moment as SVG, drawn by the same writer as `svae export`."""
    live = await fetched(request)
    if isinstance(live, Response):
        return live
    name = request.path_params["view"]
    try:
        drawn = await asyncio.to_thread(draw, view_of(live), name, request.query_params)
    except RequestError as error:
        return Response(for_visitors(str(error)), 400)
    sent = attachment(f"svae-{live.members[0].dataset}-{name}.svg")
    return Response(drawn, headers=sent, media_type="image/svg+xml")


def draw(view: RunView, name: str, query: Mapping[str, str]) -> str:
    """The SVG file; RequestError if there is no such figure, or a number is out of range."""
    look, step = look_of(query), int(_number(query, "step", -1))
    return views.draw(name, picture_of(view, step), look)


def picture_of(view: RunView, step: int) -> RunPicture:
    """What figures need of the run, at the last moment up to a step; a negative step: the last."""
    assert view.prepared is not None and view.moments
    earlier = [n for n, frames in enumerate(view.moments) if step < 0 or frames[0].step <= step]
    return RunPicture(
        prepared=view.prepared,
        members=view.members,
        moments=view.moments,
        layouts=view.layouts,
        floors=view.floors,
        deaths=deaths(view.remarks),
        banded=handle_scale(view.members, view.prepared) is not None,
        index=earlier[-1] if earlier else 0,
    )


def look_of(query: Mapping[str, str]) -> Look:
    """Size, camera, colours and points picked out, as `paper.js` writes them."""
    usual = Look()
    sides = {
        side: min(max(_number(query, side, 0.0), SMALLEST), LARGEST)
        for side in ("width", "height")
        if side in query
    }
    camera = {name: _number(query, name, getattr(usual, name)) for name in ("turn", "tilt", "zoom")}
    hidden = frozenset(int(part) for part in query.get("hidden", "").split(",") if part.isdecimal())
    return Look(
        **sides,
        **camera,
        millimetres=query.get("unit") == "mm",
        colour=query.get("colour", usual.colour),
        hidden=hidden,
        chosen=_chosen(query.get("chosen", "")),
        vanish=query.get("others") == "vanish",
        selection=query.get("selection", "")[:60],
    )


def _chosen(text: str) -> frozenset[int] | None:
    """Points from a set of bits, as `selection.js` packs them: the lowest bit is the first point.

    In base 64 for addresses; two thousand points take 334 letters.
    """
    if not text:
        return None
    try:
        bits = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
    except ValueError as error:
        raise RequestError("The points picked out are not a set that this page wrote.") from error
    return frozenset(
        np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")).tolist()
    )


def _number(query: Mapping[str, str], name: str, usual: float) -> float:
    text = query.get(name, "")
    try:
        value = float(text or usual)
        int(value)  # neither infinite nor NaN
    except (ValueError, OverflowError) as error:
        refusal = f"The figure's {name} is {text[:40]!r}, but must be a number."
        raise RequestError(refusal) from error
    return value
