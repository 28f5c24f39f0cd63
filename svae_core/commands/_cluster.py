"""The option --scheduler: commands train in slices, here or on the workers of a Dask cluster."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager

from svae_core.compute import tasks
from svae_core.compute.engine import Engine
from svae_core.compute.scheduler import WorkerLost
from svae_core.records import RequestError
from svae_core.studies.job import P


def add_scheduler(command: argparse.ArgumentParser) -> None:
    """Add the option --scheduler."""
    command.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        default=os.environ.get("SVAE_SCHEDULER"),
        help="train on this Dask cluster instead of here (default: SVAE_SCHEDULER, if it is set)",
    )


@contextmanager
def engine_of(request: argparse.Namespace) -> Iterator[Engine | None]:
    """An engine on the requested cluster, or None; RequestError if it fails or is lost."""
    if not request.scheduler:
        yield None
        return
    engine = Engine(scheduler=request.scheduler)
    try:
        engine.submit(int).result()  # waits for the connection
        yield engine
    except WorkerLost as lost:
        raise RequestError(str(lost)) from lost
    finally:
        engine.stop()


def in_slices(parts: Iterable[P], engine: Engine | None, seconds: float) -> Iterator[tuple[int, P]]:
    """Make all parts to their end; yields the number and progress of a part after each slice.

    Parts that are done already are yielded once. Without an engine parts are made one after the
    other, on an engine side by side on its workers.
    """
    ahead = enumerate(parts)
    if engine is None:
        for number, part in ahead:
            yield number, part
            while not part.done:
                part = part.advance(seconds)
                yield number, part
        return
    going: dict[Future[P], int] = {}
    while True:
        while len(going) < 2 * engine.size and (new := next(ahead, None)) is not None:
            yield new
            if not new[1].done:
                going[engine.submit(tasks.go_on, new[1], seconds)] = new[0]
        if not going:
            return
        for future in wait(going, return_when=FIRST_COMPLETED).done:
            number, part = going.pop(future), future.result()
            yield number, part
            if not part.done:
                going[engine.submit(tasks.go_on, part, seconds)] = number
