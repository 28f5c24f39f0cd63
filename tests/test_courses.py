"""Laws of sharing: equal settings are trained once, and nobody's doing is another's."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.live_runs import PAIR, STEPS, WAIT, Inline, in_a_loop, toy_run, trainings, until

from pages.live import companions
from pages.live.history import History
from pages.live.run import LiveRun
from pages.live.shared_training import Trainings
from svae_core.compute import tasks
from svae_core.latent.results import Follow
from svae_core.records import Moment

pytestmark = pytest.mark.usefixtures("patience")


def watch(shared: Trainings) -> LiveRun:
    one = LiveRun(PAIR, shared)
    one.start()
    return one


async def finished(*watches: LiveRun) -> None:
    for one in watches:
        await until(one, lambda one=one: one.status == "finished")  # type: ignore[misc]


def assert_same(moments: list[Moment], others: list[Moment]) -> None:
    assert [moment[0].step for moment in moments] == [other[0].step for other in others]
    for moment, other in zip(moments, others, strict=True):
        for frame, its in zip(moment, other, strict=True):
            assert (frame.loss, frame.kl, frame.hi) == (its.loss, its.kl, its.hi)
            np.testing.assert_array_equal(frame.shell_view, its.shell_view)
            np.testing.assert_array_equal(frame.samples, its.samples)


@pytest.mark.slow
@in_a_loop
async def test_equal_settings_are_trained_once() -> None:
    shared = trainings()
    class_ = [watch(shared) for _ in range(5)]
    await finished(*class_)
    assert shared.engine.slices == STEPS
    late = watch(shared)
    await finished(late)
    assert shared.engine.slices == STEPS
    for one in (*class_, late):
        assert_same(one.moments, class_[0].moments)
        assert one.certificates == class_[0].certificates
        assert one.layouts[-1][0].step == STEPS


@pytest.mark.slow
@in_a_loop
async def test_who_pauses_stays_behind_and_holds_nobody_up() -> None:
    shared = trainings()
    quick, slow = watch(shared), watch(shared)
    await until(slow, lambda: len(slow.moments) == 3)
    slow.pause()
    await finished(quick)
    await asyncio.sleep(0)
    assert len(slow.moments) <= 4 and slow.status == "paused"
    assert slow.newest is not None and slow.newest.step <= slow.moments[-1][0].step
    seen = len(slow.moments)
    slow.step()
    await until(slow, lambda: len(slow.moments) == seen + 1 and slow.status == "paused")
    slow.play()
    await finished(slow)
    assert shared.engine.slices == STEPS
    assert_same(slow.moments, quick.moments)


@pytest.mark.slow
@in_a_loop
async def test_a_change_is_nobody_elses_and_gives_what_its_settings_give() -> None:
    """The one who changes something lags behind, so the state there has to be trained again."""
    alone = watch(trainings())
    await finished(alone)
    shared = trainings()
    true_to_it, other = watch(shared), watch(shared)
    await until(other, lambda: len(other.moments) == 4)
    other.pause()
    await finished(true_to_it)
    other.change({"beta": 9.0})
    other.play()
    await finished(other)
    assert_same(true_to_it.moments, alone.moments)
    assert true_to_it.members == PAIR
    step = other.members[0].changes[0][0]
    assert 0 < step < STEPS
    replay = LiveRun(other.members, trainings())
    replay.start()
    await finished(replay)
    assert_same(other.moments, replay.moments)
    assert other.moments[-1][0].kl != alone.moments[-1][0].kl


@pytest.mark.slow
@in_a_loop
async def test_a_point_is_followed_where_the_follower_is_or_was() -> None:
    shared = trainings()
    quick, slow = watch(shared), watch(shared)
    await until(slow, lambda: len(slow.moments) == 3)
    slow.pause()
    await finished(quick)
    for moment, step in ((slow.moments[-1], None), (slow.moments[1], slow.moments[1][0].step)):
        point = await companions.follow(slow, Follow(7), step)
        assert point is not None and point.step == moment[0].step
        shown = np.stack([frame.samples[7] for frame in moment])
        outputs = np.stack([member.outputs[0] for member in point.members])
        np.testing.assert_allclose(outputs, shown, atol=1e-6)
    unreached = quick.moments[-1][0].step
    later = await companions.follow(slow, Follow(7), unreached)
    assert later is not None and later.step == slow.moments[-1][0].step
    slow.stop()


@pytest.mark.slow
@in_a_loop
async def test_a_slice_that_waits_is_watched_as_soon_as_somebody_comes() -> None:
    """Else it waits behind all runs that are watched, and its new viewer with it."""
    shared = trainings()
    one, other = watch(shared), watch(shared)
    await finished(one, other)
    assert one.shared is other.shared
    with one.viewed():
        assert one.shared.share.watched
        with other.viewed():
            pass
        assert one.shared.share.watched
    assert not one.shared.share.watched


@pytest.mark.slow
@in_a_loop
async def test_a_course_that_nobody_follows_is_gone() -> None:
    shared = trainings()
    one = watch(shared)
    await finished(one)
    task = one.task
    one.stop()
    assert task is not None
    await asyncio.wait([task])
    del one, task
    await asyncio.sleep(0)
    gc.collect()
    assert not len(shared)


@pytest.mark.slow
@in_a_loop
async def test_who_starts_over_after_a_failure_does_not_join_what_failed() -> None:
    shared = trainings("Refused; ask for something else.")
    one = watch(shared)
    await until(one, lambda: one.status == "failed")
    shared.engine.refuse = ""
    one.restart()
    await finished(one)
    assert one.error is None


@in_a_loop
async def test_all_who_start_over_after_a_failure_share_one_training_again() -> None:
    """A class presses Reset one by one; the second must not part from the first."""
    shared = trainings("Refused; ask for something else.")
    both = watch(shared), watch(shared)
    for live in both:
        await until(live, lambda: live.status == "failed")  # noqa: B023 - awaited here
    shared.engine.refuse = ""
    for live in both:
        live.restart()
        await until(live, lambda: live.count > 0)  # noqa: B023 - awaited here
    assert both[0].shared is both[1].shared
    for live in both:
        live.let_go()


def from_disk(shared: Trainings, history: History) -> LiveRun:
    return LiveRun(PAIR, shared, training=shared.new(PAIR, history))


@pytest.mark.slow
@in_a_loop
async def test_runs_from_disk_share_what_they_bring_along() -> None:
    """A class after a restart: each was saved somewhere else in the same training."""
    before = watch(trainings())
    await finished(before)
    shared = trainings()
    saved = [before.shared.history.up_to(step, PAIR) for step in (2, 5, 3)]
    runs = [from_disk(shared, history) for history in saved]
    assert [len(one.moments) for one in runs] == [3, 6, 4]
    for one in runs:
        one.start()
    await finished(*runs)
    assert runs[0].shared is runs[1].shared is runs[2].shared
    assert shared.engine.slices == STEPS  # type: ignore[attr-defined]
    for one in runs:
        assert_same(one.moments, before.moments)
        assert one.remarks == before.remarks
        layouts = [layout[0].step for layout in one.layouts]
        assert layouts == sorted(layouts) and layouts[-1] == STEPS


@pytest.mark.slow
@pytest.mark.parametrize("imported", [True, False])
@in_a_loop
async def test_what_a_file_claims_is_nobody_elses(imported: bool) -> None:
    """A history recorded elsewhere, or with other numbers, is shown in its own run only."""
    true = watch(trainings())
    await finished(true)
    shared = trainings()
    one = watch(shared)
    await until(one, lambda: len(one.moments) == 3)
    history = true.shared.history.up_to(5, PAIR)
    made_up: dict[str, Any] = {"samples": history.moments[1][0].samples + 1}
    if not imported:  # of those, numbers are compared
        made_up = {"loss": 9.0}
    history.moments[1] = tuple(replace(frame, **made_up) for frame in history.moments[1])
    foreign = from_disk(shared, history)
    foreign.imported = imported
    foreign.start()
    await finished(one, foreign)
    assert foreign.shared is not one.shared
    with pytest.raises(AssertionError):
        assert_same(foreign.moments, true.moments)
    assert_same(one.moments, true.moments)
    assert_same(foreign.moments[2:], true.moments[2:])
    late = watch(shared)
    await finished(late)
    assert_same(late.moments, true.moments)


@pytest.mark.slow
@in_a_loop
async def test_a_layout_whose_workers_are_lost_is_not_asked_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = Inline.lose(monkeypatch, tasks.lay_out)
    live = toy_run()
    with live.viewed():
        await finished(live)
        assert live.task is not None
        await asyncio.wait_for(live.task, WAIT)
    # Twice if the last moment came between the decision to lay out and the call.
    asked = [arguments[2] for arguments in lost]
    assert asked and asked.count(asked[-1]) <= 2 and not live.layouts


@in_a_loop
async def test_umap_is_asked_for_only_while_a_map_is_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Inline, "start_maps", lambda _: asked.append(1))
    live = toy_run()
    live.pause()
    live.start()
    await until(live, lambda: bool(live.layouts))
    live.stop()
    asked.clear()
    assert live.shared.provisional and not companions.layout_due(live) and asked
    live.viewers.last_at = float("-inf")  # nobody has seen it for long
    asked.clear()
    assert not companions.layout_due(live) and not asked


@in_a_loop
async def test_what_nobody_follows_any_more_is_not_computed_and_what_is_recorded_stays() -> None:
    """A slice that waits behind watched runs may wait for ever, and holds all of its run."""

    class Slow(Inline):
        def submit(self, task: Any, *arguments: Any, **how: Any) -> Future[Any]:
            if task is not tasks.advance:
                return super().submit(task, *arguments, **how)
            asked.append(Future())
            return asked[-1]

    asked: list[Future[Any]] = []
    shared_by = Trainings(Slow())  # type: ignore[arg-type]
    one, other = LiveRun(PAIR, shared_by), LiveRun(PAIR, shared_by)
    for live in (one, other):
        live.start()
        await until(live, lambda: live.count == 1)  # noqa: B023 - awaited here
    await one.signal.wait_for(lambda: bool(asked))
    one.let_go()
    assert len(asked) == 1 and not asked[0].cancelled(), "the other follows it"
    other.let_go()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked[0].cancelled() and len(other.moments) == 1
    other.start()  # as a visitor who starts over
    while len(asked) < 2:
        await asyncio.sleep(0.01)
    assert not asked[1].cancelled()
    other.let_go()
