"""Waiting for news: tasks on one event loop that wake each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Signal:
    """Whoever listens is woken when there may be something new; what it is, they look up."""

    def __init__(self) -> None:
        self._wakers: set[asyncio.Event] = set()

    def notify(self) -> None:
        """Wake all who listen."""
        for event in self._wakers:
            event.set()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set at all news meanwhile."""
        event = asyncio.Event()
        self._wakers.add(event)
        try:
            yield event
        finally:
            self._wakers.discard(event)

    async def wait_for(self, condition: Callable[[], bool], every: float | None = None) -> None:
        """Wait for a condition, looked at whenever there is news, and at least this often."""
        with self.listening() as wake:
            while not condition():
                wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), every)
