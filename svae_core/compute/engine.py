"""Where work runs: in processes of our own, so that a server never imports torch or umap.

    engine = Engine();  engine.start();  engine.advance(state, budget) -> Future[Advance]

Every call is a pure function of picklable records, so it may run in any process, in any order, and
once more when its process was lost. Whose call is next, `compute.scheduler` says: a run with a
`FairShare` gets its fair share of the workers' time.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.compute.dask_cluster import Cluster
from svae_core.compute.scheduler import PATIENCE, FairShare, Priority, QueuePosition, Scheduler
from svae_core.compute.workers import WorkerPool
from svae_core.geometry.region import BandAtK
from svae_core.latent.results import A, BandStudy, Question
from svae_core.records import (
    Advance,
    Budget,
    Certificate,
    Decoded,
    FloorCurves,
    Moment,
    PreparedData,
    Problem,
    RequestError,
    Settings,
    State,
)
from svae_core.studies.grid import Grid

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout
    from svae_core.objections import Answer
    from svae_core.studies.attack import Attempt
    from svae_core.studies.comparison import Bout
    from svae_core.studies.sweep import Work


#: A slice of training in seconds: long enough to cost little, short enough to take turns.
SLICE, SHORTEST_SLICE = 0.045, 0.010
#: All runs together get a turn within this time, where slices can be that short.
ROUND = 0.300
#: A slice hangs when it takes so many times its budget, and at least so many seconds.
_HANGS, _HANGS_SECONDS = 20.0, 10.0
#: … unless it prepares the data, which may take so much longer than it ever did before.
_SLOWER = 5.0
_AT_ONCE = Priority(first=True)


class Engine:
    """Workers for training, for layouts (busy compiling for its first seconds) and for errands.

    There are as many for training as there are cores, unless SVAE_WORKERS says another number.
    Errands are calls of many seconds. They wait in a line of their own, so that nobody's live
    training stands still meanwhile; their worker starts with the first of them.

    With the address of a Dask scheduler, given here or in SVAE_SCHEDULER, training goes to that
    cluster, as long as there is one.
    """

    def __init__(self, workers: int | None = None, scheduler: str | None = None) -> None:
        address = scheduler or os.environ.get("SVAE_SCHEDULER")
        self._cluster = Cluster(address, _warm_training) if address else None
        self._local = WorkerPool(workers or _workers(), _warm_training)
        self._layouts = WorkerPool(1, _warm_layouts)
        self._background_task = WorkerPool(1, _warm_training)

    def start(self) -> None:
        """Start the processes; returns at once, they warm up by themselves."""
        self._training.start()
        self._layouts.start()

    def stop(self) -> None:
        """End the processes now; calls still waiting are cancelled."""
        if self._cluster is not None:
            self._cluster.shutdown()
        self._local.shutdown()
        self._layouts.shutdown()
        self._background_task.shutdown()

    @property
    def _training(self) -> Scheduler:
        cluster = self._cluster
        return self._local if cluster is None or cluster.gone else cluster

    @property
    def cluster_lost(self) -> str:
        """The sentence about a cluster that was lost or never there; else empty."""
        return self._cluster.failed if self._cluster is not None else ""

    @property
    def umap_ready(self) -> bool:
        """Whether layouts are UMAP by now; before that they are PCA."""
        return self._layouts.warm.is_set()

    def slice_seconds(self) -> float:
        """How long a slice may be now: shorter the more runs take turns."""
        share = min(SLICE, ROUND / max(1, self._training.active))
        return max(SHORTEST_SLICE, share, self._training.least_slice)

    def queue_position(self, line: FairShare) -> QueuePosition:
        """How many calls go before this line's, and how many runs take turns."""
        return self._training.queue_position(line)

    @property
    def size(self) -> int:
        """How many calls of training can be made at once."""
        return self._training.size

    @property
    def busy(self) -> int:
        """How many calls of training are being made now."""
        return self._training.busy

    def prepared_data(self, settings: Settings) -> Future[PreparedData]:
        """What pictures of a run need: the prepared data, thinned to the points that are drawn."""
        return self._training.in_turn(_AT_ONCE, _prepared_data, settings)

    def prepare(self, settings: Settings) -> Future[Problem]:
        """All that is fixed before training; RequestError if the settings make no sense."""
        return self._training.in_turn(_AT_ONCE, _prepare, settings)

    def begin(
        self, members: tuple[Settings, ...], line: FairShare | None = None
    ) -> Future[tuple[State, Moment]]:
        """The state before training and its frames."""
        return self._training.in_turn(Priority(line, first=True), _begin, members)

    def advance(
        self, state: State, budget: Budget, line: FairShare | None = None
    ) -> Future[Advance]:
        """One slice of training; with a line, when that run's turn comes.

        A worker may have to prepare the data once more, so what that took anywhere is no hanging.
        """
        patience = PATIENCE
        if budget.seconds is not None:
            preparing = _SLOWER * self._training.slowest_first
            patience = max(_HANGS * budget.seconds, _HANGS_SECONDS, preparing)
        return self._training.in_turn(Priority(line, False, patience), _advance, state, budget)

    def certify(
        self, state: State, line: FairShare | None = None
    ) -> Future[tuple[Certificate, ...]]:
        """What the state's models are worth, measured on all points."""
        return self._training.in_turn(Priority(line), _certify, state)

    def decode(self, state: State, index: int) -> Future[Decoded]:
        """A viewed point as the state's models give it back."""
        return self._training.in_turn(_AT_ONCE, _decode, state, index)

    def explore(self, state: State, question: Question[A]) -> Future[A]:
        """What the state's models say to a question about their latent spaces."""
        return self._training.in_turn(_AT_ONCE, _explore, state, question)

    def band_study(self, settings: Settings) -> Future[BandStudy]:
        """Sample quality and diversity against the band's upper edge, in a short study."""
        return self._background_task.submit(_band_study, settings)

    def call(
        self, function: Callable[..., Any], *args: Any, line: FairShare | None = None
    ) -> Future[Any]:
        """Any other pure, importable call on picklable records, in its turn."""
        return self._training.in_turn(Priority(line), function, *args)

    def floors(self, members: tuple[Settings, ...]) -> Future[tuple[FloorCurves, ...]]:
        """The floors under each member: seconds of work that nobody's training waits for."""
        return self._background_task.submit(_floors, members)

    def sensitivity(self, settings: Settings) -> Future[tuple[BandAtK, ...]]:
        """The band under several numbers of clusters, by the best and worst start of K-means."""
        return self._background_task.submit(_sensitivity, settings)

    def objection(self, number: int, settings: Settings) -> Future[Answer]:
        """What is measured about an open objection on these data."""
        return self._background_task.submit(_objection, number, settings)

    def attack_plan(self, count: int, seed: int) -> Future[tuple[tuple[Settings, ...], ...]]:
        """The batches of a search for a collapsed run inside the band."""
        return self._background_task.submit(_attack_plan, count, seed)

    def attempt(self, members: tuple[Settings, ...]) -> Future[tuple[Attempt, ...]]:
        """Train one batch of such a search, and say how each run ended."""
        return self._background_task.submit(_attempt, members)

    def sweep_plan(self, grid: Grid) -> Future[tuple[Work, ...]]:
        """The chunks of a grid of runs, none of them begun."""
        return self._background_task.submit(_sweep_plan, grid)

    def sweep(self, work: Work, seconds: float) -> Future[Work]:
        """One slice of a chunk; errands of others may come between two slices."""
        return self._background_task.submit(_sweep, work, seconds)

    def contest_plan(self, runs: tuple[Settings, ...]) -> Future[tuple[Bout, ...]]:
        """Runs of several methods in batches, none of them begun."""
        return self._background_task.submit(_contest_plan, runs)

    def contest(self, bout: Bout, seconds: float) -> Future[Bout]:
        """One slice of a batch, or the score of one run of it."""
        return self._background_task.submit(_contest, bout, seconds)

    def embed(
        self,
        latent_means: tuple[np.ndarray, ...],
        structures: tuple[float, ...],
        step: int,
        previous: tuple[Layout, ...] | None,
    ) -> Future[tuple[Layout, ...]]:
        """A 2-D layout of each model's latent means [v, k], continuing from the previous ones."""
        umap = self.umap_ready
        pool = self._layouts if umap else self._training
        return pool.submit(_embed, umap, latent_means, structures, step, previous)


def _workers() -> int:
    """SVAE_WORKERS, or the number of cores that this process may use."""
    text = os.environ.get("SVAE_WORKERS", "")
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise RequestError(f"SVAE_WORKERS is {text!r}, but must be a whole number from 1 up.")
        return int(text)
    from loky import cpu_count

    return int(cpu_count())


# --------------------------------------------------------------- what runs in the workers


def _warm_training() -> None:
    import torch

    from svae_core.training import loop

    torch.set_num_threads(1)
    loop.begin((Settings(),))  # loads what is loaded late; and most visitors start from here


def _warm_layouts() -> None:
    from svae_core.latent.projection import warm_up

    warm_up()


def _prepared_data(settings: Settings) -> PreparedData:
    from svae_core.problem import prepared_data

    ground = prepared_data(settings)
    rows = ground.view_index
    labels = ground.dataset.labels
    return dataclasses.replace(
        ground,
        dataset=dataclasses.replace(
            ground.dataset,
            points=ground.dataset.points[rows],
            labels=None if labels is None else labels[rows],
        ),
        shell=dataclasses.replace(ground.shell, points=ground.shell.points[rows]),
        clusters=dataclasses.replace(ground.clusters, labels=ground.clusters.labels[rows]),
        view_index=np.arange(len(rows)),
    )


def _prepare(settings: Settings) -> Problem:
    from svae_core.problem import prepare

    return prepare(settings)


def _begin(members: tuple[Settings, ...]) -> tuple[State, Moment]:
    from svae_core.training import loop

    state = loop.begin(members)
    return state, loop.first_frames(state)


def _advance(state: State, budget: Budget) -> Advance:
    from svae_core.training import loop

    return loop.advance(state, budget)


def _certify(state: State) -> tuple[Certificate, ...]:
    from svae_core.training import loop

    return loop.certify(state)


def _decode(state: State, index: int) -> Decoded:
    from svae_core.training import loop

    return loop.decode(state, index)


def _explore(state: State, question: Question[A]) -> A:
    from svae_core.latent import explore as exploration

    return exploration.answer(state, question)


def _band_study(settings: Settings) -> BandStudy:
    from svae_core.studies import band_study

    return band_study.short_study(settings)


def _floors(members: tuple[Settings, ...]) -> tuple[FloorCurves, ...]:
    from svae_core.problem import prepare

    return tuple(prepare(settings).floors for settings in members)


def _sensitivity(settings: Settings) -> tuple[BandAtK, ...]:
    from svae_core.studies.k_sensitivity import sensitivity

    return sensitivity(settings)


def _objection(number: int, settings: Settings) -> Answer:
    from svae_core import objections

    return objections.answer(number, settings)


def _attack_plan(count: int, seed: int) -> tuple[tuple[Settings, ...], ...]:
    from svae_core.studies import attack

    return attack.plan(count, seed)


def _attempt(members: tuple[Settings, ...]) -> tuple[Attempt, ...]:
    from svae_core.studies import attack

    return attack.attempt(members)


def _sweep_plan(grid: Grid) -> tuple[Work, ...]:
    from svae_core.studies import sweep

    return tuple(map(sweep.Work, sweep.plan(grid)))


def _sweep(work: Work, seconds: float) -> Work:
    from svae_core.studies import sweep

    return sweep.go_on(work, seconds)


def _contest_plan(runs: tuple[Settings, ...]) -> tuple[Bout, ...]:
    from svae_core.studies import comparison

    return comparison.bouts(runs)


def _contest(bout: Bout, seconds: float) -> Bout:
    from svae_core.studies import comparison

    return comparison.go_on(bout, seconds)


def _embed(
    umap: bool,
    latent_means: tuple[np.ndarray, ...],
    structures: tuple[float, ...],
    step: int,
    previous: tuple[Layout, ...] | None,
) -> tuple[Layout, ...]:
    from svae_core.latent.projection import pca_layout, umap_layout

    before = previous or (None,) * len(latent_means)
    if not umap:
        return tuple(
            pca_layout(mean, step, last) for mean, last in zip(latent_means, before, strict=True)
        )
    return tuple(
        umap_layout(mean, structure, step, last)
        for mean, structure, last in zip(latent_means, structures, before, strict=True)
    )
