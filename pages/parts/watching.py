"""One comparison being watched: what is known of it so far, and the task that drives it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pages.parts import changing
from pages.parts.changing import Changes
from pages.parts.news import News
from pages.parts.past import Past
from svae_core.engine import Engine
from svae_core.records import (
    Budget,
    Certificate,
    Decoded,
    FloorCurves,
    Groundwork,
    RequestError,
    Settings,
    State,
)
from svae_core.scheduling import Line, Standing
from svae_core.workers import WorkerLost

if TYPE_CHECKING:
    from svae_core.projection import Layout
    from svae_core.records import Moment

_log = logging.getLogger(__name__)
#: How long a run goes on without a viewer: pages take a moment to open, or to reload.
GRACE = 15.0


@dataclass(frozen=True)
class Wish:
    """What a page asks for. A run keeps its wish when it is changed, and gives it to branches."""

    members: tuple[Settings, ...]
    lesson: str = ""


@dataclass(frozen=True)
class Branching:
    """Where a run comes from: another one's id, the step at which they part, and by what."""

    parent: str
    step: int
    what: str


class Watch:
    """A run with everything there is to show of it. Lives on the server's event loop.

    `status` is preparing, playing, paused, certifying, finished or failed. `version` moves with
    everything but new moments and layouts, `generation` when the run starts over.
    """

    def __init__(
        self,
        members: tuple[Settings, ...],
        engine: Engine,
        wish: Wish | None = None,
        past: Past | None = None,
    ) -> None:
        self.members = members
        self.wish = wish or Wish(members)
        self.past = past or Past()
        self.branching: Branching | None = None
        self.family: dict[str, Watch] = {}  # all runs of one tree by id, shared between them
        self.prediction: int | None = None  # of a lesson: the number of the answer chosen
        self.ground: Groundwork | None = None
        self.certificates: tuple[Certificate, ...] = ()
        self.floors: tuple[FloorCurves, ...] = ()  # one per member, when they are known
        self.error: str | None = None
        self.seconds_left: float | None = None
        self.speed = 0.0  # steps per second, turns of others included
        self.status = "preparing"
        self.version = 0
        self.generation = 0
        self.viewers = 0
        self.last_seen = time.monotonic()
        self.size = self.past.size
        self._engine = engine
        self.line = Line()
        self._newest: State | None = None
        self._playing = not self.wish.lesson  # a lesson waits for a prediction
        self._pending: dict[str, Any] = {}  # changes for the next slice
        self._one_more = False
        self._left = False
        self.news = News()
        self._task: asyncio.Task[None] | None = None

    @property
    def moments(self) -> list[Moment]:
        """All moments so far, in order."""
        return self.past.moments

    @property
    def layouts(self) -> list[tuple[Layout, ...]]:
        """All layouts so far, in order."""
        return self.past.layouts

    # ------------------------------------------------------------------ for viewers

    @contextmanager
    def viewed(self) -> Iterator[asyncio.Event]:
        """Count as a viewer meanwhile; the event is set whenever there may be news."""
        self.viewers += 1
        self.line.watched = True
        try:
            with self.news.listening() as wake:
                self.start()
                self.news.wake()
                yield wake
        finally:
            self.viewers -= 1
            self.line.watched = self.viewers > 0
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
        self._forget()
        self.status, self._playing, self._one_more = "preparing", True, False
        self.start()
        self._changed()

    def predict(self, answer: int) -> None:
        """Answer a lesson's question; only then does it train."""
        if self.prediction is None:
            self.prediction = answer
        self.play()

    def inherit(self, parent: Watch) -> None:
        """Take over what does not depend on the changes."""
        self.ground, self.floors, self.prediction = parent.ground, parent.floors, parent.prediction
        self._playing = True
        # Generations tell the runs of a tree apart as well: a viewer forgets one run's moments.
        self.generation = max(one.generation for one in parent.family.values()) + 1000

    def tell(self) -> None:
        """Let viewers know that something about this run has changed."""
        self._changed()

    def change(self, changes: Changes) -> None:
        """Other settings from the next slice on. RequestError where they make no sense."""
        if self._over or self._newest is None:
            raise RequestError("Nothing trains here now; branch off from an earlier moment.")
        changing.applied(self.members, self._newest.step, changes)
        self._pending |= changes
        self._changed()

    @property
    def now(self) -> Changes:
        """What may be changed, as it is or will be at the next slice."""
        step = self._newest.step if self._newest else 0
        if self.branching:  # it may have to train again up to there
            step = max(step, self.branching.step)
        return changing.in_force(self.members[-1], step) | self._pending

    def check_point(self, index: int) -> int:
        """The index, if there is such a viewed point."""
        if self.ground is None or not 0 <= index < len(self.ground.view_points):
            raise ValueError(f"there is no viewed point {index}")
        return index

    async def decode(self, index: int) -> Decoded | None:
        """A viewed point as the newest models give it back; None before there are any."""
        if self._newest is None:
            return None
        try:
            return await asyncio.wrap_future(self._engine.decode(self._newest, index))
        except WorkerLost:  # the viewer may click once more
            return None

    # ----------------------------------------------------------------- for the server

    @property
    def training(self) -> bool:
        """Whether this run wants slices now: it plays, and somebody looks."""
        seen = self.viewers > 0 or time.monotonic() - self.last_seen < GRACE
        return seen and (self._playing or self._one_more) and not self._over

    @property
    def _over(self) -> bool:
        return self.status in ("certifying", "finished", "failed")

    @property
    def standing(self) -> Standing:
        """How many calls go before this run's next one, and how many runs take turns."""
        return self._engine.standing(self.line)

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
                floors = tasks.create_task(self._find_floors())
                await self._train()
                await layouts
                await floors
        except* RequestError as errors:
            self._fail(str(errors.exceptions[0]))
        except* Exception as errors:
            _log.error("A watched run failed.", exc_info=errors.exceptions[0])
            self._fail("The computation failed; the server's log says why. Reset tries it again.")

    async def _train(self) -> None:
        if self.ground is None:
            self.ground = await asyncio.wrap_future(self._engine.groundwork(self.members[-1]))
            self._changed()
        state = await self._begin()
        self._changed()
        steps = self.moments[0][0].steps
        while state.step < steps:
            await self.news.until(lambda: self.training)
            state = await self._with_changes(state)
            before, started = state.step, time.monotonic()
            budget = self._budget(state.step)
            advance = await asyncio.wrap_future(self._engine.advance(state, budget, self.line))
            state = self._newest = advance.state
            now = (state.step - before) / (time.monotonic() - started)
            self.speed = now if self.speed == 0 else 0.9 * self.speed + 0.1 * now
            self.seconds_left = (steps - state.step) / self.speed
            self._add(advance.moments)
            self.past.keep(state)
            self.size = self.past.size
        await self._certify(state)

    async def _begin(self) -> State:
        """The state to go on from: the newest one kept by the parent of a branch, or the start."""
        if self.past.states:
            state = self.past.states[-1]
        else:
            state, moment = await asyncio.wrap_future(self._engine.begin(self.members, self.line))
            if not self.moments:
                self._add((moment,))
        self._newest = state
        return state

    async def _with_changes(self, state: State) -> State:
        """The state under the settings wished for meanwhile, which the run's settings record."""
        if not self._pending:
            return state
        pending, self._pending = self._pending, {}
        pending = changing.news_of(self.members[-1], state.step, pending)
        self.members = changing.applied(self.members, state.step, pending)
        if state.step == 0:  # the first moment shows the settings in force at step 0
            self._forget()
            return await self._begin()
        self._changed()
        return dataclasses.replace(state, settings=self.members)

    async def _certify(self, state: State) -> None:
        self.seconds_left = None
        self.status = "certifying"
        self._changed()
        self.certificates = await asyncio.wrap_future(self._engine.certify(state, self.line))
        self.status = "finished"
        self._changed()

    async def _find_floors(self) -> None:
        """Floors depend on the data only: once per run, when there is something to put over them.

        They come when an errand's turn comes, and the stage does without them until then.
        """
        await self.news.until(lambda: bool(self.moments))
        if not self.floors:
            try:
                self.floors = await asyncio.wrap_future(self._engine.floors(self.members))
            except WorkerLost:
                _log.warning("The floors of a watched run were lost; it goes on without them.")
            self._changed()

    async def _lay_out(self) -> None:
        """Keep the newest moment laid out, one layout at a time, until nothing more will come."""
        while True:
            # Once a second, since nothing tells when UMAP is compiled, perhaps after a short run.
            await self.news.until(lambda: self._layout_due() or self._laid_out(), every=1.0)
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
            self.news.wake()

    def _layout_due(self) -> bool:
        if not self.moments or not self.moments[-1][0].latent_mean.size:
            return False  # a branch has its parent's moments, without what layouts need
        if not self.layouts:
            return True
        outdated = self.layouts[-1][0].step < self.moments[-1][0].step
        return outdated or (self._engine.umap_ready and self._provisional())

    def _laid_out(self) -> bool:
        ended = self.status in ("certifying", "finished")
        return ended and not self._layout_due() and not self._provisional()

    def _provisional(self) -> bool:
        return any(layout.kind == "pca" for layout in self.layouts[-1])

    def _budget(self, step: int) -> Budget:
        """The next slice; a branch goes without frames where it has its parent's."""
        seconds = self._engine.slice_seconds()
        known = self.moments[-1][0].step if self.moments else 0
        if step < known:
            return Budget(steps=known - step, seconds=seconds, frames=False)
        return Budget(seconds=seconds)

    def _add(self, moments: tuple[Moment, ...]) -> None:
        if not moments:
            return
        self.past.add(moments, self.members)
        self._one_more = False
        self._set_status()
        self.news.wake()

    def _forget(self) -> None:
        """Back to before the first moment; viewers are told by the generation."""
        self.past, self.certificates, self._pending, self._newest = Past(), (), {}, None
        self.error, self.seconds_left, self.size = None, None, 0
        self.generation += 1

    # ------------------------------------------------------------------------- news

    def _set_status(self) -> None:
        if self.moments and not self._over:
            status = "playing" if self._playing or self._one_more else "paused"
            self.version += status != self.status
            self.status = status

    def _changed(self) -> None:
        self._set_status()
        self.version += 1
        self.news.wake()

    def _fail(self, sentence: str) -> None:
        self.status, self.error = "failed", sentence
        self._changed()
