"""A search for a counter-example, as a page follows it: it goes on while somebody looks.

A search is a pure function of its number of runs and its seed, so all who ask for the same one
share it, and going on after a pause, a reload or a restart of the page is to look again.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Future
from typing import Any

from svae_core import attack
from svae_core.engine import Engine
from svae_core.records import RequestError, Settings
from svae_core.workers import WorkerLost

#: Batches at the workers: one that runs, and one so that they need not wait for the next look.
_AHEAD = 2


class Search:
    """`runs` runs drawn from `seed`, in batches; each look takes what is done and asks for more."""

    def __init__(self, runs: int, seed: int, engine: Engine) -> None:
        self.runs = runs
        self.seed = seed
        self.error: str | None = None
        self._engine = engine
        self._plan: Future[tuple[tuple[Settings, ...], ...]] | None = None
        self._waiting: dict[int, Future[tuple[attack.Attempt, ...]]] = {}
        self._ended: dict[int, tuple[attack.Attempt, ...]] = {}
        self._lock = threading.Lock()  # visitors who share a search look from threads of their own
        self._looked = time.monotonic()
        self._spent = 0.0

    @property
    def attempts(self) -> tuple[attack.Attempt, ...]:
        """All runs that have ended, in the order of the plan."""
        return tuple(item for index in sorted(self._ended) for item in self._ended[index])

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return len(self.attempts) / self.runs

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do, or no way to do it."""
        return self.error is not None or len(self.attempts) == self.runs

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        done = len(self.attempts)
        return self._spent / done * (self.runs - done) if done else None

    def state(self, going: bool) -> str:
        """How far it is, in words."""
        text = f"{len(self.attempts)} of {self.runs} runs (seed {self.seed})"
        if self.over:
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

    def summary(self) -> dict[str, Any]:
        """Counts of how the runs ended so far."""
        batches = [
            attack.record(None, self.seed, index, self._ended[index])
            for index in sorted(self._ended)
        ]
        return attack.summary(batches, self.seed)

    def broken(self) -> tuple[attack.Attempt, ...]:
        """Counter-examples."""
        return tuple(item for item in self.attempts if item.outcome == attack.BROKEN)

    def _advance(self) -> None:
        self._keep_time()
        if self._plan is None:
            self._plan = self._engine.attack_plan(self.runs, self.seed)
        if not self._plan.done():
            return
        plan, self._plan = self._plan, None  # a plan that failed is made again
        batches = plan.result()
        self._plan = plan
        for index in [index for index, future in self._waiting.items() if future.done()]:
            self._ended[index] = self._waiting.pop(index).result()
        left = [i for i in range(len(batches)) if i not in self._ended and i not in self._waiting]
        for index in left[: _AHEAD - len(self._waiting)]:
            self._waiting[index] = self._engine.attempt(batches[index])

    def _keep_time(self) -> None:
        """Time counts while somebody looks; after a pause there is a gap that does not."""
        now = time.monotonic()
        self._spent += min(now - self._looked, 5.0)
        self._looked = now
