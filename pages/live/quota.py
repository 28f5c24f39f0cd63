"""What one session may keep on the server: so many runs, and so much memory for them.

Runs that nobody watches make room first, the longest unwatched one before others: they are on disk
by then, and their links still lead to them.
"""

from __future__ import annotations

from pages.live.run import LiveRun
from svae_core.config.limits import MEGABYTE, limits, variable
from svae_core.records import RequestError


def to_make_room(watches: dict[str, LiveRun], owner: str) -> list[str]:
    """The runs of this owner to let go before another one begins.

    RequestError where all that could go are being watched.
    """
    if not owner:  # nobody's: the limits of the server as a whole hold them
        return []
    allowed = limits()
    owned = [run for run, live in watches.items() if live.owner == owner]
    idle = _longest_unwatched(watches, owned)
    surplus = max(0, len(owned) + 1 - allowed.runs)
    if surplus > len(idle):
        raise RequestError(
            f"This session watches {len(owned)} runs, and {allowed.runs} are allowed here; close "
            f"a page that shows one, or raise {variable('runs')}."
        )
    return idle[:surplus]


def too_much(watches: dict[str, LiveRun]) -> tuple[list[str], list[LiveRun]]:
    """The runs to let go, and those to pause, since their session holds too much memory."""
    allowed = limits().session_mb * MEGABYTE
    owners: dict[str, list[str]] = {}
    for run, live in watches.items():
        if live.owner:
            owners.setdefault(live.owner, []).append(run)
    gone: list[str] = []
    held: list[LiveRun] = []
    for owned in owners.values():
        excess = sum(watches[run].size for run in owned) - allowed
        for run in _longest_unwatched(watches, owned):
            if excess > 0:
                gone.append(run)
                excess -= watches[run].size
        if excess > 0:
            held += [watches[run] for run in owned if run not in gone and watches[run].training]
    return gone, held


def sentence() -> str:
    """Why a run is paused that holds too much."""
    return (
        f"The runs of this session hold more than {limits().session_mb} MB, which is as much as "
        f"is allowed here; this one is paused: close another, or raise {variable('session_mb')}."
    )


def _longest_unwatched(watches: dict[str, LiveRun], runs: list[str]) -> list[str]:
    idle = [run for run in runs if not watches[run].viewers]
    return sorted(idle, key=lambda run: watches[run].last_seen)
