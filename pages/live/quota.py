"""How many runs, and how much memory, one session may keep on the server.

Runs without viewers are evicted first, the one viewed longest ago before the others. They are on
disk by then, so their links still open them.
"""

from __future__ import annotations

from pages.live.run import LiveRun
from svae_core.config.limits import MEGABYTE, limits, variable
from svae_core.records import RequestError


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


def sentence() -> str:
    """Why a run was paused whose session holds too much memory."""
    return (
        f"The runs of this session hold more than {limits().session_mb} MB, which is as much as "
        f"is allowed here; this one is paused: close another, or raise {variable('session_mb')}."
    )


def _longest_unviewed(live_runs: dict[str, LiveRun], runs: list[str]) -> list[str]:
    idle = [run for run in runs if not live_runs[run].viewers]
    return sorted(idle, key=lambda run: live_runs[run].last_viewed_at)
