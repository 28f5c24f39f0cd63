"""Live runs that a keeper writes to disk: for tests of persistence and of links to saved runs."""

from __future__ import annotations

from pages.live import persistence
from pages.live.persistence import Autosave
from pages.live.run import LiveRun
from support.live_runs import toy_run, trainings, until

RUN = "an-id-that-nobody-guesses"
LATER = 1e9  # any waiting is over by then


def keeper_of(live: LiveRun) -> Autosave:
    return Autosave(lambda: {RUN: live})


async def trained_to(live: LiveRun, moments: int) -> None:
    """As far as that many moments, then paused; with somebody watching."""
    live.viewers.count = 1
    live.pause()
    live.start()
    await until(live, lambda: bool(live.moments))
    while len(live.moments) < moments:
        live.step()
        have = len(live.moments)
        await until(live, lambda have=have: len(live.moments) > have)  # type: ignore[misc]
    await until(live, lambda: live.status == "paused" and laid_out(live))


def laid_out(live: LiveRun) -> bool:
    """Whether the newest moment has its maps: nothing more will come while it is paused."""
    return bool(live.layouts) and live.layouts[-1][0].step == live.moments[-1][0].step


async def saved_by(keeper: Autosave) -> None:
    """Two looks: at the first a run is noticed, at the second it has lasted."""
    await keeper.write(0.0)
    await keeper.write(LATER)


async def left_on_disk() -> None:
    """A run of three moments that is on disk alone, as after the end of its server."""
    live = toy_run()
    keeper = keeper_of(live)
    await trained_to(live, 3)
    await saved_by(keeper)
    live.stop()
    await keeper.close()


def revived() -> LiveRun:
    live = persistence.load_live_run(RUN, trainings())
    assert live is not None
    return live
