"""The server's engine, and the comparisons that are being watched on it.

    run = hub.watch((baseline, spherical));  hub.find(run) -> LiveRun | None
    hub.recall(run) -> the same, read from disk where the server no longer has it in memory
    hub.branch(run, step, {"beta": 4.0}) -> the id of another run, which goes on from there

A page names what it wants to see and gets a run id; the run itself lives here, outlives reruns and
reloads, and is driven by a task on the server's event loop. Everything in a LiveRun is touched on
that loop only; page scripts, which run in threads of their own, call no more than `engine`,
`watch`, `find`, `last_viewed`, `recall`, `look_at`, `request_of`, `keep_alive` and `notify`.
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

from pages.live import changes as changing
from pages.live import persistence, quota
from pages.live.changes import Changes
from pages.live.history import History
from pages.live.origin import Branching, RunRequest
from pages.live.persistence import Keeper
from pages.live.run import GRACE, LiveRun
from svae_core.compute.engine import Engine
from svae_core.config.settings import DATA_FIELDS
from svae_core.records import RequestError, Settings

#: Unwatched runs stay in memory this long, for a reload or a link …
KEPT_SECONDS = 3600.0
#: … while they hold no more than this: beyond it the longest unwatched goes, if it is on disk …
KEPT_BYTES = 2**24
#: … and beyond this whether it is or not. Links find what is on disk.
HELD_BYTES = 2**30
_REAP_SECONDS = 5.0
#: After a run or the last viewer has gone, memory comes free for so long, and is given back now and
#: then: Streamlit lets go of a closed session, and of what only that knew, after two minutes.
_FREED_SECONDS, _GIVEN_BACK_EVERY = 180.0, 30.0
#: So many runs may stem from one start.
LARGEST_FAMILY = 40

_lock = threading.Lock()
_recalling = threading.Lock()  # two who follow a link at the same moment find the same run
_engine: Engine | None = None
_loop: asyncio.AbstractEventLoop | None = None
_live_runs: dict[str, LiveRun] = {}


def engine() -> Engine:
    """The server's engine, started when it is first asked for."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = Engine()
            _engine.start()
            atexit.register(_stop_engine)
        return _engine


def pair(settings: Settings) -> tuple[Settings, Settings]:
    """The side-by-side view: a conventional VAE and another, equal in everything else.

    The other is the method of the settings, or the spherical VAE where that is the baseline.
    """
    other = _plain(settings, "spherical") if settings.method == "baseline" else settings
    return _plain(settings, "baseline"), other


def watch(members: tuple[Settings, ...], lesson: str = "", owner: str = "") -> str:
    """A new run of these members, playing at once unless it is a lesson's; its unguessable id.

    RequestError where its owner keeps too many.
    """
    _make_room(owner)
    run = secrets.token_urlsafe(16)
    begun = LiveRun(members, engine(), RunRequest(members, lesson))
    begun.owner = owner
    _enter(run, begun, {})
    return run


def find(run: str | None) -> LiveRun | None:
    """The run of that id, if the server still has it."""
    return _live_runs.get(run or "")


def last_viewed(run: str | None, fits: Callable[[RunRequest], bool]) -> str | None:
    """Of this run and all that stems from it, the one that fits and was watched last, if here.

    A page does not hear of branches: the stage makes them, and goes on with them by itself.
    """
    here = dict(_live_runs)
    tree, size = {run}, 0
    while len(tree) > size:
        size = len(tree)
        tree |= {id for id, w in here.items() if w.branching and w.branching.parent in tree}
    seen = [(w.viewers > 0, w.last_seen, id) for id, w in here.items() if id in tree]
    return max((one for one in seen if fits(here[one[2]].request)), default=(False, 0.0, run))[2]


def same_data(data: Settings, request: RunRequest) -> bool:
    """Whether a run is on the points, shell and clusters that these settings mean."""
    return all(getattr(data, name) == getattr(request.members[-1], name) for name in DATA_FIELDS)


def recall(run: str | None) -> LiveRun | None:
    """The run of that id, from disk if need be. Reads files: not for the event loop.

    RequestError where it is there and is damaged.
    """
    with _recalling:
        watched = find(run)
        if watched is None and run and _loop is not None:
            watched = persistence.revive(run, engine())
            if watched is not None:
                _enter(run, watched, _family_of(run, watched))
        return watched


def look_at(run: str | None) -> LiveRun | None:
    """The same, to look at what it was: unless somebody watches it, it does not go on."""
    watched = recall(run)
    if watched is not None and not watched.viewers and _loop is not None:
        _loop.call_soon_threadsafe(watched.pause)
    return watched


def request_of(run: str | None) -> RunRequest | None:
    """What the run of that id was begun for, if the server still has it.

    Not what became of it: a run whose band was dragged is still the run its page asked for.
    """
    watched = find(run)
    return watched.request if watched else None


def keep_alive(run: str, play: bool = False) -> None:
    """Let a run go on as if it were watched, since a page waits for it; play it if it paused."""
    watched = find(run)
    if watched is not None and _loop is not None:
        _loop.call_soon_threadsafe(watched.keep_alive)
        if play:
            _loop.call_soon_threadsafe(watched.play)


def notify(run: str) -> None:
    """Let those who watch a run look for news."""
    watched = find(run)
    if watched is not None and _loop is not None:
        _loop.call_soon_threadsafe(watched.signal.notify)


def branch(run: str, step: int, changes: Changes) -> str:
    """A run with this one's history up to a step and other settings from there; its id."""
    parent = _live_runs[run]
    done = parent.moments[-1][0] if parent.moments else None
    if done is None or not 0 <= step <= done.step or step >= done.steps:
        raise RequestError("A branch starts at a moment already trained, before the last one.")
    settings = parent.members[-1]
    changes = changing.description_of(settings, step, changes)
    if not changes:
        raise RequestError("Nothing is changed, so the branch would only repeat this run.")
    what = f"{changing.described(settings, step, changes)} at step {step}"
    members = changing.applied(parent.members, step, changes)
    return _born(run, parent.request, members, parent.past.until(step, members), (step, what))


def reseed(run: str) -> str:
    """The same run, changes included, with a seed that no run of this tree had yet; its id."""
    parent = _live_runs[run]
    seeds = [watched.members[-1].seed for watched in parent.family.values()]
    seed = max(seeds, default=parent.members[-1].seed) + 1

    def seeded(members: tuple[Settings, ...]) -> tuple[Settings, ...]:
        return tuple(dataclasses.replace(settings, seed=seed) for settings in members)

    request = RunRequest(seeded(parent.request.members), parent.request.lesson)
    what = f"seed {parent.members[-1].seed} → {seed}"
    return _born(run, request, seeded(parent.members), History(), (0, what))


def copy(run: str, owner: str = "") -> str:
    """A run of its own with this one's history so far, and no relative of it; its id.

    RequestError where its owner keeps too many.
    """
    _make_room(owner)
    parent = _live_runs[run]
    step = parent.moments[-1][0].step if parent.moments else 0
    past = parent.past.until(step, parent.members)
    child = LiveRun(parent.members, engine(), RunRequest(parent.request.members), past)
    child.copy_static(parent)
    child.owner = owner
    own = secrets.token_urlsafe(16)
    _enter(own, child, {})
    return own


def _born(
    run: str,
    request: RunRequest,
    members: tuple[Settings, ...],
    past: History,
    parting: tuple[int, str],
) -> str:
    """A new run that stems from another."""
    parent = _live_runs[run]
    if len(parent.family) >= LARGEST_FAMILY:
        raise RequestError(
            f"There are {LARGEST_FAMILY} branches already; change a setting of the page to start "
            "afresh."
        )
    _make_room(parent.owner)
    child = LiveRun(members, engine(), request, past)
    child.branching = Branching(run, *parting)
    child.owner = parent.owner
    child.copy_static(parent)
    other = secrets.token_urlsafe(16)
    _enter(other, child, parent.family)
    for relative in child.family.values():
        relative.tell()
    return other


def _enter(run: str, watched: LiveRun, family: dict[str, LiveRun]) -> None:
    watched.family = family
    family[run] = _live_runs[run] = watched
    if _loop is not None:
        _loop.call_soon_threadsafe(watched.start)


def _make_room(owner: str) -> None:
    for run in quota.to_make_room(dict(_live_runs), owner):
        if _loop is not None:
            _loop.call_soon_threadsafe(_leave, run)


def _family_of(run: str, revived: LiveRun) -> dict[str, LiveRun]:
    """The tree that a run from disk belongs to, if any other of it is here."""
    for other, watched in list(_live_runs.items()):
        if revived.branching and revived.branching.parent == other:
            return watched.family
        if watched.branching and watched.branching.parent == run:
            return watched.family
    return {}


def _leave(run: str) -> None:
    watched = _live_runs.pop(run, None)
    if watched is None:
        return
    watched.family.pop(run, None)
    watched.stop()


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """The engine and all runs begin and end with the server."""
    global _loop
    _loop = asyncio.get_running_loop()
    engine()
    gc.collect()
    gc.freeze()  # what is imported by now stays: no later collection needs to look at it
    keeper = Keeper(lambda: _live_runs)
    reaper = asyncio.create_task(_reap(keeper.saved))
    keeping_on = asyncio.create_task(keeper.go_on())
    try:
        yield
    finally:
        reaper.cancel()
        keeping_on.cancel()
        await asyncio.wait([keeping_on])
        await keeper.close()
        for watched in _all():
            watched.stop()
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
    return list(_live_runs.values())  # a copy: page scripts add runs from their threads


async def _reap(saved: Callable[[str], bool]) -> None:
    """Forget runs that nobody came back to, and pause those that hold too much."""
    watched_before, due, until = False, 0.0, 0.0
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            now = time.monotonic()
            gone, held = quota.too_much(dict(_live_runs))  # page scripts add runs meanwhile
            gone += _forgotten(now, saved)
            for run in gone:
                _leave(run)
            for watched in held:
                watched.interrupt(quota.sentence())
            watched_now = any(one.viewers for one in _all())
            if gone or (watched_before and not watched_now):
                due, until = now, now + _FREED_SECONDS
            if due <= now < until:
                await asyncio.to_thread(_give_back)
                due = now + _GIVEN_BACK_EVERY
            watched_before = watched_now


def _forgotten(now: float, saved: Callable[[str], bool]) -> list[str]:
    """The runs to let go: unwatched for too long, or the longest unwatched of too many bytes."""
    idle = [(w.last_seen, run) for run, w in list(_live_runs.items()) if not w.viewers]
    held = sum(_live_runs[run].size for _, run in idle)
    everything = sum(w.size for w in _all())
    gone = []
    for last_seen, run in sorted(idle):
        too_many = held > KEPT_BYTES and now - last_seen > GRACE and saved(run)
        if now - last_seen > KEPT_SECONDS or too_many or everything > HELD_BYTES:
            gone.append(run)
            held -= _live_runs[run].size
            everything -= _live_runs[run].size
    return gone


def _give_back() -> None:
    """Let the system have the memory of runs that are gone; the C library tends to keep it."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library than Linux's
        ctypes.CDLL(None).malloc_trim(0)
