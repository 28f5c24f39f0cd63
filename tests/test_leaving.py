"""Laws of leaving a training: what is given up there is asked for again where the run goes on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from support.live_runs import PAIR, WAIT, Inline, Viewer, in_a_loop, until

from pages.live import companions
from pages.live.run import LiveRun
from pages.live.shared_training import Trainings
from svae_core.compute import tasks
from svae_core.compute.dask_cluster import ClusterLost
from svae_core.compute.workers import WorkerLost

pytestmark = pytest.mark.usefixtures("patience")


class Held(Inline):
    """An engine whose workers keep some calls until they are let go."""

    def __init__(self, *held: Callable[..., Any]) -> None:
        super().__init__()
        self.held = set(held)
        self.kept: list[tuple[Future[Any], Callable[[], Future[Any]]]] = []

    def submit(self, task: Callable[..., Any], *arguments: Any, **how: Any) -> Future[Any]:
        make = partial(super().submit, task, *arguments, **how)
        if task not in self.held:
            return make()
        self.kept.append((Future(), make))
        return self.kept[-1][0]

    def release(self) -> None:
        """Make the calls that were kept, but for those that were given up, and keep no more."""
        self.held.clear()
        for future, make in self.kept:
            if future.set_running_or_notify_cancel():
                future.set_result(make().result())


async def asked(engine: Held) -> None:
    """Wait until a call is kept, of which no run tells."""
    async with asyncio.timeout(WAIT):
        while not engine.kept:
            await asyncio.sleep(0.01)


async def begun(engine: Held) -> LiveRun:
    """A run of that engine, paused at its third moment."""
    live = LiveRun(PAIR, Trainings(engine))  # type: ignore[arg-type]
    live.start()
    await until(live, lambda: live.count == 3)
    live.pause()
    return live


def sharpened(live: LiveRun) -> bool:
    return live.sharpened


def drawn(live: LiveRun) -> bool:
    return bool(live.layouts) and live.layouts[-1][0].step == live.newest_step


@pytest.mark.slow
@pytest.mark.parametrize(("task", "found"), [(tasks.floors, sharpened), (tasks.lay_out, drawn)])
@in_a_loop
async def test_what_was_under_way_when_a_lever_moved_is_found_all_the_same(
    task: Callable[..., Any], found: Callable[[LiveRun], bool]
) -> None:
    engine = Held(task)
    live = await begun(engine)
    await asked(engine)
    live.change({"beta": 3.0})
    live.play()
    await until(live, lambda: bool(live.members[-1].changes))
    engine.release()
    await until(live, lambda: live.status == "finished")
    await until(live, lambda: found(live))
    live.let_go()


@asynccontextmanager
async def held_ahead() -> AsyncIterator[tuple[LiveRun, Held]]:
    """A watched run at its third moment, whose next slice, ahead of it, is kept."""
    engine = Held()
    live = LiveRun(PAIR, Trainings(engine))  # type: ignore[arg-type]
    with live.viewed():
        await until(live, lambda: live.count == 3)
        engine.held.add(tasks.advance)
        yield live, engine
    live.let_go()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["change", "restart"])
@in_a_loop
async def test_who_leaves_while_training_is_ahead_of_what_is_shown_trains_on(how: str) -> None:
    async with held_ahead() as (live, engine):
        await asked(engine)
        engine.held.clear()
        if how == "change":
            live.change({"beta": 3.0})
        else:
            live.restart()
        await until(live, lambda: live.status == "finished")


def fail(engine: Held, error: Exception) -> None:
    """The calls that were kept fail, and later ones do not."""
    engine.held.clear()
    for future, _ in engine.kept:
        future.set_exception(error)


@pytest.mark.slow
@pytest.mark.parametrize("order", [["lost", "play"], ["play", "lost"]])
@in_a_loop
async def test_the_loss_of_the_cluster_pauses_a_run_once_though_it_trained_ahead(
    order: list[str],
) -> None:
    """The slice that was under way there is heard of later, before or after it goes on."""
    async with held_ahead() as (live, engine):
        await asked(engine)
        engine.cluster_lost = "The cluster is gone."
        await until(live, lambda: live.status == "paused")
        for what in order:
            if what == "lost":
                fail(engine, ClusterLost("The cluster is gone."))
            else:
                live.play()
            await asyncio.sleep(0.05)
        await until(live, lambda: live.status in ("paused", "finished"))
        assert (live.status, live.error) == ("finished", None)


@pytest.mark.slow
@in_a_loop
async def test_reset_after_a_failure_does_not_fail_again_by_what_was_trained_ahead() -> None:
    async with held_ahead() as (live, engine):
        await until(live, lambda: live.count == len(live.shared.history.moments))
        await asyncio.sleep(0.2)  # it waits for the slice itself, not only ahead of what is shown
        fail(engine, ValueError("once"))
        await until(live, lambda: live.status == "failed")
        live.restart()
        await until(live, lambda: live.status in ("failed", "finished"))
        assert live.status == "finished"


@pytest.mark.slow
@in_a_loop
async def test_who_moves_on_is_not_stopped_by_what_befalls_the_training_left_behind() -> None:
    async with held_ahead() as (live, engine):
        other = LiveRun(PAIR, live._trainings)
        live._trainings.join(PAIR, other)  # so that the slice under way is not given up
        await asked(engine)
        engine.held.clear()
        live.change({"beta": 3.0})
        await until(live, lambda: bool(live.members[-1].changes))
        fail(engine, WorkerLost("gone"))
        await until(live, lambda: live.status in ("paused", "finished"))
        assert live.status == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("turns", range(8))
@in_a_loop
async def test_a_run_that_is_reset_just_as_it_fails_does_not_stay_failed(turns: int) -> None:
    async with held_ahead() as (live, engine):
        await until(live, lambda: live.count == len(live.shared.history.moments))
        await asyncio.sleep(0.2)  # it waits for the slice itself
        fail(engine, ValueError("once"))
        for _ in range(turns):
            await asyncio.sleep(0)
        live.restart()
        await asyncio.sleep(0.05)  # all of the task before has ended
        await until(live, lambda: live.status in ("failed", "finished"))
        assert live.status == "finished"


@pytest.mark.slow
@in_a_loop
async def test_copies_that_were_tried_before_a_reset_say_nothing_of_the_run_after_it() -> None:
    engine = Held(tasks.try_nearby)
    live = LiveRun(PAIR, Trainings(engine))  # type: ignore[arg-type]
    with live.viewed():
        await until(live, lambda: live.status == "finished")
        companions.try_nearby(live)
        await asked(engine)
        live.restart()
        engine.release()
        await asyncio.sleep(0.05)
        assert live.outlook.tried_step < 0
    live.let_go()


@pytest.mark.parametrize("turns", range(5))
@in_a_loop
async def test_a_run_that_is_stopped_just_as_something_changes_is_stopped(turns: int) -> None:
    """Else it would train on beside the one that is started in its place."""
    live = LiveRun(PAIR, Trainings(Held()))  # type: ignore[arg-type]
    with live.viewed():
        await until(live, lambda: live.count == 2)  # and shows it for a while
        task = live.task
        assert task is not None
        live.signal.notify()
        for _ in range(turns):
            await asyncio.sleep(0)
        live.let_go()
        await asyncio.wait([task], timeout=5.0)
        assert task.cancelled()


@in_a_loop
async def test_floors_that_were_lost_with_a_worker_are_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = Trainings(Inline()).new(PAIR)  # type: ignore[arg-type]
    with monkeypatch.context() as lossy:
        Inline.lose(lossy, tasks.quick_floors)
        with pytest.raises(WorkerLost):
            await shared.quick_floors()
    assert len(await shared.quick_floors()) == len(PAIR)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quick_floors", "floors"])
@pytest.mark.parametrize("end", ["lost", "given up"])
@in_a_loop
async def test_a_call_that_fails_when_nobody_waits_any_more_is_no_line_of_the_log(
    name: str, end: str
) -> None:
    engine, told = Held(tasks.quick_floors, tasks.floors), list[str]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, about: told.append(about["message"]))
    shared = Trainings(engine).new(PAIR)  # type: ignore[arg-type]
    waiting = asyncio.create_task(getattr(shared, name)())
    await asked(engine)
    waiting.cancel()
    await asyncio.wait([waiting])
    for future, _ in engine.kept:
        future.cancel() if end == "given up" else future.set_exception(WorkerLost("gone"))
    await asyncio.sleep(0.05)
    del shared, waiting, future
    engine.kept.clear()
    gc.collect()
    assert not told


@in_a_loop
async def test_a_connection_that_an_answer_finds_lost_is_left_without_a_failure(
    watched: LiveRun,
) -> None:
    viewer = Viewer("run")
    await viewer.event()
    viewer.lost = True
    viewer.send('{"want": "scene"}')
    await until(watched, lambda: watched.prepared is not None)
    await asyncio.sleep(0.1)  # the answer is sent, in vain
    viewer.send('{"want": "scene"}')  # was under way
    await viewer.served
    assert not watched.viewers.count and not watched.viewers.observed
    watched.stop()
