"""Links to runs, whose they are, and what a page kept."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from support.kept_live_runs import RUN, left_on_disk, revived, saved_by, trained_to
from support.live_runs import PAIR, TOY, Viewer, in_a_loop, toy_run, trainings, until

from pages.live import persistence, registry
from pages.live.pace import Pace
from pages.live.persistence import Autosave
from pages.live.run import LiveRun
from pages.live.run_source import RunRequest
from pages.live.run_view import view_of
from pages.server.current import Server
from pages.visitor.owner_cookie import COOKIE, OwnerCookie, is_key
from pages.wire import message_fields
from svae_core.records import RequestError
from svae_core.runs import folder as on_disk
from svae_core.runs.folder import RunWriter, SavedRun, load
from svae_core.runs.manifest import About

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.slow
@in_a_loop
async def test_a_link_leads_to_a_run_that_is_only_on_disk(host: Server) -> None:
    await left_on_disk()
    runs = host.runs
    assert runs.find_or_load(RUN) is None, "the server has not started"
    runs.loop = asyncio.get_running_loop()
    viewer = Viewer(RUN)
    assert (await viewer.event())["type"] == "websocket.accept"
    scene, _ = await viewer.ask(want="scene")
    assert len(scene["members"]) == 2
    header, _ = await viewer.ask(want="newest", have=2, generation=0, rows=3)
    assert header["count"] == 3 and header["from"] == 0, "the viewer is told afresh"
    assert runs.find_or_load(RUN) is runs.find(RUN) and runs.find_or_load("unknown") is None
    await viewer.leave()
    runs.by_id[RUN].stop()


@pytest.mark.slow
@in_a_loop
async def test_a_tree_of_runs_grows_together_again(host: Server) -> None:
    runs = host.runs
    runs.loop = asyncio.get_running_loop()
    live = toy_run()
    runs.register(RUN, live, {})
    keeper = Autosave(lambda: runs.by_id)
    await trained_to(live, 4)
    child = runs.branch(RUN, 2, {"beta": 4.0})
    await trained_to(runs.by_id[child], 4)
    await saved_by(keeper)
    for run in (RUN, child):
        runs.evict(run)
    await keeper.close()
    alone = runs.find_or_load(child)
    assert alone is not None and alone.tree.keys() == {RUN, child}, "a link to the branch is enough"
    told = message_fields.version_fields(view_of(alone))["tree"]
    assert [(node["run"], node["parent"]) for node in told] == [(RUN, None), (child, RUN)]
    for run in (RUN, child):
        runs.evict(run)
    for order in ((RUN, child), (child, RUN)):
        found = [runs.find_or_load(run) for run in order]
        assert found[0] is not None and found[1] is not None
        assert found[0].tree is found[1].tree and found[0].tree.keys() == {RUN, child}
        for run in order:
            runs.evict(run)


async def _kept(host: Server) -> LiveRun:
    """A run of three moments that is on disk, and in memory without a viewer."""
    host.runs.loop = asyncio.get_running_loop()
    host.runs._autosave = keeper = Autosave(lambda: host.runs.by_id)
    live = toy_run()
    host.runs.register(RUN, live, {})
    await trained_to(live, 3)
    await saved_by(keeper)
    live.viewers.count = 0
    return live


@in_a_loop
async def test_an_evicted_run_loses_no_lever_moved_just_before(
    host: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_EVICTION_SECONDS", 0.01)
    monkeypatch.setattr(registry.quota, "HELD_BYTES", -1)
    live = await _kept(host)
    live.change({"beta": 4.0})
    reaper = asyncio.create_task(host.runs.evict_idle_runs(lambda run: True))
    while host.runs.find(RUN) is not None:
        await asyncio.sleep(0.01)
    reaper.cancel()
    await reaper
    found = host.runs.find_or_load(RUN)
    assert found is not None and len(found.moments) == 3 and found.pending == {"beta": 4.0}
    found.stop()


@in_a_loop
async def test_who_comes_while_a_run_is_written_before_its_eviction_keeps_it(host: Server) -> None:
    live = await _kept(host)
    live.change({"beta": 4.0})
    leaving = asyncio.create_task(host.runs.save_and_evict(RUN))
    await asyncio.sleep(0)
    with live.viewed():
        await leaving
        assert host.runs.find(RUN) is live and live.task is not None
    await host.runs.save_and_evict(RUN)
    assert host.runs.find(RUN) is None and live.task is None


@pytest.mark.parametrize("turn", ["open", "taken"])
@in_a_loop
async def test_a_lesson_is_loaded_where_it_stands_to_its_turn(turn: str) -> None:
    pace = Pace(seconds=22.0, turn=0.5, before=0.0)
    live = LiveRun(PAIR, trainings(), RunRequest(PAIR, "kill"), pace=pace)
    live.viewers.count = 1
    live.start()
    await until(live, lambda: live.turn == "open")
    if turn == "taken":
        live.change({"sigma2": 2.0})
    live.stop()
    keeper = Autosave(lambda: {RUN: live})
    await saved_by(keeper)
    await keeper.close()
    found = revived()
    assert (found.turn, found.pace, found.plays) == (turn, pace, turn == "taken")


def test_a_damaged_run_is_said_to_be(home: Path) -> None:
    folder = home / f"x-{on_disk.id_digest(RUN)}"
    RunWriter(folder).write(SavedRun(About((TOY,), id=RUN), _state()))
    next(folder.glob("state-*")).write_bytes(b"")
    with pytest.raises(RequestError, match="damaged"):
        persistence.load_live_run(RUN, trainings())
    assert persistence.load_live_run("another", trainings()) is None


@pytest.mark.parametrize(
    "page",
    [
        *({}, {"wish": []}, {"wish": [{"dataset": 3}]}, {"wish": 7}, {"wish": [{}], "parent": [1]}),
        *({"wish": [], "pace": [1]}, {"wish": [], "pace": {"turn": 7}, "turn": {}}),
    ],
)
def test_what_a_page_kept_may_be_nonsense(home: Path, page: dict[str, Any]) -> None:
    folder = home / f"x-{on_disk.id_digest(RUN)}"
    RunWriter(folder).write(SavedRun(About((TOY,), id=RUN, page=page), _state()))
    assert load(folder).about.page == page
    live = revived()
    assert live.members == (TOY,) and live.branching is None
    assert live.pace == Pace() and live.turn == ""


def _state() -> Any:
    from svae_core.training.loop import begin

    return begin((TOY,))


def test_every_browser_gets_one_key_and_keeps_it() -> None:
    async def page(_request: Request) -> Response:
        return HTMLResponse("<p>hello")

    async def data(_request: Request) -> Response:
        return JSONResponse({})

    routes = [Route("/", page), Route("/data", data)]
    app = OwnerCookie(Starlette(routes=routes))

    def cookies(path: str, cookie: str = "") -> list[str]:
        headers = [(b"cookie", cookie.encode())] if cookie else []
        scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
        scope |= {"query_string": b"", "root_path": "", "http_version": "1.1"}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        asyncio.run(app(scope, receive, send))
        return [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]

    (one,), (other,) = cookies("/"), cookies("/", "a=b")
    key = one.split(";")[0].removeprefix(f"{COOKIE}=")
    assert is_key(key) and one != other and "HttpOnly" in one and "SameSite=Lax" in one
    assert cookies("/", f"x=y; {COOKIE}={key}") == [] and cookies("/data") == []
    assert len(cookies("/", f"{COOKIE}=../../etc")) == 1


def test_toys_are_pairs() -> None:
    """What these tests rely on."""
    assert dataclasses.replace(TOY, method="baseline") == registry.pair(TOY)[0]
