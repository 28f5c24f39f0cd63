"""Laws of sharing: equal settings are trained once, and nobody's doing is another's."""

from __future__ import annotations

import asyncio
import gc

import numpy as np
import pytest
from support.live_runs import PAIR, STEPS, Inline, in_a_loop, until

from pages.live import shared_training
from pages.live.run import LiveRun
from svae_core.records import Moment

pytestmark = pytest.mark.usefixtures("patience")


def watch(engine: Inline) -> LiveRun:
    one = LiveRun(PAIR, engine)  # type: ignore[arg-type]
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
    engine = Inline()
    class_ = [watch(engine) for _ in range(5)]
    await finished(*class_)
    assert engine.slices == STEPS
    late = watch(engine)
    await finished(late)
    assert engine.slices == STEPS
    for one in (*class_, late):
        assert_same(one.moments, class_[0].moments)
        assert one.certificates == class_[0].certificates
        assert one.layouts[-1][0].step == STEPS


@in_a_loop
async def test_who_pauses_stays_behind_and_holds_nobody_up() -> None:
    engine = Inline()
    quick, slow = watch(engine), watch(engine)
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
    assert engine.slices == STEPS
    assert_same(slow.moments, quick.moments)


@pytest.mark.slow
@in_a_loop
async def test_a_change_is_nobody_elses_and_gives_what_its_settings_give() -> None:
    """The one who changes something lags behind, so the state there has to be trained again."""
    alone = watch(Inline())
    await finished(alone)
    engine = Inline()
    true_to_it, other = watch(engine), watch(engine)
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
    replay = LiveRun(other.members, Inline())  # type: ignore[arg-type]
    replay.start()
    await finished(replay)
    assert_same(other.moments, replay.moments)
    assert other.moments[-1][0].kl != alone.moments[-1][0].kl


@pytest.mark.slow
@in_a_loop
async def test_a_point_is_decoded_where_the_follower_is() -> None:
    engine = Inline()
    quick, slow = watch(engine), watch(engine)
    await until(slow, lambda: len(slow.moments) == 3)
    slow.pause()
    await finished(quick)
    point = await slow.decode(7)
    assert point is not None and point.step == slow.moments[-1][0].step
    shown = np.stack([frame.samples[7] for frame in slow.moments[-1]])
    np.testing.assert_allclose(point.outputs, shown, atol=1e-6)
    slow.stop()


@pytest.mark.slow
@in_a_loop
async def test_a_slice_that_waits_is_watched_as_soon_as_somebody_comes() -> None:
    """Else it waits behind all runs that are watched, and its new viewer with it."""
    engine = Inline()
    one, other = watch(engine), watch(engine)
    await finished(one, other)
    assert one._shared_training is not None and one._shared_training is other._shared_training
    with one.viewed():
        assert one._shared_training.share.watched
        with other.viewed():
            pass
        assert one._shared_training.share.watched
    assert not one._shared_training.share.watched


@pytest.mark.slow
@in_a_loop
async def test_a_course_that_nobody_follows_is_gone() -> None:
    engine = Inline()
    one = watch(engine)
    await finished(one)
    task = one.task
    one.stop()
    assert task is not None
    await asyncio.wait([task])
    del one, task
    await asyncio.sleep(0)
    gc.collect()
    assert not [key for key in shared_training._shared if key[0] == id(engine)]


@pytest.mark.slow
@in_a_loop
async def test_who_starts_over_after_a_failure_does_not_join_what_failed() -> None:
    engine = Inline("Refused; ask for something else.")
    one = watch(engine)
    await until(one, lambda: one.status == "failed")
    engine.refuse = ""
    one.restart()
    await finished(one)
    assert one.error is None
