"""The engine runs calls in worker processes, so that the server never imports torch or numba.

    engine = Engine();  engine.start();  engine.submit(tasks.certify, state) -> Future

Every call is a pure function of picklable records, so it may run in any process, in any order, and
again when its process was lost. `compute.scheduler` decides the order: a run with a `FairShare`
gets its fair share of the workers' time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from enum import Enum, auto
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from svae_core.compute.dask_cluster import Cluster, ClusterLost
from svae_core.compute.preparation_worker import Preparation, warm_sharing
from svae_core.compute.scheduler import PATIENCE, FairShare, Priority, QueuePosition, Scheduler
from svae_core.compute.workers import WorkerPool
from svae_core.config.fields import Field
from svae_core.config.limits import from_variable
from svae_core.records import Budget, Settings

Arguments = TypeVarTuple("Arguments")
Answer = TypeVar("Answer")
#: A slice of training in seconds: long enough for little overhead, short enough to alternate runs.
SLICE, SHORTEST_SLICE = 0.045, 0.010
#: Every run gets a slice within this time in seconds, where slices can be that short.
ROUND = 0.300
#: A worker counts as hanging when a slice takes this many times its budget, and this many seconds,
_HANGS, _HANGS_SECONDS = 20.0, 10.0
#: and this many times the slowest preparation of data so far, since a slice may have to prepare.
_SLOWER = 5.0
#: Seconds that a call for the screen waits only where no worker comes back.
_STUCK = 60.0
#: Workers end when nothing was asked of them for so long: the one that draws maps by UMAP, which
#: holds 90 MB, and the one for background tasks, which holds 250 MB. The latter starts again in
#: three seconds, little beside its tasks; a map would go back to PCA meanwhile.
_MAPS_IDLE, _BACKGROUND_IDLE = 300.0, 30.0


class Lane(Enum):
    """Which workers make a call, and when."""

    TRAINING = auto()  # in its run's turn
    AT_ONCE = auto()  # before all runs in training: a person waits for it at the screen
    BACKGROUND = auto()  # many seconds long, on a worker of its own
    PREPARATION = auto()  # of data: within a time limit, and only while somebody waits
    MAPS = auto()  # by UMAP once its worker is warm; until then on a training worker


class Engine:
    """Pools of workers for training, for map layouts and for background tasks.

    Training has as many workers as there are cores, unless SVAE_WORKERS gives another number.
    Background tasks take many seconds each; they have a worker of their own, so that they do not
    delay live training. That worker and the one for maps start on first use.

    Given the address of a Dask scheduler, as an argument or in SVAE_SCHEDULER, training runs on
    that cluster until it is lost; with "" as an argument on no cluster. What was at work there then
    raises ClusterLost, or with `repeats` it is made here.
    """

    def __init__(
        self, workers: int | None = None, scheduler: str | None = None, repeats: bool = False
    ) -> None:
        address = os.environ.get("SVAE_SCHEDULER") if scheduler is None else scheduler
        self._repeats = repeats
        self._preparation = Preparation()
        warm = partial(warm_sharing, self._preparation.folder, _warm_training)
        self._cluster = Cluster(address, _warm_training) if address else None
        self._local = WorkerPool(cores() if workers is None else workers, warm)
        self._maps = WorkerPool(1, _warm_maps, idle_seconds=_MAPS_IDLE)
        self._background = WorkerPool(1, warm, idle_seconds=_BACKGROUND_IDLE)

    def start(self) -> None:
        """Start the processes; returns at once, they warm up in the background."""
        self._training.start()
        self._preparation.start()

    def stop(self) -> None:
        """End the processes now; waiting calls are cancelled."""
        if self._cluster is not None:
            self._cluster.shutdown()
        self._local.shutdown()
        self._maps.shutdown()
        self._background.shutdown()
        self._preparation.shutdown()

    @property
    def _training(self) -> Scheduler:
        cluster = self._cluster
        return self._local if cluster is None or cluster.gone else cluster

    def start_training(self) -> None:
        """Start the workers that train; returns at once."""
        self._training.start()

    @property
    def ready(self) -> bool:
        """Whether a training worker is there."""
        return self._training.warm.is_set()

    @property
    def elsewhere(self) -> bool:
        """Whether training runs on a cluster."""
        return self._training is self._cluster

    @property
    def cluster_lost(self) -> str:
        """Why the cluster cannot be used, in one sentence; empty if there is no problem."""
        return self._cluster.failed if self._cluster is not None else ""

    @property
    def trouble(self) -> str:
        """Why visitors wait in vain, in one sentence; empty if there is no problem."""
        for pool in (self._training, self._preparation.pool):
            if pool.failed:
                return pool.failed
            if pool.longest_wait > _STUCK:
                return f"A visitor's call has waited for {pool.longest_wait:.0f} s."
        return ""

    @property
    def runs_in_training(self) -> int:
        """How many runs have asked for worker time just now."""
        return self._training.active

    def start_maps(self) -> bool:
        """Start the worker that draws by UMAP; whether it is ready. Until then maps are by PCA.

        One that cannot be started stays given up: runs ask every second, and for ever.
        """
        if not self._maps.failed:
            self._maps.start()
        return self._maps.warm.is_set()

    def slice_seconds(self) -> float:
        """The length of a slice in seconds, shorter the more runs are active."""
        turn = min(SLICE, ROUND / max(1, self._training.active))
        return max(SHORTEST_SLICE, turn, self._training.least_slice)

    def queue_position(self, share: FairShare) -> QueuePosition:
        """How many calls run before this run's next one, and how many runs are active."""
        return self._training.queue_position(share)

    @property
    def size(self) -> int:
        """How many training calls can run at once."""
        return self._training.size

    @property
    def busy(self) -> int:
        """How many training calls are running now."""
        return self._training.busy

    def submit(
        self,
        task: Callable[[*Arguments], Answer],
        *arguments: *Arguments,
        lane: Lane = Lane.TRAINING,
        share: FairShare | None = None,
    ) -> Future[Answer]:
        """A pure, importable call on picklable records, in a lane; most are in `compute.tasks`.

        A slice of training is scheduled by its run's fair share if given. The future raises the
        call's own exceptions, or WorkerLost.
        """
        match lane:
            case Lane.PREPARATION:
                return self._preparation.make(task, *arguments, long_calls=self._background)
            case Lane.BACKGROUND:
                return self._background.submit(task, *arguments)
            case Lane.MAPS:
                if self.start_maps():
                    return self._maps.submit(task, *arguments)
        patience = max(map(self._patience, arguments), default=0.0) or PATIENCE
        priority = Priority(share, lane is Lane.AT_ONCE, patience)
        there = self._training
        made = there.in_turn(priority, task, *arguments)
        if not self._repeats or there is not self._cluster:
            return made
        return _or_else(made, lambda: self._local.in_turn(priority, task, *arguments))

    def _patience(self, argument: Any) -> float:
        """Seconds after which a call with this argument hangs.

        A worker may have to prepare the data first, so a slice may take as long as the longest
        preparation so far.
        """
        if not isinstance(argument, Budget) or argument.seconds is None:
            return 0.0
        preparing = _SLOWER * max(self._training.slowest_urgent, self._preparation.slowest)
        return max(_HANGS * argument.seconds, _HANGS_SECONDS, preparing)


def _or_else(made: Future[Any], again: Callable[[], Future[Any]]) -> Future[Any]:
    """What a call on a cluster gives or, where the cluster was lost, what the same call gives."""
    outer: Future[Any] = Future()
    outer.set_running_or_notify_cancel()

    def settle(done: Future[Any]) -> None:
        if done.cancelled():
            outer.set_exception(CancelledError())
        elif isinstance(error := done.exception(), ClusterLost):
            again().add_done_callback(settle)
        elif error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(done.result())

    made.add_done_callback(settle)
    return outer


def cores() -> int:
    """SVAE_WORKERS, or the number of cores that this process may use."""
    text = os.environ.get("SVAE_WORKERS", "")
    if text:
        return from_variable(Field("", "", low=1, kind=int), "SVAE_WORKERS", text)
    from loky import cpu_count

    return int(cpu_count())


# --------------------------------------------------------------- functions run by the workers


def _warm_training() -> None:
    import torch

    from svae_core.training import loop

    torch.set_num_threads(1)
    loop.begin((Settings(),))  # loads lazy imports, and prepares the default data for visitors


def _warm_maps() -> None:
    from svae_core.latent.projection import warm_up

    warm_up()
