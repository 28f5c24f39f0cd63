"""Showing the moments of a live run at its pace, while training runs ahead of what is shown."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from pages.live.position import Position
from pages.live.shared_training import has_failed

#: Most moments that training runs ahead; all of them are lost where a lever is moved.
_MOST_AHEAD = 40


async def dwell(live: Position, before: int, steps: int) -> None:
    """Show the newest moment for as long as its pace says; a change ends it at once."""
    seconds = live.shared.display_seconds(live.count)
    if live.viewers.count:
        if live.training:
            _train_ahead(live, steps)
        scheduled = live.pace.dwell(max(0, before), live.newest_step, steps, _since(live))
        seconds = max(seconds, scheduled)
    end = time.monotonic() + seconds
    with live.signal.listening() as wake:
        while live.training and not live.pending and (left := end - time.monotonic()) > 0:
            wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):  # as in `Signal.wait_for`: stops when told to
                    await wake.wait()


def seconds_left(live: Position, steps: int) -> float | None:
    """Seconds to the end: of a lesson as scheduled, else by the speed so far."""
    scheduled = (
        live.pace.left(live.newest_step, steps, _since(live)) if live.viewers.count else None
    )
    return live.speed.seconds_left if scheduled is None else scheduled


def at_turn(live: Position) -> bool:
    """Whether the moment is reached at which the run waits for its viewer."""
    steps = live.shared.history.moments[0][0].steps
    return live.newest_step >= max(1, live.pace.turn_step(steps))


def _train_ahead(live: Position, steps: int) -> None:
    """Train the next slice meanwhile, unless one is under way or enough is trained."""
    if live.ahead is not None and live.ahead.done():
        ended, live.ahead = live.ahead, None
        ended.result()  # what went wrong there ends this run
    shared = live.shared
    more = shared.newest is not None and shared.newest.step < steps
    if live.ahead is None and more and len(shared.history.moments) - live.count < _MOST_AHEAD:
        live.ahead = asyncio.create_task(shared.train_slice())
        live.ahead.add_done_callback(has_failed)  # known, should the run be stopped before it hears


def _since(live: Position) -> int:
    """The step from which the settings hold that are in force now."""
    changes = live.members[-1].changes
    return max(changes[-1][0] if changes else 0, live.branching.step if live.branching else 0)
