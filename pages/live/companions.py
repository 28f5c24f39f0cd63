"""What is computed beside the training of a live run: its floors and its map layouts."""

from __future__ import annotations

import logging

from pages.live.position import Position
from svae_core.compute.workers import WorkerLost

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


def layout_due(live: Position) -> bool:
    """Whether a moment is to be laid out, or the run has ended and its layout is final."""
    final = live.ended and not live.shared.provisional
    if not (live.observed or final):
        return False  # UMAP's worker, which would be asked for, ends when nobody asks for it
    return live.observed if live.shared.outdated(live.newest_step) else final
