"""A live run as the HTML file that plays anywhere; `svae_core.stage.replay_file` has its format.

    replay_file.page(view_of(live), code, plotly) -> HTML
"""

from __future__ import annotations

from typing import Any

from pages.live.run_view import RunView
from pages.wire import message_fields, messages
from svae_core.stage import replay_file
from svae_core.stage.framing import Message
from svae_core.stage.messages import FrameRequest
from svae_core.stage.messages import scene as scene_of
from svae_core.stage.replay_file import modules as modules
from svae_core.stage.replay_file import unpack as unpack


def page(view: RunView, code: dict[str, bytes], plotly: bytes) -> str:
    """The HTML file, from a view of a run, the files of assets/stage and Plotly.js."""
    assert view.prepared is not None
    return replay_file.page(replay_file.title_of(view.prepared), packed(view), code, plotly)


def packed(view: RunView) -> bytes:
    """The run alone, as `assets/stage/archive.js` reads it."""
    assert view.prepared is not None and view.moments
    count = len(view.moments[0][0].samples)
    header, arrays = scene_of(view.prepared, view.members, count, replay_file.COLUMNS)
    header |= {"lesson": messages.scene(view)[0]["lesson"]}

    def told(index: int, seen: FrameRequest) -> Message:
        header, arrays = messages.moment(view, index, seen)
        over: dict[str, Any] = {"status": "finished", "left": None, "error": None}
        if "tree" in header:  # run ids are their owner's
            over["tree"] = message_fields.without_ids(header["tree"])
        return header | over, arrays

    return replay_file.pack(*replay_file.recorded(view, (header, arrays), told))
