"""The engine runs calls in worker processes, so that the server never imports torch or umap.

    engine = Engine();  engine.start();  engine.advance(state, budget) -> Future[Advance]

Every call is a pure function of picklable records, so it may run in any process, in any order, and
again when its process was lost. `compute.scheduler` decides the order: a run with a `FairShare`
gets its fair share of the workers' time.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.compute.dask_cluster import Cluster
from svae_core.compute.preparation_worker import Preparation, check_size, warm_sharing
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
    from svae_core.studies.comparison import ComparisonBatch
    from svae_core.studies.sweep import ChunkProgress

#: A slice of training in seconds: long enough for little overhead, short enough to alternate runs.
SLICE, SHORTEST_SLICE = 0.045, 0.010
#: Every run gets a slice within this time in seconds, where slices can be that short.
ROUND = 0.300
#: A worker counts as hanging when a slice takes this many times its budget, and this many seconds,
_HANGS, _HANGS_SECONDS = 20.0, 10.0
#: and this many times the slowest preparation of data so far, since a slice may have to prepare.
_SLOWER = 5.0
_AT_ONCE = Priority(first=True)


class Engine:
    """Pools of workers for training, for map layouts and for background tasks.

    Training has as many workers as there are cores, unless SVAE_WORKERS gives another number. The
    layout worker compiles UMAP in its first seconds. Background tasks take many seconds each; they
    have a worker of their own, started on first use, so that they do not delay live training.

    Given the address of a Dask scheduler, as an argument or in SVAE_SCHEDULER, training runs on
    that cluster until it is lost.
    """

    def __init__(self, workers: int | None = None, scheduler: str | None = None) -> None:
        address = scheduler or os.environ.get("SVAE_SCHEDULER")
        self._preparation = Preparation()
        warm = partial(warm_sharing, self._preparation.folder, _warm_training)
        self._cluster = Cluster(address, _warm_training) if address else None
        self._local = WorkerPool(workers or _workers(), warm)
        self._layouts = WorkerPool(1, _warm_layouts)
        self._background = WorkerPool(1, warm)

    def start(self) -> None:
        """Start the processes; returns at once, they warm up in the background."""
        self._training.start()
        self._layouts.start()
        self._preparation.start()

    def stop(self) -> None:
        """End the processes now; waiting calls are cancelled."""
        if self._cluster is not None:
            self._cluster.shutdown()
        self._local.shutdown()
        self._layouts.shutdown()
        self._background.shutdown()
        self._preparation.shutdown()

    @property
    def _training(self) -> Scheduler:
        cluster = self._cluster
        return self._local if cluster is None or cluster.gone else cluster

    @property
    def cluster_lost(self) -> str:
        """Why the cluster cannot be used, in one sentence; empty if there is no problem."""
        return self._cluster.failed if self._cluster is not None else ""

    @property
    def umap_ready(self) -> bool:
        """Whether map layouts are computed by UMAP; PCA is used until its worker is ready."""
        return self._layouts.warm.is_set()

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

    def prepared_data(self, settings: Settings) -> Future[PreparedData]:
        """The prepared data, reduced to the viewed points: what the screen shows of them."""
        return self._preparation.make(_prepared_data, settings, self._background)

    def prepare(self, settings: Settings) -> Future[Problem]:
        """All that is fixed before training; RequestError if the settings are invalid."""
        return self._preparation.make(_prepare, settings, self._background)

    def begin(
        self, members: tuple[Settings, ...], share: FairShare | None = None
    ) -> Future[tuple[State, Moment]]:
        """The state before the first step and its frames; RequestError if it is too large."""
        return self._training.in_turn(Priority(share, first=True), _begin, members)

    def advance(
        self, state: State, budget: Budget, share: FairShare | None = None
    ) -> Future[Advance]:
        """One slice of training, scheduled by the run's fair share if given.

        A worker may have to prepare the data first, so the patience allows for the longest
        preparation seen so far.
        """
        patience = PATIENCE
        if budget.seconds is not None:
            preparing = _SLOWER * max(self._training.slowest_urgent, self._preparation.slowest)
            patience = max(_HANGS * budget.seconds, _HANGS_SECONDS, preparing)
        return self._training.in_turn(Priority(share, False, patience), _advance, state, budget)

    def certify(
        self, state: State, share: FairShare | None = None
    ) -> Future[tuple[Certificate, ...]]:
        """Certificates of the state's members, measured on all points."""
        return self._training.in_turn(Priority(share), _certify, state)

    def decode(self, state: State, index: int) -> Future[Decoded]:
        """The members' reconstructions of one viewed point."""
        return self._training.in_turn(_AT_ONCE, _decode, state, index)

    def explore(self, state: State, question: Question[A]) -> Future[A]:
        """The answer to a question about the latent spaces of the state's members."""
        return self._training.in_turn(_AT_ONCE, _explore, state, question)

    def band_study(self, settings: Settings) -> Future[BandStudy]:
        """Sample quality and diversity against the band's upper edge, in a short study."""
        return self._background.submit(_band_study, settings)

    def call(
        self, function: Callable[..., Any], *args: Any, share: FairShare | None = None
    ) -> Future[Any]:
        """Any other pure, importable call on picklable records, on a training worker."""
        return self._training.in_turn(Priority(share), function, *args)

    def floors(self, members: tuple[Settings, ...]) -> Future[tuple[FloorCurves, ...]]:
        """The floor curves of each member, as a background task of some seconds."""
        return self._background.submit(_floors, members)

    def sensitivity(self, settings: Settings) -> Future[tuple[BandAtK, ...]]:
        """The band for several numbers of clusters, with the best and worst start of K-means."""
        return self._background.submit(_sensitivity, settings)

    def objection(self, number: int, settings: Settings) -> Future[Answer]:
        """The measured answer to an objection on these data."""
        return self._background.submit(_objection, number, settings)

    def attack_plan(self, count: int, seed: int) -> Future[tuple[tuple[Settings, ...], ...]]:
        """The batches of a search for a collapsed run inside the band."""
        return self._background.submit(_attack_plan, count, seed)

    def attempt(self, members: tuple[Settings, ...]) -> Future[tuple[Attempt, ...]]:
        """Train one batch of such a search; the outcome of each run."""
        return self._background.submit(_attempt, members)

    def sweep_plan(self, grid: Grid) -> Future[tuple[ChunkProgress, ...]]:
        """The chunks of a grid of runs, before training."""
        return self._background.submit(_sweep_plan, grid)

    def sweep(self, current: ChunkProgress, seconds: float) -> Future[ChunkProgress]:
        """One slice of a chunk; other background tasks may run between two slices."""
        return self._background.submit(_sweep, current, seconds)

    def comparison_plan(self, runs: tuple[Settings, ...]) -> Future[tuple[ComparisonBatch, ...]]:
        """Runs of several methods in batches, before training."""
        return self._background.submit(_comparison_plan, runs)

    def compare(self, batch: ComparisonBatch, seconds: float) -> Future[ComparisonBatch]:
        """One slice of training of a batch, or the score of one of its runs."""
        return self._background.submit(_compare, batch, seconds)

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


# --------------------------------------------------------------- functions run by the workers


def _warm_training() -> None:
    import torch

    from svae_core.training import loop

    torch.set_num_threads(1)
    loop.begin((Settings(),))  # loads lazy imports, and prepares the default data for visitors


def _warm_layouts() -> None:
    from svae_core.latent.projection import warm_up

    warm_up()


def _prepared_data(settings: Settings) -> PreparedData:
    from svae_core.problem import prepared_data

    prepared = prepared_data(settings)
    rows = prepared.view_index
    labels = prepared.dataset.labels
    return dataclasses.replace(
        prepared,
        dataset=dataclasses.replace(
            prepared.dataset,
            points=prepared.dataset.points[rows],
            labels=None if labels is None else labels[rows],
        ),
        shell=dataclasses.replace(prepared.shell, points=prepared.shell.points[rows]),
        clusters=dataclasses.replace(prepared.clusters, labels=prepared.clusters.labels[rows]),
        view_index=np.arange(len(rows)),
    )


def _prepare(settings: Settings) -> Problem:
    from svae_core.problem import prepare

    return prepare(settings)


def _begin(members: tuple[Settings, ...]) -> tuple[State, Moment]:
    from svae_core.training import loop

    check_size(members)
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
    from svae_core.latent import explore

    return explore.answer(state, question)


def _band_study(settings: Settings) -> BandStudy:
    from svae_core.studies import band_study

    return band_study.short_study(settings)


def _floors(members: tuple[Settings, ...]) -> tuple[FloorCurves, ...]:
    from svae_core.problem import prepare, sharpened

    return tuple(sharpened(prepare(settings)).floors for settings in members)


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


def _sweep_plan(grid: Grid) -> tuple[ChunkProgress, ...]:
    from svae_core.studies import sweep

    return tuple(map(sweep.ChunkProgress, sweep.plan(grid)))


def _sweep(current: ChunkProgress, seconds: float) -> ChunkProgress:
    from svae_core.studies import sweep

    return sweep.advance(current, seconds)


def _comparison_plan(runs: tuple[Settings, ...]) -> tuple[ComparisonBatch, ...]:
    from svae_core.studies import comparison

    return comparison.plan(runs)


def _compare(batch: ComparisonBatch, seconds: float) -> ComparisonBatch:
    from svae_core.studies import comparison

    return comparison.advance(batch, seconds)


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
