"""Laws of the scheduler: equal time, watched before unwatched, hangs and losses cost nothing."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bench import Bench, opened

from svae_core.compute.scheduler import TRIES, FairShare, Priority, Scheduler, WorkerLost
from svae_core.compute.workers import WorkerPool

WAIT = 600.0  # only ends a test that hangs: a busy machine may be slow


def name(text: str) -> str:
    return text


@pytest.mark.slow
@given(sizes=st.lists(st.floats(0.1, 10.0), min_size=2, max_size=6))
def test_every_run_gets_equal_time_whatever_the_size_of_its_steps(sizes: list[float]) -> None:
    scheduler, bench = opened()
    lines = [FairShare() for _ in sizes]
    for n, line in enumerate(lines):
        scheduler.in_turn(Priority(line), name, str(n))
    while bench.held and min(line.used for line in lines) < 50:
        turn = int(bench.held[-1][0].args[1][0])  # type: ignore[attr-defined]
        bench.finish(sizes[turn])
        scheduler.in_turn(Priority(lines[turn]), name, str(turn))
    used = [line.used for line in lines]
    assert max(used) - min(used) <= 2 * max(sizes) + 1e-9
    scheduler.shutdown()


def test_who_comes_late_or_paused_has_saved_nothing_up() -> None:
    scheduler, bench = opened()
    early, late = FairShare(), FairShare()
    scheduler.in_turn(Priority(early), name, "early")
    for _ in range(20):
        bench.finish()
        scheduler.in_turn(Priority(early), name, "early")
    scheduler.in_turn(Priority(late), name, "late")
    turns: Counter[str] = Counter()
    for _ in range(20):
        served = bench.finish()
        turns[served] += 1
        scheduler.in_turn(Priority(early if served == "early" else late), name, served)
    assert abs(turns["early"] - turns["late"]) <= 2
    scheduler.shutdown()


def test_preparing_data_is_not_held_against_who_came_first() -> None:
    scheduler, bench = opened()
    first, second = FairShare(), FairShare()
    scheduler.in_turn(Priority(first, first=True), name, "first")
    bench.finish(30.0)
    scheduler.in_turn(Priority(first), name, "first")
    bench.finish(30.0)
    scheduler.in_turn(Priority(second), name, "second")
    scheduler.in_turn(Priority(first), name, "first")
    turns: Counter[str] = Counter()
    for _ in range(60):
        served = bench.finish(0.05)
        turns[served] += 1
        scheduler.in_turn(Priority(first if served == "first" else second), name, served)
    assert abs(turns["first"] - turns["second"]) <= 8
    scheduler.shutdown()


def test_the_screen_goes_first_then_the_watched_then_the_rest() -> None:
    scheduler, bench = opened()
    unwatched, watched = FairShare(watched=False), FairShare(used=1000.0)
    scheduler.submit(name, "at work")
    scheduler.in_turn(Priority(unwatched), name, "unwatched")
    scheduler.in_turn(Priority(watched), name, "watched")
    scheduler.in_turn(Priority(unwatched, first=True), name, "asked for at the screen")
    assert (
        scheduler.queue_position(unwatched).place == 2
        and scheduler.queue_position(watched).place == 1
    )
    assert scheduler.active == 2
    order = [bench.finish() for _ in range(4)]
    assert order == ["at work", "asked for at the screen", "watched", "unwatched"]
    scheduler.shutdown()


def test_a_call_that_is_given_up_does_not_wait_behind_watched_runs_for_ever() -> None:
    scheduler, bench = opened()
    unwatched, watched = FairShare(watched=False), FairShare()
    scheduler.in_turn(Priority(watched), name, "at work")
    waiting = scheduler.in_turn(Priority(unwatched), name, "unwatched")
    scheduler.in_turn(Priority(watched), name, "watched")
    held = weakref.ref(waiting)
    assert waiting.cancel()
    del waiting
    gc.collect()
    assert held() is None, "it still waits, and holds a run's state"
    assert [bench.finish(), bench.finish()] == ["at work", "watched"]
    assert not bench.held
    scheduler.shutdown()


def test_a_lost_call_is_made_again_before_others_and_blamed_in_the_end() -> None:
    scheduler, bench = opened()
    future = scheduler.submit(name, "unlucky")
    after = scheduler.submit(name, "after")
    for _ in range(TRIES - 1):
        bench.lose()
        assert not future.done()
    bench.finish()
    assert future.result(0) == "unlucky"
    assert bench.finish() == after.result(0) == "after"
    deadly = scheduler.submit(name, "deadly")
    for _ in range(TRIES):
        bench.lose()
    with pytest.raises(WorkerLost):
        deadly.result(0)
    scheduler.shutdown()


def test_where_no_worker_starts_nobody_waits_for_ever() -> None:
    bench = Bench()
    scheduler = Scheduler([bench])
    future = scheduler.submit(name, "in vain")
    bench.failed = True
    bench._tell()
    with pytest.raises(WorkerLost):
        future.result(0)
    scheduler.shutdown()


def test_a_call_that_takes_too_long_gets_another_worker() -> None:
    scheduler, bench = opened()
    scheduler.in_turn(Priority(patience=0.0), name, "hangs")
    deadline = time.monotonic() + WAIT
    while not bench.replaced:
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
    scheduler.shutdown()


# ------------------------------------------------------------------- with real processes


def _nothing() -> None: ...


def _hang_once(folder: Path) -> int:
    """Hang the first time, deaf to everything but a kill; answer the second."""
    (folder / str(os.getpid())).touch()
    if len(list(folder.iterdir())) == 1:
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL})
        signal.pause()
    return os.getpid()


@pytest.mark.slow
def test_a_process_that_hangs_is_replaced_and_its_call_made_again(tmp_path: Path) -> None:
    pool = WorkerPool(1, _nothing)
    other = WorkerPool(1, _nothing)
    # Seconds, so that on a busy machine the second call is not taken for hanging too.
    future = pool.in_turn(Priority(patience=10.0), _hang_once, tmp_path)
    undisturbed = other.submit(os.getpid).result(WAIT)
    second = future.result(WAIT)
    pids = {int(path.name) for path in tmp_path.iterdir()}
    assert second in pids and len(pids) == 2
    assert other.submit(os.getpid).result(WAIT) == undisturbed
    pool.shutdown()
    other.shutdown()


@pytest.mark.slow
def test_a_killed_process_disturbs_no_other() -> None:
    pool = WorkerPool(2, _nothing)
    pool.start()
    pids: set[int] = set()
    while len(pids) < 2:
        pids |= {future.result(WAIT) for future in [pool.submit(_slow_pid) for _ in range(4)]}
    killed, spared = sorted(pids)
    os.kill(killed, signal.SIGKILL)
    after: set[int] = set()
    while not after - pids:
        after |= {future.result(WAIT) for future in [pool.submit(_slow_pid) for _ in range(4)]}
    assert spared in after and killed not in after
    pool.shutdown()


def _slow_pid() -> int:
    time.sleep(0.02)
    return os.getpid()
