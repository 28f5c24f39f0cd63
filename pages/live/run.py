"""One live run: its state on the server, and the task that trains it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pages.live import setting_changes as changing
from pages.live import shared_training
from pages.live.history import History
from pages.live.map_layouts import MapLayouts
from pages.live.run_source import Branching, OnDisk, RunRequest, check_data
from pages.live.setting_changes import Changes
from pages.live.shared_training import SharedTraining
from pages.live.signal import Signal
from pages.live.time_remaining import Speed
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
#: Seconds that a run trains without a viewer, for pages that are being opened or reloaded.
GRACE = 15.0


class LiveRun:
    """A run and everything a viewer can be shown of it. Lives on the server's event loop.

    `status` is preparing, playing, paused, certifying, finished or failed. `version` changes with
    everything except new moments and layouts, `generation` when the run starts over.
    """

    def __init__(
        self,
        members: tuple[Settings, ...],
        engine: Engine,
        request: RunRequest | None = None,
        history: History | None = None,
    ) -> None:
        self.members = members
        self.request = request or RunRequest(members)
        self.history = history or History()
        self.branching: Branching | None = None
        self.tree: dict[str, LiveRun] = {}  # by id, all runs that branch from the same one
        self.prediction: int | None = None  # of a lesson: the number of the answer chosen
        self.prepared: PreparedData | None = None
        self.certificates: tuple[Certificate, ...] = ()
        self.floors: tuple[FloorCurves, ...] = ()  # one per member, when they are known
        self.owner = ""  # key of the browser that started it
        self.on_disk: OnDisk | None = None  # as loaded, until `Autosave` takes it over
        self.fingerprint = ""  # of the data that a run from disk was trained on
        self.imported = False  # whether its history was recorded on another server …
        self.claimed: tuple[Certificate, ...] = ()  # … as were these, until measured here
        self.notice: str | None = None  # a sentence that every viewer is shown once
        self.error: str | None = None
        self.speed, self.signal = Speed(), Signal()
        self.status = "preparing"
        self.version = self.generation = self.viewers = 0
        self.last_viewed_at, self.size = time.monotonic(), self.history.size
        self._engine = engine
        self._shared_training: SharedTraining | None = None  # what it subscribes to
        self._map_layouts = MapLayouts(self)
        self.plays = not self.request.lesson  # while observed; a lesson waits for a prediction
        self._pending: dict[str, Any] = {}  # changes for the next slice
        self._single_step = self._viewer_closes = False
        self._known_loss = engine.cluster_lost  # the cluster loss handled last
        self.task: asyncio.Task[None] | None = None

    @property
    def moments(self) -> list[Moment]:
        """All moments so far, in order."""
        return self.history.moments

    @property
    def layouts(self) -> list[tuple[Layout, ...]]:
        """All layouts so far, in order."""
        return self.history.layouts

    # ------------------------------------------------------------------ for viewers

    @contextmanager
    def viewed(self) -> Iterator[asyncio.Event]:
        """Count as a viewer while open; the event is set at every notification."""
        self._count_viewers(1)
        try:
            with self.signal.listening() as wake:
                self.start()
                self.signal.notify()
                yield wake
        finally:
            self._count_viewers(-1)
            self.last_viewed_at = time.monotonic() - (GRACE if self._viewer_closes else 0.0)
            self._viewer_closes = False

    def keep_alive(self) -> None:
        """Train as if the run had a viewer, for a page that waits for it without showing it."""
        self.last_viewed_at = time.monotonic()
        self.start()
        self.signal.notify()

    def _count_viewers(self, change: int) -> None:
        self.viewers += change
        if self._shared_training is not None:
            self._shared_training.note_viewers()

    def disconnect(self) -> None:
        """Note that the viewer closes its page on purpose, so that no reload is expected."""
        self._viewer_closes = True

    def play(self) -> None:
        """Continue training. A failed run keeps its error until it is reset."""
        self.plays = True
        if self.status != "failed":
            self.error = None
        self.announce()

    def pause(self) -> None:
        """Stop training after the current slice."""
        self.plays = self._single_step = False
        self.announce()

    def step(self) -> None:
        """Train to the next moment, then pause."""
        self.plays, self._single_step = False, True
        self.announce()

    def restart(self) -> None:
        """Train again from the same start; moments that are shared are not trained twice."""
        self.let_go()
        self._reset_history()
        self.status, self.plays, self._single_step = "preparing", True, False
        self.start()
        self.announce()

    def interrupt(self, sentence: str) -> None:
        """Pause, with a reason that viewers are shown; `play` continues from here."""
        self.plays, self.status, self.error = False, "paused", sentence
        self.announce()

    def predict(self, answer: int) -> None:
        """Record the answer to a lesson's question, and start training."""
        if self.prediction is None:
            self.prediction = answer
        self.play()

    def copy_static(self, parent: LiveRun) -> None:
        """Copy from a parent run what does not depend on the changes."""
        self.prepared, self.floors = parent.prepared, parent.floors
        self.prediction, self.imported, self.plays = parent.prediction, parent.imported, True
        # A viewer that moves to another run of the tree sees a new generation and reloads all.
        self.generation = max(one.generation for one in parent.tree.values()) + 1000

    def resume(self, playing: bool, found: OnDisk) -> None:
        """Continue from a saved run, whose history this run was constructed with."""
        self.on_disk, self.generation = found, found.generation
        self.fingerprint = found.run.about.fingerprint
        self.plays, self.imported = playing, found.run.about.imported
        if self.imported:  # only what is measured here counts here
            self.claimed = found.run.certificates
        elif found.run.certificates:
            self.certificates, self.status = found.run.certificates, "finished"

    def change(self, changes: Changes) -> None:
        """Change settings from the next slice on. RequestError if a change is invalid."""
        if self.done or self.newest is None:
            raise RequestError("Nothing trains here now; branch off from an earlier moment.")
        changing.apply_changes(self.members, self._change_step, changes)
        self._pending |= changes
        self.announce()

    @property
    def changeable_now(self) -> Changes:
        """The changeable settings as they will be at the next slice."""
        step = self._change_step
        if self.branching:  # it may still be training again up to the branch
            step = max(step, self.branching.step)
        return changing.changeable_at(self.members[-1], step) | self._pending

    def check_point(self, index: int) -> int:
        """The index of a viewed point. ValueError if there is none of that index."""
        if self.prepared is None or not 0 <= index < len(self.prepared.view_points):
            raise ValueError(f"there is no viewed point {index}")
        return index

    async def decode(self, index: int) -> Decoded | None:
        """A viewed point as the newest models reconstruct it; None before training starts."""
        if self._shared_training is None or not self.moments:
            return None
        try:
            return await self._shared_training.decode(self.newest_step, index)
        except (WorkerLost, RequestError):  # the viewer may click again
            return None

    # ----------------------------------------------------------------- for the server

    @property
    def training(self) -> bool:
        """Whether this run needs slices now: it is playing, and observed."""
        return self.observed and (self.plays or self._single_step) and not self.done

    @property
    def observed(self) -> bool:
        """Whether it has a viewer, or had one within the grace time."""
        return self.viewers > 0 or time.monotonic() - self.last_viewed_at < GRACE

    @property
    def newest(self) -> State | None:
        """The newest state at or before this run's position; see `SharedTraining.state_at`."""
        if self._shared_training is None:
            return self.history.states[-1] if self.history.states else None
        return self._shared_training.state_at(self.newest_step)

    @property
    def newest_step(self) -> int:
        """The step of the newest moment; -1 before there is one."""
        return self.moments[-1][0].step if self.moments else -1

    @property
    def _change_step(self) -> int:
        """The step from which a change made now applies."""
        return max(0, self.newest_step, self.newest.step if self.newest else 0)

    @property
    def done(self) -> bool:
        """Whether training has ended or failed."""
        return self.status in ("certifying", "finished", "failed")

    @property
    def queue_position(self) -> QueuePosition:
        """How many calls are served before this run's next one, and how many runs take turns."""
        shared = self._shared_training
        return self._engine.queue_position(shared.share) if shared else QueuePosition(0, 1)

    def start(self) -> None:
        """Start the run's task, unless it is running."""
        if self.task is None:
            self.task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Cancel the run's task; the history stays."""
        if self.task is not None:
            self.task.cancel()
            self.task = None

    def let_go(self) -> None:
        """End the run's task, and follow its training no longer."""
        self.stop()
        if self._shared_training is not None:
            shared_training.disconnect(self._shared_training, self, failed=self.status == "failed")
            self._shared_training = None

    # ---------------------------------------------------------------------- the task

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                layouts = tasks.create_task(self._map_layouts.keep())
                floors = tasks.create_task(self._find_floors())
                await self._train()
                await layouts
                await floors
        except* RequestError as errors:
            self._fail(str(errors.exceptions[0]))
        except* Exception as errors:
            _log.error("A live run failed.", exc_info=errors.exceptions[0])
            self._fail("The computation failed; the server's log says why. Reset tries it again.")

    async def _train(self) -> None:
        """Train to the end; a lost worker or cluster pauses the run, and nothing is lost."""
        while True:
            try:
                return await self._train_to_end()
            except WorkerLost as lost:
                if not self.moments and not isinstance(lost, ClusterLost):
                    raise
                self._known_loss = self._engine.cluster_lost
                self.interrupt(str(lost))
                if self.moments:
                    await self.signal.wait_for(lambda: self.training)
                    self.error = None

    async def _train_to_end(self) -> None:
        shared = await self._join()
        while self.newest_step < self.moments[0][0].steps:
            await self.signal.wait_for(lambda: self.training)
            if self._known_loss != self._engine.cluster_lost:  # lost between two slices
                raise ClusterLost(self._engine.cluster_lost)
            shared = await self._with_changes(shared)
            started = time.monotonic()
            moment = shared.moment_after(self.newest_step)
            if moment is None:
                await shared.train_slice()
            else:
                step, steps = moment[0].step, moment[0].steps
                self.speed.add_moment(step - self.newest_step, steps - step)
                self._add(moment)
                await asyncio.sleep(shared.display_seconds(self.newest_step))
            self.speed.add_time(time.monotonic() - started)
        self.speed.finish()
        if not self.certificates:
            await self._certify(shared)

    async def _join(self, state: State | None = None) -> SharedTraining:
        """Subscribe to the training of the members' current settings."""
        if self._shared_training is not None:
            shared_training.disconnect(self._shared_training, self)
        shared = self._shared_training = shared_training.join(self.members, self._engine, self)
        if self.prepared is None:
            prepared = await shared.prepared_data()
            check_data(prepared, self.fingerprint)
            self.prepared = prepared
            self.announce()
        await shared.begin(self.history, state)
        self._map_layouts.join(shared)
        if not self.moments:
            self._add(shared.history.moments[0])
        self.announce()
        return shared

    async def _with_changes(self, shared: SharedTraining) -> SharedTraining:
        """Apply pending changes: record them in the settings and join the training of these."""
        if not self._pending:
            return shared
        state = await shared.state_exactly_at(self.newest_step)
        pending, self._pending = self._pending, {}
        pending = changing.effective_changes(self.members[-1], state.step, pending)
        self.members = changing.apply_changes(self.members, state.step, pending)
        if state.step == 0:  # the first moment shows the settings in force at step 0
            self._reset_history()
            return await self._join()
        return await self._join(state)

    async def _certify(self, shared: SharedTraining) -> None:
        self.status = "certifying"
        self.announce()
        self.certificates = await shared.certify()
        self.imported, self.claimed = False, ()
        self.status = "finished"
        self.announce()

    async def _find_floors(self) -> None:
        """Compute the floors, which depend on the data only, once per run after its first moment.

        They wait in the queue of background tasks; until then the stage is drawn without them.
        """
        await self.signal.wait_for(lambda: bool(self.moments))
        if not self.floors and self._shared_training is not None:
            try:
                self.floors = await self._shared_training.floors()
            except WorkerLost:
                _log.warning("The floors of a live run were lost; it continues without them.")
            self.announce()

    def _add(self, moment: Moment) -> None:
        self.history.add((moment,), self.members)
        state, kept = self.newest, self.history.states
        if state is not None and (not kept or state.step > kept[-1].step):
            self.history.keep_state(state)
        self.size = self.history.size
        self._map_layouts.collect()
        self._single_step = False
        self._set_status()
        self.signal.notify()

    def _reset_history(self) -> None:
        """Return to the state before the first moment; a new generation tells viewers so."""
        self.history, self.certificates, self._pending = History(), (), {}
        self.imported, self.claimed = False, ()
        self.error, self.size, self.speed = None, 0, Speed()
        self.generation += 1

    # ------------------------------------------------------------------ announcements

    def _set_status(self) -> None:
        if self.moments and not self.done:
            status = "playing" if self.plays or self._single_step else "paused"
            self.version += status != self.status
            self.status = status

    def announce(self) -> None:
        """Tell viewers that something about this run has changed."""
        self._set_status()
        self.version += 1
        self.signal.notify()

    def _fail(self, sentence: str) -> None:
        self.status, self.error = "failed", sentence
        self.announce()
