"""What is read and set of a live run by what works beside its training."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from pages.live.pace import Pace
from pages.live.run_source import Branching
from pages.live.setting_changes import Changes
from pages.live.shared_training import SharedTraining
from pages.live.signal import Signal
from pages.live.time_remaining import Speed
from pages.live.viewers import Viewers
from svae_core.records import FloorCurves, PreparedData, Settings, State

if TYPE_CHECKING:
    from pages.live.outlook import Outlook


class Position(Protocol):
    """A live run: a position in a shared training. `pages.live.run.LiveRun` explains the fields."""

    shared: SharedTraining
    members: tuple[Settings, ...]
    branching: Branching | None
    count: int
    pending: Changes
    viewers: Viewers
    pace: Pace
    speed: Speed
    signal: Signal
    ahead: asyncio.Task[None] | None
    prepared: PreparedData | None
    floors: tuple[FloorCurves, ...]
    sharpened: bool
    outlook: Outlook

    @property
    def newest(self) -> State | None: ...

    @property
    def newest_step(self) -> int: ...

    @property
    def training(self) -> bool: ...

    @property
    def ended(self) -> bool: ...

    @property
    def done(self) -> bool: ...

    def announce(self) -> None: ...
