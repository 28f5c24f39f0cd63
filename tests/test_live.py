"""Laws of the live stage: what is asked is answered, from our own pages only, and never twice."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.live_runs import PAIR, STEPS, TOY, WAIT, Viewer, in_a_loop, toy_run, until

from pages.live import quota, registry, viewers
from pages.live.run import LiveRun, RunRequest
from pages.live.run_source import Branching
from pages.live.run_view import view_of
from pages.server.current import Server
from pages.wire import connection, messages, routes
from pages.wire.messages import FrameRequest, decode, encode

pytestmark = pytest.mark.usefixtures("patience")


# ----------------------------------------------------------------------------- messages


def test_messages_survive_the_way() -> None:
    header = {"kind": "moment", "sentence": "σ² = 1, δ — fine", "left": None}
    arrays: dict[str, np.ndarray] = {
        "shells": np.arange(24, dtype=np.float32).reshape(2, 4, 3),
        "empty": np.empty((0, 2), np.float32),
        "number": np.array([np.nan], np.float32),
    }
    message = encode(header, arrays)
    read_header, read_arrays = decode(message)
    assert read_header == header
    assert read_arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read_arrays[name], array)
    assert int.from_bytes(message[:4], "little") % 4 == 0, "browsers need aligned float32"


def test_a_message_never_holds_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"loss": float("nan")}, {})


@pytest.mark.slow
@in_a_loop
async def test_what_is_known_already_is_not_sent_again() -> None:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished")
    header, arrays = messages.moment(view_of(live), 3, FrameRequest(3))
    assert header["speed"] > 0 and header["standing"] == {"place": 0, "lines": 1}
    assert header["count"] == len(arrays["history"]) == STEPS + 1
    assert arrays["shells"].shape == (2, 120, 3)
    known = FrameRequest(3, have=3, generation=0, rows=STEPS + 1, layout=header["layout"]["number"])
    again, less = messages.moment(view_of(live), 3, known)
    assert "layout" not in again and len(less["history"]) == 0 and "shells" not in less
    assert messages.moment(view_of(live), 3, dataclasses.replace(known, generation=7))[
        1
    ].keys() == {*arrays.keys()}, "a run that started over is sent in full"


@pytest.mark.slow
@in_a_loop
async def test_history_holds_the_numbers_of_every_moment() -> None:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished")
    history = messages.moment(view_of(live), 0, FrameRequest(0))[1]["history"]
    np.testing.assert_allclose(history[:, 0], range(STEPS + 1))
    baseline, spherical = live.moments[5]
    row = [5, baseline.loss, baseline.kl, *baseline.kl_per_dim]
    row += [spherical.loss, spherical.kl, *spherical.kl_per_dim]
    np.testing.assert_allclose(history[5], row, rtol=1e-6)


# ----------------------------------------------------------------------------- the watch


@pytest.mark.slow
@in_a_loop
async def test_a_run_plays_to_its_certificates() -> None:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished" and bool(live.layouts))
    assert [moment[0].step for moment in live.moments] == list(range(STEPS + 1))
    assert [certificate.method for certificate in live.certificates] == ["baseline", "spherical"]
    assert not live.training


@pytest.mark.slow
@in_a_loop
async def test_pause_holds_and_step_makes_one_moment() -> None:
    live = toy_run()
    live.pause()
    live.start()
    await until(live, lambda: len(live.moments) == 1)
    live.step()
    await until(live, lambda: len(live.moments) == 2)
    await until(live, lambda: live.status == "paused" and bool(live.layouts))
    assert live.shared.engine.slices == 1  # type: ignore[attr-defined]
    live.stop()


@pytest.mark.slow
@in_a_loop
async def test_a_cluster_lost_between_two_slices_pauses_a_run_once() -> None:
    """No call is under way then that could say so; and a run begun afterwards is not told."""
    live = toy_run()
    live.start()
    await until(live, lambda: len(live.moments) > 1)
    inline: Any = live.shared.engine
    inline.cluster_lost = "The cluster is gone."
    await until(live, lambda: live.status in ("paused", "finished"))
    assert live.status == "paused" and live.error == "The cluster is gone."
    kept = len(live.moments)
    live.play()
    await until(live, lambda: live.status == "finished")
    assert live.error is None and kept < len(live.moments) == STEPS + 1
    later = LiveRun(live.members, live._trainings)
    later.start()
    await until(later, lambda: later.status in ("paused", "finished"))
    assert later.status == "finished"


@pytest.mark.slow
@in_a_loop
async def test_starting_over_gives_the_same_run_again() -> None:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished")
    before = live.moments
    live.restart()
    assert live.generation == 1 and not live.moments
    await until(live, lambda: live.status == "finished")
    for old, new in zip(before, live.moments, strict=True):
        np.testing.assert_array_equal(old[1].shell_view, new[1].shell_view)


@in_a_loop
async def test_nobody_looks_nobody_trains() -> None:
    live = toy_run()
    assert live.training, "its page is opening"
    live.viewers.last_at -= viewers.GRACE
    assert not live.training
    with live.viewed():
        assert live.training
        live.pause()
        assert not live.training
        live.play()
    assert live.training, "its page may be reloading"
    with live.viewed():
        live.viewers.one_closes()
    assert not live.training
    live.stop()


@in_a_loop
async def test_a_request_that_makes_no_sense_is_told_in_one_sentence() -> None:
    live = toy_run(refuse="Refused; ask for something else.")
    live.start()
    await until(live, lambda: live.status == "failed")
    header, _ = messages.scene(view_of(live))
    assert header["error"] == "Refused; ask for something else."


def test_old_and_too_many_runs_are_forgotten() -> None:
    runs: dict[str, LiveRun] = {}
    sizes = {"old": (0, 1), "big": (5000, quota.KEPT_BYTES), "new": (6000, 1)}
    for name, (last_seen, size) in sizes.items():
        runs[name] = live = toy_run()
        live.viewers.last_at, live.size = last_seen, size
    now = quota.KEPT_SECONDS + 100
    assert quota.expired(runs, now, saved=lambda run: False) == ["old"]
    runs["new"].size = 2
    assert quota.expired(runs, now + 3000, saved=lambda run: run == "big") == ["old", "big"]
    runs["big"].viewers.count = 1
    assert quota.expired(runs, now, saved=lambda run: True) == ["old"]
    runs["new"].size = quota.HELD_BYTES
    assert quota.expired(runs, 6001.0, saved=lambda run: False) == ["old", "new"]


def test_memory_is_given_back_once_more_after_all_have_gone(
    monkeypatch: pytest.MonkeyPatch, host: Server
) -> None:
    """Streamlit lets go of closed sessions two minutes later; before, that stayed with us."""
    clock, given = [1000.0], []

    def looked_at(_live_runs: object) -> tuple[list[str], list[LiveRun]]:
        clock[0] += 5.0
        return ["run"] if clock[0] == 1100.0 else [], []

    monkeypatch.setattr(registry, "_EVICTION_SECONDS", 0.0)
    monkeypatch.setattr(registry.quota, "over_memory_limit", looked_at)
    monkeypatch.setattr(registry, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(registry, "_return_memory", lambda: given.append(clock[0]))

    async def reaped() -> None:
        reaper = asyncio.create_task(host.runs.evict_idle_runs(lambda run: True))
        while clock[0] < 2000.0:
            await asyncio.sleep(0)
        reaper.cancel()
        await reaper

    asyncio.run(reaped())
    assert given[0] == 1100.0 and np.diff(given).max() <= 35.0
    assert 1220.0 < given[-1] < 1300.0, "after a closed session's two minutes, not for ever"


def test_pages_find_the_branch_that_was_watched_last(host: Server) -> None:
    parents = {"left": "gone", "right": "gone", "deep": "left", "foreign": ""}
    for age, (name, parent) in enumerate(parents.items()):
        host.runs.by_id[name] = live = toy_run()
        live.viewers.last_at = 100.0 - age
        live.branching = Branching(parent, 0, "β 1 → 4") if parent else None
    assert host.runs.last_viewed("gone", lambda wish: True) == "left"
    host.runs.by_id["deep"].viewers.count = 1
    assert host.runs.last_viewed("gone", lambda wish: True) == "deep"
    assert host.runs.last_viewed("right", lambda wish: True) == "right"
    # What does not fit is left alone, and a run that is only on disk is still itself.
    assert host.runs.last_viewed("gone", lambda wish: False) == "gone"
    assert host.runs.last_viewed(None, lambda wish: True) is None


def test_a_pair_differs_in_its_method_only() -> None:
    settings = dataclasses.replace(TOY, beta=2.0, method="spherical")
    baseline, spherical = registry.pair(settings)
    assert spherical == settings
    assert dataclasses.replace(baseline, method="spherical") == settings
    other = dataclasses.replace(settings, method="geco")
    assert registry.pair(other) == (baseline, other)
    assert registry.pair(baseline) == (baseline, settings)


# -------------------------------------------------------------------------- the websocket


def test_run_ids_cannot_be_guessed(host: Server) -> None:
    one, other = host.runs.start_run(PAIR), host.runs.start_run(PAIR)
    assert one != other and len(one) >= 22  # 22 characters of 6 bits: 128 bits and padding
    assert host.runs.by_id[one].request == RunRequest(PAIR)
    assert host.runs.find("x") is None and host.runs.find(None) is None


@pytest.mark.parametrize("origin", ["http://elsewhere", "http://lecture:80", "null", None])
def test_other_pages_are_refused(watched: LiveRun, origin: str | None) -> None:
    async def run() -> None:
        viewer = Viewer("run", origin)
        assert await viewer.event() == {"type": "websocket.close", "code": 1008, "reason": ""}

    asyncio.run(run())


def test_an_unknown_run_is_said_to_be_gone() -> None:
    async def run() -> None:
        viewer = Viewer("no-such-run")
        assert (await viewer.event())["type"] == "websocket.accept"
        closed = await viewer.event()
        assert closed["code"] == routes.UNKNOWN_RUN and closed["reason"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * (connection.LONGEST_REQUEST + 1), connection.TOO_LONG),
        ("{", connection.BAD_REQUEST),
        ("[]", connection.BAD_REQUEST),
        ('"follow"', connection.BAD_REQUEST),
        ('{"do": "explode"}', connection.BAD_REQUEST),
        ('{"want": "everything"}', connection.BAD_REQUEST),
        ('{"want": null}', connection.BAD_REQUEST),
        ('{"follow": Infinity}', connection.BAD_REQUEST),
        ('{"follow": 0, "strokes": [[0.1, 0.2, 0.3]]}', connection.BAD_REQUEST),
        ('{"follow": 0, "changes": [1]}', connection.BAD_REQUEST),
        ('{"follow": 0, "seed": -1}', connection.BAD_REQUEST),
        ("[" * connection.LONGEST_REQUEST, connection.BAD_REQUEST),
    ],
)
def test_nonsense_ends_the_connection(watched: LiveRun, text: str, code: int) -> None:
    async def run() -> None:
        viewer = Viewer("run")
        await viewer.event()
        viewer.send(text)
        assert (await viewer.event())["code"] == code
        await asyncio.wait_for(viewer.served, WAIT)
        assert watched.viewers.count == 0
        watched.stop()

    asyncio.run(run())


@pytest.mark.slow
def test_a_viewer_is_told_when_asking_and_not_before(watched: LiveRun) -> None:
    async def run() -> None:
        viewer = Viewer("run")
        assert (await viewer.event())["type"] == "websocket.accept"
        assert watched.viewers.count == 1
        scene, arrays = await viewer.ask(want="scene")
        assert [member["method"] for member in scene["members"]] == ["baseline", "spherical"]
        assert arrays["points"].shape == (120, 3)
        await until(watched, lambda: watched.status == "finished" and bool(watched.layouts))
        assert viewer.hear_nothing()
        newest, _ = await viewer.ask(want="newest")
        assert newest["index"] == STEPS and newest["status"] == "finished"
        earlier, _ = await viewer.ask(want=2)
        assert earlier["step"] == 2
        await viewer.leave()
        assert watched.viewers.count == 0
        watched.stop()

    asyncio.run(run())


@pytest.mark.parametrize(("code", "trains"), [(connection.GOING_AWAY, True), (1005, False)])
def test_a_page_that_goes_away_may_come_back_and_a_lost_one_is_gone(
    watched: LiveRun, code: int, trains: bool
) -> None:
    async def run() -> None:
        viewer = Viewer("run")
        await viewer.event()
        await viewer.leave(code)
        assert watched.training is trains
        watched.stop()

    asyncio.run(run())


def test_whoever_has_the_newest_waits_for_news(watched: LiveRun) -> None:
    async def run() -> None:
        watched.pause()
        viewer = Viewer("run")
        await viewer.event()
        await until(watched, lambda: watched.status == "paused" and bool(watched.layouts))
        header, _ = await viewer.ask(want="newest")
        known = {"have": 0, "version": header["version"], "generation": 0, "rows": 1, "layout": 0}
        viewer.send(json.dumps({"want": "newest", **known}))
        viewer.send(json.dumps({"do": "step"}))
        assert decode((await viewer.event())["bytes"])[0]["status"] in ("playing", "paused")
        await viewer.leave()
        watched.stop()

    asyncio.run(run())


def test_the_code_has_an_address_that_changes_with_it() -> None:
    paths = [routes.module_path(), routes.plotly_path(), routes.socket_path("run")]
    assert all(path.startswith("/stage/") for path in paths)
    assert "index.js" in routes._code() and "stage.css" in routes._code()
    assert routes._version() in routes.module_path()


# ------------------------------------------------------------------- floors and decoding


@pytest.mark.slow
@in_a_loop
async def test_floors_come_once_and_lie_under_nothing_they_should_not() -> None:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished" and live.sharpened)
    floors = messages.moment(view_of(live), 0, FrameRequest(0))[1]["floors"]
    assert floors.shape[:2] == (2, 3)
    losses, proved, tight = floors[1]
    assert (np.diff(losses) > 0).all() and losses[-1] == pytest.approx(live.moments[0][1].delta)
    assert (proved <= tight + 1e-6).all() and tight[-1] == 0 < tight[0]
    known = FrameRequest(0, generation=live.generation, floors=2)
    assert "floors" not in messages.moment(view_of(live), 0, known)[1]


@pytest.mark.slow
@in_a_loop
async def test_a_point_is_followed_as_the_frame_shows_it(watched: LiveRun) -> None:
    viewer = Viewer("run")
    await viewer.event()
    await until(watched, lambda: watched.status == "finished")
    header, arrays = await viewer.ask(follow=7, asked=3)
    told = ("kind", "asked", "index", "step")
    assert [header[name] for name in told] == ["followed", 3, 7, STEPS]
    shown = np.stack([frame.samples[7] for frame in watched.moments[-1]])
    np.testing.assert_allclose(arrays["outputs"][:, 0], shown, atol=1e-6)
    assert watched.prepared is not None
    np.testing.assert_array_equal(arrays["original"][0], watched.prepared.shell.points[7])
    first = watched.moments[0][0].step
    header, arrays = await viewer.ask(follow=7, changes={"0": 9.0}, step=first)
    assert (header["index"], header["step"]) == (-1, first) and arrays["values"][0] == 9.0
    header, _ = await viewer.ask(follow=7, strokes=[[0.1, 0.2]], asked=5)
    assert (header["kind"], header["asked"]) == ("refused", 5) and "images" in header["sentence"]
    viewer.send(json.dumps({"follow": 120}))  # there are points 0 to 119
    assert (await viewer.event())["code"] == connection.BAD_REQUEST
    watched.stop()
