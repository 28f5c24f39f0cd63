"""Laws of a view: page threads read a run as it was at one instant, and nothing in it changes."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from support.live_runs import in_a_loop, until

from pages.live import run_view
from pages.live.run import LiveRun
from pages.live.run_view import view_of
from pages.server.current import Server

pytestmark = pytest.mark.usefixtures("patience")


@in_a_loop
async def test_a_page_s_thread_gets_a_view_made_on_the_loop(host: Server, watched: LiveRun) -> None:
    host.runs.loop = asyncio.get_running_loop()
    watched.pause()
    watched.start()
    await until(watched, lambda: watched.count == 1)
    view = await asyncio.to_thread(host.runs.view, "run")
    assert view is not None and view.members == watched.members and len(view.tree) == 1
    watched.step()
    await until(watched, lambda: watched.count == 2)
    watched.change({"beta": 9.0})
    watched.interrupt("Paused by a test.")
    assert len(view.moments) == 1 and view.error is None and view.changeable_now["beta"] == 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.status = "failed"  # type: ignore[misc]
    later = await asyncio.to_thread(host.runs.load, "run")
    assert later is not None and (len(later.moments), later.error) == (2, "Paused by a test.")
    assert await asyncio.to_thread(host.runs.view, "none") is None
    watched.stop()


def test_a_run_is_viewed_while_a_thread_that_loads_another_adds_it_to_the_tree(
    watched: LiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    relative, before = run_view.Relative, len(watched.tree)

    def meanwhile(*fields: Any) -> run_view.Relative:
        watched.tree["loaded"] = watched
        return relative(*fields)

    monkeypatch.setattr(run_view, "Relative", meanwhile)
    assert len(view_of(watched).tree) == before > 0
