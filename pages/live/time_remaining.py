"""The training speed of a run and the time that remains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Speed:
    """Steps per second, averaged over moments, with the time that other runs' turns took.

    Slowly, so that the time left does not jump when a slice was long.
    """

    steps_per_second: float = 0.0
    seconds_left: float | None = None
    spent: float = 0.0  # seconds since the last moment

    def add_moment(self, steps: int, left: int) -> None:
        """Update the speed at a moment: steps since the last one, and steps left to the end."""
        newest = steps / max(self.spent, 1e-3)
        self.steps_per_second = (
            newest if self.steps_per_second == 0 else 0.95 * self.steps_per_second + 0.05 * newest
        )
        self.seconds_left = left / self.steps_per_second
        self.spent = 0.0
