"""A job: a plan of pure calls to the workers, which advances while a page polls it.

A request determines the plan and every call in it, so all who request the same share one job, and
resuming after a pause, a reload or a restart of the page is to poll it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

from svae_core.compute.workers import WorkerLost
from svae_core.figures.names import counted
from svae_core.records import RequestError

Item = TypeVar("Item")
#: Calls sent to the workers at a time: one that runs, and one queued until the next poll.
_AHEAD = 2
#: Seconds between two polls above which the job was paused, and the time does not count.
_PAUSE = 5.0


class Job(Generic[Item]):
    """Items of a plan, each sent to the workers until it is done; every poll advances the job.

    `plan` requests the items; `call` sends one to the workers, and its result is sent again unless
    `is_done` holds for it; `runs` counts how many of the `total` runs a result has completed, which
    may be a fraction.
    """

    def __init__(
        self,
        total: int,
        plan: Callable[[], Future[tuple[Item, ...]]],
        call: Callable[[Item], Future[Any]],
        is_done: Callable[[Any], bool],
        runs: Callable[[Any], float],
    ) -> None:
        self.total = total
        self.error: str | None = None
        self._request_plan, self._call, self._is_done, self._runs = plan, call, is_done, runs
        self._plan: Future[tuple[Item, ...]] | None = None
        self._pending: dict[int, Future[Any]] = {}
        self._results: dict[int, Any] = {}  # latest result by item
        self._ended: set[int] = set()
        self._lock = threading.Lock()  # visitors who share a job poll it from several threads
        self._polled_at = time.monotonic()
        self._spent = 0.0

    @property
    def ended(self) -> list[Any]:
        """The results of the items that are done, in the order of the plan."""
        return [self._results[index] for index in sorted(self._ended)]

    @property
    def newest(self) -> list[Any]:
        """The latest result of each item that was started, in the order of the plan."""
        results = dict(self._results)
        return [results[index] for index in sorted(results)]

    @property
    def begun(self) -> bool:
        """Whether the plan was requested."""
        return self._plan is not None

    @property
    def completed_runs(self) -> float:
        """How many runs are completed; one in training counts by its progress."""
        return sum(self._runs(item) for item in list(self._results.values()))

    @property
    def progress(self) -> float:
        """The completed fraction, from 0 to 1."""
        return min(1.0, self.completed_runs / self.total)

    @property
    def complete(self) -> bool:
        """Whether every item of the plan is done."""
        plan = self._plan
        if plan is None or not plan.done() or plan.cancelled() or plan.exception():
            return False
        return len(self._ended) == len(plan.result())

    @property
    def done(self) -> bool:
        """Whether the job is complete or stopped by an error."""
        return self.error is not None or self.complete

    @property
    def seconds_left(self) -> float | None:
        """The estimated time left at the speed so far; None before the first result."""
        done = self.completed_runs
        return self._spent / done * (self.total - done) if done else None

    def state(self, going: bool) -> str:
        """The progress in words."""
        text = f"{int(self.completed_runs + 1e-6)} of {counted(self.total, 'run')}"
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
            self._plan = self._request_plan()
        if not self._plan.done():
            return
        plan, self._plan = self._plan, None  # a failed plan is requested again
        items = plan.result()
        self._plan = plan
        for index in [index for index, future in self._pending.items() if future.done()]:
            self._results[index] = result = self._pending.pop(index).result()
            if self._is_done(result):
                self._ended.add(index)
        left = [i for i in range(len(items)) if i not in self._ended and i not in self._pending]
        for index in left[: _AHEAD - len(self._pending)]:
            # After an error the item continues from its latest result.
            self._pending[index] = self._call(self._results.get(index, items[index]))

    def _count_time(self) -> None:
        """Add the time since the last poll, except for the length of a pause."""
        now = time.monotonic()
        self._spent += min(now - self._polled_at, _PAUSE)
        self._polled_at = now
