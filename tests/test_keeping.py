"""Watched runs on disk: nothing is lost, nothing waits for the disk, and what is lost is said."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.kept_live_runs import LATER, RUN, keeper_of, revived, saved_by, trained_to
from support.live_runs import STEPS, Viewer, in_a_loop, toy_run, until
from support.saved_runs import assert_same

from pages.classroom import lessons
from pages.live import persistence
from pages.live.run import Branching, LiveRun, RunRequest
from pages.wire.messages import decode
from svae_core.compute import tasks
from svae_core.config.limits import variable
from svae_core.records import to_json
from svae_core.runs import folder as on_disk
from svae_core.runs import store

pytestmark = pytest.mark.usefixtures("home")


def assert_same_moments(one: LiveRun, other: LiveRun) -> None:
    assert len(one.moments) == len(other.moments) == STEPS + 1
    for mine, theirs in zip(one.moments, other.moments, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert_same(a, b, ("latent_mean",))
    assert one.remarks == other.remarks
    assert to_json(one.certificates) == to_json(other.certificates)
    assert one.newest is not None and other.newest is not None
    np.testing.assert_array_equal(one.newest.parameters, other.newest.parameters)


@pytest.mark.slow
@in_a_loop
async def test_a_run_goes_on_from_disk_and_ends_as_if_undisturbed() -> None:
    undisturbed = toy_run()
    undisturbed.start()
    await until(undisturbed, lambda: undisturbed.status == "finished")
    for moments in (2, 5, STEPS):
        live = toy_run()
        keeper = keeper_of(live)
        await trained_to(live, moments)
        await saved_by(keeper)
        live.stop()  # as if the server had been killed: nothing more is written
        await keeper.write(LATER)
        found = revived()
        assert len(found.moments) == moments and found.newest is not None
        assert found.newest.step == moments - 1 and not found.plays, "it was paused"
        found.viewers.count = 1
        found.start()
        found.play()
        await until(found, lambda found=found: found.status == "finished")  # type: ignore[misc]
        assert_same_moments(found, undisturbed)
        for folder in store.saved_runs(on_disk.home()):
            store.delete(folder.folder)
        for kept in keeper._autosaves.values():
            kept.release()


@pytest.mark.slow
@in_a_loop
async def test_who_lags_behind_on_a_shared_course_is_saved_where_they_are() -> None:
    leader = toy_run()
    follower = LiveRun(leader.members, leader._trainings)
    leader.start()
    await until(leader, lambda: leader.status == "finished")
    keeper = keeper_of(follower)
    await trained_to(follower, 4)
    await saved_by(keeper)
    follower.stop()
    found = revived()
    assert len(found.moments) == 4 and found.newest is not None
    assert found.newest.step < found.moments[-1][0].step, "no state was kept just there"
    found.viewers.count = 1
    found.start()
    found.play()
    await until(found, lambda: found.status == "finished")
    assert_same_moments(found, leader)
    await keeper.close()


@pytest.mark.slow
@in_a_loop
async def test_a_finished_run_is_replayed_and_not_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = toy_run()
    keeper = keeper_of(live)
    live.start()
    await until(live, lambda: live.status == "finished" and bool(live.layouts))
    await saved_by(keeper)
    await keeper.close()
    (entry,) = store.saved_runs(on_disk.home())
    assert entry.about is not None and entry.about.status == "finished"
    assert entry.about.id == RUN and RUN not in entry.folder.name
    assert live.prepared is not None and entry.about.title == live.prepared.dataset.title
    found = revived()
    monkeypatch.setattr(tasks, "certify", lambda _: pytest.fail("it is measured again"))
    found.start()
    await until(found, lambda: found.prepared is not None and bool(found.floors))
    assert found.status == "finished"
    assert_same_moments(found, live)
    for mine, theirs in zip(found.layouts, live.layouts, strict=True):
        assert [layout.step for layout in mine] == [layout.step for layout in theirs]


@in_a_loop
async def test_only_what_is_new_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    packed: list[int] = []
    real = on_disk.pack_frames

    def counted(moments: Any, layouts: Any) -> bytes:
        packed.append(len(moments))
        return real(moments, layouts)

    monkeypatch.setattr(on_disk, "pack_frames", counted)
    await keeper.write(LATER)
    assert packed == [], "nothing happened meanwhile"
    await trained_to(live, 5)
    await keeper.write(2 * LATER)
    assert packed == [2]
    live.stop()
    await keeper.close()


@in_a_loop
async def test_starting_over_and_changing_are_kept() -> None:
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 4)
    await saved_by(keeper)
    live.restart()
    live.pause()
    await trained_to(live, 2)
    live.change({"beta": 4.0})
    await trained_to(live, 3)
    await keeper.write(LATER)
    live.stop()
    found = revived()
    assert len(found.moments) == 3 and found.members == live.members
    assert found.members[0].changes == ((1, "beta", 4.0),)
    assert found.remarks == live.remarks
    await keeper.close()


@in_a_loop
async def test_a_lever_moved_while_a_run_is_paused_is_kept() -> None:
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    assert keeper.saved(RUN)
    live.change({"beta": 4.0, "band": (0.0, 0.5)})
    assert not keeper.saved(RUN)
    await keeper.write(LATER)
    live.stop()
    assert revived().changeable_now == live.changeable_now
    assert revived().changeable_now["beta"] == 4.0 and live.pending
    await keeper.close()


@in_a_loop
async def test_a_reset_during_the_last_write_of_all_mixes_no_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that ends cancels the keeper while its thread writes, and then saves all."""
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 4)
    await saved_by(keeper)
    await trained_to(live, 5)
    under_way, go_on, write = threading.Event(), threading.Event(), on_disk.RunWriter.write

    def held(self: on_disk.RunWriter, *arguments: Any, **how: Any) -> Any:
        under_way.set()
        go_on.wait()
        return write(self, *arguments, **how)

    monkeypatch.setattr(on_disk.RunWriter, "write", held)
    writing = asyncio.create_task(keeper.write(2 * LATER))
    await asyncio.to_thread(under_way.wait)
    writing.cancel()
    live.restart()
    live.pause()
    await trained_to(live, 3)
    closing = asyncio.create_task(keeper.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    live.stop()
    assert len(revived().moments) == 3


@in_a_loop
async def test_where_a_run_comes_from_is_kept() -> None:
    lesson = next(iter(lessons.LESSONS))
    live = toy_run()
    live.request = RunRequest(live.members, lesson)
    live.prediction, live.branching = 1, Branching("parent", 3, "β 1 → 4")
    live.owner = "somebody"
    keeper = keeper_of(live)
    await trained_to(live, 2)
    await saved_by(keeper)
    live.stop()
    found = revived()
    assert (found.request, found.prediction) == (live.request, 1)
    assert (found.branching, found.owner) == (live.branching, "somebody")
    assert found.generation != live.generation, "who shows it still is told afresh"
    await keeper.close()


@in_a_loop
async def test_a_page_opened_in_passing_leaves_no_run(home: Path) -> None:
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 2)
    assert not keeper.saved(RUN), "its viewer is still there"
    live.viewers.count = 0
    await saved_by(keeper)
    assert store.saved_runs(home) == []
    assert keeper.saved(RUN), "nothing of it is kept, so memory need not hold it either"
    live.stop()


@in_a_loop
async def test_other_data_than_then_are_noticed() -> None:
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    live.stop()
    found = revived()
    found.fingerprint = "of something else"
    found.start()
    await until(found, lambda: found.status == "failed")
    assert found.error and found.prepared is None
    await keeper.close()


# ------------------------------------------------------------------------- disks that refuse


@pytest.mark.slow
@in_a_loop
async def test_a_full_disk_stops_no_training_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Injected; a really full disk is filled in tests/benchmarks/bench_runs.py."""
    live = toy_run()
    keeper = keeper_of(live)
    heard: list[str] = []
    full = [True]
    real = on_disk.os.fsync

    def fsync(handle: int) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(on_disk.os, "fsync", fsync)
    monkeypatch.setattr(persistence._log, "warning", lambda *words: heard.append(words[-1]))
    await trained_to(live, 3)
    await saved_by(keeper)
    await keeper.write(2 * LATER)
    assert live.notice is not None and "No space left on device" in live.notice
    assert heard == [live.notice] and store.saved_runs(home) == []
    live.play()
    await until(live, lambda: live.status == "finished" and bool(live.layouts))
    full[0] = False
    await keeper.write(3 * LATER)
    assert heard[1:] == ["This run is saved again."] and live.notice is None
    assert_same_moments(revived(), live)
    await keeper.close()


@in_a_loop
async def test_a_home_that_cannot_be_one_is_said(home: Path) -> None:
    home.write_text("a file is in the way")
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    assert live.notice is not None and "cannot be saved right now" in live.notice
    live.stop()


@in_a_loop
async def test_saved_runs_fill_no_more_than_they_may(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    home.mkdir()
    (home / "old").mkdir()
    (home / "old" / "big").write_bytes(b"\0" * (2**20 + 1))
    monkeypatch.setenv(variable("disk_mb"), "1")
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    assert live.notice is not None and "fill the 1 MB they may" in live.notice
    assert [entry.folder.name for entry in store.saved_runs(home)] == ["old"]
    live.stop()


@in_a_loop
async def test_a_deleted_run_stays_deleted_until_it_is_taken_back(home: Path) -> None:
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    store.delete(store.saved_runs(home)[0].folder)
    await trained_to(live, 4)
    await keeper.write(LATER)
    assert store.saved_runs(home) == [] and "was deleted" in str(live.notice)
    store.undo(home)
    await keeper.write(2 * LATER)
    assert len(revived().moments) == 4
    live.stop()
    await keeper.close()


@in_a_loop
async def test_two_servers_do_not_write_the_same_run(home: Path) -> None:
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    await keeper.close()
    other = os.open(store.saved_runs(home)[0].folder, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    live.stop()
    found = revived()
    again = keeper_of(found)
    found.pause()
    await trained_to(found, 4)
    await saved_by(again)
    assert "Another server" in str(found.notice) and len(revived().moments) == 3
    os.close(other)
    await again.write(2 * LATER)
    assert len(revived().moments) == 4
    found.stop()
    await again.close()


@in_a_loop
async def test_a_viewer_is_told_once(watched: LiveRun) -> None:
    live = watched
    live.pause()
    for viewer in (Viewer("run"), Viewer("run")):  # each of them, and also who comes later
        await viewer.event()
        live.notice = "The disk is full."
        live.signal.notify()
        heard: list[str] = []
        while "refused" not in heard:
            heard.append(decode((await viewer.event())["bytes"])[0]["kind"])
        live.signal.notify()
        header, _ = await viewer.ask(want=0)
        assert header["kind"] == "moment"
        await viewer.leave()
    live.stop()


@pytest.mark.parametrize("looks", [0, 1])
@in_a_loop
async def test_a_run_that_was_evicted_and_loaded_again_is_saved_as_before(looks: int) -> None:
    """Also where both happen between two looks of the keeper, which knows runs by their ids."""
    live = toy_run()
    runs = {RUN: live}
    keeper = persistence.Autosave(lambda: runs)
    await trained_to(live, 3)
    await saved_by(keeper)
    del runs[RUN]
    live.let_go()
    for _ in range(looks):
        await keeper.write(LATER)
    runs[RUN] = found = revived()
    await trained_to(found, 5)
    await saved_by(keeper)
    assert len(revived().moments) == 5
    found.let_go()
    await keeper.close()
