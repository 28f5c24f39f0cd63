"""What runs of equal settings share: one computation, however many sessions follow it.

    shared = join(members, engine, subscriber);  await shared.slice();  shared.after(step) -> Moment

A run is a pure function of its settings, so all sessions that ask for the same members subscribe
to one SharedTraining. Each subscriber has its own position in it: one that pauses stays behind, one
that comes late sees what the others have seen, and one that changes a setting moves to another
SharedTraining. Training goes on only while a subscriber asks for more moments than there are.
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
from svae_core.compute.engine import Engine
from svae_core.compute.scheduler import FairShare
from svae_core.records import (
    Budget,
    Certificate,
    FloorCurves,
    Moment,
    PreparedData,
    Settings,
    State,
)
from svae_core.runs.folder import NO_LATENTS

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout

#: Who lags behind goes through recorded moments so many times as quickly as they were trained …
_CATCHING_UP = 2.0
#: … and at least so many a second.
_SLOWEST = 10.0


class Subscriber(Protocol):
    """One who follows a shared training."""

    viewers: int


_shared: WeakValueDictionary[tuple[int, tuple[Settings, ...]], SharedTraining] = (
    WeakValueDictionary()
)


def join(members: tuple[Settings, ...], engine: Engine, subscriber: Subscriber) -> SharedTraining:
    """The course of these members; there is one as long as somebody follows it."""
    key = id(engine), members
    shared = _shared.get(key)
    if shared is None:
        shared = _shared[key] = SharedTraining(members, engine)
    shared.subscribers.add(subscriber)
    return shared


def disconnect(shared: SharedTraining, subscriber: Subscriber, failed: bool = False) -> None:
    """Follow it no longer; nobody joins one that failed."""
    shared.subscribers.discard(subscriber)
    if failed:
        _shared.pop((id(shared.engine), shared.members), None)


class SharedTraining:
    """The computation of some members, as far as it got. Lives on the server's event loop."""

    def __init__(self, members: tuple[Settings, ...], engine: Engine) -> None:
        self.members = members
        self.engine = engine
        self.line = FairShare()
        self.past = History()
        self.newest: State | None = None
        self._first: State | None = None  # before the first step
        self.subscribers: WeakSet[Subscriber] = WeakSet()
        self._pace = self._spent = 0.0  # seconds from moment to moment, since the last one
        self._fresh = 0  # the first moment of the last slice, by its number
        self._shared: dict[str, asyncio.Future[Any]] = {}

    def note_viewers(self) -> None:
        """Somebody came or went: a call that waits is served as one that is watched, or is not."""
        self.line.watched = any(one.viewers for one in self.subscribers)

    # ------------------------------------------------------------- what is there by now

    def after(self, step: int) -> Moment | None:
        """The first moment after a step, if it is there."""
        number = self._number_after(step)
        return self.past.moments[number] if number < len(self.past.moments) else None

    def pause_after(self, step: int) -> float:
        """How long a follower looks at the moment of this step: no time where it is the newest."""
        if self._number_after(step) > self._fresh:
            return 0.0
        return min(self._pace / _CATCHING_UP, 1 / _SLOWEST)

    def state_at(self, step: int) -> State | None:
        """The newest state for who has seen the moments up to a step, or the last kept before."""
        if self.newest is None or self._number_after(step) >= len(self.past.moments):
            return self.newest
        kept = [state for state in self.past.states if state.step <= step]
        return kept[-1] if kept else self._first

    def _number_after(self, step: int) -> int:
        return bisect_right(self.past.moments, step, key=lambda moment: moment[0].step)

    # ------------------------------------------------------------------- what is done once

    async def ground(self) -> PreparedData:
        """What pictures of it need."""
        return await self._once("ground", lambda: self.engine.prepared_data(self.members[-1]))

    async def floors(self) -> tuple[FloorCurves, ...]:
        """The floors under each member."""
        return await self._once("floors", lambda: self.engine.floors(self.members))

    async def certify(self) -> tuple[Certificate, ...]:
        """What the models are worth in the end."""
        while self.newest and self.newest.step < self.past.moments[-1][0].steps:
            await self.slice()  # a run from disk may have moments beyond its state
        state = self.newest
        assert state is not None
        return await self._once("certificates", lambda: self.engine.certify(state, self.line))

    async def begin(self, past: History, state: State | None = None) -> None:
        """Begin, or begin where a follower's past has got further than this."""
        if state is None and past.states:
            state = past.states[-1]
        if state is not None and (self.newest is None or self.newest.step < state.step):
            self.newest = dataclasses.replace(state, settings=self.members)
        if len(past.moments) > len(self.past.moments):
            kept = [dataclasses.replace(one, settings=self.members) for one in past.states]
            self.past = History(list(past.moments), list(past.layouts), states=kept)
            self._fresh = len(past.moments)
        if self.newest is None:
            await self._together("begin", self._begin)

    async def _begin(self) -> None:
        call = self.engine.begin(self.members, self.line)
        state, moment = await asyncio.wrap_future(call)
        if not self.past.moments:
            self.past.add((moment,), self.members)
        self.newest = self._first = state

    # ------------------------------------------------------------------------ going on

    async def slice(self) -> None:
        """Train a little further; all who ask meanwhile get the same."""
        self.note_viewers()
        await self._together("slice", self._slice)

    async def _slice(self) -> None:
        assert self.newest is not None
        started, before = time.monotonic(), len(self.past.moments)
        call = self.engine.advance(self.newest, self._budget(self.newest.step), self.line)
        advance = await asyncio.wrap_future(call)
        self.newest = advance.state
        self.past.add(advance.moments, self.members)
        self.past.keep(advance.state)
        self._fresh = before if advance.moments else self._fresh
        self._keep_pace(time.monotonic() - started, len(advance.moments))

    def _budget(self, step: int) -> Budget:
        """The next slice; without frames where they are known from another shared training."""
        seconds = self.engine.slice_seconds()
        known = self.past.moments[-1][0].step if self.past.moments else 0
        if step < known:
            return Budget(steps=known - step, seconds=seconds, frames=False)
        return Budget(seconds=seconds)

    def _keep_pace(self, seconds: float, moments: int) -> None:
        self._spent += seconds
        if moments:
            now, self._spent = self._spent / moments, 0.0
            self._pace = now if self._pace == 0 else 0.9 * self._pace + 0.1 * now

    async def exactly(self, step: int) -> State:
        """The state at a step for who has seen the moments up to it, trained again if need be."""
        kept = self.state_at(step)
        if kept is None:
            kept = (await asyncio.wrap_future(self.engine.begin(self.members, self.line)))[0]
        state: State = kept
        while state.step < step:
            budget = Budget(step - state.step, self.engine.slice_seconds(), frames=False)
            call = self.engine.advance(state, budget, self.line)
            state = (await asyncio.wrap_future(call)).state
        return state

    @property
    def layouts(self) -> list[tuple[Layout, ...]]:
        """All layouts so far."""
        return self.past.layouts

    def outdated(self, moment: Moment) -> bool:
        """Whether the newest layout is older than this moment, or PCA where it could be UMAP.

        Moments that others have seen before lack what layouts need, and were laid out then.
        """
        if not moment[0].latent_mean.size:
            return False
        if not self.layouts or self.layouts[-1][0].step < moment[0].step:
            return True
        provisional = any(layout.kind == "pca" for layout in self.layouts[-1])
        return provisional and self.engine.umap_ready

    def hand_over(self, layouts: list[tuple[Layout, ...]], taken: int, step: int) -> int:
        """Give a follower who took so many the others that are no later than a step; how many."""
        while taken < len(self.layouts) and self.layouts[taken][0].step <= step:
            if layouts:
                layouts[-1] = lightened(layouts[-1])
            layouts.append(self.layouts[taken])
            taken += 1
        return taken

    async def lay_out(self, moment: Moment, before: tuple[Layout, ...] | None) -> None:
        """Lay out a moment, or wait for the layout that another follower asked for meanwhile."""
        await self._together("layout", lambda: self._lay_out(moment, before))

    async def _lay_out(self, moment: Moment, before: tuple[Layout, ...] | None) -> None:
        call = self.engine.embed(
            tuple(frame.latent_mean for frame in moment),
            tuple(frame.structure for frame in moment),
            moment[0].step,
            self.layouts[-1] if self.layouts else _continued(before),
        )
        self.layouts.append(await asyncio.wrap_future(call))
        if len(self.layouts) > 1:
            self.layouts[-2] = lightened(self.layouts[-2])

    # ----------------------------------------------------------------- doing things together

    async def _once(self, name: str, call: Callable[[], Any]) -> Any:
        """The answer to a call made once for all subscribers; made again only where it failed."""
        shared = self._shared.get(name)
        if shared is None or (shared.done() and (shared.cancelled() or shared.exception())):
            shared = self._shared[name] = asyncio.wrap_future(call())
        return await asyncio.shield(shared)

    async def _together(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do something that all who ask for it while it goes on take part in."""
        shared = self._shared.get(name)
        if shared is None:
            shared = self._shared[name] = asyncio.ensure_future(work())
            shared.add_done_callback(lambda done: self._done(name, done))
        await asyncio.shield(shared)

    def _done(self, name: str, done: asyncio.Future[None]) -> None:
        del self._shared[name]
        if not done.cancelled():
            done.exception()  # has been told to all who waited


def lightened(layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
    """Layouts that another follows, without the latents, which serve that one only."""
    return tuple(dataclasses.replace(one, latent_mean=NO_LATENTS) for one in layouts)


def _continued(before: tuple[Layout, ...] | None) -> tuple[Layout, ...] | None:
    """What the first layout of a branch is turned to; it can be continued only with its latents."""
    if before is None or all(one.latent_mean.size for one in before):
        return before
    return tuple(dataclasses.replace(one, kind="pca") for one in before)
