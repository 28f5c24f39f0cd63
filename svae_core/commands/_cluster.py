"""The option --scheduler: commands run their training on a Dask cluster."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

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
        engine.submit(int).result()  # waits for the connection
        yield engine
    except WorkerLost as lost:
        raise RequestError(str(lost)) from lost
    finally:
        engine.stop()
