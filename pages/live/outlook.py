"""What is next in a live run: its forecasts, and what copies of it did. `companions` finds them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svae_core.records import Forecast

if TYPE_CHECKING:
    from svae_core.clinic.moved_copies import Tried

#: Seconds between two forecasts of a run in training; one takes a worker about a tenth of a second.
EVERY = 10.0


@dataclass(frozen=True)
class Outlook:
    """The newest forecasts, and what copies of the run did; replaced as a whole, never changed."""

    step: int = -1  # of the state that was forecast
    forecasts: tuple[Forecast | None, ...] = ()  # one per member; None where there is none
    asked_at: float = -EVERY
    trial: asyncio.Task[None] | None = None  # while copies are trained
    tried_step: int = -1
    tried: tuple[Tried | None, ...] = ()  # one per member

    @property
    def trying(self) -> bool:
        """Whether copies are being trained."""
        return self.trial is not None
