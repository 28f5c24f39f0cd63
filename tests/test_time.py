"""Laws of time: changes take effect while a run trains, branches replay exactly, and say so."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from support.live_runs import (
    PAIR,
    STEPS,
    WAIT,
    Viewer,
    in_a_loop,
    toy_run,
    trainings,
    until,
)

from pages.classroom import lessons
from pages.live import history, registry
from pages.live import setting_changes as changing
from pages.live.registry import Registry
from pages.live.run import LiveRun, RunRequest
from pages.live.run_view import view_of
from pages.server.current import Server, server
from pages.wire import messages
from pages.wire.messages import FrameRequest, decode
from svae_core.config.settings import settings_at
from svae_core.records import RequestError

pytestmark = pytest.mark.usefixtures("patience")

WIDE = {"band": (0.1, 0.7)}


@pytest.fixture
def runs(host: Server, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The runs of a server that keeps a checkpoint at every second moment."""
    monkeypatch.setattr(history, "EVERY", 2)
    return host.runs


def watch_of(run: str) -> LiveRun:
    live = server().runs.find(run)
    assert live is not None
    return live


def telling_changes(live: LiveRun) -> list[dict[str, Any]]:
    (node,) = messages.moment(view_of(live), 0, FrameRequest(0))[0]["tree"]
    return list(node["changes"])


async def finished(run: str) -> LiveRun:
    live = watch_of(run)
    live.start()
    await until(live, lambda: live.status in ("finished", "failed"))
    assert live.status == "finished", live.error
    return live


def assert_same_moments(one: LiveRun, other: LiveRun) -> None:
    assert [moment[0].step for moment in one.moments] == [m[0].step for m in other.moments]
    for mine, theirs in zip(one.moments, other.moments, strict=True):
        for frame, twin in zip(mine, theirs, strict=True):
            for item in dataclasses.fields(frame):
                if item.name != "latent_mean":  # kept for the newest moment only
                    np.testing.assert_array_equal(
                        getattr(frame, item.name), getattr(twin, item.name), err_msg=item.name
                    )
    assert one.remarks == other.remarks


async def at_step(run: str, moments: int) -> LiveRun:
    """The run, paused after so many moments."""
    live = watch_of(run)
    live.pause()
    live.start()
    await until(live, lambda: bool(live.moments))
    while len(live.moments) < moments:
        before = len(live.moments)
        live.step()
        await until(live, lambda before=before: len(live.moments) > before)  # type: ignore[misc]
    return live


# ------------------------------------------------------------------------------ changes


@pytest.mark.slow
def test_a_change_while_it_trains_is_recorded_and_replays_bit_for_bit(runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        live = await at_step(runs.start_run(PAIR), 4)
        before = live.moments[-1][1]
        live.change(WIDE)
        assert live.changeable_now["band"] == WIDE["band"], "the page sees it at once"
        live.play()
        await until(live, lambda: live.status == "finished")
        assert [settings.changes for settings in live.members] == [((3, "band", (0.1, 0.7)),)] * 2
        assert live.moments[3][1].hi == before.hi < live.moments[4][1].hi
        corridor = messages.moment(view_of(live), 3, FrameRequest(3))[0]["corridor"]
        assert [edges[0] for edges in corridor] == [0, 4]
        (told,) = telling_changes(live)
        assert told == {"step": 3, "what": "band 0–0.25 → 0.1–0.7 at step 3"}
        assert told["what"] in [remark.sentence for remark in live.remarks]
        fresh = LiveRun(live.members, trainings())
        fresh.start()
        await until(fresh, lambda: fresh.status == "finished")
        assert_same_moments(live, fresh)
        before = live.moments
        live.restart()
        await until(live, lambda: live.status == "finished")
        assert live.moments is not before
        assert_same_moments(live, fresh)

    run()


@pytest.mark.slow
def test_a_change_before_the_first_step_shows_in_the_first_moment(runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        live = await at_step(runs.start_run(PAIR), 1)
        before = live.moments[0][1].hi
        live.change(WIDE)
        live.play()
        await until(live, lambda: live.status == "finished")
        assert live.moments[0][1].hi > before and live.generation == 1
        fresh = LiveRun(live.members, trainings())
        fresh.start()
        await until(fresh, lambda: fresh.status == "finished")
        assert_same_moments(live, fresh)

    run()


@pytest.mark.slow
def test_what_is_finished_cannot_be_changed(runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        live = await finished(runs.start_run(PAIR))
        with pytest.raises(RequestError, match="branch off"):
            live.change(WIDE)

    run()


# ----------------------------------------------------------------------------- branches


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 1, 3, 6])
def test_frames_of_a_branch_equal_its_replay_bit_for_bit(runs: Registry, step: int) -> None:
    """Drag the band while it trains, scrub back, branch, replay: issue 4, show 5."""

    @in_a_loop
    async def run() -> None:
        root = runs.start_run(PAIR)
        parent = await at_step(root, 3)
        parent.change({"beta": 2.0})
        parent.play()
        await until(parent, lambda: parent.status == "finished")
        assert [state.step for state in parent.shared.history.states] == [2, 4, 6, 8]
        child = await finished(runs.branch(root, step, {"band": (0.1, 0.7), "sigma2": 0.5}))
        assert child.shared.history.states[0].step <= max(2, step)
        assert child.request == parent.request, "to its page it is the same run"
        made = {(since, name) for since, name, _ in child.members[0].changes}
        earlier = {(2, "beta")} if step >= 2 else set()
        assert made == earlier | {(step, "band"), (step, "sigma2")}
        if step:
            for mine, theirs in zip(child.moments, parent.moments[: step + 1], strict=False):
                np.testing.assert_array_equal(mine[1].shell_view, theirs[1].shell_view)
        assert settings_at(child.members[1], step).band == (0.1, 0.7)
        replay = LiveRun(child.members, trainings())
        replay.start()
        await until(replay, lambda: replay.status == "finished")
        assert_same_moments(child, replay)
        assert child.certificates == replay.certificates

    run()


@pytest.mark.slow
def test_a_branch_does_not_train_again_what_a_checkpoint_holds(runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        root = runs.start_run(PAIR)
        await finished(root)
        await finished(runs.branch(root, 6, WIDE))
        assert runs.engine.slices == STEPS + STEPS - 6  # type: ignore[attr-defined]

    run()


@pytest.mark.slow
def test_checkpoints_are_bounded(monkeypatch: pytest.MonkeyPatch, runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        first = runs.start_run(PAIR)
        one = history._state_weight((await finished(first)).shared.history.states[0])
        monkeypatch.setattr(history, "STATE_BYTES", 3 * one)
        live = await finished(runs.reseed(first))  # an equal run would share what is kept
        assert [state.step for state in live.shared.history.states] == [4, 8]
        frames = sum(history._weight(frame) for moment in live.moments for frame in moment)
        assert live.size == frames + 2 * one

    run()


@pytest.mark.slow
def test_the_tree_of_branches_is_told_to_all_of_them(runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        root = runs.start_run(PAIR)
        await finished(root)
        version = watch_of(root).version
        child = runs.branch(root, 3, {"band": (0.0, 0.6)})
        twin = runs.reseed(child)
        assert watch_of(root).version > version
        tree = messages.moment(view_of(watch_of(child)), 1, FrameRequest(1))[0]["tree"]
        assert [(node["run"], node["parent"], node["here"]) for node in tree] == [
            (root, None, False),
            (child, root, True),
            (twin, child, False),
        ]
        assert [node["what"] for node in tree] == [
            "the start",
            "band 0–0.25 → 0–0.6 at step 3",
            "seed 0 → 1",
        ]
        seeds = [node["query"]["seed"] for node in tree]
        assert (seeds[2], seeds[0]) == ("1", None) and tree[0]["query"]["dataset"] == "clusters"
        seeded = tuple(dataclasses.replace(settings, seed=1) for settings in PAIR)
        assert watch_of(twin).request == RunRequest(seeded)
        runs.evict(root)
        assert len(messages.moment(view_of(watch_of(child)), 1, FrameRequest(1))[0]["tree"]) == 2
        for live in list(runs.by_id.values()):
            live.stop()

    run()


@pytest.mark.slow
def test_branches_that_make_no_sense_are_refused_in_a_sentence(
    runs: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_a_loop
    async def run() -> None:
        root = runs.start_run(PAIR)
        await finished(root)
        for step, changes, reason in (
            (STEPS, WIDE, "before the last one"),
            (-1, WIDE, "already trained"),
            (3, {}, "Nothing is changed"),
            (3, {"band": (0.0, 0.25)}, "Nothing is changed"),
            (3, {"band": (0.9, 0.1)}, "--band"),
            (3, {"beta": -1.0}, "--beta"),
        ):
            with pytest.raises(RequestError, match=reason):
                runs.branch(root, step, changes)
        monkeypatch.setattr(registry, "LARGEST_TREE", 1)
        with pytest.raises(RequestError, match="branches already"):
            runs.branch(root, 3, WIDE)

    run()


# ----------------------------------------------------------------------------- the protocol


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ([1], "names"),
        ({"band": 3}, "two numbers"),
        ({"band": [0, True]}, "two numbers"),
        ({"band": ["0", "1"]}, "two numbers"),
        ({"lower_edge": 1}, "true"),
        ({"sigma2": "x"}, "number"),
        ({"beta": 10**400}, "finite number"),
        ({"hidden": 5}, "cannot change"),
    ],
)
def test_changes_are_read_with_care(raw: Any, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        changing.read_changes(raw)


@pytest.mark.slow
def test_viewers_change_branch_and_are_refused(runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        root = runs.start_run(PAIR)
        live = await at_step(root, 3)
        viewer = Viewer(root)
        await viewer.event()
        refused, _ = await viewer.ask(do="change", changes={"beta": float("nan")})
        assert refused["kind"] == "refused" and "finite" in refused["sentence"]
        refused, _ = await viewer.ask(do="branch", step=99, changes={"beta": 2})
        assert refused["kind"] == "refused"
        refused, _ = await viewer.ask(do="predict", answer=0)
        assert refused["sentence"] == "There is no question here to answer."
        moved, _ = await viewer.ask(do="branch", step=1, changes={"beta": 2})
        assert moved["kind"] == "moved"
        assert watch_of(moved["run"]).branching.parent == root  # type: ignore[union-attr]
        seeded, _ = await viewer.ask(do="reseed")
        assert watch_of(seeded["run"]).members[0].seed == 1
        viewer.send(json.dumps({"do": "change", "changes": {"band": [0, 0.6]}}))
        viewer.send(json.dumps({"do": "play"}))
        await until(live, lambda: live.status == "finished")
        assert live.members[1].changes == ((2, "band", (0.0, 0.6)),)
        viewer.send('{"do": "branch", "step": "soon"}')
        assert (await viewer.event())["type"] == "websocket.close"
        await asyncio.wait_for(viewer.served, WAIT)
        for one in list(runs.by_id.values()):
            one.stop()

    run()


@pytest.mark.slow
@in_a_loop
async def test_remarks_are_sent_once() -> None:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished")
    told = messages.moment(view_of(live), 3, FrameRequest(3))[0]["remarks"]
    assert told["from"] == 0 and told["lines"][0]["kind"] == "start"
    known = FrameRequest(3, generation=0, remarks=len(told["lines"]))
    assert messages.moment(view_of(live), 3, known)[0]["remarks"]["lines"] == []


# ------------------------------------------------------------------------------- lessons


@pytest.mark.slow
def test_a_lesson_waits_for_a_prediction_and_compares_it(runs: Registry) -> None:
    @in_a_loop
    async def run() -> None:
        name = runs.start_run(PAIR, "break")
        live = watch_of(name)
        live.start()
        await until(live, lambda: live.prepared is not None)
        question = messages.scene(view_of(live))[0]["lesson"]
        assert len(question["options"]) == 3
        viewer = Viewer(name)
        await viewer.event()
        refused, _ = await viewer.ask(do="predict", answer=7)
        assert "numbered" in refused["sentence"]
        viewer.send(json.dumps({"do": "predict", "answer": 1}))
        await until(live, lambda: live.status == "finished")
        viewer.send(json.dumps({"want": "newest"}))
        told = decode((await viewer.event())["bytes"])[0]["lesson"]
        assert told["prediction"] == 1
        outcome = lessons.LESSONS["break"].judge(view_of(live))
        assert outcome is not None
        assert told["reveal"] == lessons.reveal(lessons.LESSONS["break"], 1, outcome)
        await viewer.leave()

    run()


def test_every_lesson_has_settings_that_make_sense_and_a_story() -> None:
    for name, lesson in lessons.LESSONS.items():
        assert lessons.find(name) is lesson
        assert lesson.question.endswith("?") or "Can a model" in lesson.question
        assert len(set(lesson.options)) == 3
    assert lessons.find("none") is None and lessons.find(None) is None
