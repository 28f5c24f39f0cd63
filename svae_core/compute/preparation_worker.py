"""Preparation of data: in its own process, within a time limit, and only while somebody waits.

    preparation_worker.make(function, settings, long_calls=pool) -> Future

Nobody's live training stands still meanwhile, and what takes long holds up no other visitor's page.
What one process has prepared lies in a folder for the others, which prepare it no more.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from svae_core.compute.scheduler import Priority, Scheduler
from svae_core.compute.workers import WorkerPool
from svae_core.config.limits import check_clusters, check_weights, limits, variable
from svae_core.config.sklearn_without_pandas import import_sklearn
from svae_core.records import RequestError, Settings

#: More than these, and preparing data takes seconds.
_MANY_CLUSTERS, _MANY_POINTS = 100, 20_000


class Preparation:
    """A process that prepares data, and the folder in which it leaves what it made."""

    def __init__(self) -> None:
        #: Where prepared parts lie, for `problem.share`; nobody else may read or write there.
        self.folder = tempfile.mkdtemp(prefix="svae-prepared-")
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.pool = WorkerPool(1, partial(warm_sharing, self.folder, _warm))

    def start(self) -> None:
        """Start the process; returns at once."""
        self.pool.start()

    def shutdown(self) -> None:
        """End it, and remove what it made."""
        self.pool.shutdown()
        self._remove()

    @property
    def slowest(self) -> float:
        """Seconds that its longest call took so far."""
        return self.pool.slowest_urgent

    def make(
        self, function: Callable[..., Any], settings: Any, *, long_calls: Scheduler
    ) -> Future[Any]:
        """Make a call that prepares data of some settings; a long one among the `long_calls`.

        Cancel the future, and the call ends as well, also where it is being made. RequestError by
        the future where it takes too long, or asks for more than may be asked for.
        """
        try:
            seconds = limits().prepare_s
            lane = long_calls if _takes_long(settings) else self.pool
        except RequestError as error:  # before any worker has to see it
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused
        order = Priority(
            patience=float(seconds),
            refusal=f"Preparing these data took more than the {seconds} s that it may take here; "
            f"ask for fewer points or clusters, or raise {variable('prepare_s')}.",
        )
        return lane.in_turn(order, function, settings)


def _takes_long(settings: Settings) -> bool:
    """Whether preparing these data takes seconds, as far as the settings alone tell."""
    check_clusters(settings.clusters)
    points = settings.n_points or dict(settings.dataset_options).get("points", 0)
    return settings.clusters > _MANY_CLUSTERS or (isinstance(points, int) and points > _MANY_POINTS)


def check_size(members: tuple[Settings, ...]) -> None:
    """In a worker: RequestError where the models of a run have too many weights."""
    from svae_core.problem import prepared_data
    from svae_core.training.batch_context import weight_layout

    arch = weight_layout(members, prepared_data(members[-1]))
    check_weights(arch.size * len(members))


def warm_sharing(folder: str, warm_up: Callable[[], object]) -> None:
    """In a worker: share prepared parts with the other processes, then warm up."""
    import_sklearn()
    from svae_core import problem

    problem.share(folder)
    warm_up()


def _warm() -> None:
    from svae_core import problem

    problem.prepare(Settings())  # loads lazy imports, and prepares the default data for visitors
