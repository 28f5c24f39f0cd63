"""The server's engine, and all live runs by id.

    run = registry.start_run((baseline, spherical));  registry.find(run) -> LiveRun | None
    registry.find_or_load(run) -> the same, loaded from disk if it is not in memory
    registry.branch(run, step, {"beta": 4.0}) -> the id of a new run that starts at that step

A page asks for a run and gets its id; the run itself lives here, survives reruns and reloads of
the page, and is driven by a task on the server's event loop. A LiveRun is modified on that loop
only; page scripts, which run in their own threads, call no more than `engine`, `start_run`,
`find`, `last_viewed`, `find_or_load`, `find_paused`, `request_of`, `keep_alive` and `notify`.
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

from pages.live import closed_tabs, persistence, quota
from pages.live import setting_changes as change_rules
from pages.live.persistence import Autosave
from pages.live.run import GRACE, LiveRun
from pages.live.run_source import Branching, RunRequest
from pages.live.setting_changes import Changes
from pages.live.shared_training import SharedTraining, Trainings
from svae_core.compute.engine import Engine
from svae_core.config.settings import DATA_FIELDS
from svae_core.records import RequestError, Settings

#: Seconds that runs without viewers stay in memory, for a reload or a link …
KEPT_SECONDS = 3600.0
#: … while they take no more bytes than this; beyond it the one viewed longest ago is evicted if it
#: is on disk …
KEPT_BYTES = 2**24
#: … and beyond this even if it is not. Links still open what is on disk.
HELD_BYTES = 2**30
_EVICTION_SECONDS = 5.0
#: After an eviction, or when the last viewer has left, freed memory is returned to the system for
#: this many seconds, at this interval: Streamlit keeps a closed session for two minutes.
_RETURN_PERIOD, _RETURN_SECONDS = 180.0, 30.0
#: Most runs in one tree of branches.
LARGEST_TREE = 40

_lock = threading.Lock()
_load_lock = threading.Lock()  # two visitors who open a link at once get the same run
_engine: Engine | None = None
_trainings: Trainings | None = None
_loop: asyncio.AbstractEventLoop | None = None
_live_runs: dict[str, LiveRun] = {}


def engine() -> Engine:
    """The server's engine, started at the first call."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = Engine()
            _engine.start()
            atexit.register(_stop_engine)
        return _engine


def trainings() -> Trainings:
    """The trainings on the server's engine."""
    global _trainings
    if _trainings is None or _trainings.engine is not engine():
        _trainings = Trainings(engine())
    return _trainings


def pair(settings: Settings) -> tuple[Settings, Settings]:
    """The two members of the side-by-side view: a conventional VAE and another method.

    They differ in nothing else. The other is the method of the settings, or the spherical VAE where
    that method is the conventional VAE.
    """
    other = _plain(settings, "spherical") if settings.method == "baseline" else settings
    return _plain(settings, "baseline"), other


def start_run(members: tuple[Settings, ...], lesson: str = "", owner: str = "") -> str:
    """Start a run of these members, paused if it belongs to a lesson; return its unguessable id.

    RequestError if the owner has too many runs.
    """
    _evict_for(owner)
    run = secrets.token_urlsafe(16)
    begun = LiveRun(members, trainings(), RunRequest(members, lesson))
    begun.owner = owner
    _register(run, begun, {})
    return run


def find(run: str | None) -> LiveRun | None:
    """The run of that id, if it is in memory."""
    return _live_runs.get(run or "")


def last_viewed(run: str | None, fits: Callable[[RunRequest], bool]) -> str | None:
    """The run viewed last among a run and its descendants that fit; the run itself if none fits.

    A page is not told of branches: the stage creates them and moves to them by itself.
    """
    here = dict(_live_runs)
    tree, size = {run}, 0
    while len(tree) > size:
        size = len(tree)
        tree |= {
            id for id, live in here.items() if live.branching and live.branching.parent in tree
        }
    seen = [(live.viewers > 0, live.last_viewed_at, id) for id, live in here.items() if id in tree]
    return max((one for one in seen if fits(here[one[2]].request)), default=(False, 0.0, run))[2]


def same_data(data: Settings, request: RunRequest) -> bool:
    """Whether a run has the points, shell and clusters of these settings."""
    return all(getattr(data, name) == getattr(request.members[-1], name) for name in DATA_FIELDS)


def find_or_load(run: str | None) -> LiveRun | None:
    """The run of that id, loaded from disk if necessary. Reads files: not for the event loop.

    RequestError if it is damaged.
    """
    with _load_lock:
        live = find(run)
        if live is None and run and _loop is not None:
            live = persistence.load_live_run(run, trainings())
            if live is not None:
                _register(run, live, {})
                _join_trees(run, live)
                _load_ancestors(live)
        return live


def find_paused(run: str | None) -> LiveRun | None:
    """The same, for looking at its results: paused, unless it has a viewer."""
    live = find_or_load(run)
    if live is not None and not live.viewers and _loop is not None:
        _loop.call_soon_threadsafe(live.pause)
    return live


def request_of(run: str | None) -> RunRequest | None:
    """The request that the run of that id was started with, if it is in memory.

    Not its present settings: a run whose band was dragged is still the run that its page asked for.
    """
    live = find(run)
    return live.request if live else None


def keep_alive(run: str, play: bool = False) -> None:
    """Train a run as if it had a viewer, since a page waits for it; `play` resumes a paused one."""
    live = find(run)
    if live is not None and _loop is not None:
        _loop.call_soon_threadsafe(live.keep_alive)
        if play:
            _loop.call_soon_threadsafe(live.play)


def notify(run: str) -> None:
    """Notify the viewers of a run."""
    live = find(run)
    if live is not None and _loop is not None:
        _loop.call_soon_threadsafe(live.signal.notify)


def branch(run: str, step: int, changes: Changes) -> str:
    """Start a run with this one's history up to a step and other settings from there; its id."""
    parent = _live_runs[run]
    done = parent.moments[-1][0] if parent.moments else None
    if done is None or not 0 <= step <= done.step or step >= done.steps:
        raise RequestError("A branch starts at a moment already trained, before the last one.")
    settings = parent.members[-1]
    changes = change_rules.effective_changes(settings, step, changes)
    if not changes:
        raise RequestError("Nothing is changed, so the branch would only repeat this run.")
    what = f"{change_rules.describe_changes(settings, step, changes)} at step {step}"
    members = change_rules.apply_changes(parent.members, step, changes)
    training = parent.shared.branch(step, members)
    return _start_descendant(run, parent.request, training, (step, what))


def reseed(run: str) -> str:
    """Start the same run, changes included, with a seed new to its tree; its id."""
    parent = _live_runs[run]
    seeds = [live.members[-1].seed for live in parent.tree.values()]
    seed = max(seeds, default=parent.members[-1].seed) + 1

    def seeded(members: tuple[Settings, ...]) -> tuple[Settings, ...]:
        return tuple(dataclasses.replace(settings, seed=seed) for settings in members)

    request = RunRequest(seeded(parent.request.members), parent.request.lesson)
    what = f"seed {parent.members[-1].seed} → {seed}"
    training = trainings().new(seeded(parent.members))
    return _start_descendant(run, request, training, (0, what))


def copy(run: str, owner: str = "") -> str:
    """Start an independent run with this one's history so far; its id.

    RequestError if the owner has too many runs.
    """
    _evict_for(owner)
    parent = _live_runs[run]
    request = RunRequest(parent.request.members)
    child = LiveRun(parent.members, trainings(), request, parent.shared)
    child.count = parent.count
    _inherit(child, parent)
    child.owner = owner
    own = secrets.token_urlsafe(16)
    _register(own, child, {})
    return own


def _start_descendant(
    run: str,
    request: RunRequest,
    training: SharedTraining,
    parting: tuple[int, str],
) -> str:
    """Start a run in the tree of another."""
    parent = _live_runs[run]
    if len(parent.tree) >= LARGEST_TREE:
        raise RequestError(
            f"There are {LARGEST_TREE} branches already; change a setting of the page to start "
            "afresh."
        )
    _evict_for(parent.owner)
    child = LiveRun(training.members, trainings(), request, training)
    child.branching = Branching(run, *parting)
    child.owner = parent.owner
    _inherit(child, parent)
    other = secrets.token_urlsafe(16)
    _register(other, child, parent.tree)
    for relative in child.tree.values():
        relative.announce()
    return other


def _inherit(child: LiveRun, parent: LiveRun) -> None:
    """Copy from a parent run what does not depend on the changes."""
    child.prepared, child.floors = parent.prepared, parent.floors
    child.prediction, child.imported, child.plays = parent.prediction, parent.imported, True
    # A viewer that moves to another run of the tree sees a new generation and reloads all.
    child.generation = max(one.generation for one in parent.tree.values()) + 1000


def _register(run: str, live: LiveRun, tree: dict[str, LiveRun]) -> None:
    live.tree = tree
    tree[run] = _live_runs[run] = live
    if _loop is not None:
        _loop.call_soon_threadsafe(live.start)


def _evict_for(owner: str) -> None:
    for run in quota.runs_to_evict(dict(_live_runs), owner):
        if _loop is not None:
            _loop.call_soon_threadsafe(_evict, run)


def _load_ancestors(live: LiveRun) -> None:
    """Load the runs that a loaded one branched off from, so that its tree leads back to them.

    They stay idle until somebody views them.
    """
    while live.branching and len(live.tree) < LARGEST_TREE:
        parent = live.branching.parent
        if find(parent) is not None:
            return
        try:
            found = persistence.load_live_run(parent, trainings())
        except RequestError:
            return
        if found is None:
            return
        found.tree = live.tree
        live.tree[parent] = _live_runs[parent] = found
        _join_trees(parent, found)
        live = found


def _join_trees(run: str, loaded: LiveRun) -> None:
    """Make one tree of a loaded run's and those of its parent and children in memory."""
    for other, live in list(_live_runs.items()):
        above = loaded.branching is not None and loaded.branching.parent == other
        below = live.branching is not None and live.branching.parent == run
        if (above or below) and live.tree is not loaded.tree:
            for name, member in list(loaded.tree.items()):
                live.tree[name], member.tree = member, live.tree


def _evict(run: str) -> None:
    live = _live_runs.pop(run, None)
    if live is None:
        return
    live.tree.pop(run, None)
    live.let_go()


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Start the engine with the server, and stop the engine and all runs with it."""
    global _loop
    _loop = asyncio.get_running_loop()
    engine()
    gc.collect()
    gc.freeze()  # imported modules stay: later collections need not scan them
    autosave = Autosave(lambda: _live_runs)
    eviction = asyncio.create_task(_evict_idle_runs(autosave.saved))
    saving = asyncio.create_task(autosave.run())
    try:
        yield
    finally:
        eviction.cancel()
        saving.cancel()
        await asyncio.wait([saving])
        await autosave.close()
        for live in _all():
            live.stop()
        _live_runs.clear()
        _loop = None
        await asyncio.to_thread(_stop_engine)


def _plain(settings: Settings, method: str) -> Settings:
    return dataclasses.replace(settings, method=method, method_options=())


def _stop_engine() -> None:
    global _engine
    with _lock:
        stopped, _engine = _engine, None
    if stopped is not None:
        atexit.unregister(_stop_engine)
        stopped.stop()


def _all() -> list[LiveRun]:
    return list(_live_runs.values())  # a copy, since page scripts add runs from their threads


async def _evict_idle_runs(saved: Callable[[str], bool]) -> None:
    """Evict runs without viewers, and pause runs of sessions over their memory limit."""
    viewed_before, due, return_until = False, 0.0, 0.0
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_EVICTION_SECONDS)
            now = time.monotonic()
            # A copy, since page scripts add runs meanwhile; unnamed, so that it keeps no run alive.
            to_evict, to_pause = quota.over_memory_limit(dict(_live_runs))
            to_evict += _expired_runs(now, saved)
            for run in to_evict:
                _evict(run)
            for live in to_pause:
                live.interrupt(quota.sentence())
            closed_tabs.let_go()  # a script may have ended only after its tab
            viewed_now = any(one.viewers for one in _all())
            if to_evict or (viewed_before and not viewed_now):
                due, return_until = now, now + _RETURN_PERIOD
            if due <= now < return_until:
                await asyncio.to_thread(_return_memory)
                due = now + _RETURN_SECONDS
            viewed_before = viewed_now


def _expired_runs(now: float, saved: Callable[[str], bool]) -> list[str]:
    """The runs to evict: unviewed for too long, or viewed longest ago when memory is short."""
    idle = [
        (live.last_viewed_at, run) for run, live in list(_live_runs.items()) if not live.viewers
    ]
    idle_bytes = sum(_live_runs[run].size for _, run in idle)
    all_bytes = sum(live.size for live in _all())
    to_evict = []
    for last_viewed_at, run in sorted(idle):
        live = _live_runs[run]
        alone = now - last_viewed_at > GRACE
        too_many = idle_bytes > KEPT_BYTES and alone and saved(run)
        given_up = alone and live.task and live.status == "preparing" and not live.moments
        expired = now - last_viewed_at > KEPT_SECONDS
        if expired or too_many or given_up or all_bytes > HELD_BYTES:
            to_evict.append(run)
            idle_bytes -= _live_runs[run].size
            all_bytes -= _live_runs[run].size
    return to_evict


def _return_memory() -> None:
    """Return freed memory to the operating system, which the C library tends to keep."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library than Linux's
        ctypes.CDLL(None).malloc_trim(0)
