"""What a sweep, a comparison and an attack have in common: a plan, slices of it, and rows.

    for part in study.plan():              # what is trained as one batch
        while not part.done:
            part = part.advance(seconds)   # pure and picklable: one slice
        part.rows                          # one result per run

So one mechanism drives, saves, resumes and shows all of them, here or in any other process.
"""

from __future__ import annotations

import abc
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar, final

from svae_core.config.settings import settings_to_dict
from svae_core.records import Budget, Moment, Settings, State, to_json

Row = TypeVar("Row")


@dataclass(frozen=True)
class Measure(Generic[Row]):
    """A number of every row, for a table or a map."""

    title: str
    unit: str
    explanation: str
    of: Callable[[Row], float]


def row_to_dict(row: Any) -> dict[str, Any]:
    """A row that is a record with `settings` as JSON values, the settings as runs save them."""
    return to_json(vars(row) | {"settings": settings_to_dict(row.settings)})


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


@dataclass(frozen=True, eq=False)
class TrainedPart(abc.ABC):
    """Members that train as one batch and are then measured, one after the other."""

    members: tuple[Settings, ...]
    rows: tuple[Any, ...] = ()
    frames: bool = False  # whether moments are measured on the way, and the state is kept
    state: State | None = None
    moments: tuple[Moment, ...] = ()  # of the last slice
    progress: float = 0.0  # fraction of the steps done
    seconds: float = 0.0  # of training so far, all members together
    cpu_seconds: float = 0.0  # the same as processor time, of the training steps alone
    measured: int = 0  # the number of members that have rows
    engine: str = ""  # what trained them, see training/trainer

    @abc.abstractmethod
    def measure(self, solo: State) -> tuple[Any, ...]:
        """The rows of the next member, given its state at the end."""

    @property
    def runs(self) -> int:
        """The number of runs that the part completes."""
        return len(self.members)

    @final
    @property
    def done(self) -> bool:
        """Whether all rows are there."""
        return len(self.rows) == self.runs

    @final
    @property
    def completed_runs(self) -> float:
        """The number of completed runs; runs in training count by their progress."""
        return self.runs if self.done else self.progress * max(0.5, self.runs - 1)

    @final
    def advance(self, seconds: float) -> Self:
        """Train for about `seconds` or, once all epochs are done, measure members."""
        from svae_core.training import loop

        if self.done:
            return self
        state = self.state or loop.begin(self.members)  # may compile native code: no training
        started = time.perf_counter()
        part = dataclasses.replace(self, moments=())
        if not loop.finished(state):
            found = loop.advance(state, Budget(seconds=seconds, frames=self.frames))
            state, spent = found.state, time.perf_counter() - started
            part = dataclasses.replace(
                part,
                state=state,
                moments=found.moments,
                progress=state.step / loop.step_count(state),
                seconds=self.seconds + spent,
                cpu_seconds=self.cpu_seconds + found.cpu_seconds,
                engine=state.engine,
            )
        while loop.finished(state) and not part.done:
            new = part.measure(loop.member(state, part.measured))
            part = dataclasses.replace(part, rows=part.rows + new, measured=part.measured + 1)
            if time.perf_counter() - started >= seconds:
                break
        return dataclasses.replace(part, state=None) if part.done and not self.frames else part


@final
@dataclass(frozen=True, eq=False)
class CertifiedPart(TrainedPart):
    """Members with a certificate each."""

    def measure(self, solo: State) -> tuple[Any, ...]:
        """The certificate of a member."""
        from svae_core.training import loop

        return loop.certify(solo)
