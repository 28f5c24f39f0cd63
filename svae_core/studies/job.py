"""What a sweep, a comparison and an attack have in common: a plan, slices of it, and rows.

    for part in study.plan():              # what is trained as one batch
        while not part.done:
            part = part.advance(seconds)   # pure and picklable: one slice
        part.rows                          # one result per run

So one mechanism drives, saves, resumes and shows all of them, here or in any other process.
"""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeVar


class Part(Protocol):
    """A part of a study, at any time of its training; picklable."""

    @property
    def rows(self) -> tuple[Any, ...]:
        """The results so far."""

    @property
    def done(self) -> bool:
        """Whether every run of the part has a result."""

    @property
    def completed_runs(self) -> float:
        """The number of completed runs; runs in training count by their progress."""

    def advance(self, seconds: float) -> Self:
        """The part after about so many seconds more; results do not depend on the slicing."""


P = TypeVar("P", bound=Part)
P_co = TypeVar("P_co", bound=Part, covariant=True)


class Study(Protocol[P_co]):
    """A request for runs; it determines all of their results."""

    @property
    def total(self) -> int:
        """The number of its runs."""

    def plan(self) -> tuple[P_co, ...]:
        """The parts, before training; RequestError if no run is possible."""


class KeptStudy(Study[P_co], Protocol):
    """A study whose results are kept in a file of JSON lines, from which it resumes."""

    def resume(self, out: str | None) -> None:
        """Take over what the file holds; RequestError if it is another kind of file."""

    def take(self, part: Any, rows: tuple[Any, ...]) -> list[dict[str, Any]]:
        """Take over new results of a part; the lines that record them."""

    @property
    def ended(self) -> int:
        """The number of runs that have a result."""
