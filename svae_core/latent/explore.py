"""Exploration of trained latent spaces: traversals, maps, decoded places, interpolations, samples.

    answer(state, question) -> LatentSpaces | Decoding | Followed | Interpolations | PriorSamples

Pure functions of a state and a question of `results`; all members answer the same question, so
they can be shown side by side. Maps and traversals use posterior means: they show what the decoder
does, and are no evidence about the posterior (that is the certificate's task).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.latent.following import check_viewed, follow
from svae_core.latent.images import data_pictures, feature_names, output_pictures
from svae_core.latent.results import (
    A,
    DecodeAt,
    Decoding,
    Follow,
    Interpolate,
    Interpolation,
    Interpolations,
    LatentSpace,
    LatentSpaces,
    MemberSamples,
    Overview,
    Plane,
    PriorSamples,
    Question,
    SamplePrior,
)
from svae_core.latent.sample_quality import nearest
from svae_core.nets.networks import stream
from svae_core.records import PreparedData, RequestError, State
from svae_core.training.batch_context import total_steps
from svae_core.training.evaluate import Model, decode, draw_prior, encode
from svae_core.training.loop import models

#: Values of a traversed dimension, in standard deviations of the prior.
VALUES = np.linspace(-3.0, 3.0, 7, dtype=np.float32)
#: Traversed dimensions, at most: those with the largest KL.
TRAVERSED = 16
_GRID = np.linspace(-4.0, 4.0, 161)
_FRACTIONS = np.linspace(0.0, 1.0, 9)
_SAMPLES_SHOWN = 12  # samples from the prior that are shown
_DISTANCE_SAMPLES = 400  # samples from which a mean distance is estimated


@torch.no_grad()
def answer(state: State, question: Question[A]) -> A:
    """The answer of this state's members to a question.

    Raises RequestError if the question names a point, dimension or member that does not exist.
    """
    members = models(state)
    said: Any
    match question:
        case Overview():
            said = _overview(state, members, question)
        case DecodeAt():
            said = _decode_at(members, question)
        case Follow():
            said = follow(state.step, members, question)
        case Interpolate():
            said = _interpolations(members, question)
        case SamplePrior():
            said = _prior_samples(members, question)
        case _:
            raise TypeError(f"unknown question: {question!r}")
    answered: A = said
    return answered


# -------------------------------------------------------------------------------- overview


def _overview(state: State, members: tuple[Model, ...], question: Overview) -> LatentSpaces:
    prepared = members[0].prepared
    rows = prepared.view_index
    start = None
    if question.start is not None:
        start = data_pictures(prepared, rows[[check_viewed(prepared, question.start)]])[0]
    return LatentSpaces(
        step=state.step,
        steps=total_steps(state.settings[0], len(prepared.shell.points)),
        image=prepared.dataset.image_shape,
        symbols=prepared.dataset.symbols,
        features=feature_names(prepared),
        labels=prepared.clusters.labels[rows],
        rows=rows,
        plane=question.plane,
        start=start,
        members=tuple(_latent_space(model, question) for model in members),
    )


def _latent_space(model: Model, question: Overview) -> LatentSpace:
    posteriors = encode(model, model.prepared.shell.points[model.prepared.view_index])
    mean, variance = posteriors.mean, posteriors.variance
    kl = _kl_per_dim(posteriors.kl, mean.shape[1])
    order = np.argsort(-kl, kind="stable")
    centre = np.zeros(mean.shape[1], np.float32)
    if question.start is not None:
        centre = mean[question.start]
    outputs = _traverse(model, centre, order[:TRAVERSED])
    travel = np.linalg.norm(np.diff(outputs, axis=1), axis=2).sum(axis=1)
    origin, axes = _plane(mean, question.plane)
    coordinates = (mean - origin) @ axes.T
    total = float(mean.var(axis=0, dtype=np.float64).sum())
    inside = float(coordinates.var(axis=0, dtype=np.float64).sum())
    return LatentSpace(
        method=model.prepared.settings.method,
        kl_per_dim=kl,
        order=order,
        dead=kl < COLLAPSED_KL,
        spread=mean.var(axis=0, dtype=np.float64),
        variance=variance.mean(axis=0, dtype=np.float64),
        grid=_GRID,
        aggregate=_aggregate(mean, np.sqrt(variance)),
        prior=_normal(_GRID, 0.0, 1.0),
        values=VALUES,
        traversals=_pictures(model.prepared, outputs),
        travel=travel,
        map=coordinates.astype(np.float32),
        explained=inside / total if total > 0 else float("nan"),
    )


def _traverse(model: Model, centre: np.ndarray, dims: np.ndarray) -> np.ndarray:
    """Decoder outputs [r, t, d] at `centre` [k] with one of `dims` at a time set to each value."""
    z = np.tile(centre, (len(dims), len(VALUES), 1))
    z[np.arange(len(dims)), :, dims] = VALUES
    return decode(model, z.reshape(-1, len(centre))).reshape(len(dims), len(VALUES), -1)


def _kl_per_dim(kl: np.ndarray, k: int) -> np.ndarray:
    """Mean KL of each dimension, [k] nats; RequestError if the KL does not split by dimension."""
    if kl.shape[1] != k:
        raise RequestError(
            "This posterior's KL does not split by dimension, so its dimensions cannot be compared."
        )
    return np.asarray(kl.mean(axis=0, dtype=np.float64))


def _aggregate(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The density of the aggregate posterior q(z_j) = mean_x N(m_j(x), s_j(x)), [k, g], exact."""
    columns = zip(mean.T, deviation.T, strict=True)
    return np.stack([_normal(_GRID[:, None], m, s).mean(axis=1) for m, s in columns])


def _normal(z: np.ndarray, mean: np.ndarray | float, deviation: np.ndarray | float) -> np.ndarray:
    standard = (z - mean) / deviation
    density: np.ndarray = np.exp(-0.5 * standard**2) / (deviation * np.sqrt(2 * np.pi))
    return density


def _plane(mean: np.ndarray, plane: Plane) -> tuple[np.ndarray, np.ndarray]:
    """Origin [k] and two directions [2, k] of a map; other dimensions keep the origin's values."""
    k = mean.shape[1]
    origin = mean.mean(axis=0, dtype=np.float64)
    if plane.dims is None:
        _, vectors = np.linalg.eigh(np.cov(mean.T.astype(np.float64)).reshape(k, k))
        axes = vectors[:, ::-1].T[:2]
        axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        if k == 1:  # with one latent dimension the map is a line
            axes = np.vstack([axes, np.zeros((1, 1))])
    else:
        if max(plane.dims) >= k or min(plane.dims) < 0:
            raise RequestError(
                f"There is no latent dimension {max(plane.dims) + 1}; there are {k}."
            )
        axes = np.eye(k)[list(plane.dims)]
        origin[list(plane.dims)] = 0.0
    return origin.astype(np.float32), axes.astype(np.float32)


# ------------------------------------------------------------------ decoding, interpolation


def _decode_at(members: tuple[Model, ...], question: DecodeAt) -> Decoding:
    if not 0 <= question.member < len(members):
        raise RequestError(f"There is no model {question.member + 1}; there are {len(members)}.")
    model = members[question.member]
    prepared = model.prepared
    mean = encode(model, prepared.shell.points[prepared.view_index]).mean
    origin, axes = _plane(mean, question.plane)
    z = origin + np.asarray(question.place, np.float32) @ axes
    output = decode(model, z[None])
    rows, gaps = nearest(prepared.shell.points, output)
    reconstructions = [_reconstruct_means(second, output) for second in members]
    return Decoding(
        decoded=output_pictures(prepared, output)[0],
        nearest=data_pictures(prepared, rows)[0],
        row=int(rows[0]),
        distance=float(gaps[0]),
        reconstructions=tuple(output_pictures(prepared, reply)[0] for reply in reconstructions),
    )


def _interpolations(members: tuple[Model, ...], question: Interpolate) -> Interpolations:
    prepared = members[0].prepared
    rows = [
        prepared.view_index[check_viewed(prepared, index)]
        for index in (question.start, question.end)
    ]
    points = prepared.shell.points[rows]
    ideal = _great_circle(points)
    paths = [_interpolation(prepared, "ideal", "", ideal, ideal)]
    for model in members:
        mean = encode(model, points).mean
        z = np.outer(1.0 - _FRACTIONS, mean[0]) + np.outer(_FRACTIONS, mean[1])
        straight = decode(model, z.astype(np.float32))
        method = model.prepared.settings.method
        paths.append(_interpolation(prepared, "straight", method, straight, ideal))
        paths.append(
            _interpolation(prepared, "shell", method, _reconstruct_means(model, ideal), ideal)
        )
    return Interpolations(
        angle=float(np.degrees(_angle(points))), shares=_FRACTIONS, paths=tuple(paths)
    )


def _great_circle(points: np.ndarray) -> np.ndarray:
    """The great-circle interpolation [t, d] on the shell between two points [2, d].

    Directions are interpolated spherically (slerp), radii linearly. For opposite points the great
    circle is not unique: the plane is chosen by the coordinate axis furthest from them.
    """
    radii = np.linalg.norm(points.astype(np.float64), axis=1)
    first, second = points.astype(np.float64) / radii[:, None]
    angle = _angle(points)
    tangent = second - first * (first @ second)
    if np.linalg.norm(tangent) < 1e-9:
        tangent = np.eye(len(first))[np.abs(first).argmin()]
        tangent = tangent - first * (first @ tangent)
    tangent /= np.linalg.norm(tangent)
    directions = np.outer(np.cos(_FRACTIONS * angle), first) + np.outer(
        np.sin(_FRACTIONS * angle), tangent
    )
    length = (1.0 - _FRACTIONS) * radii[0] + _FRACTIONS * radii[1]
    return (directions * length[:, None]).astype(np.float32)


def _angle(points: np.ndarray) -> float:
    first, second = points.astype(np.float64)
    # tan(θ/2) = ‖u − v‖/‖u + v‖: accurate for near and for opposite points, unlike arccos.
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
    return float(2.0 * np.arctan2(np.linalg.norm(first - second), np.linalg.norm(first + second)))


def _interpolation(
    prepared: PreparedData, name: str, method: str, outputs: np.ndarray, ideal: np.ndarray
) -> Interpolation:
    _, gaps = nearest(prepared.shell.points, outputs)
    return Interpolation(
        name=name,
        method=method,
        pictures=output_pictures(prepared, outputs),
        deviation=np.linalg.norm(outputs - ideal, axis=1),
        nearest=gaps,
    )


# -------------------------------------------------------------------------------- samples


def _prior_samples(members: tuple[Model, ...], question: SamplePrior) -> PriorSamples:
    prepared = members[0].prepared
    points = prepared.shell.points
    viewed = points[prepared.view_index]
    two = [
        nearest(np.delete(viewed, row, axis=0), viewed[[row]])[1][0] for row in _subsample(viewed)
    ]
    return PriorSamples(
        data_mean_distance=_mean_distance(viewed),
        data_nearest_distance=float(np.median(two)),
        members=tuple(_member_samples(model, question.seed) for model in members),
    )


def _member_samples(model: Model, seed: int) -> MemberSamples:
    prepared = model.prepared
    k = prepared.settings.latent_dim
    noise = torch.randn((_DISTANCE_SAMPLES, k), generator=stream(seed, 0, "prior")).numpy()
    outputs = decode(model, draw_prior(model, noise))
    # Among the points used for `data_nearest_distance`: a larger set would have nearer points.
    rows, gaps = nearest(prepared.shell.points[prepared.view_index], outputs[:_SAMPLES_SHOWN])
    rows = prepared.view_index[rows]
    return MemberSamples(
        method=prepared.settings.method,
        samples=output_pictures(prepared, outputs[:_SAMPLES_SHOWN]),
        nearest=data_pictures(prepared, rows),
        rows=rows,
        distance=gaps,
        mean_distance=_mean_distance(outputs),
    )


def _subsample(points: np.ndarray) -> range:
    return range(0, len(points), max(1, len(points) // 64))


def _mean_distance(points: np.ndarray) -> float:
    """Mean distance between paired points: the first half of at most 400 with the second half."""
    some = points[:_DISTANCE_SAMPLES]
    half = len(some) // 2
    return float(np.linalg.norm(some[:half] - some[half : 2 * half], axis=1).mean())


# --------------------------------------------------------------------------------- shared


def _reconstruct_means(model: Model, points: np.ndarray) -> np.ndarray:
    """Decoder outputs of the posterior means of shell points."""
    return decode(model, encode(model, points).mean)


def _pictures(prepared: PreparedData, outputs: np.ndarray) -> np.ndarray:
    """Outputs [r, t, d] as pictures [r, t, f]."""
    flat = output_pictures(prepared, outputs.reshape(-1, outputs.shape[-1]))
    return flat.reshape(*outputs.shape[:-1], -1)
