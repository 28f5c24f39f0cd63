"""Saving live runs to disk while they train, and loading them again.

    autosave = Autosave(live_runs);  await autosave.run();  await autosave.close()
    load_live_run(run, trainings) -> the LiveRun that continues from the saved run of that id

Training never waits for the disk: a snapshot is taken between two events of the loop and written
in a thread. If writing fails, the run continues in memory, its viewers are told once, and writing
is tried again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages.live.history import History
from pages.live.pace import TURNS, Pace
from pages.live.run import LiveRun
from pages.live.run_source import Branching, OnDisk, RunRequest
from pages.live.setting_changes import Changes, read_changes
from pages.live.shared_training import Trainings
from svae_core.config.locks import Lock, lock
from svae_core.config.settings import settings_from_dict, settings_to_dict
from svae_core.records import RequestError, from_json
from svae_core.runs import store
from svae_core.runs.folder import RunWriter, SavedRun, folder_name, home, load
from svae_core.runs.manifest import About, damaged

_log = logging.getLogger(__name__)
#: Seconds between two checks for something to write …
_CHECK_SECONDS = 0.2
#: … and, at least, between two writes of the same run. Together well below 2 s, so that even on
#: a busy machine no more than two seconds of training are missing.
EVERY = 0.6
#: Seconds to wait after a failed write; doubled each time, up to the second value.
_RETRY_SECONDS, _LONGEST_RETRY = 2.0, 30.0
#: Seconds of one write above which viewers are warned.
SLOW = 5.0
_USAGE_SECONDS = 10.0  # how long a measured disk usage is used


class NotSaved(Exception):
    """Why a run is not written, in one sentence."""


class Autosave:
    """Saves all live runs of a server. Lives on the server's event loop."""

    def __init__(self, live_runs: Callable[[], Mapping[str, LiveRun]]) -> None:
        self._live_runs = live_runs
        self._autosaves: dict[str, _RunAutosave] = {}
        self._disk_quota = _DiskQuota()
        self._thread = ThreadPoolExecutor(1, "autosave")  # one write at a time

    async def run(self) -> None:
        """Save what has changed, until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            await self.write(time.monotonic())

    async def write(self, now: float, closing: bool = False) -> None:
        """Write every run that is due, one after the other."""
        live_runs = dict(self._live_runs())
        # Also of a run that was evicted and loaded again since: what is there now is another one.
        for run, kept in list(self._autosaves.items()):
            if live_runs.get(run) is not kept.live:
                self._autosaves.pop(run).release()
        for run, live in live_runs.items():
            await self._write(run, live, now, closing)

    async def flush(self, run: str) -> None:
        """Write what is missing of one run, before it leaves memory."""
        if (live := self._live_runs().get(run)) is not None:
            await self._write(run, live, time.monotonic(), closing=True)

    async def _write(self, run: str, live: LiveRun, now: float, closing: bool) -> None:
        try:
            if run not in self._autosaves:
                self._autosaves[run] = _RunAutosave(run, live, self._disk_quota)
            autosave = self._autosaves[run]
            if autosave.due(now, closing):
                await autosave.write(self._thread)
            elif autosave.complete and not live.viewers.observed:
                autosave.release()  # frees a descriptor; locked again before it is written
        except Exception:  # concerns one run; the others still have to be saved
            _log.exception("A run could not be saved.")

    def saved(self, run: str) -> bool:
        """Whether nothing of a run would be lost: all that is worth it is on disk."""
        autosave = self._autosaves.get(run)
        return autosave is not None and (autosave.complete or not autosave.wanted)

    async def close(self) -> None:
        """Write what is missing and release all folders."""
        await self.write(time.monotonic(), closing=True)
        for autosave in self._autosaves.values():
            autosave.release()
        self._autosaves.clear()
        self._thread.shutdown(wait=False)


class _RunAutosave:
    """Saves one run, and knows which version of it is on disk."""

    def __init__(self, run: str, live: LiveRun, disk_quota: _DiskQuota) -> None:
        self.live = live
        self._disk_quota = disk_quota
        found, live.on_disk = live.on_disk, None
        if found is None:
            self._about = About(live.members, id=run, owner=live.owner)
            self._writer = RunWriter(home() / folder_name(self._about))
        else:
            self._about = found.run.about
            self._writer = RunWriter(found.folder, found.run)
        self._generation = found.generation if found else live.generation
        self._saved_version: Any = None  # the `_version` that is on disk
        self._due_at = 0.0
        self._retry_seconds = _RETRY_SECONDS
        self._lock: Lock | None = None

    @property
    def complete(self) -> bool:
        """Whether the newest version of the run is on disk."""
        return self._saved_version is not None and self._version() == self._saved_version

    @property
    def begun(self) -> bool:
        """Whether anything was trained."""
        return self.live.newest is not None and self.live.count >= 2

    @property
    def wanted(self) -> bool:
        """Whether it is worth saving: trained, and not a run that nobody viewed."""
        live = self.live
        seen = self._writer.written or live.viewers.count > 0 or live.certificates
        return self.begun and bool(seen)

    def due(self, now: float, closing: bool) -> bool:
        """Whether there is a new version, and it is time."""
        if not self.begun or self._version() == self._saved_version:
            return False
        if not self._due_at:
            self._due_at = now + EVERY
        return self.wanted and (closing or now >= self._due_at)

    async def write(self, thread: Executor) -> None:
        """Write the newest version; if that fails, tell the viewers once and try again later."""
        now, version, run = time.monotonic(), self._version(), self._snapshot()
        try:
            await asyncio.get_running_loop().run_in_executor(
                thread, self._write, run, self.live.generation
            )
        except (OSError, NotSaved, RequestError) as error:
            self._due_at = now + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, _LONGEST_RETRY)
            self._notify_viewers(sentence_on(error))
            return
        took = time.monotonic() - now
        self._saved_version, self._due_at = version, now + EVERY
        self._retry_seconds = _RETRY_SECONDS
        if took > SLOW:
            self._notify_viewers(
                f"Saving takes {took:.0f} s at a time on this disk; if the server were to end now, "
                "so much of this run would have to be trained again."
            )
        elif self.live.notice:
            self._notify_viewers("This run is saved again.")
            self.live.notice = None

    def release(self) -> None:
        """Unlock the folder, so that another server may write this run."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _version(self) -> tuple[Any, ...]:
        """A value that differs whenever there is something new to write."""
        live = self.live
        return (
            *(live.generation, live.newest and live.newest.step, live.members, live.plays),
            *(live.count, len(live.layouts), len(live.certificates), live.prediction),
            *(live.imported, dict(live.pending), live.turn),
        )

    def _snapshot(self) -> SavedRun:
        """The run as it is now, of which nothing changes later: a thread may read it."""
        live, about = self.live, self._about
        assert live.newest is not None
        data = live.prepared.dataset if live.prepared else about
        self._about = dataclasses.replace(
            about,
            members=live.members,
            status=live.status,
            steps=live.moments[0][0].steps,
            title=data.title,
            fingerprint=data.fingerprint,
            page=_page(live),
            imported=live.imported,
        )
        certificates = live.certificates or live.claimed
        state = dataclasses.replace(live.newest, settings=live.members)
        return SavedRun(self._about, state, live.moments, live.layouts, certificates)

    def _write(self, run: SavedRun, generation: int) -> None:
        """Write the snapshot. Runs in the one thread that changes the writer."""
        if generation != self._generation:
            self._writer.start_over()
            self._generation = generation
        folder = self._writer.folder
        if self._writer.written and not folder.exists():
            raise NotSaved("This run was deleted on the Runs page, and is kept in memory only.")
        self._disk_quota.check(run.about.owner)
        self._lock_folder(folder)
        self._writer.write(run, last=bool(run.certificates))
        self._lock_folder(folder)

    def _lock_folder(self, folder: Path) -> None:
        """Lock the folder, once it exists, against other servers."""
        if self._lock is None and folder.exists():
            self._lock = lock(folder)
            if self._lock is None:
                raise NotSaved(
                    "Another server on this machine trains this run as well and saves it; here it "
                    "is kept in memory only."
                )

    def _notify_viewers(self, sentence: str) -> None:
        """Tell the viewers, unless this was the last thing they were told."""
        if sentence != self.live.notice:
            _log.warning("%s: %s", self._writer.folder.name, sentence)
            self.live.notice = sentence
            self.live.signal.notify()


class _DiskQuota:
    """The limits on the disk space of all saved runs, and of one visitor's."""

    def __init__(self) -> None:
        self._measured: dict[str, tuple[float, str]] = {}  # by owner: when, and why not

    def check(self, owner: str) -> None:
        """NotSaved if saved runs, or those of this owner, take all the space they are allowed."""
        now = time.monotonic()
        measured, refusal = self._measured.get(owner, (-_USAGE_SECONDS, ""))
        if now - measured >= _USAGE_SECONDS:
            refusal = ""
            try:
                store.check_room(home(), 0, owner)
            except RequestError as error:
                refusal = str(error)
            kept = {o: it for o, it in self._measured.items() if now - it[0] < _USAGE_SECONDS}
            self._measured = kept | {owner: (now, refusal)}
        if refusal:
            raise NotSaved(f"This run is not saved. {refusal} Training goes on in memory.")


def sentence_on(error: Exception) -> str:
    """Why a run is not saved, for its viewers."""
    if isinstance(error, NotSaved):
        return str(error)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return (
        f"This run cannot be saved right now ({reason}). It trains on in memory, "
        "and is saved as soon as that works."
    )


# ------------------------------------------------------------------------- loading


@dataclass(frozen=True)
class _Page:
    """What a screen stores with a saved run."""

    request: RunRequest
    playing: bool
    prediction: int | None
    branching: Branching | None
    pending: Changes
    turn: str = ""
    pace: Pace | None = None


def load_live_run(run: str, trainings: Trainings) -> LiveRun | None:
    """The run of that id, if it is on disk; RequestError if it is damaged."""
    folder = store.by_id(home(), run)
    if folder is None:
        return None
    saved = load(folder)
    try:
        return live_run_from(saved, folder, trainings)
    except Exception as error:  # its parts are valid, but do not fit together
        _log.warning("A saved run cannot be shown: %s", folder, exc_info=error)
        raise damaged(folder, "its parts do not fit together") from error


def live_run_from(saved: SavedRun, folder: Path, trainings: Trainings) -> LiveRun:
    """A LiveRun that continues from a saved run."""
    about = saved.about
    page = _read_page(about)
    history = History()
    history.add(saved.moments, about.members)
    history.layouts = list(saved.layouts)
    history.states = [saved.state]
    training = trainings.new(about.members, history)
    live = LiveRun(about.members, trainings, page.request, training, page.pace)
    # A new generation: a browser that still shows the run from before the restart reloads all.
    live.generation = 2**20 + secrets.randbelow(2**20)
    live.on_disk = OnDisk(folder, saved, live.generation)
    live.fingerprint, live.imported, live.owner = about.fingerprint, about.imported, about.owner
    live.plays, live.prediction, live.branching = page.playing, page.prediction, page.branching
    live.pending, live.turn = page.pending, page.turn
    if live.imported:  # only what is measured here counts here
        live.claimed = saved.certificates
    elif saved.certificates:
        live.certificates, live.status = saved.certificates, "finished"
    return live


def _page(live: LiveRun) -> dict[str, Any]:
    branching = live.branching
    return {
        "wish": [settings_to_dict(settings) for settings in live.request.members],
        "lesson": live.request.lesson,
        "playing": live.plays,
        "prediction": live.prediction,
        "pending": dict(live.pending),
        "turn": live.turn,
        "pace": dataclasses.asdict(live.pace),
        "parent": branching and [branching.parent, branching.step, branching.what],
    }


def request_of_saved(about: About) -> RunRequest:
    """The request that a saved run was started with."""
    return _read_page(about).request


def _read_page(about: About) -> _Page:
    """The inverse of `_page`; invalid or missing fields get the values of a new run."""
    page = about.page
    try:
        members = tuple(settings_from_dict(dict(one)) for one in page["wish"])
        parent = page.get("parent")
        return _Page(
            RunRequest(members or about.members, str(page.get("lesson", ""))),
            bool(page.get("playing", True)),
            None if page.get("prediction") is None else int(page["prediction"]),
            Branching(str(parent[0]), int(parent[1]), str(parent[2])) if parent else None,
            read_changes(page.get("pending", {})),
            page["turn"] if page.get("turn") in TURNS else "",
            from_json(Pace, page.get("pace", {})),
        )
    except (KeyError, ValueError, TypeError, IndexError, RequestError):
        return _Page(RunRequest(about.members), True, None, None, {})
