"""Watched runs on disk: written while they train, a little behind them, and found again later.

    keeper = Keeper(watches);  await keeper.go_on();  await keeper.close()
    revive(run, engine) -> the LiveRun that goes on where the saved run of that id stands

Training never waits for the disk: what there is to write is picked up between two events of the
loop and written in a thread. Where the disk refuses, the run goes on in memory, its viewers are
told once, and it is tried again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages.live.history import History
from pages.live.origin import Branching, OnDisk, RunRequest
from pages.live.run import LiveRun
from svae_core.compute.engine import Engine
from svae_core.config.limits import limits, variable
from svae_core.config.settings import settings_from_dict, settings_to_dict
from svae_core.records import RequestError
from svae_core.runs import store
from svae_core.runs.folder import RunWriter, SavedRun, folder_name, home, load
from svae_core.runs.manifest import About

try:
    import fcntl
except ImportError:  # on Windows nobody keeps two servers from writing the same run
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)
#: How often it is looked whether there is something to write …
_LOOK = 0.2
#: … and how often the same run is written at most, in seconds. Together well below two,
#: so that on a busy machine, too, no more than two are missing.
EVERY = 0.6
#: After a refusal it is tried again after so long, and twice as long each time, up to this.
_AGAIN, _LONGEST_AGAIN = 2.0, 30.0
#: A write that takes so long is worth a word.
SLOW = 5.0
_MEASURE = 10.0  # how long a measured disk usage is believed


class NotSaved(Exception):
    """Why a run is not written, in one sentence."""


class Keeper:
    """Keeps all runs of a server on disk. Lives on the server's event loop."""

    def __init__(self, watches: Callable[[], Mapping[str, LiveRun]]) -> None:
        self._live_runs = watches
        self._kept: dict[str, _Kept] = {}
        self._room = _Room()
        self._thread = ThreadPoolExecutor(1, "keeping")  # one write at a time

    async def go_on(self) -> None:
        """Write what is new, for ever."""
        while True:
            await asyncio.sleep(_LOOK)
            await self.write(time.monotonic())

    async def write(self, now: float, closing: bool = False) -> None:
        """Write every run that is due, one after the other."""
        watches = dict(self._live_runs())
        for run in self._kept.keys() - watches.keys():
            self._kept.pop(run).release()
        for run, live in watches.items():
            try:
                if run not in self._kept:
                    self._kept[run] = _Kept(run, live, self._room)
                kept = self._kept[run]
                if kept.due(now, closing):
                    await kept.write(self._thread)
            except Exception:  # of one run; the others are still to be saved
                _log.exception("A run could not be saved.")

    def saved(self, run: str) -> bool:
        """Whether all there is of a run is on disk."""
        kept = self._kept.get(run)
        return kept is not None and kept.complete

    async def close(self) -> None:
        """Write what is left and let go of all folders."""
        await self.write(time.monotonic(), closing=True)
        for kept in self._kept.values():
            kept.release()
        self._kept.clear()
        self._thread.shutdown(wait=False)


class _Kept:
    """One run, and what of it is on disk."""

    def __init__(self, run: str, live: LiveRun, room: _Room) -> None:
        self._live = live
        self._room = room
        found, live.on_disk = live.on_disk, None
        if found is None:
            self._about = About(live.members, id=run, owner=live.owner)
            self._writer = RunWriter(home() / folder_name(self._about))
        else:
            self._about = found.run.about
            self._writer = RunWriter(found.folder, found.run)
        self._generation = found.generation if found else live.generation
        self._written: Any = None  # of all that `_now` says, what is on disk
        self._next = 0.0
        self._wait = _AGAIN
        self._lock: int | None = None

    @property
    def complete(self) -> bool:
        """Whether everything there is has been written."""
        return self._written is not None and self._now() == self._written

    def due(self, now: float, closing: bool) -> bool:
        """Whether there is something new, and it is time. A page opened in passing leaves none."""
        live = self._live
        if live.newest is None or len(live.moments) < 2 or self._now() == self._written:
            return False
        begun = self._writer.written or live.viewers > 0 or live.certificates
        if not self._next:
            self._next = now + EVERY
        return bool(begun) and (closing or now >= self._next)

    async def write(self, thread: Executor) -> None:
        """Write what is new; where that fails, tell the viewers, once, and try again later."""
        now, seen, run = time.monotonic(), self._now(), self._picked_up()
        if self._live.generation != self._generation:
            self._writer.start_over()
            self._generation = self._live.generation
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._write, run)
        except (OSError, NotSaved, RequestError) as error:
            self._next = now + self._wait
            self._wait = min(2 * self._wait, _LONGEST_AGAIN)
            self._tell(sentence_on(error))
            return
        took = time.monotonic() - now
        self._written, self._next, self._wait = seen, now + EVERY, _AGAIN
        if took > SLOW:
            self._tell(
                f"Saving takes {took:.0f} s at a time on this disk; if the server were to end now, "
                "so much of this run would have to be trained again."
            )
        elif self._live.notice:
            self._tell("This run is saved again.")
            self._live.notice = None

    def release(self) -> None:
        """Let another server write this run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _now(self) -> tuple[Any, ...]:
        """What changes whenever there is something to write."""
        live = self._live
        return (
            *(live.generation, live.newest and live.newest.step, live.members, live.plays),
            *(len(live.moments), len(live.layouts), len(live.certificates), live.prediction),
        )

    def _picked_up(self) -> SavedRun:
        """The run as it is now; nothing of it is changed later, so a thread may read it."""
        live, about = self._live, self._about
        assert live.newest is not None
        ground = live.ground
        self._about = About(
            members=live.members,
            id=about.id,
            owner=about.owner,
            created=about.created,
            status=live.status,
            steps=live.moments[0][0].steps,
            title=ground.dataset.title if ground else about.title,
            fingerprint=ground.dataset.fingerprint if ground else about.fingerprint,
            page=_page(live),
        )
        certificates = live.certificates
        state = dataclasses.replace(live.newest, settings=live.members)
        return SavedRun(self._about, state, tuple(live.moments), tuple(live.layouts), certificates)

    def _write(self, run: SavedRun) -> None:
        """In a thread."""
        folder = self._writer.folder
        if self._writer.written and not folder.exists():
            raise NotSaved("This run was deleted on the Runs page, and is kept in memory only.")
        self._room.check()
        self._take(folder)
        self._writer.write(run, last=bool(run.certificates))
        self._take(folder)

    def _take(self, folder: Path) -> None:
        """Keep other servers from writing this folder, once it is there."""
        if self._lock is not None or fcntl is None or not folder.exists():
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise NotSaved(
                "Another server on this machine trains this run as well and saves it; here it is "
                "kept in memory only."
            ) from error
        self._lock = handle

    def _tell(self, sentence: str) -> None:
        """Tell the viewers, unless they were told the same before."""
        if sentence != self._live.notice:
            _log.warning("%s: %s", self._writer.folder.name, sentence)
            self._live.notice = sentence
            self._live.signal.notify()


class _Room:
    """Whether saved runs may take more of the disk."""

    def __init__(self) -> None:
        self._measured = -_MEASURE
        self._full = False

    def check(self) -> None:
        """NotSaved where saved runs fill all they may."""
        allowed = limits().disk_mb
        if time.monotonic() - self._measured >= _MEASURE:
            self._full = store.usage(home()) > allowed * 2**20
            self._measured = time.monotonic()
        if self._full:
            raise NotSaved(
                f"This run is not saved: saved runs fill the {allowed:,} MB they may. Delete some "
                f"on the Runs page, or raise {variable('disk_mb')}. Training goes on in memory."
            )


def sentence_on(error: Exception) -> str:
    """Why a run is not saved, for those who watch it."""
    if isinstance(error, NotSaved):
        return str(error)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return (
        f"This run cannot be saved right now ({reason}). It trains on in memory, "
        "and is saved as soon as that works."
    )


# ------------------------------------------------------------------------- and back again


@dataclass(frozen=True)
class _Page:
    """What a screen keeps with a run."""

    request: RunRequest
    playing: bool
    prediction: int | None
    branching: Branching | None


def revive(run: str, engine: Engine) -> LiveRun | None:
    """The run of that id, if it is on disk; RequestError where it is damaged."""
    folder = store.by_id(home(), run)
    if folder is None:
        return None
    return revived(load(folder), folder, engine)


def revived(saved: SavedRun, folder: Path, engine: Engine) -> LiveRun:
    """A watch that goes on where the saved run stands."""
    about = saved.about
    page = _read_page(about)
    past = History()
    past.add(saved.moments, about.members)
    past.layouts = list(saved.layouts)
    past.resume_from(saved.state)
    live = LiveRun(about.members, engine, page.request, past)
    # Whoever still shows the run as it was before the server ended is told all of it afresh.
    generation = 2**20 + secrets.randbelow(2**20)
    live.resume(page.playing, OnDisk(folder, saved, generation))
    live.prediction, live.branching = page.prediction, page.branching
    live.owner = about.owner
    return live


def _page(live: LiveRun) -> dict[str, Any]:
    branching = live.branching
    return {
        "wish": [settings_to_dict(settings) for settings in live.request.members],
        "lesson": live.request.lesson,
        "playing": live.plays,
        "prediction": live.prediction,
        "parent": branching and [branching.parent, branching.step, branching.what],
    }


def request_in(about: About) -> RunRequest:
    """What the page that a saved run was begun on had asked for."""
    return _read_page(about).request


def _read_page(about: About) -> _Page:
    """The inverse of `_page`; what makes no sense, or is not there, is as in a run just begun."""
    page = about.page
    try:
        wished = tuple(settings_from_dict(dict(one)) for one in page["wish"])
        parent = page.get("parent")
        return _Page(
            RunRequest(wished or about.members, str(page.get("lesson", ""))),
            bool(page.get("playing", True)),
            None if page.get("prediction") is None else int(page["prediction"]),
            Branching(str(parent[0]), int(parent[1]), str(parent[2])) if parent else None,
        )
    except (KeyError, ValueError, TypeError, IndexError, RequestError):
        return _Page(RunRequest(about.members), True, None, None)
