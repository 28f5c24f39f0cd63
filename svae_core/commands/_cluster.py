"""The option --scheduler: commands run their training on a Dask cluster."""

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
        engine.call(int).result()  # waits for the connection
        yield engine
    except WorkerLost as lost:
        raise RequestError(str(lost)) from lost
    finally:
        engine.stop()


class Slices(Protocol):
    """A task that is advanced in slices until it is done."""

    @property
    def done(self) -> bool: ...


W = TypeVar("W", bound=Slices)


def in_slices(
    engine: Engine, chunks: Sequence[W], advance: Callable[[W, float], W], seconds: float
) -> Iterator[W]:
    """Run all chunks to their end on the engine's workers; yields each when it is done.

    `advance(progress, seconds)` is the pure call for one slice of a chunk.
    """
    ahead = iter(chunks)
    first = [progress for _, progress in zip(range(2 * engine.size), ahead, strict=False)]
    going = {engine.call(advance, progress, seconds) for progress in first}
    while going:
        done, going = wait(going, return_when=FIRST_COMPLETED)
        for future in done:
            progress = future.result()
            if progress.done:
                yield progress
            if (following := next(ahead, None) if progress.done else progress) is not None:
                going.add(engine.call(advance, following, seconds))
