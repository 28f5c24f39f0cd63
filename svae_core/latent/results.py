"""What is found when trained latent spaces are looked into: records, for figures to draw.

`points` of models are told as pictures: brightness from 0 to 1 where data are images, else their
first coordinates on the shell. Distances are Euclidean ones between points on the shell.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

#: A study on a visitor's own data is kept short: points and epochs at most, seeds, upper edges.
SHORT_POINTS, SHORT_EPOCHS, SHORT_SEEDS = 1000, 100, 3
SHORT_EDGES = (0.05, 0.25, 0.5, 0.9)


@dataclass(frozen=True)
class Sampling:
    """Samples of one trained model against the data, and how that model stands."""

    method: str
    edge: float  # b: upper edge of the band, as a share of the way from W to δ; nan without a band
    sigma2: float
    seed: int
    loss: float  # D with sampled latents, one draw for every point
    kl: float  # nats
    precision: float
    recall: float
    density: float
    coverage: float
    reconstructed: float  # coverage of sampled reconstructions instead of samples from the prior


@dataclass(frozen=True)
class BandStudy:
    """Sample quality and diversity against the width of the band."""

    title: str  # of the data
    n_points: int
    epochs: int
    within: float  # W
    total: float  # T
    delta: float
    samplings: tuple[Sampling, ...]
    best: Sampling  # one half of the data as if it were samples of the other


def load_studies(path: pathlib.Path) -> tuple[BandStudy, ...]:
    """Studies from their file."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        BandStudy(
            **{
                **study,
                "samplings": tuple(_sampling(row) for row in study["samplings"]),
                "best": _sampling(study["best"]),
            }
        )
        for study in plain
    )


def save_studies(studies: tuple[BandStudy, ...], path: pathlib.Path) -> None:
    """Studies as a JSON file, numbers to four digits."""
    plain = [dataclasses.asdict(study) for study in studies]
    path.write_text(json.dumps(_rounded(plain), indent=1) + "\n", encoding="utf-8")


def _sampling(row: dict[str, Any]) -> Sampling:
    known: dict[str, Any] = {k: math.nan if v is None else v for k, v in row.items()}
    return Sampling(**known)


def _rounded(value: Any) -> Any:
    """Floats to four significant digits; NaN, which JSON has not, as null."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


# ----------------------------------------------------------------- looks into one latent space


@dataclass(frozen=True)
class Plane:
    """Which two directions of a latent space a map shows: two dimensions, or the means' PCA."""

    dims: tuple[int, int] | None = None  # None: PCA


@dataclass(frozen=True, eq=False)
class Look:
    """One member's latent space."""

    method: str
    kl_per_dim: np.ndarray  # [k] nats, mean over the viewed points
    order: np.ndarray  # [k] dimensions by falling KL
    dead: np.ndarray  # [k] bool: less than COLLAPSED_KL nats
    spread: np.ndarray  # [k] Var_x m_j(x)
    variance: np.ndarray  # [k] mean posterior variance
    grid: np.ndarray  # [g] values of z
    aggregate: np.ndarray  # [k, g] density of the aggregate posterior q(z_j)
    prior: np.ndarray  # [g] density of the prior
    values: np.ndarray  # [t] of a traversed dimension
    traversals: np.ndarray  # [r, t, f] pictures: the first r of `order`, each moved alone
    travel: np.ndarray  # [r] how far the output moves along each
    map: np.ndarray  # [v, 2] latent means of the viewed points, in the plane
    explained: float  # share of the means' variance that lies in the plane; nan where there is none


@dataclass(frozen=True, eq=False)
class Looks:
    """The answer to an Overview."""

    step: int
    steps: int
    image: tuple[int, int] | None
    features: tuple[str, ...]  # names of what pictures show, where data are no images
    labels: np.ndarray  # [v] cluster of each viewed point
    rows: np.ndarray  # [v] its row in the data
    plane: Plane
    start: np.ndarray | None  # [f] picture of the point that traversals start from
    members: tuple[Look, ...]


@dataclass(frozen=True, eq=False)
class Decoding:
    """The answer to a Here: pictures [f]."""

    here: np.ndarray  # what the asked member decodes at the place
    nearest: np.ndarray  # the data point nearest to that on the shell
    row: int  # of the nearest point
    distance: float
    replies: tuple[np.ndarray, ...]  # what each member makes of it, encoded and decoded


@dataclass(frozen=True, eq=False)
class Path:
    """One way from one point to another."""

    name: str  # ideal | straight | shell
    method: str  # "" for the ideal way, which needs no model
    pictures: np.ndarray  # [t, f]
    astray: np.ndarray  # [t] distance to the ideal way at the same share
    nearest: np.ndarray  # [t] distance to the nearest data point


@dataclass(frozen=True, eq=False)
class Ways:
    """The answer to a Way."""

    angle: float  # degrees between the two points, seen from the shell's centre
    shares: np.ndarray  # [t] from 0 to 1
    paths: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples from one member's prior; pictures [s, f]."""

    method: str
    samples: np.ndarray
    nearest: np.ndarray
    rows: np.ndarray  # [s] of the nearest data points
    distance: np.ndarray  # [s]
    apart: float  # mean distance between two samples


@dataclass(frozen=True, eq=False)
class Draws:
    """The answer to a Draw."""

    data_apart: float  # mean distance between two data points, the same way
    typical: float  # median distance from a data point to its nearest other one
    members: tuple[Drawn, ...]


# ------------------------------------------------------------------------------- questions

A = TypeVar("A")


class Question(Generic[A]):
    """What can be asked of trained models; A is the answer."""


@dataclass(frozen=True)
class Overview(Question[Looks]):
    """Asks for traversals from a viewed point's latent (None: from the prior's mean) and a map."""

    start: int | None = None
    plane: Plane = Plane()


@dataclass(frozen=True)
class Here(Question[Decoding]):
    """Asks what one member decodes at a place of its map, and the others make of that."""

    member: int
    plane: Plane
    place: tuple[float, float]


@dataclass(frozen=True)
class Way(Question[Ways]):
    """Asks for the ways between two viewed points."""

    start: int
    end: int


@dataclass(frozen=True)
class Draw(Question[Draws]):
    """Asks for samples from the prior."""

    seed: int = 0
