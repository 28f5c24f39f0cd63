"""The server's engine, and the comparisons that are being watched on it.

    run = hub.watch((baseline, spherical));  hub.find(run) -> Watch | None

A page names what it wants to see and gets a run id; the run itself lives here, outlives reruns and
reloads, and is driven by a task on the server's event loop. Everything in a Watch is touched on
that loop only; page scripts, which run in threads of their own, call no more than `engine`,
`watch` and `members_of`.
"""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
import gc
import secrets
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pages.parts.watching import Watch
from svae_core.engine import Engine
from svae_core.records import Settings

#: Unwatched runs stay this long, for a reload or a link …
KEPT_SECONDS = 3600.0
#: … while all runs together hold no more than this; beyond it the longest unwatched goes first.
KEPT_BYTES = 2**30
_REAP_SECONDS = 5.0

_lock = threading.Lock()
_engine: Engine | None = None
_loop: asyncio.AbstractEventLoop | None = None
_watches: dict[str, Watch] = {}


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
    """The side-by-side view: a conventional and a spherical VAE, equal in everything else."""
    spherical = settings if settings.method == "spherical" else _plain(settings, "spherical")
    return _plain(settings, "baseline"), spherical


def watch(members: tuple[Settings, ...]) -> str:
    """A new run of these members, playing at once; its unguessable id."""
    run = secrets.token_urlsafe(16)
    _watches[run] = watched = Watch(members, engine(), _share)
    if _loop is not None:
        _loop.call_soon_threadsafe(watched.start)
    return run


def find(run: str | None) -> Watch | None:
    """The run of that id, if the server still has it."""
    return _watches.get(run or "")


def members_of(run: str | None) -> tuple[Settings, ...] | None:
    """What the run of that id compares, if the server still has it."""
    watched = find(run)
    return watched.members if watched else None


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """The engine and all runs begin and end with the server."""
    global _loop
    _loop = asyncio.get_running_loop()
    engine()
    gc.collect()
    gc.freeze()  # what is imported by now stays: no later collection needs to look at it
    reaper = asyncio.create_task(_reap())
    try:
        yield
    finally:
        reaper.cancel()
        for watched in _all():
            watched.stop()
        _watches.clear()
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


def _all() -> list[Watch]:
    return list(_watches.values())  # a copy: page scripts add runs from their threads


def _share() -> int:
    """How many runs want slices of training now."""
    return sum(watched.training for watched in _all())


async def _reap() -> None:
    """Forget runs that nobody came back to."""
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            for run in _forgotten(time.monotonic()):
                _watches.pop(run).stop()


def _forgotten(now: float) -> list[str]:
    """The runs to let go: unwatched for too long, or the longest unwatched of too many bytes."""
    idle = [(w.last_seen, run) for run, w in list(_watches.items()) if not w.viewers]
    excess = sum(w.size for w in _all()) - KEPT_BYTES
    gone = []
    for last_seen, run in sorted(idle):
        if now - last_seen > KEPT_SECONDS or excess > 0:
            gone.append(run)
            excess -= _watches[run].size
    return gone
