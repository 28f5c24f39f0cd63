"""How fast the moments of a run are shown while somebody watches; training may run ahead.

Most happens in the first steps and just after a setting was changed, so moments there are shown
longest. A run that nobody watches is not held back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

#: Of a run without a schedule, moments up to this step are shown so many seconds …
_SLOW_STEPS, _SLOW_SECONDS = 50, 1 / 15
#: … and later ones at least so many, as no screen shows more.
_LEAST_SECONDS = 1 / 60
#: With a schedule, the longest that one moment is shown, so that a moved lever is answered soon.
_MOST_SECONDS = 0.35
#: Time as a power of the share of steps done: below 1, the beginning gets more.
_EXPONENT = 0.75

#: Where a lesson stands to its turn: before it, waiting for its viewer to move a lever, after that.
TURNS = ("ahead", "open", "taken")
# What may stand in a saved run.
_Seconds = Annotated[float, Meta(ge=0.0, le=3600.0)]
_Share = Annotated[float, Meta(ge=0.0, le=1.0)]


@dataclass(frozen=True)
class Pace:
    """The schedule of a run: a lesson has one, so that it lasts as long on any machine.

    `seconds`: from the start, the turn or the last change to the end; 0: as fast as it trains.
    `turn`: share of the run after which it waits for its viewer to move a lever; 0: nowhere.
    `before`: seconds up to there.
    """

    seconds: _Seconds = 0.0
    turn: _Share = 0.0
    before: _Seconds = 8.0

    def turn_step(self, steps: int) -> int:
        """The step at which the run waits for its viewer; 0: nowhere."""
        return round(self.turn * steps)

    def dwell(self, step: int, following: int, steps: int, since: int) -> float:
        """Seconds that the moment of `step` is shown before the `following` one.

        `since`: the step of the last change, or 0.
        """
        least = _SLOW_SECONDS if step < _SLOW_STEPS else _LEAST_SECONDS
        if not self.seconds:
            return least
        passed = self._passed(following, steps, since) - self._passed(step, steps, since)
        return min(max(passed, least), _MOST_SECONDS)

    def left(self, step: int, steps: int, since: int) -> float | None:
        """Seconds to the end, or to the turn; None without a schedule."""
        if not self.seconds:
            return None
        _, end, seconds = self._stretch(step, steps, since)
        return max(0.0, seconds - self._passed(min(step, end), steps, since))

    def _stretch(self, step: int, steps: int, since: int) -> tuple[int, int, float]:
        """First and last step of the stretch that a step lies in, and its seconds."""
        turn = self.turn_step(steps)
        if turn and since == 0 and step <= turn:
            return 0, turn, self.before
        return since or turn, steps, self.seconds

    def _passed(self, step: int, steps: int, since: int) -> float:
        first, last, seconds = self._stretch(step, steps, since)
        share = (step - first) / max(1, last - first)
        return float(seconds * min(1.0, max(0.0, share)) ** _EXPONENT)
