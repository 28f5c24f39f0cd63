"""Commands train in slices: here, on all cores of this machine, or on the workers of a cluster."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager

from svae_core.compute import tasks
from svae_core.compute.engine import Engine
from svae_core.compute.scheduler import WorkerLost
from svae_core.records import RequestError
from svae_core.studies.job import P

#: Seconds that a command works by itself before it starts workers: that takes them some seconds,
#: and a core.
_ALONE = 2.0
#: Seconds of a slice on a worker: its state, megabytes, travels there and back.
_FAR_SLICE = 3.0


def add_scheduler(command: argparse.ArgumentParser) -> None:
    """Add the option --scheduler."""
    command.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        default=os.environ.get("SVAE_SCHEDULER"),
        help="train on this Dask cluster instead of here (default: SVAE_SCHEDULER, if it is set)",
    )


@contextmanager
def engine_of(request: argparse.Namespace) -> Iterator[Engine]:
    """An engine on the requested cluster, or one on this machine, whose workers do not run yet.

    RequestError if the cluster fails or is lost.
    """
    engine = Engine(scheduler=request.scheduler or "")
    try:
        if request.scheduler:
            engine.submit(int).result()  # waits for the connection
        yield engine
    except WorkerLost as lost:
        raise RequestError(str(lost)) from lost
    finally:
        engine.stop()


def in_slices(
    parts: Iterable[P], count: int, engine: Engine | None, seconds: float
) -> Iterator[tuple[int, P]]:
    """Make all parts to their end; yields the number and progress of a part after each slice.

    Parts that are done already are yielded once. `count`: how many parts there are. This process
    makes them, one after the other, until the engine's workers are there, if any. Those of this
    machine are started only when it has worked for a while and not yet begun the last part.
    """
    ahead = enumerate(parts)
    begun = 0
    here: tuple[int, P] | None = None
    going: dict[Future[P], int] = {}
    alone_until = time.monotonic() + _ALONE
    while True:
        late = time.monotonic() >= alone_until
        if engine is not None and late and begun < count and engine.size > 1 and not engine.ready:
            engine.start_training()
        # One more for each worker than it makes: none waits for this process.
        while engine is not None and engine.ready and len(going) < 2 * engine.size:
            if here is None:
                here = next(ahead, None)
                if here is None:
                    break
                begun += 1
                yield here
            number, part = here
            here = None
            if not part.done:
                going[engine.submit(tasks.go_on, part, _FAR_SLICE)] = number
        if engine is not None and going:
            for future in wait(going, return_when=FIRST_COMPLETED).done:
                number, part = going.pop(future), future.result()
                yield number, part
                if not part.done:
                    going[engine.submit(tasks.go_on, part, _FAR_SLICE)] = number
            continue
        if here is None:
            here = next(ahead, None)
            if here is None:
                return
            begun += 1
        else:
            here = here[0], here[1].advance(seconds)
        yield here
        if here[1].done:
            here = None
