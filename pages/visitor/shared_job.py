"""A job: a plan of pure calls to the workers, which advances while a page polls it.

A request determines the plan and every call in it, so all who request the same share one job, and
resuming after a pause, a reload or a restart of the page is to poll it again.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from svae_core.compute import tasks
from svae_core.compute.engine import Engine, Lane
from svae_core.compute.workers import WorkerLost
from svae_core.figures.names import counted
from svae_core.records import RequestError
from svae_core.studies.job import Study

#: Longer than the time between two polls, so that the worker never waits for the next one.
_SLICE_SECONDS = 1.5
#: Calls sent to the workers at a time: one that runs, and one queued until the next poll.
_AHEAD = 2
#: Seconds between two polls above which the job was paused, and the time does not count.
_PAUSE = 5.0


class Job:
    """A study whose parts are sent to the workers until all are done; every poll advances it."""

    def __init__(self, study: Study[Any], engine: Engine) -> None:
        self.study = study
        self.parts: list[Any] = []  # the latest progress of each part of the plan, once known
        self.error: str | None = None
        self._engine = engine
        self._plan: Future[tuple[Any, ...]] | None = None
        self._pending: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()  # visitors who share a job poll it from several threads
        self._polled_at = time.monotonic()
        self._spent = 0.0

    @property
    def rows(self) -> list[Any]:
        """All results so far, in the order of the plan."""
        return [row for part in self.parts for row in part.rows]

    @property
    def begun(self) -> bool:
        """Whether the plan was requested."""
        return self._plan is not None

    @property
    def completed_runs(self) -> float:
        """How many runs are completed; one in training counts by its progress."""
        return sum(part.completed_runs for part in self.parts)

    @property
    def progress(self) -> float:
        """The completed fraction, from 0 to 1."""
        return min(1.0, self.completed_runs / self.study.total)

    @property
    def complete(self) -> bool:
        """Whether every item of the plan is done."""
        return bool(self.parts) and all(part.done for part in self.parts)

    @property
    def done(self) -> bool:
        """Whether the job is complete or stopped by an error."""
        return self.error is not None or self.complete

    @property
    def seconds_left(self) -> float | None:
        """The estimated time left at the speed so far; None before the first result."""
        done = self.completed_runs
        return self._spent / done * (self.study.total - done) if done else None

    def state(self, going: bool) -> str:
        """The progress in words."""
        text = f"{int(self.completed_runs + 1e-6)} of {counted(self.study.total, 'run')}"
        if self.complete:
            return text
        if not going:
            return f"{text}, paused; what is done is kept"
        left = self.seconds_left
        return f"{text}, starting …" if left is None else f"{text}, about {left:.0f} s left"

    def resume(self) -> None:
        """Start, or continue after a pause or an error."""
        with self._lock:
            self.error = None
            self._polled_at = time.monotonic()

    def advance(self) -> None:
        """Collect finished results and send the next calls."""
        with self._lock:
            try:
                self._advance()
            except RequestError as error:
                self.error = str(error)
            except (WorkerLost, CancelledError):
                self.error = "The worker was lost in the middle of this; resume to try again."

    def _advance(self) -> None:
        self._count_time()
        if self._plan is None:
            self._plan = self._submit(tasks.plan, self.study)
        if not self.parts:
            if not self._plan.done():
                return
            plan, self._plan = self._plan, None  # a failed plan is requested again
            self.parts = list(plan.result())
            self._plan = plan
        for index in [index for index, future in self._pending.items() if future.done()]:
            self.parts[index] = self._pending.pop(index).result()
        left = (i for i, part in enumerate(self.parts) if not part.done and i not in self._pending)
        for index in itertools.islice(left, _AHEAD - len(self._pending)):
            # After an error a part continues from its latest progress.
            self._pending[index] = self._submit(tasks.go_on, self.parts[index], _SLICE_SECONDS)

    def _submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._engine.submit(task, *arguments, lane=Lane.BACKGROUND)

    def _count_time(self) -> None:
        """Add the time since the last poll, except for the length of a pause."""
        now = time.monotonic()
        self._spent += min(now - self._polled_at, _PAUSE)
        self._polled_at = now
