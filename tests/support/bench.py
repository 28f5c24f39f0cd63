"""A scheduler whose only slot makes a call when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from svae_core.compute.scheduler import Scheduler


class Bench:
    """A slot that makes a call when it is told to, with a clock of its own."""

    failed = False

    def __init__(self) -> None:
        self.ready = False
        self.replaced = 0
        self.start_seconds = 0.0
        self.held: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._tell: Callable[[], None] = lambda: None

    def start(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def open(self) -> None:
        self.ready = True
        self._tell()

    def make(self, call: Callable[[], Any]) -> Future[Any]:
        self.held.append((call, Future()))
        return self.held[-1][1]

    def finish(self, seconds: float = 1.0) -> Any:
        """Make the call that is held; what it gives."""
        call, future = self.held.pop()
        value = call()[1]
        future.set_result((seconds, value))
        return value

    def lose(self) -> None:
        self.held.pop()[1].set_exception(ConnectionError())

    def lost(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionError)

    def replace(self) -> None:
        self.replaced += 1
        self.lose()

    def stop(self, wait: bool) -> None: ...


def opened() -> tuple[Scheduler, Bench]:
    bench = Bench()
    scheduler = Scheduler([bench])
    scheduler.start()
    bench.open()
    return scheduler, bench
