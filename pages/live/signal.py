"""Notifications between tasks of one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Signal:
    """Tells waiting tasks that something may have changed; each then checks its own condition."""

    def __init__(self) -> None:
        self._wakers: set[asyncio.Event] = set()

    def notify(self) -> None:
        """Wake all waiting tasks."""
        for event in self._wakers:
            event.set()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that every notification sets while the context is open."""
        event = asyncio.Event()
        self._wakers.add(event)
        try:
            yield event
        finally:
            self._wakers.discard(event)

    async def wait_for(self, condition: Callable[[], bool], every: float | None = None) -> None:
        """Wait until the condition holds; check it after each notification and `every` seconds."""
        with self.listening() as wake:
            while not condition():
                wake.clear()
                with suppress(TimeoutError):
                    # Not asyncio.wait_for: Python 3.11's loses a cancellation that comes together
                    # with a notification, and the task then never ends.
                    async with asyncio.timeout(every):
                        await wake.wait()
