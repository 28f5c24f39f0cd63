"""The computation that runs with equal settings share, one for all sessions that show them.

    shared = Trainings(engine).join(members, subscriber);  await shared.train_slice()

A run is a pure function of its settings, so all sessions that ask for the same members follow one
SharedTraining and its history. Each LiveRun is a position in it, the number of moments that it has
reached: a paused one stays behind, a late one sees the moments already recorded, and one that
changes a setting joins another SharedTraining. Training goes on only while a run needs moments that
do not exist yet.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet, WeakValueDictionary

from pages.live.history import History
from pages.live.shared_arrays import SharedArrays
from pages.live.viewers import Viewers
from svae_core.compute import tasks
from svae_core.compute.engine import Engine, Lane
from svae_core.compute.scheduler import FairShare
from svae_core.latent.results import Follow, Followed
from svae_core.records import (
    Advance,
    Budget,
    Certificate,
    FloorCurves,
    Forecast,
    Moment,
    PreparedData,
    RequestError,
    Settings,
    State,
)

if TYPE_CHECKING:
    from svae_core.clinic.moved_copies import Tried

#: A subscriber that is behind shows recorded moments this many times faster than they were
#: trained …
_CATCHING_UP = 2.0
#: … and at least this many per second.
_SLOWEST = 10.0
#: States of the last slices that are held: the moment shown is seldom further behind, and a change
#: made there need not train again from the last state that the history keeps.
_RECENT = 4


class Subscriber(Protocol):
    """A live run that follows a shared training."""

    viewers: Viewers
    shared: SharedTraining


class Trainings:
    """The trainings of one engine by their members; each exists while a run follows it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._arrays = SharedArrays()
        self._shared: WeakValueDictionary[tuple[Settings, ...], SharedTraining] = (
            WeakValueDictionary()
        )

    def __len__(self) -> int:
        return len(self._shared)

    def new(self, members: tuple[Settings, ...], history: History | None = None) -> SharedTraining:
        """A training that no other run follows yet, from a history if there is one."""
        return SharedTraining(members, self.engine, history or History(), self._arrays)

    def join(self, members: tuple[Settings, ...], subscriber: Subscriber) -> SharedTraining:
        """Subscribe to the training that all runs of these members share."""
        shared = self._shared.get(members)
        if shared is None:
            shared = self._shared[members] = self.new(members)
        shared.subscribers.add(subscriber)
        return shared

    def leave(
        self,
        members: tuple[Settings, ...],
        subscriber: Subscriber,
        failed: bool = False,
        moves: bool = False,
    ) -> None:
        """End a subscription; a training that failed is not offered to later subscribers.

        `moves`: the run goes on in another training, and still waits for the floors and the map.
        """
        joined = self._shared.get(members)
        if failed and joined is subscriber.shared:  # and not one that began in its place
            del self._shared[members]
        # A branch, or a run from a file, follows one of its own.
        for shared in {subscriber.shared, joined or subscriber.shared}:
            shared.subscribers.discard(subscriber)
            shared.let_go(all_of_it=not moves)


class SharedTraining:
    """The training of some members and its history. Lives on the server's event loop."""

    def __init__(
        self,
        members: tuple[Settings, ...],
        engine: Engine,
        history: History,
        arrays: SharedArrays | None = None,
    ) -> None:
        self.members = members
        self._arrays = arrays or SharedArrays()
        self._prepared: PreparedData | None = None
        self.engine = engine
        self.share = FairShare()
        self.history = history
        self.newest: State | None = None
        self._recent: deque[State] = deque(maxlen=_RECENT)  # those before the newest
        self._first: State | None = None  # before the first step
        self._followed: State | None = None  # at the step that was asked about last
        self.subscribers: WeakSet[Subscriber] = WeakSet()
        self._seconds_per_moment = 0.0
        self._spent = 0.0  # seconds since the last moment
        self._first_new = len(history.moments)  # number of the first moment of the last slice
        self._running: dict[str, asyncio.Future[Any]] = {}
        if history.states:
            self.go_on_from(history.states[-1])

    def go_on_from(self, state: State) -> None:
        """Train on from a state, unless the newest one is further."""
        if self.newest is None or self.newest.step < state.step:
            if self.newest is not None:
                self._recent.append(self.newest)
            self.newest = dataclasses.replace(state, settings=self.members)

    def branch(self, step: int, members: tuple[Settings, ...]) -> SharedTraining:
        """A training of other settings from a step on, with the history up to there."""
        history = self.history.up_to(step, members)
        return SharedTraining(members, self.engine, history, self._arrays)

    def take_over(self, other: SharedTraining) -> bool:
        """Continue from another training of the same members where it is further.

        False, without effect, if the two differ in what both have recorded.
        """
        known = len(self.history.moments)
        if not known:
            self.history = other.history
        elif not self.history.extend(other.history, self.members):
            return False
        if len(self.history.moments) > known:
            self._first_new = len(self.history.moments)
        if other.newest is not None:
            self.go_on_from(other.newest)
        return True

    def note_viewers(self) -> None:
        """Update the priority of waiting calls: a run with viewers is served first."""
        self.share.watched = any(one.viewers.count for one in self.subscribers)

    def let_go(self, all_of_it: bool = True) -> None:
        """Give up what is computed, or its slice alone, if no subscriber waits for it.

        What is recorded stays.
        """
        if not self.subscribers:
            for name, running in list(self._running.items()):
                if (all_of_it or name == "slice") and running.cancel():  # it had not ended
                    del self._running[name]

    # ------------------------------------------------------------- what has been recorded

    def display_seconds(self, count: int) -> float:
        """How long a run shows the last of `count` moments; 0 for one just trained."""
        if count > self._first_new:
            return 0.0
        return min(self._seconds_per_moment / _CATCHING_UP, 1 / _SLOWEST)

    def state_at(self, step: int) -> State | None:
        """The newest state if all moments are at or before this step, else the last one kept."""
        moments = self.history.moments
        if self.newest is None or not moments or moments[-1][0].step <= step:
            return self.newest
        held = (*self.history.states, *self._recent)
        kept = [state for state in held if state.step <= step]
        return max(kept, key=lambda state: state.step, default=self._first)

    # ------------------------------------------------------------- results computed once

    async def prepared_data(self) -> PreparedData:
        """The data, shell, clusters and region, which every figure needs."""
        if self._prepared is None:
            found = await self._call_once(
                tasks.prepared_data, self.members[-1], lane=Lane.PREPARATION
            )
            # Arrays of any size are read for it: not on the event loop, where all visitors wait.
            shared = await asyncio.to_thread(self._arrays.in_terms_of, found)
            self._prepared = self._prepared or shared
            self._running.pop("prepared_data", None)  # holds the arrays as they came
        return self._prepared

    async def quick_floors(self) -> tuple[FloorCurves, ...]:
        """Lower floors on the KL of each member, for the time until `floors` are known."""

        def ask() -> asyncio.Future[Any]:
            calls = [
                self.engine.submit(tasks.quick_floors, settings, lane=Lane.PREPARATION)
                for settings in self.members
            ]
            return asyncio.gather(*map(asyncio.wrap_future, calls))

        return tuple(await self._once("quick_floors", ask))

    async def floors(self) -> tuple[FloorCurves, ...]:
        """The floors on the KL of each member."""
        return await self._call_once(tasks.floors, self.members, lane=Lane.BACKGROUND)

    async def certify(self) -> tuple[Certificate, ...]:
        """The certificates of the trained members."""
        while self.newest and self.newest.step < self.history.moments[-1][0].steps:
            await self.train_slice()  # the state of a saved run may be older than its moments
        state = self.newest
        assert state is not None
        return await self._call_once(tasks.certify, state, share=self.share)

    async def forecasts(self, state: State) -> tuple[Forecast | None, ...]:
        """The next birth and death of each member, from a state of this training."""
        return await asyncio.wrap_future(
            self.engine.submit(tasks.forecasts, state, share=self.share)
        )

    async def try_nearby(self, state: State) -> tuple[Tried | None, ...]:
        """The same, by copies that are trained on from there."""
        return await asyncio.wrap_future(
            self.engine.submit(tasks.try_nearby, state, lane=Lane.BACKGROUND)
        )

    async def begin(self) -> None:
        """Initialise the training, unless its history has a moment and a state to go on from."""
        if self.newest is None or not self.history.moments:
            await self._together("begin", self._begin)

    async def _begin(self) -> None:
        state, moment = await self._begun()
        self._first = state
        if not self.history.moments:
            self.history.add((moment,), self.members)
        self.go_on_from(state)

    async def _begun(self) -> tuple[State, Moment]:
        call = self.engine.submit(tasks.begin, self.members, lane=Lane.AT_ONCE, share=self.share)
        return await asyncio.wrap_future(call)

    # ------------------------------------------------------------------------ training

    async def train_slice(self) -> None:
        """Train for one slice; concurrent callers share it."""
        self.note_viewers()
        await self._together("slice", self._train_slice)

    async def _train_slice(self) -> None:
        assert self.newest is not None
        started = time.monotonic()
        advance = await self._advance(self.newest, self._budget(self.newest.step))
        # Meanwhile a run from disk may have brought some of these moments along.
        known = self.history.moments[-1][0].step
        fresh = [moment for moment in advance.moments if moment[0].step > known]
        self.go_on_from(advance.state)
        if fresh:
            self._first_new = len(self.history.moments)
            self.history.add(fresh, self.members)
        self.history.keep_state(advance.state)
        self._measure_speed(time.monotonic() - started, len(fresh))

    def _budget(self, step: int) -> Budget:
        """The budget of the next slice; without frames for moments that are already recorded."""
        seconds = self.engine.slice_seconds()
        known = self.history.moments[-1][0].step if self.history.moments else 0
        if step < known:
            return Budget(steps=known - step, seconds=seconds, frames=False)
        return Budget(seconds=seconds)

    def _measure_speed(self, seconds: float, moments: int) -> None:
        self._spent += seconds
        if moments:
            now, self._spent = self._spent / moments, 0.0
            self._seconds_per_moment = (
                now if self._seconds_per_moment == 0 else 0.9 * self._seconds_per_moment + 0.1 * now
            )

    async def state_for(self, step: int, lane: Lane = Lane.TRAINING) -> State:
        """The state at a step, trained again if necessary; of the newest moment, maybe further."""
        kept = self.state_at(step)
        if kept is None:
            kept, _ = await self._begun()
        state: State = kept
        while state.step < step:
            budget = Budget(step - state.step, self.engine.slice_seconds(), frames=False)
            state = (await self._advance(state, budget, lane)).state
        return state

    async def follow(self, step: int, question: Follow) -> Followed:
        """One point on its way through the members as they were at a step.

        A person waits: what has to be trained again for it goes before all runs, and is kept while
        the questions are on the same step.
        """
        state = self._followed
        if state is None or state.step != step or state.settings != self.members:
            state = self._followed = await self.state_for(step, Lane.AT_ONCE)
        call = self.engine.submit(tasks.explore, state, question, lane=Lane.AT_ONCE)
        return await asyncio.wrap_future(call)

    async def _advance(self, state: State, budget: Budget, lane: Lane = Lane.TRAINING) -> Advance:
        """A slice from this state on. RequestError where there is nothing left to train.

        Its moments say that there is; a run from a file may hold moments beyond its settings.
        """
        call = self.engine.submit(tasks.advance, state, budget, lane=lane, share=self.share)
        advance = await asyncio.wrap_future(call)
        if advance.state.step <= state.step:
            raise RequestError(
                "What was recorded of this run goes beyond its settings, so it cannot go on; train "
                "it anew."
            )
        return advance

    # --------------------------------------------------------------------- map layouts

    def outdated(self, step: int) -> bool:
        """Whether the moment of a step needs a layout: none is as new, or UMAP could replace PCA.

        Only the newest moment has latents to lay out; earlier ones were laid out when new.
        """
        newest = self.history.moments[-1][0] if self.history.moments else None
        if newest is None or newest.step != step or not newest.latent_mean.size:
            return False
        layouts = self.history.layouts
        behind = not layouts or layouts[-1][0].step < step
        return behind or (self.provisional and self.engine.start_maps())

    @property
    def provisional(self) -> bool:
        """Whether the newest layout is by PCA, which a layout by UMAP will replace."""
        newest = self.history.layouts[-1] if self.history.layouts else ()
        return any(layout.kind == "pca" for layout in newest)

    async def lay_out(self) -> None:
        """Lay out the newest moment, or wait for a layout that is already being computed."""
        await self._together("layout", self._lay_out)

    async def _lay_out(self) -> None:
        moment, layouts = self.history.moments[-1], self.history.layouts
        call = self.engine.submit(
            tasks.lay_out,
            tuple(frame.latent_mean for frame in moment),
            tuple(frame.structure for frame in moment),
            moment[0].step,
            layouts[-1] if layouts else None,
            lane=Lane.MAPS,
        )
        self.history.add_layout(await asyncio.wrap_future(call))

    # ----------------------------------------------------- calls that subscribers share

    async def _call_once(self, task: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
        """The result of a call made once for all subscribers, and again only after it failed."""

        def ask() -> asyncio.Future[Any]:
            return asyncio.wrap_future(self.engine.submit(task, *arguments, **how))

        return await self._once(task.__name__, ask)

    async def _once(self, name: str, ask: Callable[[], asyncio.Future[Any]]) -> Any:
        """What was asked for under this name; it is asked for again only after it failed."""
        made = self._running.get(name)
        if made is None or has_failed(made):
            made = self._running[name] = ask()
            made.add_done_callback(has_failed)  # known, should nobody wait for it any more
        return await asyncio.shield(made)

    async def _together(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Start some work, or wait for it if it is already running."""
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = asyncio.ensure_future(work())
        await asyncio.shield(running)


def has_failed(made: asyncio.Future[Any]) -> bool:
    """Whether a call was given up, or raised: what it asked for may be asked for again."""
    return made.done() and (made.cancelled() or made.exception() is not None)
