"""One live run: its state on the server, and the task that trains it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pages.live import companions, display, setting_changes
from pages.live.outlook import Outlook
from pages.live.pace import Pace
from pages.live.run_source import Branching, OnDisk, RunRequest, check_data
from pages.live.setting_changes import Changes
from pages.live.shared_training import SharedTraining, Trainings
from pages.live.signal import Signal
from pages.live.time_remaining import Speed
from pages.live.viewers import Viewers
from svae_core.compute.dask_cluster import ClusterLost
from svae_core.compute.scheduler import QueuePosition
from svae_core.compute.workers import WorkerLost
from svae_core.config.settings import Settings
from svae_core.records import Certificate, FloorCurves, PreparedData, RequestError, State

if TYPE_CHECKING:
    from svae_core.commentary import Remark
    from svae_core.latent.projection import Layout
    from svae_core.records import Moment

_log = logging.getLogger(__name__)


class LiveRun:
    """A run and everything a viewer can be shown of it. Lives on the server's event loop.

    It is a position in a shared training: `count` of the moments recorded there. `status` is
    preparing, playing, paused, certifying, finished or failed. `version` changes with everything
    except new moments and layouts, `generation` when the run starts over.
    """

    def __init__(
        self,
        members: tuple[Settings, ...],
        trainings: Trainings,
        request: RunRequest | None = None,
        training: SharedTraining | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.members = members
        self.request = request or RunRequest(members)
        self.shared = training or trainings.new(members)
        self.count = len(self.shared.history.moments)  # of its moments, reached by this run
        self.branching: Branching | None = None
        self.tree: dict[str, LiveRun] = {}  # by id, all runs that branch from the same one
        self.prediction: int | None = None  # of a lesson: the number of the answer chosen
        self.prepared: PreparedData | None = None
        self.certificates: tuple[Certificate, ...] = ()
        self.floors: tuple[FloorCurves, ...] = ()  # one per member, when they are known
        self.sharpened = False  # whether those are the highest floors
        self.outlook = Outlook()
        self.owner = ""  # key of the browser that started it
        self.on_disk: OnDisk | None = None  # as loaded, until `Autosave` takes it over
        self.fingerprint = ""  # of the data that a run from disk was trained on
        self.imported = False  # whether its history was recorded on another server …
        self.claimed: tuple[Certificate, ...] = ()  # … as were these, until measured here
        self.notice: str | None = None  # a sentence that every viewer is shown once
        self.error: str | None = None
        self.speed, self.signal = Speed(), Signal()
        self.status = "preparing"
        self.version = self.generation = 0
        self.viewers = Viewers()
        self.size = self.shared.history.size(self.count)
        self._trainings, self._engine = trainings, trainings.engine
        self.pace = pace or Pace()
        #: Of a lesson with a turn, one of pace.TURNS; else "".
        self.turn = "ahead" if self.pace.turn else ""
        # While observed; a lesson that hides its results waits for a prediction.
        self.plays = not self.request.lesson or bool(self.turn)
        self.ahead: asyncio.Task[None] | None = None  # trains further than what is shown
        self.pending: Changes = {}  # changes for the next slice
        self._single_step = False
        self._known_loss = self._engine.cluster_lost  # the cluster loss handled last
        self.task: asyncio.Task[None] | None = None

    @property
    def moments(self) -> tuple[Moment, ...]:
        """All moments so far, in order."""
        return tuple(self.shared.history.moments[: self.count])

    @property
    def layouts(self) -> tuple[tuple[Layout, ...], ...]:
        """All layouts so far, in order."""
        return tuple(self.shared.history.layouts_at(self.newest_step))

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """All remarks so far, in order."""
        return tuple(self.shared.history.remarks_on(self.count))

    # ------------------------------------------------------------------ for viewers

    @contextmanager
    def viewed(self) -> Iterator[asyncio.Event]:
        """Count as a viewer while open; the event is set at every notification."""
        try:
            with self.viewers.one_more(), self.signal.listening() as wake:
                self.shared.note_viewers()
                self.start()
                self.signal.notify()
                yield wake
        finally:
            self.shared.note_viewers()

    def keep_alive(self) -> None:
        """Train as if the run had a viewer, for a page that waits for it without showing it."""
        self.viewers.expect_one()
        self.start()
        self.signal.notify()

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
        self.turn = "ahead" if self.turn and not self.branching else self.turn
        self.start()
        self.announce()

    def interrupt(self, sentence: str) -> None:
        """Pause, with a reason that viewers are shown; `play` continues from here."""
        self.plays, self.status, self.error = False, "paused", sentence
        self.announce()

    def predict(self, answer: int) -> None:
        """Record the answer to a lesson's question; a run that waited for it starts."""
        if self.prediction is None:
            self.prediction = answer
        if self.turn:
            self.announce()
        else:
            self.play()

    def change(self, changes: Changes) -> None:
        """Change settings from the next slice on. RequestError if a change is invalid."""
        if self.done or self.newest is None:
            raise RequestError("Nothing trains here now; branch off from an earlier moment.")
        setting_changes.apply_changes(self.members, self._change_step, changes)
        self.pending |= changes
        if self.turn:
            self.plays, self.turn = self.plays or self.turn == "open", "taken"
        self.announce()

    @property
    def changeable_now(self) -> Changes:
        """The changeable settings as they will be at the next slice."""
        return setting_changes.changeable_at(self.members[-1], self._change_step) | self.pending

    # ----------------------------------------------------------------- for the server

    @property
    def training(self) -> bool:
        """Whether this run needs slices now: it is playing, and observed."""
        return self.viewers.observed and (self.plays or self._single_step) and not self.done

    @property
    def newest(self) -> State | None:
        """The newest state at or before this run's position; see `SharedTraining.state_at`."""
        return self.shared.state_at(self.newest_step)

    @property
    def newest_step(self) -> int:
        """The step of the newest moment; -1 before there is one."""
        return self.shared.history.moments[self.count - 1][0].step if self.count else -1

    @property
    def begun(self) -> bool:
        """Whether a lesson's results may be seen: it was answered, or started without an answer."""
        return self.prediction is not None or self.plays or self.count > 1

    @property
    def _change_step(self) -> int:
        """The step from which a change made now applies."""
        branched = self.branching.step if self.branching else 0  # not yet trained up to it, maybe
        return max(branched, self.newest_step, self.newest.step if self.newest else 0)

    @property
    def ended(self) -> bool:
        """Whether training has come to its end."""
        return self.status in ("certifying", "finished")

    @property
    def done(self) -> bool:
        """Whether training has ended or failed."""
        return self.ended or self.status == "failed"

    @property
    def queue_position(self) -> QueuePosition:
        """How many calls are served before this run's next one, and how many runs take turns."""
        return self._engine.queue_position(self.shared.share)

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
        self._trainings.leave(self.members, self, failed=self.status == "failed")

    # ---------------------------------------------------------------------- the task

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                layouts = tasks.create_task(companions.keep_layouts(self))
                floors = tasks.create_task(companions.find_floors(self))
                tasks.create_task(companions.keep_forecasts(self))
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
                here = not isinstance(lost, ClusterLost)
                if here and not self.count:
                    raise
                known, self._known_loss = self._known_loss, self._engine.cluster_lost
                if known == self._known_loss and not here:
                    continue  # a slice was under way there when the run paused for it
                self.interrupt(str(lost))
                if self.count:
                    await self.signal.wait_for(lambda: self.training)
                    self.error = None

    async def _train_to_end(self) -> None:
        self.ahead = None  # what went wrong in an earlier attempt ends that one alone
        await self._join()
        steps = self.shared.history.moments[0][0].steps
        while self.newest_step < steps:
            await self.signal.wait_for(lambda: self.training)
            if self._known_loss != self._engine.cluster_lost:  # lost between two slices
                raise ClusterLost(self._engine.cluster_lost)
            await self._apply_changes()
            started = time.monotonic()
            if self.count == len(self.shared.history.moments):
                await self.shared.train_slice()
            else:
                before = self.newest_step
                self._reach_next()
                self.speed.add_moment(self.newest_step - before, steps - self.newest_step)
                self.speed.seconds_left = display.seconds_left(self, steps)
                await display.dwell(self, before, steps)
            self.speed.spent += time.monotonic() - started
        self.speed.seconds_left = None
        if not self.certificates:
            await self._certify()

    async def _join(self) -> None:
        """Follow the training that all runs of the members' current settings share.

        A history from a file is contributed once its data are known to be these. An imported one,
        or one that differs from what is shared, stays this run's own.
        """
        joined = self._trainings.join(self.members, self)
        if not self.count:
            self.shared = joined
        if self.prepared is None:
            prepared = await joined.prepared_data()
            check_data(prepared, self.fingerprint)
            self.prepared = prepared
            self.announce()
        others = bool(joined.history.moments)  # then the layouts so far may be others, too
        if self.shared is not joined and not self.imported and joined.take_over(self.shared):
            self.shared, self.generation = joined, self.generation + others
        self.shared.subscribers.add(self)
        await self.shared.begin()
        if not self.count:
            self._reach_next()
        self.announce()

    async def _apply_changes(self) -> None:
        """Apply pending changes: record them in the settings and join the training of these."""
        if not self.pending:
            return
        state = await self.shared.state_for(self.newest_step)
        pending, self.pending = self.pending, {}
        pending = setting_changes.effective_changes(self.members[-1], state.step, pending)
        self._trainings.leave(self.members, self, moves=True)
        self.ahead = None  # what becomes of it there is no concern of this run any more
        self.members = setting_changes.apply_changes(self.members, state.step, pending)
        self.shared = self.shared.branch(state.step, self.members)
        self.shared.go_on_from(state)
        self.count = len(self.shared.history.moments)
        if not self.count:  # the first moment shows the settings in force at step 0
            self._reset_history()
        await self._join()

    async def _certify(self) -> None:
        self.status = "certifying"
        self.announce()
        self.certificates = await self.shared.certify()
        self.imported, self.claimed = False, ()
        self.status = "finished"
        self.announce()

    def _reach_next(self) -> None:
        """Show the next recorded moment."""
        self.count += 1
        self.size = self.shared.history.size(self.count)
        self._single_step = False
        if self.turn == "ahead" and display.at_turn(self):
            self.plays, self.turn = False, "open"
            self.version += 1
        self._set_status()
        self.signal.notify()

    def _reset_history(self) -> None:
        """Return to the state before the first moment; a new generation tells viewers so."""
        self.count, self.certificates, self.pending = 0, (), {}
        self.imported, self.claimed = False, ()
        self.error, self.size, self.speed, self.outlook = None, 0, Speed(), Outlook()
        self.generation += 1

    # ------------------------------------------------------------------ announcements

    def _set_status(self) -> None:
        if self.count and not self.done:
            status = "playing" if self.plays or self._single_step else "paused"
            self.version += status != self.status
            self.status = status

    def announce(self) -> None:
        """Tell viewers that something about this run has changed."""
        self._set_status()
        self.version += 1
        self.signal.notify()

    def _fail(self, sentence: str) -> None:
        if self.task is not asyncio.current_task():
            return  # it was reset while its tasks ended, and goes on by another one
        self.status, self.error = "failed", sentence
        self.announce()
