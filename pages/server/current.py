"""One object for everything that a server process holds: `server()`.

server().runs.find(run);  server().classes.find(code);  server().engine
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from pages.classroom.sessions import Classes
from pages.live.registry import Registry, started_engine
from pages.server.offered_files import OfferedFiles
from pages.server.shared_results import SharedResults
from svae_core.compute.engine import Engine


class Server:
    """Live runs with their engine, classes, results that visitors share, and offered files."""

    def __init__(self, make_engine: Callable[[], Engine] = started_engine) -> None:
        """`make_engine` is called once, when the engine is needed first."""
        self.runs = Registry(make_engine)
        self.classes = Classes(self.runs)
        self.prepared: SharedResults[Future[Any]] = SharedResults(12)
        self.explored: SharedResults[Future[Any]] = SharedResults(64)
        self.tasks: SharedResults[Future[Any]] = SharedResults(48)
        self.jobs: SharedResults[Any] = SharedResults(16)
        self.offered = OfferedFiles(256)

    @property
    def engine(self) -> Engine:
        """The engine, started at the first call."""
        return self.runs.engine


_server = Server()


def server() -> Server:
    """The server that this process is."""
    return _server


@contextmanager
def serving(other: Server) -> Iterator[Server]:
    """Be another server while the context is open, as tests need."""
    global _server
    before, _server = _server, other
    try:
        yield other
    finally:
        _server = before
