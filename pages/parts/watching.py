"""One comparison being watched: what is known of it so far, and the task that drives it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from svae_core.engine import Engine
from svae_core.records import (
    Budget,
    Certificate,
    Decoded,
    FloorCurves,
    Frame,
    Groundwork,
    Moment,
    RequestError,
    Settings,
    State,
)

if TYPE_CHECKING:
    from svae_core.projection import Layout

_log = logging.getLogger(__name__)
#: A slice of training in seconds: long enough to cost little, short enough to take turns.
SLICE, SHORTEST_SLICE = 0.045, 0.010
#: All runs together get a turn within this time, where slices can be that short.
ROUND = 0.300
#: How long a run goes on without a viewer: pages take a moment to open, or to reload.
GRACE = 15.0
_NO_LATENTS = np.empty((0, 0), np.float32)


class Watch:
    """A run with everything there is to show of it. Lives on the server's event loop.

    `status` is preparing, playing, paused, certifying, finished or failed. `version` moves with
    everything but new moments and layouts, `generation` when the run starts over.
    """

    def __init__(
        self, members: tuple[Settings, ...], engine: Engine, share: Callable[[], int]
    ) -> None:
        self.members = members
        self.ground: Groundwork | None = None
        self.moments: list[Moment] = []
        self.layouts: list[tuple[Layout, ...]] = []
        self.certificates: tuple[Certificate, ...] = ()
        self.floors: tuple[FloorCurves, ...] = ()  # one per member, when they are known
        self.error: str | None = None
        self.seconds_left: float | None = None
        self.status = "preparing"
        self.version = 0
        self.generation = 0
        self.viewers = 0
        self.last_seen = time.monotonic()
        self.size = 0
        self._engine = engine
        self._share = share
        self._newest: State | None = None
        self._playing = True
        self._one_more = False
        self._left = False
        self._wakers: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ for viewers

    @contextmanager
    def viewed(self) -> Iterator[asyncio.Event]:
        """Count as a viewer meanwhile; the event is set whenever there may be news."""
        self.viewers += 1
        try:
            with self._listening() as wake:
                self.start()
                self._wake()
                yield wake
        finally:
            self.viewers -= 1
            self.last_seen = time.monotonic() - (GRACE if self._left else 0.0)
            self._left = False

    def leave(self) -> None:
        """The viewer who goes next goes on purpose: no need to wait for a reload."""
        self._left = True

    def play(self) -> None:
        self._playing = True
        self._changed()

    def pause(self) -> None:
        self._playing = self._one_more = False
        self._changed()

    def step(self) -> None:
        """Train to the next moment, then pause."""
        self._playing, self._one_more = False, True
        self._changed()

    def restart(self) -> None:
        """Train again from the same start."""
        self.stop()
        self.moments, self.layouts, self.certificates = [], [], ()
        self.error, self.seconds_left, self.size = None, None, 0
        self.status, self._playing, self._one_more = "preparing", True, False
        self.generation += 1
        self.start()
        self._changed()

    async def decode(self, index: int) -> Decoded | None:
        """A viewed point as the newest models give it back; None before there are any."""
        if self._newest is None:
            return None
        return await asyncio.wrap_future(self._engine.decode(self._newest, index))

    # ----------------------------------------------------------------- for the server

    @property
    def training(self) -> bool:
        """Whether this run wants slices now: it plays, and somebody looks."""
        seen = self.viewers > 0 or time.monotonic() - self.last_seen < GRACE
        return seen and (self._playing or self._one_more) and not self._over

    @property
    def _over(self) -> bool:
        return self.status in ("certifying", "finished", "failed")

    def start(self) -> None:
        """Begin, unless begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._drive())

    def stop(self) -> None:
        """End the run's task; what is known of the run stays."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # ---------------------------------------------------------------------- the task

    async def _drive(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                layouts = tasks.create_task(self._lay_out())
                await self._train()
                await layouts
        except* RequestError as errors:
            self._fail(str(errors.exceptions[0]))
        except* Exception as errors:
            _log.error("A watched run failed.", exc_info=errors.exceptions[0])
            self._fail("The computation failed; the server's log says why. Reset tries it again.")

    async def _train(self) -> None:
        if self.ground is None:
            self.ground = await asyncio.wrap_future(self._engine.groundwork(self.members[-1]))
            self._changed()
        state, moment = await asyncio.wrap_future(self._engine.begin(self.members))
        self._add((moment,))
        self._changed()
        speed = 0.0
        while state.step < moment[0].steps:
            await self._until(lambda: self.training)
            before, started = state.step, time.monotonic()
            advance = await asyncio.wrap_future(self._engine.advance(state, self._budget()))
            state = advance.state
            now = (state.step - before) / (time.monotonic() - started)
            speed = now if speed == 0 else 0.9 * speed + 0.1 * now
            self.seconds_left = (moment[0].steps - state.step) / speed
            self._add(advance.moments)
        await self._certify(state)

    async def _certify(self, state: State) -> None:
        self.seconds_left = None
        self.status = "certifying"
        self._changed()
        self.certificates = await asyncio.wrap_future(self._engine.certify(state))
        self.status = "finished"
        self._changed()

    async def _lay_out(self) -> None:
        """Keep the newest moment laid out, one layout at a time, until nothing more will come."""
        while True:
            # Once a second, since nothing tells when UMAP is compiled, perhaps after a short run.
            await self._until(lambda: self._layout_due() or self._laid_out(), every=1.0)
            if self._laid_out():
                return
            frames = self.moments[-1]
            layouts = self._engine.embed(
                tuple(frame.latent_mean for frame in frames),
                tuple(frame.structure for frame in frames),
                frames[0].step,
                self.layouts[-1] if self.layouts else None,
            )
            self.layouts.append(await asyncio.wrap_future(layouts))
            self._wake()

    def _layout_due(self) -> bool:
        if not self.layouts or not self.moments:
            return bool(self.moments)
        outdated = self.layouts[-1][0].step < self.moments[-1][0].step
        return outdated or (self._engine.umap_ready and self._provisional())

    def _laid_out(self) -> bool:
        ended = self.status in ("certifying", "finished")
        return ended and not self._layout_due() and not self._provisional()

    def _provisional(self) -> bool:
        return any(layout.kind == "pca" for layout in self.layouts[-1])

    def _budget(self) -> Budget:
        share = ROUND / max(1, self._share())
        return Budget(seconds=max(SHORTEST_SLICE, min(SLICE, share)))

    def _add(self, moments: tuple[Moment, ...]) -> None:
        if not moments:
            return
        if self.moments:  # latents serve the next layout only, and are most of a frame's weight
            self.moments[-1] = tuple(map(_without_latents, self.moments[-1]))
        self.moments += [tuple(map(_without_latents, moment)) for moment in moments[:-1]]
        self.moments.append(moments[-1])
        self.size += sum(_weight(frame) for moment in moments for frame in moment)
        self._one_more = False
        self._set_status()
        self._wake()

    # ------------------------------------------------------------------------- news

    def _set_status(self) -> None:
        if self.moments and not self._over:
            status = "playing" if self._playing or self._one_more else "paused"
            self.version += status != self.status
            self.status = status

    def _changed(self) -> None:
        self._set_status()
        self.version += 1
        self._wake()

    def _fail(self, sentence: str) -> None:
        self.status, self.error = "failed", sentence
        self._changed()

    def _wake(self) -> None:
        for event in self._wakers:
            event.set()

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._wakers.add(event)
        try:
            yield event
        finally:
            self._wakers.discard(event)

    async def _until(self, condition: Callable[[], bool], every: float | None = None) -> None:
        """Wait for a condition, looked at whenever there is news, and at least this often."""
        with self._listening() as wake:
            while not condition():
                wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), every)


def _without_latents(frame: Frame) -> Frame:
    return dataclasses.replace(frame, latent_mean=_NO_LATENTS)


def _weight(frame: Frame) -> int:
    return frame.shell_view.nbytes + frame.samples.nbytes + 1000
