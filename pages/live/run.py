"""One live run: what is known of it so far, and the task that drives it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pages.live import changes as changing
from pages.live import shared_training
from pages.live.changes import Changes
from pages.live.history import History
from pages.live.map_layouts import MapLayouts
from pages.live.origin import Branching, OnDisk, RunRequest, check_data
from pages.live.shared_training import SharedTraining
from pages.live.signal import Signal
from pages.live.speed import Pace
from svae_core.compute.dask_cluster import ClusterLost
from svae_core.compute.engine import Engine
from svae_core.compute.scheduler import QueuePosition
from svae_core.compute.workers import WorkerLost
from svae_core.config.settings import Settings
from svae_core.records import Certificate, Decoded, FloorCurves, PreparedData, RequestError, State

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout
    from svae_core.records import Moment

_log = logging.getLogger(__name__)
#: How long a run goes on without a viewer: pages take a moment to open, or to reload.
GRACE = 15.0


class LiveRun:
    """A run with everything there is to show of it. Lives on the server's event loop.

    `status` is preparing, playing, paused, certifying, finished or failed. `version` moves with
    everything but new moments and layouts, `generation` when the run starts over.
    """

    def __init__(
        self,
        members: tuple[Settings, ...],
        engine: Engine,
        request: RunRequest | None = None,
        past: History | None = None,
    ) -> None:
        self.members = members
        self.request = request or RunRequest(members)
        self.past = past or History()
        self.branching: Branching | None = None
        self.family: dict[str, LiveRun] = {}  # all runs of one tree by id, shared between them
        self.prediction: int | None = None  # of a lesson: the number of the answer chosen
        self.ground: PreparedData | None = None
        self.certificates: tuple[Certificate, ...] = ()
        self.floors: tuple[FloorCurves, ...] = ()  # one per member, when they are known
        self.owner = ""  # key of the browser it was begun in
        self.on_disk: OnDisk | None = None  # as it was found there, until the keeper takes over
        self.fingerprint = ""  # of the data that a run from disk was trained on
        self.notice: str | None = None  # what viewers are told once, whatever they look at
        self.error: str | None = None
        self.pace = Pace()
        self.status = "preparing"
        self.version = 0
        self.generation = 0
        self.viewers = 0
        self.last_seen = time.monotonic()
        self.size = self.past.size
        self._engine = engine
        self._shared_training: SharedTraining | None = None  # what it follows
        self._atlas = MapLayouts(self)
        self.plays = not self.request.lesson  # when somebody looks; a lesson waits for a prediction
        self._pending: dict[str, Any] = {}  # changes for the next slice
        self._one_more = False
        self._left = False
        self._told = engine.cluster_lost  # what it knows of the loss of a cluster
        self.signal = Signal()
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
        self._count_viewers(1)
        try:
            with self.signal.listening() as wake:
                self.start()
                self.signal.notify()
                yield wake
        finally:
            self._count_viewers(-1)
            self.last_seen = time.monotonic() - (GRACE if self._left else 0.0)
            self._left = False

    def keep_alive(self) -> None:
        """Somebody waits for this run on a page that does not show it."""
        self.last_seen = time.monotonic()
        self.start()
        self.signal.notify()

    def _count_viewers(self, change: int) -> None:
        self.viewers += change
        if self._shared_training is not None:
            self._shared_training.note_viewers()

    def disconnect(self) -> None:
        """The viewer who goes next goes on purpose: no need to wait for a reload."""
        self._left = True

    def play(self) -> None:
        """Train on. What failed says why until it is reset."""
        self.plays = True
        if self.status != "failed":
            self.error = None
        self.tell()

    def pause(self) -> None:
        self.plays = self._one_more = False
        self.tell()

    def step(self) -> None:
        """Train to the next moment, then pause."""
        self.plays, self._one_more = False, True
        self.tell()

    def restart(self) -> None:
        """Train again from the same start; what others trained meanwhile is not trained again."""
        self.stop()
        if self._shared_training is not None:
            shared_training.disconnect(self._shared_training, self, failed=self.status == "failed")
            self._shared_training = None
        self._forget()
        self.status, self.plays, self._one_more = "preparing", True, False
        self.start()
        self.tell()

    def interrupt(self, sentence: str) -> None:
        """Pause for a reason that viewers are told; playing goes on from here."""
        self.plays, self.status, self.error = False, "paused", sentence
        self.tell()

    def predict(self, answer: int) -> None:
        """Answer a lesson's question; only then does it train."""
        if self.prediction is None:
            self.prediction = answer
        self.play()

    def copy_static(self, parent: LiveRun) -> None:
        """Take over what does not depend on the changes."""
        self.ground, self.floors, self.prediction = parent.ground, parent.floors, parent.prediction
        self.plays = True
        # Generations tell the runs of a tree apart as well: a viewer forgets one run's moments.
        self.generation = max(one.generation for one in parent.family.values()) + 1000

    def resume(self, playing: bool, found: OnDisk) -> None:
        """Go on from a saved run, whose past this run has been given."""
        self.on_disk, self.generation = found, found.generation
        self.fingerprint = found.run.about.fingerprint
        self.certificates, self.plays = found.run.certificates, playing
        if self.certificates:
            self.status = "finished"

    def change(self, changes: Changes) -> None:
        """Other settings from the next slice on. RequestError where they make no sense."""
        if self.done or self.newest is None:
            raise RequestError("Nothing trains here now; branch off from an earlier moment.")
        changing.applied(self.members, self._at, changes)
        self._pending |= changes
        self.tell()

    @property
    def now(self) -> Changes:
        """What may be changed, as it is or will be at the next slice."""
        step = self._at
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
        if self._shared_training is None or not self.moments:
            return None
        try:
            state = await self._shared_training.exactly(self.newest_step)
            return await asyncio.wrap_future(self._engine.decode(state, index))
        except WorkerLost:  # the viewer may click once more
            return None

    # ----------------------------------------------------------------- for the server

    @property
    def training(self) -> bool:
        """Whether this run wants slices now: it plays, and somebody looks."""
        return self.seen and (self.plays or self._one_more) and not self.done

    @property
    def seen(self) -> bool:
        return self.viewers > 0 or time.monotonic() - self.last_seen < GRACE

    @property
    def newest(self) -> State | None:
        """The newest state that this run has seen, or the last kept before that."""
        if self._shared_training is None:
            return self.past.states[-1] if self.past.states else None
        return self._shared_training.state_at(self.newest_step)

    @property
    def newest_step(self) -> int:
        """Of the newest moment; -1 before there is one."""
        return self.moments[-1][0].step if self.moments else -1

    @property
    def _at(self) -> int:
        """The step at which a change would be made now."""
        return max(0, self.newest_step, self.newest.step if self.newest else 0)

    @property
    def done(self) -> bool:
        return self.status in ("certifying", "finished", "failed")

    @property
    def queue_position(self) -> QueuePosition:
        """How many calls go before this run's next one, and how many runs take turns."""
        return (
            self._engine.queue_position(self._shared_training.line)
            if self._shared_training
            else QueuePosition(0, 1)
        )

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
                layouts = tasks.create_task(self._atlas.keep())
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
        """Follow the course to its end; a computation that is lost pauses it, and costs nothing."""
        while True:
            try:
                return await self._follow()
            except WorkerLost as lost:
                if not self.moments and not isinstance(lost, ClusterLost):
                    raise
                self._told = self._engine.cluster_lost
                self.interrupt(str(lost))
                if self.moments:
                    await self.signal.wait_for(lambda: self.training)
                    self.error = None

    async def _follow(self) -> None:
        shared = await self._join()
        while self.newest_step < self.moments[0][0].steps:
            await self.signal.wait_for(lambda: self.training)
            if self._told != self._engine.cluster_lost:  # lost between two slices: no call says so
                raise ClusterLost(self._engine.cluster_lost)
            shared = await self._with_changes(shared)
            started = time.monotonic()
            moment = shared.after(self.newest_step)
            if moment is None:
                await shared.slice()
            else:
                step, steps = moment[0].step, moment[0].steps
                self.pace.reach(step - self.newest_step, steps - step)
                self._add(moment)
                await asyncio.sleep(shared.pause_after(self.newest_step))
            self.pace.spend(time.monotonic() - started)
        self.pace.end()
        if not self.certificates:
            await self._certify(shared)

    async def _join(self, state: State | None = None) -> SharedTraining:
        """Follow the course of the members as they now are, from here on."""
        if self._shared_training is not None:
            shared_training.disconnect(self._shared_training, self)
        shared = self._shared_training = shared_training.join(self.members, self._engine, self)
        if self.ground is None:
            ground = await shared.ground()
            check_data(ground, self.fingerprint)
            self.ground = ground
            self.tell()
        await shared.begin(self.past, state)
        self._atlas.join(shared)
        if not self.moments:
            self._add(shared.past.moments[0])
        self.tell()
        return shared

    async def _with_changes(self, shared: SharedTraining) -> SharedTraining:
        """The course under the settings wished for meanwhile, which the run's settings record."""
        if not self._pending:
            return shared
        state = await shared.exactly(self.newest_step)
        pending, self._pending = self._pending, {}
        pending = changing.description_of(self.members[-1], state.step, pending)
        self.members = changing.applied(self.members, state.step, pending)
        if state.step == 0:  # the first moment shows the settings in force at step 0
            self._forget()
            return await self._join()
        return await self._join(state)

    async def _certify(self, shared: SharedTraining) -> None:
        self.status = "certifying"
        self.tell()
        self.certificates = await shared.certify()
        self.status = "finished"
        self.tell()

    async def _find_floors(self) -> None:
        """Floors depend on the data only: once per run, when there is something to put over them.

        They come when an errand's turn comes, and the stage does without them until then.
        """
        await self.signal.wait_for(lambda: bool(self.moments))
        if not self.floors and self._shared_training is not None:
            try:
                self.floors = await self._shared_training.floors()
            except WorkerLost:
                _log.warning("The floors of a watched run were lost; it goes on without them.")
            self.tell()

    def _add(self, moment: Moment) -> None:
        self.past.add((moment,), self.members)
        state, kept = self.newest, self.past.states
        if state is not None and (not kept or state.step > kept[-1].step):
            self.past.keep(state)
        self.size = self.past.size
        self._atlas.take()
        self._one_more = False
        self._set_status()
        self.signal.notify()

    def _forget(self) -> None:
        """Back to before the first moment; viewers are told by the generation."""
        self.past, self.certificates, self._pending = History(), (), {}
        self.error, self.size, self.pace = None, 0, Pace()
        self.generation += 1

    # ------------------------------------------------------------------------- news

    def _set_status(self) -> None:
        if self.moments and not self.done:
            status = "playing" if self.plays or self._one_more else "paused"
            self.version += status != self.status
            self.status = status

    def tell(self) -> None:
        """Let viewers know that something about this run has changed."""
        self._set_status()
        self.version += 1
        self.signal.notify()

    def _fail(self, sentence: str) -> None:
        self.status, self.error = "failed", sentence
        self.tell()
