"""Commands on a Dask cluster: the same pure calls, made elsewhere."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from typing import Protocol, TypeVar

from svae_core.compute.engine import Engine
from svae_core.compute.scheduler import WorkerLost
from svae_core.records import RequestError


def add_scheduler(command: argparse.ArgumentParser) -> None:
    """--scheduler."""
    command.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        default=os.environ.get("SVAE_SCHEDULER"),
        help="train on this Dask cluster instead of here (default: SVAE_SCHEDULER, if it is set)",
    )


@contextmanager
def engine_of(request: argparse.Namespace) -> Iterator[Engine | None]:
    """The cluster that was asked for, or None; RequestError where it fails or is lost."""
    if not request.scheduler:
        yield None
        return
    engine = Engine(scheduler=request.scheduler)
    try:
        engine.call(int).result()  # waits for the connection
        yield engine
    except WorkerLost as lost:
        raise RequestError(str(lost)) from lost
    finally:
        engine.stop()


class Slices(Protocol):
    """Something that goes on in slices until it is done."""

    @property
    def done(self) -> bool: ...


W = TypeVar("W", bound=Slices)


def in_slices(
    engine: Engine, works: Sequence[W], go_on: Callable[[W, float], W], seconds: float
) -> Iterator[W]:
    """All works to their ends, as many at once as there are workers, in the order of their ends.

    `go_on(work, seconds)` is the pure call that moves a work on.
    """
    ahead = iter(works)
    first = [work for _, work in zip(range(2 * engine.size), ahead, strict=False)]
    going = {engine.call(go_on, work, seconds) for work in first}
    while going:
        done, going = wait(going, return_when=FIRST_COMPLETED)
        for future in done:
            work = future.result()
            if work.done:
                yield work
            if (following := next(ahead, None) if work.done else work) is not None:
                going.add(engine.call(go_on, following, seconds))
