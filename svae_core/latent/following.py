"""One point on its way through both models: posterior, drawn z, the decoder's output, its place.

    follow(step, models, Follow(point=40)) -> Followed
    follow_through(step, passages, Follow(point=40)) -> Followed  # of others

The point is one of the data or a visitor's own input, which takes the way of the data: as a picture
in their range, then onto the shell by the map fitted to them. A data point's first draw is that of
the frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch

from svae_core.certificate.posteriors import Posteriors
from svae_core.config.shares import percent
from svae_core.geometry.shell import shell_map, shell_view
from svae_core.latent.drawing import Habits, habits_of, picture
from svae_core.latent.images import (
    FEATURES,
    data_pictures,
    input_pictures,
    output_pictures,
    value_range,
)
from svae_core.latent.results import Follow, Followed, FollowedModel
from svae_core.latent.typing_in import sequence
from svae_core.nets.networks import stream
from svae_core.records import PreparedData, RequestError
from svae_core.training.evaluate import Model, decode, encode, view_noise

#: Draws of z that are decoded, and neighbours that are found.
DRAWS, NEIGHBOURS = 6, 5
#: Outputs nearer to each other than this fraction of the data's spread look the same.
SAME = 0.1
#: Models of which `_of_all_points` is kept.
_MOST_KEPT = 8
_kept: dict[tuple[object, ...], tuple[np.ndarray, np.ndarray]] = {}


@dataclass(frozen=True, eq=False)
class Passage:
    """The way through a model: its encoder and decoder between points on the shell and latents."""

    prepared: PreparedData
    encode: Callable[[np.ndarray], Posteriors]  # [n, d]
    decode: Callable[[np.ndarray], np.ndarray]  # [n, k] -> [n, d]
    noise: np.ndarray  # [v, k] of the frames, one row for each viewed point
    key: tuple[object, ...] = ()  # equal for equal models; empty: nothing of it is kept


def follow(step: int, members: tuple[Model, ...], question: Follow) -> Followed:
    """Follow one point. RequestError if it does not exist, or the input cannot be read."""
    return follow_through(step, tuple(map(_passage, members)), question)


def _passage(model: Model) -> Passage:
    ways = partial(encode, model), partial(decode, model)
    member = model.member_method.group.members[0]
    weights = [model.row, *model.member_method.memory.values()]
    digest = hashlib.sha256(b"".join(part.cpu().numpy().tobytes() for part in weights)).digest()
    key = member.settings, model.prepared.dataset.fingerprint, digest
    return Passage(model.prepared, *ways, view_noise(model), key)


def follow_through(step: int, members: tuple[Passage, ...], question: Follow) -> Followed:
    """The same through any models of the same data."""
    prepared = members[0].prepared
    own = bool(question.strokes or question.changes) or question.text is not None
    row = int(prepared.view_index[check_viewed(prepared, question.point)])
    values = _input(prepared, row, question)
    shell = shell_map(prepared.shell).transform(values[None]).astype(np.float32)
    if not own:
        shell = prepared.shell.points[row : row + 1]
    centroids = prepared.clusters.centroids
    gaps = np.linalg.norm(centroids - shell, axis=1)
    cluster = int(gaps.argmin() if own else prepared.clusters.labels[row])
    names = prepared.dataset.row_names
    return Followed(
        index=-1 if own else question.point,
        step=step,
        cluster=cluster,
        name="" if own or names is None else str(names[row]),
        values=values[:FEATURES],
        original=input_pictures(prepared, values[None], shell)[0],
        centroid=output_pictures(prepared, centroids[[cluster]].astype(np.float32))[0],
        place=shell_view(shell, prepared.view_basis)[0],
        members=tuple(_follow_through(model, shell, question, own) for model in members),
    )


def _input(prepared: PreparedData, row: int, question: Follow) -> np.ndarray:
    """The point [d] before the map onto the shell, in the data's own units."""
    values = prepared.dataset.points[row].copy()
    for coordinate, value in question.changes:
        if not (0 <= coordinate < len(values) and abs(value) <= float(np.finfo(np.float32).max)):
            raise RequestError(
                f"Coordinate {coordinate + 1} cannot be set to {value:g}; there are {len(values)}, "
                "and each is a finite number."
            )
        values[coordinate] = value
    if question.strokes:
        if prepared.dataset.image_shape is None:
            raise RequestError("These data are no images, so nothing can be drawn on them.")
        made = picture(question.strokes, _habits(prepared)).ravel()
    elif question.text is not None:
        symbols = prepared.dataset.symbols
        if not symbols:
            raise RequestError("These data are no sequences, so no text can be typed for them.")
        made = sequence(question.text, symbols, len(values) // len(symbols))
    else:
        return values
    low, high = value_range(prepared)
    return np.asarray(low + (high - low) * made, values.dtype)


@lru_cache(maxsize=4)
def _habits(prepared: PreparedData) -> Habits:
    images = data_pictures(prepared, prepared.view_index)
    assert prepared.dataset.image_shape is not None
    return habits_of(images.reshape(-1, *prepared.dataset.image_shape))


def _follow_through(
    model: Passage, shell: np.ndarray, question: Follow, own: bool
) -> FollowedModel:
    """The way of a shell point [1, d] through one model."""
    prepared = model.prepared
    means, usual = _of_all_points(model)
    # Once for each draw: a posterior draws one z of each of its points.
    posteriors = model.encode(np.repeat(shell, DRAWS, axis=0))
    noise = torch.randn(posteriors.mean.shape, generator=stream(question.seed, 0, "follow")).numpy()
    if not own and question.seed == 0:
        noise[0] = model.noise[question.point]
    latents = posteriors.draw(noise)
    outputs = model.decode(latents)
    losses = ((outputs - shell) ** 2).sum(axis=1, dtype=np.float64)
    near = _nearest(means, posteriors.mean[0], -1 if own else question.point)
    scale = np.sqrt(max(prepared.clusters.total, 1e-300))
    middle = outputs.mean(axis=0, dtype=np.float64)
    spread = float(np.sqrt(((outputs - middle) ** 2).sum(axis=1).mean()) / scale)
    shift = float(np.linalg.norm(middle - usual) / scale)
    kl = float(posteriors.kl[0].sum())
    rows = prepared.view_index[near]
    return FollowedModel(
        mean=posteriors.mean[0],
        deviation=np.sqrt(posteriors.variance[0]),
        latents=latents,
        outputs=output_pictures(prepared, outputs),
        places=shell_view(outputs, prepared.view_basis),
        near=near,
        near_pictures=data_pictures(prepared, rows),
        near_labels=_labels(prepared, rows),
        kl=kl,
        loss=float(losses.mean()),
        spread=spread,
        shift=shift,
        sentence=describe(kl, float(losses.mean()), spread, shift),
    )


def _of_all_points(model: Passage) -> tuple[np.ndarray, np.ndarray]:
    """Latent means [v, k] of the viewed points, and the mean [d] of the outputs for all of them.

    Kept for a few models: a drawing asks anew at every stroke, and they are most of the work.
    """
    if model.key in _kept:
        return _kept[model.key]
    viewed = model.encode(model.prepared.shell.points[model.prepared.view_index])
    outputs = model.decode(viewed.draw(model.noise))
    found = viewed.mean, outputs.mean(axis=0, dtype=np.float64)
    if model.key:
        _kept[model.key] = found
    while len(_kept) > _MOST_KEPT:
        _kept.pop(next(iter(_kept)))
    return found


def _nearest(means: np.ndarray, mean: np.ndarray, itself: int) -> np.ndarray:
    """The viewed points [n] whose latent means are nearest to this one's, itself left out."""
    gaps = np.linalg.norm(means - mean, axis=1)
    if itself >= 0:
        gaps[itself] = np.inf
    return np.argsort(gaps, kind="stable")[: min(NEIGHBOURS, len(gaps) - (itself >= 0))]


def _labels(prepared: PreparedData, rows: np.ndarray) -> tuple[str, ...]:
    dataset = prepared.dataset
    if dataset.labels is None or not dataset.label_names:
        return ()
    return tuple(dataset.label_names[label] for label in dataset.labels[rows])


def describe(kl: float, loss: float, spread: float, shift: float) -> str:
    """What the draws say of a model, from the numbers of `FollowedModel`."""
    numbers = f"KL {kl:.2f} nats, squared error {loss:.2f}."
    if not np.isfinite([kl, loss, spread, shift]).all():
        return "This model has diverged: its numbers are not finite."
    average = f"{percent(shift)} from this model's average output. {numbers}"
    if spread < SAME and shift < SAME:
        return (
            f"All {DRAWS} draws give the same picture, nearly the one that this model gives to any "
            f"input: they are {percent(spread)} of the data's spread apart, and {average}"
        )
    if spread < shift:
        return (
            "The input decides the picture more than the draw does: draws are "
            f"{percent(spread)} of the data's spread apart, and {average}"
        )
    return (
        "The draw decides the picture more than the input does: draws are "
        f"{percent(spread)} of the data's spread apart, and {average}"
    )


def check_viewed(prepared: PreparedData, index: int) -> int:
    """The number of a viewed point; RequestError if there is none."""
    if not 0 <= index < len(prepared.view_index):
        raise RequestError(
            f"There is no point {index + 1} in the picture; there are {len(prepared.view_index)}."
        )
    return index
