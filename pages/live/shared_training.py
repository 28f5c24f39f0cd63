"""The computation that runs with equal settings share, one for all sessions that show them.

    shared = join(members, engine, subscriber);  await shared.train_slice()
    shared.moment_after(step) -> Moment | None

A run is a pure function of its settings, so all sessions that ask for the same members subscribe
to one SharedTraining. Each subscriber has its own position in it: a paused one stays behind, a
late one sees the moments already recorded, and one that changes a setting joins another
SharedTraining. Training goes on only while a subscriber needs moments that do not exist yet.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet, WeakValueDictionary

from pages.live.history import History
from svae_core.compute import tasks
from svae_core.compute.engine import Engine, Lane
from svae_core.compute.scheduler import FairShare
from svae_core.records import (
    Advance,
    Budget,
    Certificate,
    Decoded,
    FloorCurves,
    Moment,
    PreparedData,
    RequestError,
    Settings,
    State,
)
from svae_core.runs.folder import NO_LATENTS

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout

#: A subscriber that is behind shows recorded moments this many times faster than they were
#: trained …
_CATCHING_UP = 2.0
#: … and at least this many per second.
_SLOWEST = 10.0


class Subscriber(Protocol):
    """A live run that takes its moments from a shared training."""

    viewers: int


_shared: WeakValueDictionary[tuple[int, tuple[Settings, ...]], SharedTraining] = (
    WeakValueDictionary()
)


def join(members: tuple[Settings, ...], engine: Engine, subscriber: Subscriber) -> SharedTraining:
    """Subscribe to the training of these members, which exists while it has a subscriber."""
    key = id(engine), members
    shared = _shared.get(key)
    if shared is None:
        shared = _shared[key] = SharedTraining(members, engine)
    shared.subscribers.add(subscriber)
    return shared


def disconnect(shared: SharedTraining, subscriber: Subscriber, failed: bool = False) -> None:
    """End a subscription; a training that failed is not offered to later subscribers."""
    shared.subscribers.discard(subscriber)
    shared.let_go()
    if failed:
        _shared.pop((id(shared.engine), shared.members), None)


class SharedTraining:
    """The training of some members and its history. Lives on the server's event loop."""

    def __init__(self, members: tuple[Settings, ...], engine: Engine) -> None:
        self.members = members
        self.engine = engine
        self.share = FairShare()
        self.history = History()
        self.newest: State | None = None
        self._first: State | None = None  # before the first step
        self.subscribers: WeakSet[Subscriber] = WeakSet()
        self._seconds_per_moment = 0.0
        self._spent = 0.0  # seconds since the last moment
        self._first_new = 0  # number of the first moment of the last slice
        self._shared: dict[str, asyncio.Future[Any]] = {}

    def note_viewers(self) -> None:
        """Update the priority of waiting calls: a run with viewers is served first."""
        self.share.watched = any(one.viewers for one in self.subscribers)

    def let_go(self) -> None:
        """Give up the preparation of the data if no subscriber waits for it."""
        preparing = self._shared.get("prepared_data")
        if not self.subscribers and preparing is not None:
            preparing.cancel()

    # ------------------------------------------------------------- what has been recorded

    def moment_after(self, step: int) -> Moment | None:
        """The first recorded moment after a step; None if it is not trained yet."""
        number = self._number_after(step)
        return self.history.moments[number] if number < len(self.history.moments) else None

    def display_seconds(self, step: int) -> float:
        """How long a subscriber shows the moment of this step; 0 for a moment just trained."""
        if self._number_after(step) > self._first_new:
            return 0.0
        return min(self._seconds_per_moment / _CATCHING_UP, 1 / _SLOWEST)

    def state_at(self, step: int) -> State | None:
        """The newest state if all moments are at or before this step, else the last one kept."""
        if self.newest is None or self._number_after(step) >= len(self.history.moments):
            return self.newest
        kept = [state for state in self.history.states if state.step <= step]
        return kept[-1] if kept else self._first

    def _number_after(self, step: int) -> int:
        return bisect_right(self.history.moments, step, key=lambda moment: moment[0].step)

    # ------------------------------------------------------------- results computed once

    async def prepared_data(self) -> PreparedData:
        """The data, shell, clusters and region, which every figure needs."""
        return await self._call_once(tasks.prepared_data, self.members[-1], lane=Lane.PREPARATION)

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

    async def begin(self, history: History, state: State | None = None) -> None:
        """Initialise the training, or continue from a subscriber's longer history."""
        if state is None and history.states:
            state = history.states[-1]
        if state is not None and (self.newest is None or self.newest.step < state.step):
            self.newest = dataclasses.replace(state, settings=self.members)
        if len(history.moments) > len(self.history.moments):
            kept = [dataclasses.replace(one, settings=self.members) for one in history.states]
            self.history = History(list(history.moments), list(history.layouts), states=kept)
            self._first_new = len(history.moments)
        if self.newest is None:
            await self._join_running("begin", self._begin)

    async def _begin(self) -> None:
        state, moment = await self._begun()
        if not self.history.moments:
            self.history.add((moment,), self.members)
        self.newest = self._first = state

    async def _begun(self) -> tuple[State, Moment]:
        call = self.engine.submit(tasks.begin, self.members, lane=Lane.AT_ONCE, share=self.share)
        return await asyncio.wrap_future(call)

    # ------------------------------------------------------------------------ training

    async def train_slice(self) -> None:
        """Train for one slice; concurrent callers share it."""
        self.note_viewers()
        await self._join_running("slice", self._train_slice)

    async def _train_slice(self) -> None:
        assert self.newest is not None
        started, before = time.monotonic(), len(self.history.moments)
        advance = await self._advance(self.newest, self._budget(self.newest.step))
        self.newest = advance.state
        self.history.add(advance.moments, self.members)
        self.history.keep_state(advance.state)
        self._first_new = before if advance.moments else self._first_new
        self._measure_speed(time.monotonic() - started, len(advance.moments))

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

    async def state_exactly_at(self, step: int) -> State:
        """The state at a step, trained again from the last one kept if necessary."""
        kept = self.state_at(step)
        if kept is None:
            kept, _ = await self._begun()
        state: State = kept
        while state.step < step:
            budget = Budget(step - state.step, self.engine.slice_seconds(), frames=False)
            state = (await self._advance(state, budget)).state
        return state

    async def decode(self, step: int, index: int) -> Decoded:
        """The members' reconstructions of one viewed point at a step."""
        state = await self.state_exactly_at(step)
        call = self.engine.submit(tasks.decode, state, index, lane=Lane.AT_ONCE)
        return await asyncio.wrap_future(call)

    async def _advance(self, state: State, budget: Budget) -> Advance:
        """A slice from this state on. RequestError where there is nothing left to train.

        Its moments say that there is; a run from a file may hold moments beyond its settings.
        """
        call = self.engine.submit(tasks.advance, state, budget, share=self.share)
        advance = await asyncio.wrap_future(call)
        if advance.state.step <= state.step:
            raise RequestError(
                "What was recorded of this run goes beyond its settings, so it cannot go on."
            )
        return advance

    @property
    def layouts(self) -> list[tuple[Layout, ...]]:
        """All layouts so far, in order."""
        return self.history.layouts

    def outdated(self, moment: Moment) -> bool:
        """Whether a moment needs a layout: none is as new, or PCA could be replaced by UMAP.

        Moments copied from an earlier subscriber have no latents; they were laid out when new.
        """
        if not moment[0].latent_mean.size:
            return False
        if not self.layouts or self.layouts[-1][0].step < moment[0].step:
            return True
        provisional = any(layout.kind == "pca" for layout in self.layouts[-1])
        return provisional and self.engine.start_maps()

    def copy_layouts(self, layouts: list[tuple[Layout, ...]], copied: int, step: int) -> int:
        """Append the layouts from number `copied` up to a step; return how many are copied now."""
        while copied < len(self.layouts) and self.layouts[copied][0].step <= step:
            if layouts:
                layouts[-1] = without_layout_latents(layouts[-1])
            layouts.append(self.layouts[copied])
            copied += 1
        return copied

    async def lay_out(self, moment: Moment, before: tuple[Layout, ...] | None) -> None:
        """Lay out a moment, or wait for a layout that is already being computed."""
        await self._join_running("layout", lambda: self._lay_out(moment, before))

    async def _lay_out(self, moment: Moment, before: tuple[Layout, ...] | None) -> None:
        call = self.engine.submit(
            tasks.lay_out,
            tuple(frame.latent_mean for frame in moment),
            tuple(frame.structure for frame in moment),
            moment[0].step,
            self.layouts[-1] if self.layouts else _continued(before),
            lane=Lane.MAPS,
        )
        self.layouts.append(await asyncio.wrap_future(call))
        if len(self.layouts) > 1:
            self.layouts[-2] = without_layout_latents(self.layouts[-2])

    # ----------------------------------------------------- calls that subscribers share

    async def _call_once(self, task: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
        """The result of a call made once for all subscribers, and again only after it failed."""
        name = task.__name__
        shared = self._shared.get(name)
        if shared is None or (shared.done() and (shared.cancelled() or shared.exception())):
            shared = self._shared[name] = asyncio.wrap_future(
                self.engine.submit(task, *arguments, **how)
            )
        return await asyncio.shield(shared)

    async def _join_running(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Start some work, or wait for it if it is already running."""
        shared = self._shared.get(name)
        if shared is None:
            shared = self._shared[name] = asyncio.ensure_future(work())
            shared.add_done_callback(lambda done: self._done(name, done))
        await asyncio.shield(shared)

    def _done(self, name: str, done: asyncio.Future[None]) -> None:
        del self._shared[name]
        if not done.cancelled():
            done.exception()  # already raised in every waiting caller


def without_layout_latents(layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
    """The layouts without their latents, which only the next layout needs."""
    return tuple(dataclasses.replace(one, latent_mean=NO_LATENTS) for one in layouts)


def _continued(before: tuple[Layout, ...] | None) -> tuple[Layout, ...] | None:
    """The layout that a branch's first one is aligned to; without latents it counts as PCA."""
    if before is None or all(one.latent_mean.size for one in before):
        return before
    return tuple(dataclasses.replace(one, kind="pca") for one in before)
