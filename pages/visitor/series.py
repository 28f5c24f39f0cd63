"""A plan of pure calls, as a page follows it: it goes on while somebody looks.

What is asked for determines the plan and every call in it, so all who ask for the same share one
series, and going on after a pause, a reload or a restart of the page is to look again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

from svae_core.compute.workers import WorkerLost
from svae_core.records import RequestError

Item = TypeVar("Item")
#: Calls at the workers: one that runs, and one so that they need not wait for the next look.
_AHEAD = 2
#: A longer gap between two looks is a pause, and does not count as time spent.
_PAUSE = 5.0


class Series(Generic[Item]):
    """Items of a plan, each sent to the workers until it is over; each look moves it on.

    `plan` asks for the items; `call` sends one there, and what comes back is sent again unless
    `over` says that it is over; `runs` says how many of the `total` runs something that came back
    has settled, which may be a part of a run.
    """

    def __init__(
        self,
        total: int,
        plan: Callable[[], Future[tuple[Item, ...]]],
        call: Callable[[Item], Future[Any]],
        over: Callable[[Any], bool],
        runs: Callable[[Any], float],
    ) -> None:
        self.total = total
        self.error: str | None = None
        self._ask, self._call, self._is_over, self._runs = plan, call, over, runs
        self._plan: Future[tuple[Item, ...]] | None = None
        self._waiting: dict[int, Future[Any]] = {}
        self._came: dict[int, Any] = {}  # what came back last for each item that was begun
        self._ended: set[int] = set()
        self._lock = threading.Lock()  # visitors who share a series look from threads of their own
        self._looked = time.monotonic()
        self._spent = 0.0

    @property
    def ended(self) -> list[Any]:
        """What came back for the items that are over, in the order of the plan."""
        return [self._came[index] for index in sorted(self._ended)]

    @property
    def newest(self) -> list[Any]:
        """What came back last for each item that was begun, in the order of the plan."""
        came = dict(self._came)
        return [came[index] for index in sorted(came)]

    @property
    def begun(self) -> bool:
        """Whether anybody has asked for it yet."""
        return self._plan is not None

    @property
    def completed_runs(self) -> float:
        """How many runs are completed; one in training counts by its progress."""
        return sum(self._runs(item) for item in list(self._came.values()))

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        return min(1.0, self.completed_runs / self.total)

    @property
    def complete(self) -> bool:
        """Whether every item of the plan is over."""
        plan = self._plan
        if plan is None or not plan.done() or plan.cancelled() or plan.exception():
            return False
        return len(self._ended) == len(plan.result())

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do, or no way to do it."""
        return self.error is not None or self.complete

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        done = self.completed_runs
        return self._spent / done * (self.total - done) if done else None

    def state(self, going: bool) -> str:
        """How far it is, in words."""
        text = f"{int(self.completed_runs + 1e-6)} of {self.total} runs"
        if self.complete:
            return text
        if not going:
            return f"{text}, paused; what is done is kept"
        left = self.seconds_left
        return f"{text}, starting …" if left is None else f"{text}, about {left:.0f} s left"

    def resume(self) -> None:
        """Begin, or begin again after a pause or an error."""
        with self._lock:
            self.error = None
            self._looked = time.monotonic()

    def go_on(self) -> None:
        """Take what is done by now, and ask for more."""
        with self._lock:
            try:
                self._advance()
            except RequestError as error:
                self.error = str(error)
            except (WorkerLost, CancelledError):
                self.error = "The worker was lost in the middle of this; resume to try again."

    def _advance(self) -> None:
        self._keep_time()
        if self._plan is None:
            self._plan = self._ask()
        if not self._plan.done():
            return
        plan, self._plan = self._plan, None  # a plan that failed is made again
        items = plan.result()
        self._plan = plan
        for index in [index for index, future in self._waiting.items() if future.done()]:
            self._came[index] = came = self._waiting.pop(index).result()
            if self._is_over(came):
                self._ended.add(index)
        left = [i for i in range(len(items)) if i not in self._ended and i not in self._waiting]
        for index in left[: _AHEAD - len(self._waiting)]:
            # After an error the item goes on from where it came back last.
            self._waiting[index] = self._call(self._came.get(index, items[index]))

    def _keep_time(self) -> None:
        """Time counts while somebody looks; after a pause there is a gap that does not."""
        now = time.monotonic()
        self._spent += min(now - self._looked, _PAUSE)
        self._looked = now
