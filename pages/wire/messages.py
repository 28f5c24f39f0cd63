"""What the server tells the stage of a live run; `svae_core.stage.messages` has the format.

answer(live, request) -> the message that a viewer waits for, or None
"""

from __future__ import annotations

from typing import Any

from pages.classroom.sessions import Seat
from pages.live.run import LiveRun
from pages.live.run_view import RunView, view_of
from pages.visitor.markdown import for_visitors
from pages.wire import message_fields
from svae_core.records import to_json
from svae_core.stage import messages as of_any_run
from svae_core.stage.framing import Message
from svae_core.stage.framing import decode as decode
from svae_core.stage.framing import encode as encode
from svae_core.stage.messages import FrameRequest as FrameRequest
from svae_core.stage.messages import followed as followed
from svae_core.stage.messages import looks as looks


def answer(live: LiveRun, request: FrameRequest, seat: Seat | None = None) -> Message | None:
    """The answer to a request, or None while nothing has changed. `seat`: in a class."""
    if request.want == "scene":
        return scene(view_of(live)) if live.prepared or live.error else None
    newest = live.count - 1
    if isinstance(request.want, int):
        index = max(0, min(request.want, newest))
        return moment(view_of(live), index, request, seat) if newest >= 0 else None
    changed = (
        (seat is not None and seat.version != request.seat)
        or live.generation != request.generation
        or live.version != request.version
        or newest > request.have
        or len(live.layouts) - 1 > request.layout
    )
    return moment(view_of(live), newest, request, seat) if changed else None


def answer_class_follower(
    live: LiveRun, request: FrameRequest, shown: int, seat: Seat
) -> Message | None:
    """The same for a student's page: with the moment that the teacher shows, without run ids."""
    message = answer(live, request, seat)
    if message is None and request.want == "newest" and request.lead != shown and live.count:
        message = moment(view_of(live), live.count - 1, request, seat)
    if message is None:
        return None
    header, arrays = message
    if "tree" in header:
        header |= {"tree": []}
    return {**header, "lead": shown}, arrays


def answer_reader(live: LiveRun, request: FrameRequest) -> Message | None:
    """The same by a read-only link: without run ids, and without a lesson, which is the owner's."""
    message = answer(live, request)
    if message is None:
        return None
    header, arrays = message
    if "tree" in header:
        header |= {"tree": message_fields.without_ids(header["tree"])}
    return {**header, "lesson": None}, arrays


# --------------------------------------------------------------------- scene and moment


def scene(view: RunView) -> Message:
    """Everything that is fixed before training, and the lesson; or why there is nothing."""
    if view.prepared is None:
        return {"kind": "scene", "error": for_visitors(view.error or "") or None}, {}
    count = len(view.moments[0][0].samples) if view.moments else 8
    header, arrays = of_any_run.scene(view.prepared, view.members, count)
    return header | {"lesson": to_json(message_fields.lesson_question(view))}, arrays


def moment(view: RunView, index: int, request: FrameRequest, seat: Seat | None = None) -> Message:
    """One moment of the run and how the run stands, without what the page has already."""
    header, arrays = of_any_run.moment(view, index, request)
    told: dict[str, Any] = {
        "status": view.status,
        "error": for_visitors(view.error or "") or None,
        "left": view.speed.seconds_left,
        "speed": view.speed.steps_per_second,
        "standing": view.queue_position,
        "lesson": message_fields.lesson_state(view, seat),
        "seat": seat.version if seat else -1,
        "now": view.changeable_now,
    }
    if view.generation != request.generation or view.version != request.version:
        told |= message_fields.version_fields(view)
    return header | to_json(told), arrays
