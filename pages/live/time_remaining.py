"""The training speed of a run and the time that remains."""

from __future__ import annotations


class Speed:
    """Steps per second, averaged over moments, with the time that other runs' turns took."""

    def __init__(self) -> None:
        self.steps_per_second = 0.0
        self.seconds_left: float | None = None
        self._spent = 0.0  # seconds since the last moment

    def add_time(self, seconds: float) -> None:
        """Count seconds that have passed since the last moment while the run was training."""
        self._spent += seconds

    def add_moment(self, steps: int, left: int) -> None:
        """Update the speed at a moment: steps since the last one, and steps left to the end."""
        newest = steps / max(self._spent, 1e-3)
        self.steps_per_second = (
            newest if self.steps_per_second == 0 else 0.8 * self.steps_per_second + 0.2 * newest
        )
        self.seconds_left = left / self.steps_per_second
        self._spent = 0.0

    def finish(self) -> None:
        """Training has ended; no time is left."""
        self.seconds_left = None
