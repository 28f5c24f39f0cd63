"""Read-only links: they show a run, and whatever is sent through them changes nothing of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from support.kept_live_runs import RUN, left_on_disk
from support.live_runs import PAIR, Viewer, in_a_loop, until

from pages.live import read_only
from pages.live.registry import Registry
from pages.live.run import LiveRun
from pages.live.run_source import RunRequest
from pages.server.current import Server
from pages.wire import connection, routes
from pages.wire.messages import decode
from svae_core.runs import store

pytestmark = pytest.mark.usefixtures("patience", "home")

#: Everything that the routes know to do, and what only a forger would send.
COMMANDS: list[dict[str, Any]] = [
    *({"do": name} for name in ("play", "pause", "step", "reset", "try", "copy", "reseed")),
    {"do": "change", "changes": {"beta": 4.0}},
    {"do": "branch", "step": 1, "changes": {"beta": 4.0}},
    {"do": "predict", "answer": 0},
    {"do": "lead", "key": "", "shown": 1},
    {"do": "reveal", "key": ""},
    {"do": "delete"},
    {"do": None},
]


async def reader_of(run: str) -> Viewer:
    """A viewer by the run's read-only link, just connected."""
    viewer = Viewer("", token=read_only.token_of(run))
    assert (await viewer.event())["type"] == "websocket.accept"
    return viewer


def state(live: LiveRun, runs: Registry) -> tuple[Any, ...]:
    """All that a command could change."""
    changed = (live.members, live.plays, live.prediction, live.generation, live.pending, live.turn)
    return (*changed, live.outlook.trying, live.count, set(runs.by_id), set(live.tree))


@pytest.mark.slow
@in_a_loop
async def test_a_reader_sees_the_run_and_no_command_changes_it(
    watched: LiveRun, host: Server
) -> None:
    watched.start()
    await until(watched, lambda: watched.status == "finished")
    reader = await reader_of("run")
    scene, _ = await reader.ask(want="scene")
    assert [member["method"] for member in scene["members"]] == ["baseline", "spherical"]
    newest, arrays = await reader.ask(want="newest")
    assert newest["status"] == "finished" and arrays["shells"].shape == (2, 120, 3)
    assert (await reader.ask(want=1))[0]["step"] == 1, "any moment"
    assert (await reader.ask(follow=5, asked=1))[0]["kind"] == "followed"
    refused, _ = await reader.ask(follow=5, text="anna", asked=2)
    assert refused["kind"] == "refused" and "no sequences" in refused["sentence"]
    before = state(watched, host.runs)
    for command in COMMANDS:
        refused, _ = await reader.ask(**command)
        assert refused["kind"] == "refused" and "read-only" in refused["sentence"], command
        assert refused["train"] is None
        assert state(watched, host.runs) == before, command
    await reader.leave()
    watched.stop()


@pytest.mark.slow
@in_a_loop
async def test_a_reader_is_told_no_id_and_no_question_of_a_lesson(host: Server) -> None:
    """Of a branch: its tree would name its parent, by whose id that could be changed."""
    live = LiveRun(PAIR, host.runs.trainings, RunRequest(PAIR, "break"))
    run = host.runs.register("the-first-run", live, {})
    live.predict(0)
    live.start()
    await until(live, lambda: live.status == "finished")
    child = host.runs.branch(run, 2, {"beta": 4.0})
    found = host.runs.find(child)
    assert found is not None
    found.start()
    await until(found, lambda: found.status == "finished")
    reader = await reader_of(child)
    told = [await reader.ask(want=want) for want in ("scene", "newest", 0)]
    texts = json.dumps([header for header, _ in told])
    assert run not in texts and child not in texts
    assert [header["lesson"] for header, _ in told] == [None] * 3
    (here,) = told[1][0]["tree"]
    assert here["here"] and "β" in here["what"], "what was tried stays in sight"
    for one in (live, found):
        one.stop()


@in_a_loop
async def test_a_live_run_is_watched_while_it_trains(watched: LiveRun) -> None:
    watched.start()
    watched.pause()
    await until(watched, lambda: watched.count > 0)
    reader = await reader_of("run")
    told, _ = await reader.ask(want="newest")
    known = {name: told[name] for name in ("version", "generation")}
    reader.send(json.dumps({"want": "newest", "have": told["index"], **known}))
    assert reader.hear_nothing()
    watched.step()  # by the run's owner
    header, _ = decode((await reader.event())["bytes"])
    assert header["kind"] == "moment" and header["version"] > told["version"]
    watched.stop()


@in_a_loop
async def test_a_reader_who_closes_the_page_does_not_close_the_owners(watched: LiveRun) -> None:
    """The owner's page may be reloading at that moment; its run goes on."""
    reader = await reader_of("run")
    reader.send(json.dumps({"do": "leave"}))
    await reader.leave(1000)
    await reader.served
    assert watched.viewers.observed
    owner = Viewer("run")
    await owner.event()
    owner.send(json.dumps({"do": "leave"}))
    await owner.leave(1000)
    await owner.served
    assert not watched.viewers.observed
    watched.stop()


@in_a_loop
async def test_the_link_leads_to_the_run_after_a_restart_until_it_is_deleted(
    host: Server, home: Path
) -> None:
    await left_on_disk()
    host.runs.loop = asyncio.get_running_loop()  # another server on the same folder
    token = read_only.token_of(RUN)
    assert read_only.find(token, host.runs) == RUN
    reader = await reader_of(RUN)
    assert (await reader.ask(want="scene"))[0]["data"] == "Clusters on a sphere"
    await reader.leave()
    host.runs.by_id[RUN].stop()
    host.runs.evict(RUN)
    (entry,) = store.saved_runs(home)
    store.delete(entry.folder)
    late = Viewer("", token=token)
    await late.event()
    closed = await late.event()
    assert closed["code"] == routes.UNKNOWN_RUN and "no longer" in closed["reason"]


@pytest.mark.parametrize("wrong", ["", "run", "*" * 48, "0" * 48, "../" * 16, "a" * 47 + "\n"])
def test_no_other_word_is_a_token(watched: LiveRun, host: Server, wrong: str) -> None:
    token = read_only.token_of("run")
    assert read_only.find(token, host.runs) == "run"
    assert read_only.find(wrong, host.runs) is None
    assert read_only.find(token[:-1] + ("0" if token[-1] != "0" else "1"), host.runs) is None
    assert host.runs.find(token) is None, "it is no id: who has it cannot open the run itself"


@in_a_loop
async def test_malformed_requests_end_a_readers_connection_too(watched: LiveRun) -> None:
    reader = await reader_of("run")
    reader.send('{"want": "everything"}')
    assert (await reader.event())["code"] == connection.BAD_REQUEST
    watched.stop()


@pytest.mark.slow
@in_a_loop
async def test_figures_and_replays_come_by_the_token(watched: LiveRun) -> None:
    watched.start()
    await until(watched, lambda: watched.status == "finished")

    async def ask(token: str, serve: Any, **path: str) -> int:
        told = {"host": "lecture:8501", "sec-fetch-site": "same-origin"}
        scope = {
            "type": "http",
            "path_params": {"token": token, **path},
            "query_string": b"",
            "headers": [(name.encode(), text.encode()) for name, text in told.items()],
        }
        return int((await serve(Request(scope))).status_code)

    token = read_only.token_of("run")
    assert await ask(token, routes.serve_figure, view="kl") == 200
    assert await ask(token, routes.serve_replay) == 200
    assert await ask("0" * 48, routes.serve_figure, view="kl") == 404
    assert await ask("run", routes.serve_replay) == 404
    watched.stop()
