"""Results that visitors share: each is made once for all who ask, and the newest are kept."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")
#: Seconds after which a call is given up for which nobody waits.
NOBODY_WAITS = 4.0


class SharedResults(Generic[Made]):
    """The results used last, at most `most` of them, by key. For threads of pages."""

    def __init__(self, most: int, patience: float = NOBODY_WAITS) -> None:
        self.waiters: Counter[Future[Any]] = Counter()
        self._most, self._patience = most, patience
        self._made: OrderedDict[str, Made] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: str, make: Callable[[], Any]) -> Made:
        """The result of this key, which `make` begins if there is none."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            self._made.move_to_end(key)
            if len(self._made) > self._most:
                self._made.popitem(last=False)
            return self._made[key]

    def forget(self, key: str) -> None:
        """Make the result of this key again when it is asked for next."""
        with self._lock:
            self._made.pop(key, None)

    @contextmanager
    def waiting(self, key: str, future: Future[Any]) -> Iterator[None]:
        """Count as one who waits meanwhile; whoever leaves last lets the call be given up soon.

        Not at once: a page that is drawn again because a control was moved waits for it again.
        """
        with self._lock:
            self.waiters[future] += 1
        try:
            yield
        finally:
            with self._lock:
                self.waiters[future] -= 1
                if future.done():
                    self.waiters.pop(future, None)
            if not future.done():
                timer = threading.Timer(self._patience, self._give_up, (key, future))
                timer.daemon = True
                timer.start()

    def _give_up(self, key: str, future: Future[Any]) -> None:
        """Cancel a call for which nobody waits now."""
        with self._lock:
            if self.waiters[future] > 0:
                return
            self.waiters.pop(future, None)
        if future.cancel():
            self.forget(key)
