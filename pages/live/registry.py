"""All live runs of a server by id, the engine that trains them, and what their trainings share.

    run = registry.start_run((baseline, spherical));  registry.find(run) -> LiveRun | None
    registry.find_or_load(run) -> the same, loaded from disk if it is not in memory
    registry.branch(run, step, {"beta": 4.0}) -> the id of a new run that starts at that step

A page asks for a run and gets its id; the run itself lives here, survives reruns and reloads of
the page, and is driven by a task on the server's event loop.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import dataclasses
import gc
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from pages.live import closed_tabs, persistence, quota, setting_changes
from pages.live.pace import Pace
from pages.live.persistence import Autosave
from pages.live.run import LiveRun
from pages.live.run_source import Branching, RunRequest
from pages.live.run_view import RunView, view_of
from pages.live.setting_changes import Changes
from pages.live.shared_training import SharedTraining, Trainings
from svae_core.compute.engine import Engine
from svae_core.config.settings import DATA_FIELDS
from svae_core.records import RequestError, Settings

_EVICTION_SECONDS = 5.0
_VIEW_SECONDS = 30.0  # that a page waits for the event loop at most, as when the server ends
#: After an eviction, or when the last viewer has left, freed memory is returned to the system for
#: this many seconds, at this interval: Streamlit keeps a closed session for two minutes.
_RETURN_PERIOD, _RETURN_SECONDS = 180.0, 30.0
#: Most runs in one tree of branches.
LARGEST_TREE = 40


def pair(settings: Settings) -> tuple[Settings, Settings]:
    """The two members of the side-by-side view: a conventional VAE and another method.

    They differ in nothing else. The other is the method of the settings, or the spherical VAE where
    that method is the conventional VAE.
    """
    other = _plain(settings, "spherical") if settings.method == "baseline" else settings
    return _plain(settings, "baseline"), other


def _plain(settings: Settings, method: str) -> Settings:
    return dataclasses.replace(settings, method=method, method_options=())


def same_data(data: Settings, request: RunRequest) -> bool:
    """Whether a run has the points, shell and clusters of these settings."""
    return all(getattr(data, name) == getattr(request.members[-1], name) for name in DATA_FIELDS)


def started_engine() -> Engine:
    """A new engine, whose processes end with this one at the latest."""
    engine = Engine()
    engine.start()
    atexit.register(engine.stop)
    return engine


class Registry:
    """The live runs of one server.

    A LiveRun is modified on the event loop only; page scripts, which run in their own threads, call
    no more than `engine`, `start_run`, `last_viewed`, `view`, `load`, `keep_alive` and `notify`,
    and read no run but as a RunView.
    """

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self.by_id: dict[str, LiveRun] = {}
        self.loop: asyncio.AbstractEventLoop | None = None  # while the server runs
        self._autosave: Autosave | None = None  # as well
        self._make_engine = make_engine
        self._trainings: Trainings | None = None
        self._lock = threading.Lock()
        self._load_lock = threading.Lock()  # two visitors who open a link at once get the same run

    @property
    def trainings(self) -> Trainings:
        """The trainings that runs share; the engine is started at the first call."""
        with self._lock:
            if self._trainings is None:
                self._trainings = Trainings(self._make_engine())
            return self._trainings

    @property
    def engine(self) -> Engine:
        """The server's engine, started at the first call."""
        return self.trainings.engine

    # ------------------------------------------------------------------- finding runs

    def find(self, run: str | None) -> LiveRun | None:
        """The run of that id, if it is in memory."""
        return self.by_id.get(run or "")

    def last_viewed(self, run: str | None, fits: Callable[[RunRequest], bool]) -> str | None:
        """The run viewed last among a run and its descendants that fit; itself if none fits.

        A page is not told of branches: the stage creates them and moves to them by itself.
        """
        here = dict(self.by_id)
        tree, size = {run}, 0
        while len(tree) > size:
            size = len(tree)
            tree |= {
                id for id, live in here.items() if live.branching and live.branching.parent in tree
            }
        seen = [
            (live.viewers.count > 0, live.viewers.last_at, id)
            for id, live in here.items()
            if id in tree
        ]
        fitting = (one for one in seen if fits(here[one[2]].request))
        return max(fitting, default=(False, 0.0, run))[2]

    def find_or_load(self, run: str | None) -> LiveRun | None:
        """The run of that id, loaded from disk if necessary. Reads files: not for the event loop.

        RequestError if it is damaged.
        """
        with self._load_lock:
            live = self.find(run)
            if live is None and run and self.loop is not None:
                live = persistence.load_live_run(run, self.trainings)
                if live is not None:
                    self.register(run, live, {})
                    self._join_trees(run, live)
                    self._load_ancestors(live)
            return live

    def view(self, run: str | None) -> RunView | None:
        """The run of that id as it is now, if it is in memory. For page scripts."""
        live = self.find(run)
        if live is None:
            return None
        if self.loop is None or asyncio._get_running_loop() is self.loop:
            return view_of(live)

        async def seen() -> RunView:
            return view_of(live)

        return asyncio.run_coroutine_threadsafe(seen(), self.loop).result(_VIEW_SECONDS)

    def load(self, run: str | None, pause: bool = False) -> RunView | None:
        """The same, loaded from disk if necessary. RequestError if it is damaged.

        `pause`: for looking at its results, so it is paused unless it has a viewer.
        """
        live = self.find_or_load(run)
        if live is not None and pause and not live.viewers.count:
            self._soon(live.pause)
        return self.view(run)

    def keep_alive(self, run: str, play: bool = False) -> None:
        """Train a run as if it had a viewer, since a page waits for it; `play` resumes it."""
        live = self.find(run)
        if live is not None:
            self._soon(live.keep_alive)
            if play:
                self._soon(live.play)

    def notify(self, run: str) -> None:
        """Notify the viewers of a run."""
        live = self.find(run)
        if live is not None:
            self._soon(live.signal.notify)

    def _soon(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Make a call on the event loop, if the server runs."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(call, *arguments)

    # ------------------------------------------------------------------ starting runs

    def start_run(
        self,
        members: tuple[Settings, ...],
        lesson: str = "",
        owner: str = "",
        pace: Pace | None = None,
    ) -> str:
        """Start a run of these members; its unguessable id. A lesson's waits for a prediction.

        RequestError if the owner has too many runs.
        """
        self._evict_for(owner)
        live = LiveRun(members, self.trainings, RunRequest(members, lesson), pace=pace)
        live.owner = owner
        return self.register(secrets.token_urlsafe(16), live, {})

    def branch(self, run: str, step: int, changes: Changes) -> str:
        """Start a run with this one's history up to a step and other settings from there; its id.

        RequestError if nothing is changed, or if there is no such moment.
        """
        parent = self.by_id[run]
        done = parent.moments[-1][0] if parent.moments else None
        if done is None or not 0 <= step <= done.step or step >= done.steps:
            raise RequestError("A branch starts at a moment already trained, before the last one.")
        settings = parent.members[-1]
        changes = setting_changes.effective_changes(settings, step, changes)
        if not changes:
            raise RequestError("Nothing is changed, so the branch would only repeat this run.")
        what = f"{setting_changes.describe_changes(settings, step, changes)} at step {step}"
        members = setting_changes.apply_changes(parent.members, step, changes)
        training = parent.shared.branch(step, members)
        child = self._start_descendant(parent.request, training, Branching(run, step, what))
        if self.by_id[child].turn:  # the viewer's move is made
            self.by_id[child].turn = "taken"
        return child

    def reseed(self, run: str) -> str:
        """Start the same run, changes included, with a seed new to its tree; its id."""
        parent = self.by_id[run]
        seeds = [live.members[-1].seed for live in list(parent.tree.values())]
        seed = max(seeds, default=parent.members[-1].seed) + 1

        def seeded(members: tuple[Settings, ...]) -> tuple[Settings, ...]:
            return tuple(dataclasses.replace(settings, seed=seed) for settings in members)

        request = RunRequest(seeded(parent.request.members), parent.request.lesson)
        training = self.trainings.new(seeded(parent.members))
        what = f"seed {parent.members[-1].seed} → {seed}"
        return self._start_descendant(request, training, Branching(run, 0, what))

    def copy(self, run: str, owner: str = "") -> str:
        """Start an independent run with this one's history so far; its id.

        RequestError if the owner has too many runs.
        """
        self._evict_for(owner)
        parent = self.by_id[run]
        request = RunRequest(parent.request.members)
        child = LiveRun(parent.members, self.trainings, request, parent.shared, parent.pace)
        child.count, child.turn, child.owner = parent.count, parent.turn, owner
        _inherit(child, parent)
        return self.register(secrets.token_urlsafe(16), child, {})

    def _start_descendant(
        self, request: RunRequest, training: SharedTraining, branching: Branching
    ) -> str:
        """Start a run in the tree of another."""
        parent = self.by_id[branching.parent]
        if len(parent.tree) >= LARGEST_TREE:
            raise RequestError(
                f"There are {LARGEST_TREE} branches already; change a setting of the page to start "
                "afresh."
            )
        self._evict_for(parent.owner)
        child = LiveRun(training.members, self.trainings, request, training, parent.pace)
        child.branching, child.owner = branching, parent.owner
        _inherit(child, parent)
        run = self.register(secrets.token_urlsafe(16), child, parent.tree)
        for relative in list(child.tree.values()):
            relative.announce()
        return run

    def register(self, run: str, live: LiveRun, tree: dict[str, LiveRun]) -> str:
        """Put a run into a tree and start it; its id."""
        live.tree = tree
        tree[run] = self.by_id[run] = live
        self._soon(live.start)
        return run

    # ----------------------------------------------------------------- trees from disk

    def _load_ancestors(self, live: LiveRun) -> None:
        """Load the runs that a loaded one branched off from, so that its tree leads back to them.

        They stay idle until somebody views them.
        """
        while live.branching and len(live.tree) < LARGEST_TREE:
            parent = live.branching.parent
            if self.find(parent) is not None:
                return
            try:
                found = persistence.load_live_run(parent, self.trainings)
            except RequestError:
                return
            if found is None:
                return
            found.tree = live.tree
            live.tree[parent] = self.by_id[parent] = found
            self._join_trees(parent, found)
            live = found

    def _join_trees(self, run: str, loaded: LiveRun) -> None:
        """Make one tree of a loaded run's and those of its parent and children in memory."""
        for other, live in list(self.by_id.items()):
            above = loaded.branching is not None and loaded.branching.parent == other
            below = live.branching is not None and live.branching.parent == run
            if (above or below) and live.tree is not loaded.tree:
                for name, member in list(loaded.tree.items()):
                    live.tree[name], member.tree = member, live.tree

    # ------------------------------------------------------------------- the server's life

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Start the engine with the server, and stop the engine and all runs with it."""
        self.loop = asyncio.get_running_loop()
        _ = self.engine
        gc.collect()
        gc.freeze()  # imported modules stay: later collections need not scan them
        autosave = self._autosave = Autosave(lambda: self.by_id)
        eviction = asyncio.create_task(self.evict_idle_runs(autosave.saved))
        saving = asyncio.create_task(autosave.run())
        try:
            yield
        finally:
            eviction.cancel()
            saving.cancel()
            await asyncio.wait([saving])
            await autosave.close()
            for live in list(self.by_id.values()):
                live.stop()
            self.by_id.clear()
            self.loop = self._autosave = None
            await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """Stop the engine, if it was started."""
        with self._lock:
            stopped, self._trainings = self._trainings, None
        if stopped is not None:
            atexit.unregister(stopped.engine.stop)
            stopped.engine.stop()

    def evict(self, run: str) -> None:
        """Remove a run from memory."""
        live = self.by_id.pop(run, None)
        if live is not None:
            live.tree.pop(run, None)
            live.let_go()

    async def save_and_evict(self, run: str) -> None:
        """Remove a run from memory when all of it is on disk, unless a viewer comes before."""
        if (live := self.find(run)) and self._autosave:
            live.stop()  # nothing is trained meanwhile; a viewer starts it again
            await self._autosave.flush(run)
        if live is None or not (live.viewers.count or live.viewers.fetches):
            self.evict(run)

    def _evict_for(self, owner: str) -> None:
        for run in quota.runs_to_evict(dict(self.by_id), owner):
            if self.loop is not None:
                asyncio.run_coroutine_threadsafe(self.save_and_evict(run), self.loop)

    async def evict_idle_runs(self, saved: Callable[[str], bool]) -> None:
        """Evict runs without viewers, and pause runs of sessions over their memory limit."""
        viewed_before, due, return_until = False, 0.0, 0.0
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(_EVICTION_SECONDS)
                now = time.monotonic()
                # Copies, for page scripts add runs; unnamed, so that they keep no run alive.
                to_evict, to_pause = quota.over_memory_limit(dict(self.by_id))
                to_evict += quota.expired(dict(self.by_id), now, saved)
                for run in to_evict:
                    await self.save_and_evict(run)
                for live in to_pause:
                    live.interrupt(quota.sentence())
                closed_tabs.let_go()  # a script may have ended only after its tab
                viewed_now = any(one.viewers.count for one in list(self.by_id.values()))
                if to_evict or (viewed_before and not viewed_now):
                    due, return_until = now, now + _RETURN_PERIOD
                if due <= now < return_until:
                    await asyncio.to_thread(_return_memory)
                    due = now + _RETURN_SECONDS
                viewed_before = viewed_now


def _inherit(child: LiveRun, parent: LiveRun) -> None:
    """Copy from a parent run what does not depend on the changes."""
    child.prepared, child.floors, child.sharpened = parent.prepared, parent.floors, parent.sharpened
    child.prediction, child.imported, child.plays = parent.prediction, parent.imported, True
    # A viewer that moves to another run of the tree sees a new generation and reloads all.
    child.generation = max(one.generation for one in list(parent.tree.values())) + 1000


def _return_memory() -> None:
    """Return freed memory to the operating system, which the C library tends to keep."""
    gc.collect()
    # Another C library than Linux's has no such function; Windows has none by that name at all.
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
