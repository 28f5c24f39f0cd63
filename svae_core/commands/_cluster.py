"""Commands train in slices: here, on all cores of this machine, or on the workers of a cluster.

A cluster that is lost in the middle ends a command with exit status 1: what was finished is kept,
and a sentence says how to go on. With `--on-loss local` it goes on here instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager

from svae_core.commands._stopping import Stopped
from svae_core.compute import dask_cluster, tasks
from svae_core.compute.dask_cluster import ClusterLost, check_address
from svae_core.compute.engine import Engine, cores
from svae_core.compute.scheduler import WorkerLost
from svae_core.records import RequestError
from svae_core.studies.job import P

#: Seconds that a command works by itself before it starts workers: that takes them some seconds,
#: and a core.
_ALONE = 0.5
#: Seconds of a slice on a worker: its state, megabytes, travels there and back.
_FAR_SLICE = 3.0
_LOOK_AGAIN = 1.0


def add_scheduler(command: argparse.ArgumentParser) -> None:
    """Add the option --scheduler."""
    command.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        default=os.environ.get("SVAE_SCHEDULER"),
        help="train on this Dask cluster instead of here (default: SVAE_SCHEDULER, if it is set)",
    )
    command.add_argument(
        "--on-loss",
        choices=("stop", "local"),
        default="stop",
        help="when the cluster cannot be used or is lost: stop, keeping what is finished, or go on "
        "on this machine (default: stop)",
    )


@contextmanager
def engine_of(request: argparse.Namespace) -> Iterator[Engine]:
    """An engine on the requested cluster, or one on this machine, whose workers do not run yet.

    It has one worker less than there are cores, for this process works as well. RequestError if
    the cluster cannot be used; Stopped if it is lost afterwards and the command says no more.
    """
    local = request.on_loss == "local"
    if request.scheduler:
        check_address(request.scheduler)
        # One sentence is said below; that what is lost goes on here is said by the log.
        logging.getLogger(dask_cluster.__name__).setLevel(
            logging.WARNING if local else logging.ERROR
        )
    workers = cores() - 1
    engine = Engine(max(1, workers) if local else workers, request.scheduler or "", repeats=local)
    try:
        if request.scheduler:
            _connect(engine)
        yield engine
    except WorkerLost as lost:
        raise Stopped(lost, "; give the same command again.") from lost
    finally:
        engine.stop()


def _connect(engine: Engine) -> None:
    """Wait for the connection. RequestError if there is none, unless the engine goes on here."""
    try:
        engine.submit(int).result()
    except ClusterLost as lost:
        raise RequestError(
            f"{lost.why}; correct --scheduler, or --on-loss local works on this machine."
        ) from lost


def in_slices(
    parts: Iterable[P], count: int, engine: Engine | None, seconds: float
) -> Iterator[tuple[int, P]]:
    """Make all parts to their end; yields the number and progress of a part after each slice.

    Parts that are done already are yielded once. `count`: how many parts there are. This process
    makes them, one after the other; so do the engine's workers beside it or, on a cluster, instead
    of it. Those of this machine are started only when it has worked for a while and not yet begun
    the last part.
    """
    ahead = enumerate(parts)
    left = count
    here: tuple[int, P] | None = None
    going: dict[Future[P], int] = {}
    alone_until = time.monotonic() + _ALONE
    while True:
        late = time.monotonic() >= alone_until
        if engine is not None and late and left and engine.size and not engine.ready:
            engine.start_training()
        far = engine if engine is not None and engine.ready else None
        # While there are enough, one more for each worker than it makes: none waits for us.
        while far is not None and len(going) < far.size * (2 if left > far.size else 1):
            new = next(ahead, None)
            if new is None:
                break
            left -= 1
            yield new
            if not new[1].done:
                going[far.submit(tasks.go_on, new[1], _FAR_SLICE)] = new[0]
        if here is not None:
            here = here[0], here[1].advance(seconds)
        elif far is None or not far.elsewhere:
            here = next(ahead, None)
            left = 0 if here is None else left - 1
        if here is not None:
            yield here
            here = None if here[1].done else here
        elif not going:
            return
        working = here is not None or (left > 0 and not (far and far.elsewhere))
        # Not for ever: a cluster may be lost meanwhile, and then this process works as well.
        for future in wait(going, 0 if working else _LOOK_AGAIN, FIRST_COMPLETED).done:
            number, part = going.pop(future), future.result()
            yield number, part
            if not part.done:
                assert engine is not None
                going[engine.submit(tasks.go_on, part, _FAR_SLICE)] = number
