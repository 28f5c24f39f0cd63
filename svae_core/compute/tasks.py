"""What workers do: pure functions of picklable records, for `Engine.submit`.

This module is light, so that the server can name a task; what a task needs is loaded by the worker
that makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from svae_core.compute.preparation_worker import check_size
from svae_core.geometry.region import BandAtK
from svae_core.latent.results import A, BandStudy, Question
from svae_core.records import (
    Advance,
    Budget,
    Certificate,
    FloorCurves,
    Forecast,
    Moment,
    PreparedData,
    Problem,
    RequestError,
    Settings,
    State,
)
from svae_core.studies.job import P, Study

if TYPE_CHECKING:
    from svae_core.clinic.examination import Examination
    from svae_core.clinic.model_arrays import ModelArrays
    from svae_core.clinic.moved_copies import Tried
    from svae_core.clinic.training_loss import TrainingLoss
    from svae_core.clinic.unit_gauge import UnitDiagnosis
    from svae_core.latent.projection import Layout
    from svae_core.objections import Answer


def prepared_data(settings: Settings) -> PreparedData:
    """The prepared data, reduced to the viewed points: what the screen shows of them."""
    from svae_core.problem import only, prepared_data

    prepared = prepared_data(settings)
    return only(prepared, prepared.view_index)


def proposal(settings: Settings) -> tuple[tuple[int, float, float], ...]:
    """(K, W, silhouette) of the numbers of clusters that are tried where none is given."""
    from svae_core.problem import prepared_data

    return prepared_data(settings).clusters.proposal


def prepare(settings: Settings) -> Problem:
    """All that is fixed before training; RequestError if the settings are invalid."""
    from svae_core.problem import prepare

    return prepare(settings)


def begin(members: tuple[Settings, ...]) -> tuple[State, Moment]:
    """The state before the first step and its frames; RequestError if it is too large."""
    from svae_core.training import loop

    check_size(members)
    state = loop.begin(members)
    return state, loop.first_frames(state)


def advance(state: State, budget: Budget) -> Advance:
    """One slice of training."""
    from svae_core.training import loop

    return loop.advance(state, budget)


def certify(state: State) -> tuple[Certificate, ...]:
    """Certificates of the state's members, measured on all points."""
    from svae_core.training import loop

    return loop.certify(state)


def forecasts(state: State) -> tuple[Forecast | None, ...]:
    """The next birth and death of each member; None where its loss has no such forecast."""
    from svae_core.training import loop

    return loop.forecasts(state)


def try_nearby(state: State) -> tuple[Tried | None, ...]:
    """The same, tried with copies of each member that are trained on; seconds to a minute."""
    from svae_core.clinic import moved_copies
    from svae_core.training import loop

    return tuple(
        moved_copies.try_nearby(loop.member(state, index)) if told else None
        for index, told in enumerate(loop.forecasts(state))
    )


def explore(state: State, question: Question[A]) -> A:
    """The answer to a question about the latent spaces of the state's members."""
    from svae_core.latent import explore

    return explore.answer(state, question)


def band_study(settings: Settings) -> BandStudy:
    """Sample quality and diversity against the band's upper edge, in a short study."""
    from svae_core.studies import band_study

    return band_study.short_study(settings)


def quick_floors(settings: Settings) -> FloorCurves:
    """The floor curves without the kernel bounds: lower ones, and there much sooner."""
    from svae_core.problem import prepare

    return prepare(settings).floors


def floors(members: tuple[Settings, ...]) -> tuple[FloorCurves, ...]:
    """The sharpened floor curves of each member; takes some seconds."""
    from svae_core.problem import prepare, sharpened

    return tuple(sharpened(prepare(settings)).floors for settings in members)


def sensitivity(settings: Settings) -> tuple[BandAtK, ...]:
    """The band for several numbers of clusters, with the best and worst start of K-means."""
    from svae_core.studies.k_sensitivity import sensitivity

    return sensitivity(settings)


def gauges(settings: Settings, losses: tuple[TrainingLoss, ...]) -> tuple[UnitDiagnosis, ...] | str:
    """What these training losses imply on the data, or one sentence on why they do not fit them."""
    from svae_core.clinic.unit_gauge import diagnose_losses
    from svae_core.problem import prepared_data

    sizes = settings.latent_dim, settings.batch_size, settings.beta, settings.sigma2
    try:
        return tuple(diagnose_losses(losses, prepared_data(settings).dataset.points, *sizes))
    except RequestError as error:
        return str(error)


def examine(arrays: ModelArrays, loss: TrainingLoss | None, batch_size: int) -> Examination:
    """What a model's arrays say of it, and the loss that trained it, if that is known."""
    from svae_core.clinic.examination import examine, with_loss

    return examine(arrays if loss is None else with_loss(arrays, loss, batch_size))


def objection(number: int, settings: Settings) -> Answer:
    """The measured answer to an objection on these data."""
    from svae_core import objections

    return objections.answer(number, settings)


def plan(study: Study[P]) -> tuple[P, ...]:
    """The parts of a study, before training."""
    return study.plan()


def go_on(part: P, seconds: float) -> P:
    """One slice of a part of a study."""
    return part.advance(seconds)


def lay_out(
    latent_means: tuple[np.ndarray, ...],
    structures: tuple[float, ...],
    step: int,
    previous: tuple[Layout, ...] | None,
) -> tuple[Layout, ...]:
    """A 2-D map of each model's latent means [v, k], continuing from the previous ones.

    By UMAP in the worker for maps, by PCA in all others.
    """
    from svae_core.latent import projection

    before = previous or (None,) * len(latent_means)
    return tuple(
        projection.layout(mean, structure, step, last)
        for mean, structure, last in zip(latent_means, structures, before, strict=True)
    )
