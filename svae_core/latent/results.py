"""Records of latent-space analyses: questions, answers, and studies of sample quality.

Points and decoder outputs are given as pictures: brightness from 0 to 1 if the data are images,
symbols and their probabilities if they are sequences,
else their first coordinates on the shell. Distances are Euclidean, between points on the shell.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from svae_core.latent.drawing import Strokes
from svae_core.records import from_json

#: Limits of a study on a visitor's own data: points, epochs, seeds; and its upper edges.
SHORT_POINTS, SHORT_EPOCHS, SHORT_SEEDS = 1000, 100, 3
SHORT_EDGES = (0.05, 0.25, 0.5, 0.9)


@dataclass(frozen=True)
class Sampling:
    """Sample quality of one trained model, with its loss and KL."""

    method: str
    edge: float  # b: upper edge of the band, (hi − W)/(δ − W); nan without a band
    sigma2: float
    seed: int
    loss: float  # D with one sampled latent per point
    kl: float  # nats
    precision: float
    recall: float
    density: float
    coverage: float
    reconstructed: float  # coverage of sampled reconstructions instead of samples from the prior


@dataclass(frozen=True)
class BandStudy:
    """Sample quality and diversity as a function of the band's upper edge."""

    title: str  # of the data
    n_points: int
    epochs: int
    within: float  # W
    total: float  # T
    delta: float
    samplings: tuple[Sampling, ...]
    best: Sampling  # reference: one half of the data in place of samples, against the other half


def load_studies(path: pathlib.Path) -> tuple[BandStudy, ...]:
    """Studies from a JSON file."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    return tuple(from_json(BandStudy, study) for study in plain)


def save_studies(studies: tuple[BandStudy, ...], path: pathlib.Path) -> None:
    """Write studies to a JSON file, numbers to four significant digits."""
    plain = [dataclasses.asdict(study) for study in studies]
    path.write_text(json.dumps(_rounded(plain), indent=1) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Floats to four significant digits; NaN and infinities, which JSON lacks, become null."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


# ----------------------------------------------------------------------------------- answers


@dataclass(frozen=True)
class Plane:
    """The plane of a latent map: two latent dimensions, or the PCA of posterior means."""

    dims: tuple[int, int] | None = None  # None: PCA


@dataclass(frozen=True, eq=False)
class LatentSpace:
    """One member's latent space, dimension by dimension, and its map."""

    method: str
    kl_per_dim: np.ndarray  # [k] nats, mean over the viewed points
    order: np.ndarray  # [k] dimensions by decreasing KL
    dead: np.ndarray  # [k] bool: less than COLLAPSED_KL nats
    spread: np.ndarray  # [k] Var_x m_j(x)
    variance: np.ndarray  # [k] mean posterior variance
    grid: np.ndarray  # [g] values of z
    aggregate: np.ndarray  # [k, g] density of the aggregate posterior q(z_j)
    prior: np.ndarray  # [g] density of the prior
    values: np.ndarray  # [t] of a traversed dimension
    traversals: np.ndarray  # [r, t, f] pictures; the first r dimensions of `order`, one at a time
    travel: np.ndarray  # [r] path length of the output along each traversal
    map: np.ndarray  # [v, 2] latent means of the viewed points, in the plane
    explained: float  # fraction of the means' variance in the plane; nan if they have none


@dataclass(frozen=True, eq=False)
class LatentSpaces:
    """The answer to `Overview`: the latent spaces of all members."""

    step: int
    steps: int
    image: tuple[int, int] | None
    symbols: tuple[str, ...]  # where the data are sequences
    features: tuple[str, ...]  # names of the coordinates in pictures; empty for images, sequences
    labels: np.ndarray  # [v] cluster of each viewed point
    rows: np.ndarray  # [v] its row in the data
    plane: Plane
    start: np.ndarray | None  # [f] picture of the point that traversals start from
    members: tuple[LatentSpace, ...]


@dataclass(frozen=True, eq=False)
class Decoding:
    """The answer to `DecodeAt`: pictures [f]."""

    decoded: np.ndarray  # output of the chosen member's decoder at the place
    nearest: np.ndarray  # the data point nearest to that output on the shell
    row: int  # of the nearest point
    distance: float  # to the nearest point
    reconstructions: tuple[np.ndarray, ...]  # that output, encoded and decoded by each member


@dataclass(frozen=True, eq=False)
class FollowedModel:
    """One point on its way through one model: posterior, s draws of z, the decoder's output."""

    mean: np.ndarray  # [k] of the posterior
    deviation: np.ndarray  # [k] its standard deviations
    latents: np.ndarray  # [s, k] drawn from it
    outputs: np.ndarray  # [s, f] pictures of the decoder's outputs for these
    places: np.ndarray  # [s, 3] the outputs in the 3-D view of the shell
    near: np.ndarray  # [n] viewed points of the nearest latent means, nearest first
    near_pictures: np.ndarray  # [n, f]
    near_labels: tuple[str, ...]  # [n] their classes; empty if the data have none
    kl: float  # nats, of this point's posterior
    loss: float  # squared error of an output, mean over draws
    spread: float  # distance of outputs from their mean, root mean square, in units of the data's
    shift: float  # distance of that mean from the model's mean output over all points, likewise
    sentence: str


@dataclass(frozen=True, eq=False)
class Followed:
    """The answer to `Follow`."""

    index: int  # among the viewed points; -1: a visitor's own input
    step: int
    cluster: int  # of the point, or of the nearest centroid
    name: str  # of the row; "" where rows have none, and of a visitor's own input
    values: np.ndarray  # [f] its coordinates before the map onto the shell
    original: np.ndarray  # [f] picture
    centroid: np.ndarray  # [f] picture of its cluster's centroid
    place: np.ndarray  # [3] where it is in the 3-D view of the shell
    members: tuple[FollowedModel, ...]


@dataclass(frozen=True, eq=False)
class Interpolation:
    """An interpolation between two points.

    ideal: the great circle on the shell. straight: decoded from the straight line between the
    latent means. shell: the great circle, reconstructed by the model.
    """

    name: str  # ideal | straight | shell
    method: str  # "" for the ideal one, which needs no model
    pictures: np.ndarray  # [t, f]
    deviation: np.ndarray  # [t] distance to the ideal interpolation at the same fraction
    nearest: np.ndarray  # [t] distance to the nearest data point


@dataclass(frozen=True, eq=False)
class Interpolations:
    """The answer to `Interpolate`."""

    angle: float  # between the two points at the shell's centre, in degrees
    shares: np.ndarray  # [t] fractions from 0 to 1
    paths: tuple[Interpolation, ...]


@dataclass(frozen=True, eq=False)
class MemberSamples:
    """Samples from one member's prior; pictures [s, f]."""

    method: str
    samples: np.ndarray
    nearest: np.ndarray
    rows: np.ndarray  # [s] of the nearest data points
    distance: np.ndarray  # [s]
    mean_distance: float  # mean distance between two samples


@dataclass(frozen=True, eq=False)
class PriorSamples:
    """The answer to `SamplePrior`."""

    data_mean_distance: float  # mean distance between two data points
    data_nearest_distance: float  # median distance of a data point to its nearest neighbour
    members: tuple[MemberSamples, ...]


# ------------------------------------------------------------------------------- questions

A = TypeVar("A")


class Question(Generic[A]):
    """A question about trained models; A is the type of its answer."""


@dataclass(frozen=True)
class Overview(Question[LatentSpaces]):
    """Traversals from a viewed point's latent mean (None: from the prior's mean), and a map."""

    start: int | None = None
    plane: Plane = Plane()


@dataclass(frozen=True)
class DecodeAt(Question[Decoding]):
    """The decoder output of one member at a place of its map, and its reconstructions by all."""

    member: int
    plane: Plane
    place: tuple[float, float]


@dataclass(frozen=True)
class Follow(Question[Followed]):
    """One point through encoder, several draws, and decoder: a viewed one, or a visitor's own.

    Own input is a drawing, where the data are images, a text, where they are sequences, or a viewed
    point with some coordinates changed: pairs of a coordinate, counted from 0, and its value before
    the map onto the shell.
    """

    point: int = 0
    changes: tuple[tuple[int, float], ...] = ()
    strokes: Strokes = ()  # a drawing instead of the point
    text: str | None = None  # a text instead of the point
    seed: int = 0  # of the draws


@dataclass(frozen=True)
class Interpolate(Question[Interpolations]):
    """Interpolations between two viewed points."""

    start: int
    end: int


@dataclass(frozen=True)
class SamplePrior(Question[PriorSamples]):
    """Samples from each member's prior, decoded."""

    seed: int = 0
