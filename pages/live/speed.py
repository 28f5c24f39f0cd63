"""How fast a run goes, and how long it will take."""

from __future__ import annotations


class Pace:
    """Steps per second, turns of others included, and what that means for the rest."""

    def __init__(self) -> None:
        self.speed = 0.0
        self.seconds_left: float | None = None
        self._spent = 0.0  # seconds since the last moment

    def spend(self, seconds: float) -> None:
        """So much time has passed while the run was wanted."""
        self._spent += seconds

    def reach(self, steps: int, left: int) -> None:
        """Another moment is there, so many steps after the last one and before the end."""
        now = steps / max(self._spent, 1e-3)
        self.speed = now if self.speed == 0 else 0.8 * self.speed + 0.2 * now
        self.seconds_left = left / self.speed
        self._spent = 0.0

    def end(self) -> None:
        """There is nothing left to wait for."""
        self.seconds_left = None
