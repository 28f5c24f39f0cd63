"""Looks into trained latent spaces: what dimensions do, what lies at a place, between, around.

    answer(state, question) -> Looks | Decoding | Ways | Draws

Pure functions of a state and a question from `explored`; all members answer the same question, so
they can be shown side by side. Maps and traversals use posterior means: they show what the decoder
does, and prove nothing about the posterior (that is the certificate's task).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.latent.images import as_they_came, feature_names, pictured
from svae_core.latent.results import (
    A,
    Decoding,
    Draw,
    Drawn,
    Draws,
    Here,
    Look,
    Looks,
    Overview,
    Path,
    Plane,
    Question,
    Way,
    Ways,
)
from svae_core.latent.sample_quality import nearest
from svae_core.nets.networks import stream
from svae_core.records import PreparedData, RequestError, State
from svae_core.training.context import total_steps
from svae_core.training.evaluate import Model, decode, draw_prior, encode
from svae_core.training.loop import models

#: A traversed dimension takes these values, in standard deviations of the prior.
VALUES = np.linspace(-3.0, 3.0, 7, dtype=np.float32)
#: More dimensions than this are not traversed: those of least KL are left out.
TRAVERSED = 16
_GRID = np.linspace(-4.0, 4.0, 161)
_SHARES = np.linspace(0.0, 1.0, 9)
_SAMPLES = 12  # drawn from the prior
_PAIRS = 400  # samples between which a mean distance is taken


@torch.no_grad()
def answer(state: State, question: Question[A]) -> A:
    """What the members of this state say to the question.

    RequestError where it names a point, dimension or member that is not there.
    """
    members = models(state)
    said: Any
    match question:
        case Overview():
            said = _overview(state, members, question)
        case Here():
            said = _here(members, question)
        case Way():
            said = _ways(members, question)
        case Draw():
            said = _draws(members, question)
        case _:
            raise TypeError(f"no such question: {question!r}")
    answered: A = said
    return answered


# -------------------------------------------------------------------------------- overview


def _overview(state: State, members: tuple[Model, ...], question: Overview) -> Looks:
    ground = members[0].ground
    rows = ground.view_index
    start = None
    if question.start is not None:
        start = as_they_came(ground, rows[[_viewed(ground, question.start)]])[0]
    return Looks(
        step=state.step,
        steps=total_steps(state.settings[0], len(ground.shell.points)),
        image=ground.dataset.image_shape,
        features=feature_names(ground),
        labels=ground.clusters.labels[rows],
        rows=rows,
        plane=question.plane,
        start=start,
        members=tuple(_look(model, question) for model in members),
    )


def _look(model: Model, question: Overview) -> Look:
    posteriors = encode(model, model.ground.shell.points[model.ground.view_index])
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
    return Look(
        method=model.ground.settings.method,
        kl_per_dim=kl,
        order=order,
        dead=kl < COLLAPSED_KL,
        spread=mean.var(axis=0, dtype=np.float64),
        variance=variance.mean(axis=0, dtype=np.float64),
        grid=_GRID,
        aggregate=_aggregate(mean, np.sqrt(variance)),
        prior=_normal(_GRID, 0.0, 1.0),
        values=VALUES,
        traversals=_pictures(model.ground, outputs),
        travel=travel,
        map=coordinates.astype(np.float32),
        explained=inside / total if total > 0 else float("nan"),
    )


def _traverse(model: Model, centre: np.ndarray, dims: np.ndarray) -> np.ndarray:
    """Decoder outputs [r, t, d]: from `centre` [k], one of `dims` at a time set to each value."""
    z = np.tile(centre, (len(dims), len(VALUES), 1))
    z[np.arange(len(dims)), :, dims] = VALUES
    return decode(model, z.reshape(-1, len(centre))).reshape(len(dims), len(VALUES), -1)


def _kl_per_dim(kl: np.ndarray, k: int) -> np.ndarray:
    """Mean nats of each dimension, [k]; RequestError where they do not belong to dimensions."""
    if kl.shape[1] != k:
        raise RequestError(
            "This posterior's KL does not split by dimension, so its dimensions cannot be compared."
        )
    return np.asarray(kl.mean(axis=0, dtype=np.float64))


def _aggregate(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Density of q(z_j) = mean over points of N(m_j, s_j), on the grid, [k, g]; no sampling."""
    columns = zip(mean.T, deviation.T, strict=True)
    return np.stack([_normal(_GRID[:, None], m, s).mean(axis=1) for m, s in columns])


def _normal(z: np.ndarray, mean: np.ndarray | float, deviation: np.ndarray | float) -> np.ndarray:
    standard = (z - mean) / deviation
    density: np.ndarray = np.exp(-0.5 * standard**2) / (deviation * np.sqrt(2 * np.pi))
    return density


def _plane(mean: np.ndarray, plane: Plane) -> tuple[np.ndarray, np.ndarray]:
    """Origin [k] and two directions [2, k] of a map; all else stays at the origin's values."""
    k = mean.shape[1]
    origin = mean.mean(axis=0, dtype=np.float64)
    if plane.dims is None:
        _, vectors = np.linalg.eigh(np.cov(mean.T.astype(np.float64)).reshape(k, k))
        axes = vectors[:, ::-1].T[:2]
        axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        if k == 1:  # one dimension is drawn along a line
            axes = np.vstack([axes, np.zeros((1, 1))])
    else:
        if max(plane.dims) >= k or min(plane.dims) < 0:
            raise RequestError(
                f"There is no latent dimension {max(plane.dims) + 1}; there are {k}."
            )
        axes = np.eye(k)[list(plane.dims)]
        origin[list(plane.dims)] = 0.0
    return origin.astype(np.float32), axes.astype(np.float32)


# ------------------------------------------------------------------------ at a place, between


def _here(members: tuple[Model, ...], question: Here) -> Decoding:
    if not 0 <= question.member < len(members):
        raise RequestError(f"There is no model {question.member + 1}; there are {len(members)}.")
    model = members[question.member]
    ground = model.ground
    mean = encode(model, ground.shell.points[ground.view_index]).mean
    origin, axes = _plane(mean, question.plane)
    z = origin + np.asarray(question.place, np.float32) @ axes
    output = decode(model, z[None])
    rows, gaps = nearest(ground.shell.points, output)
    replies = [_answered(other, output) for other in members]
    return Decoding(
        here=pictured(ground, output)[0],
        nearest=as_they_came(ground, rows)[0],
        row=int(rows[0]),
        distance=float(gaps[0]),
        replies=tuple(pictured(ground, reply)[0] for reply in replies),
    )


def _ways(members: tuple[Model, ...], question: Way) -> Ways:
    ground = members[0].ground
    ends = [ground.view_index[_viewed(ground, index)] for index in (question.start, question.end)]
    points = ground.shell.points[ends]
    ideal = _great_circle(points)
    paths = [_path(ground, "ideal", "", ideal, ideal)]
    for model in members:
        mean = encode(model, points).mean
        z = np.outer(1.0 - _SHARES, mean[0]) + np.outer(_SHARES, mean[1])
        straight = decode(model, z.astype(np.float32))
        method = model.ground.settings.method
        paths.append(_path(ground, "straight", method, straight, ideal))
        paths.append(_path(ground, "shell", method, _answered(model, ideal), ideal))
    return Ways(angle=float(np.degrees(_angle(points))), shares=_SHARES, paths=tuple(paths))


def _great_circle(points: np.ndarray) -> np.ndarray:
    """The shortest way on the shell between two points [2, d]: along a great circle, [t, d].

    Directions turn evenly (slerp); the radius goes evenly from one to the other. Opposite points
    have no shortest way: any plane through them will do, and one is chosen.
    """
    radii = np.linalg.norm(points.astype(np.float64), axis=1)
    one, other = points.astype(np.float64) / radii[:, None]
    angle = _angle(points)
    aside = other - one * (one @ other)
    if np.linalg.norm(aside) < 1e-9:
        aside = np.eye(len(one))[np.abs(one).argmin()]
        aside = aside - one * (one @ aside)
    aside /= np.linalg.norm(aside)
    turned = np.outer(np.cos(_SHARES * angle), one) + np.outer(np.sin(_SHARES * angle), aside)
    length = (1.0 - _SHARES) * radii[0] + _SHARES * radii[1]
    return (turned * length[:, None]).astype(np.float32)


def _angle(points: np.ndarray) -> float:
    one, other = points.astype(np.float64)
    # By the tangent of half the angle: exact for near and for opposite points, unlike arccos.
    one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    return float(2.0 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other)))


def _path(
    ground: PreparedData, name: str, method: str, outputs: np.ndarray, ideal: np.ndarray
) -> Path:
    _, gaps = nearest(ground.shell.points, outputs)
    return Path(
        name=name,
        method=method,
        pictures=pictured(ground, outputs),
        astray=np.linalg.norm(outputs - ideal, axis=1),
        nearest=gaps,
    )


# -------------------------------------------------------------------------------- samples


def _draws(members: tuple[Model, ...], question: Draw) -> Draws:
    ground = members[0].ground
    points = ground.shell.points
    viewed = points[ground.view_index]
    two = [nearest(np.delete(viewed, row, axis=0), viewed[[row]])[1][0] for row in _few(viewed)]
    return Draws(
        data_apart=_apart(viewed),
        typical=float(np.median(two)),
        members=tuple(_drawn(model, question.seed) for model in members),
    )


def _drawn(model: Model, seed: int) -> Drawn:
    ground = model.ground
    k = ground.settings.latent_dim
    noise = torch.randn((_PAIRS, k), generator=stream(seed, 0, "prior")).numpy()
    outputs = decode(model, draw_prior(model, noise))
    # Among the points that `typical` is measured on: more of them would lie nearer.
    rows, gaps = nearest(ground.shell.points[ground.view_index], outputs[:_SAMPLES])
    rows = ground.view_index[rows]
    return Drawn(
        method=ground.settings.method,
        samples=pictured(ground, outputs[:_SAMPLES]),
        nearest=as_they_came(ground, rows),
        rows=rows,
        distance=gaps,
        apart=_apart(outputs),
    )


def _few(points: np.ndarray) -> range:
    return range(0, len(points), max(1, len(points) // 64))


def _apart(points: np.ndarray) -> float:
    """Mean distance between one half of (at most 400 of) the points and the other, in pairs."""
    some = points[:_PAIRS]
    half = len(some) // 2
    return float(np.linalg.norm(some[:half] - some[half : 2 * half], axis=1).mean())


# --------------------------------------------------------------------------------- shared


def _answered(model: Model, points: np.ndarray) -> np.ndarray:
    """Shell points encoded, and their posterior means decoded."""
    return decode(model, encode(model, points).mean)


def _pictures(ground: PreparedData, outputs: np.ndarray) -> np.ndarray:
    """[r, t, d] as pictures [r, t, f]."""
    flat = pictured(ground, outputs.reshape(-1, outputs.shape[-1]))
    return flat.reshape(*outputs.shape[:-1], -1)


def _viewed(ground: PreparedData, index: int) -> int:
    if not 0 <= index < len(ground.view_index):
        raise RequestError(
            f"There is no point {index + 1} in the picture; there are {len(ground.view_index)}."
        )
    return index
