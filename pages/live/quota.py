"""How many runs, and how much memory, one session and the whole server may keep.

Runs without viewers are evicted first, the one viewed longest ago before the others; one of which
a file is being made stays. They are on disk by then, so their links still open them.
"""

from __future__ import annotations

from collections.abc import Callable

from pages.live.run import LiveRun
from pages.live.viewers import GRACE
from svae_core.config.limits import MEGABYTE, limits, variable
from svae_core.records import RequestError

#: Seconds that runs without viewers stay in memory, for a reload or a link …
KEPT_SECONDS = 3600.0
#: … while they take no more bytes than this; beyond it the one viewed longest ago is evicted if
#: nothing of it would be lost …
KEPT_BYTES = 2**24
#: … and beyond this even if it is not. Links still open what is on disk.
HELD_BYTES = 2**30


def runs_to_evict(live_runs: dict[str, LiveRun], owner: str) -> list[str]:
    """The runs of this owner to evict before another one starts.

    RequestError if too few of them are without viewers.
    """
    if not owner:  # without an owner, only the limits of the whole server apply
        return []
    allowed = limits()
    owned = [run for run, live in live_runs.items() if live.owner == owner]
    idle = _longest_unviewed(live_runs, owned)
    surplus = max(0, len(owned) + 1 - allowed.runs)
    if surplus > len(idle):
        raise RequestError(
            f"This session shows {len(owned)} runs, and {allowed.runs} are allowed here; close "
            f"a page that shows one, or raise {variable('runs')}."
        )
    return idle[:surplus]


def over_memory_limit(live_runs: dict[str, LiveRun]) -> tuple[list[str], list[LiveRun]]:
    """The runs to evict and the runs to pause, because their sessions hold too much memory."""
    allowed = limits().session_mb * MEGABYTE
    owners: dict[str, list[str]] = {}
    for run, live in live_runs.items():
        if live.owner:
            owners.setdefault(live.owner, []).append(run)
    to_evict: list[str] = []
    to_pause: list[LiveRun] = []
    for owned in owners.values():
        excess = sum(live_runs[run].size for run in owned) - allowed
        for run in _longest_unviewed(live_runs, owned):
            if excess > 0:
                to_evict.append(run)
                excess -= live_runs[run].size
        if excess > 0:
            to_pause += [
                live_runs[run] for run in owned if run not in to_evict and live_runs[run].training
            ]
    return to_evict, to_pause


def expired(live_runs: dict[str, LiveRun], now: float, saved: Callable[[str], bool]) -> list[str]:
    """The runs to evict: unviewed for too long, or viewed longest ago when memory is short.

    `saved` says of a run whether nothing of it would be lost.
    """
    idle = _longest_unviewed(live_runs, list(live_runs))
    idle_bytes = sum(live_runs[run].size for run in idle)
    all_bytes = sum(live.size for live in live_runs.values())
    to_evict = []
    for run in idle:
        live = live_runs[run]
        unviewed = now - live.viewers.last_at
        alone = unviewed > GRACE
        too_many = idle_bytes > KEPT_BYTES and alone and saved(run)
        given_up = alone and live.task and live.status == "preparing" and not live.count
        if unviewed > KEPT_SECONDS or too_many or given_up or all_bytes > HELD_BYTES:
            to_evict.append(run)
            idle_bytes -= live.size
            all_bytes -= live.size
    return to_evict


def sentence() -> str:
    """Why a run was paused whose session holds too much memory."""
    return (
        f"The runs of this session hold more than {limits().session_mb} MB, which is as much as "
        f"is allowed here; this one is paused: close another, or raise {variable('session_mb')}."
    )


def _longest_unviewed(live_runs: dict[str, LiveRun], runs: list[str]) -> list[str]:
    idle = [
        run for run in runs if not (live_runs[run].viewers.count or live_runs[run].viewers.fetches)
    ]
    return sorted(idle, key=lambda run: live_runs[run].viewers.last_at)
