"""What is computed beside the training of a live run: floors, layouts, forecasts, one point."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from pages.live.outlook import EVERY
from pages.live.position import Position
from svae_core.compute.workers import WorkerLost
from svae_core.latent.results import Follow, Followed
from svae_core.records import RequestError, State

if TYPE_CHECKING:
    from svae_core.clinic.moved_copies import Tried

_log = logging.getLogger(__name__)


async def find_floors(live: Position) -> None:
    """Compute the floors, which depend on the data only, once per run after its first moment.

    The sharpened ones wait in the queue of background tasks; until then lower ones are shown.
    """
    await live.signal.wait_for(lambda: bool(live.count and live.prepared))
    try:
        if not live.floors:
            live.floors = await live.shared.quick_floors()
            live.announce()
        if not live.sharpened:
            live.floors = await live.shared.floors()
            live.sharpened = True
    except WorkerLost:
        _log.warning("The floors of a live run were lost; it continues without them.")
    live.announce()


async def keep_layouts(live: Position) -> None:
    """Have the newest moment laid out until the run has ended and its layout is final."""
    while True:
        # Polled once a second: no signal is sent when UMAP has been compiled, which may be
        # after the end of a short run.
        await live.signal.wait_for(lambda: layout_due(live), every=1.0)
        step = live.newest_step
        if not live.shared.outdated(step):
            return
        try:
            await live.shared.lay_out()
        except WorkerLost:
            await live.signal.wait_for(lambda: live.done or live.newest_step > step)  # noqa: B023
            if live.newest_step == step:  # asked for again, it would cost workers without end
                return
        live.signal.notify()


async def follow(live: Position, question: Follow, step: int | None = None) -> Followed | None:
    """A point on its way through the models of a step, else of the newest moment, if any."""
    if not live.count:
        return None
    at = live.newest_step if step is None else min(step, live.newest_step)
    try:
        return await live.shared.follow(at, question)
    except WorkerLost:  # the viewer may click again
        return None


def layout_due(live: Position) -> bool:
    """Whether a moment is to be laid out, or the run has ended and its layout is final."""
    final = live.ended and not live.shared.provisional
    if not (live.viewers.observed or final):
        return False  # UMAP's worker, which would be asked for, ends when nobody asks for it
    return live.viewers.observed if live.shared.outdated(live.newest_step) else final


async def keep_forecasts(live: Position) -> None:
    """Have the newest state forecast now and then, and once more where training pauses or ends."""
    while True:
        await live.signal.wait_for(lambda: forecast_due(live))
        state = live.newest
        if state is None or live.outlook.step == state.step:
            return
        live.outlook = dataclasses.replace(live.outlook, asked_at=time.monotonic())
        try:
            found = await live.shared.forecasts(state)
        except (WorkerLost, RequestError):
            _log.warning("The forecast of a live run was lost; it continues without.")
            return
        live.outlook = dataclasses.replace(live.outlook, step=state.step, forecasts=found)
        live.announce()


def forecast_due(live: Position) -> bool:
    """Whether the newest state is to be forecast, or the run has ended and was."""
    state = live.newest
    if state is None or not live.viewers.observed:
        return live.ended  # nobody would see it
    if state.step == live.outlook.step:
        return live.ended
    return not live.training or time.monotonic() - live.outlook.asked_at > EVERY


def try_nearby(live: Position) -> None:
    """Begin to train copies of every member that has a forecast, from the newest state."""
    if live.newest is None or live.outlook.trying:
        return
    trial = asyncio.create_task(_try_nearby(live, live.newest))
    live.outlook = dataclasses.replace(live.outlook, trial=trial, tried=())
    live.announce()


async def _try_nearby(live: Position, state: State) -> None:
    found: tuple[Tried | None, ...] = ()
    try:
        found = await live.shared.try_nearby(state)
    except (WorkerLost, RequestError):
        _log.warning("Copies of a live run were lost; they can be asked for again.")
    if live.outlook.trial is not asyncio.current_task():
        return  # the run was reset meanwhile
    live.outlook = dataclasses.replace(live.outlook, trial=None, tried_step=state.step, tried=found)
    live.announce()
