"""Outcomes of a sweep's runs, and their aggregation over seeds into the cells of a phase map.

A cell is one point of the grid's axes with all its seeds. Theory for a Gaussian VAE whose decoder
is not projected, from the data's covariance alone, with c = βσ²: total collapse is stable where
c ≥ λ_max, and the linear VAE keeps as many dimensions active as there are λ_i > c
(arXiv 1911.02469). Its KL is Σ ½ ln(λ_i/c) over these, which is continuous at λ_max; the slope
dKL/dc jumps there, a phase transition (arXiv 2510.01621 v2, read in its abstract).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.certificate.diagnostics import COLLAPSED_TOTAL_KL, VERDICTS
from svae_core.config.settings import settings_from_dict
from svae_core.records import Certificate, Settings, from_json
from svae_core.studies.grid import AXES, Grid
from svae_core.studies.job import Measure


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run of a grid: parts of its certificate, or why it was refused."""

    settings: Settings
    refused: str = ""  # one sentence if it cannot be trained: an empty band, too many clusters
    loss: float = math.nan
    loss_margin: float = math.nan
    draws: int = 0
    delta: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    in_band: bool = False
    kl: float = math.nan
    active_units: int = 0
    mutual_information: float = math.nan
    floor: float = math.nan  # the tight one at loss + margin, nats
    verdict: str = ""


def outcome(settings: Settings, certificate: Certificate) -> Outcome:
    """The outcome of a run from its certificate."""
    measured = {item.name for item in dataclasses.fields(Outcome)} & vars(certificate).keys()
    return Outcome(
        settings,
        floor=certificate.floors.tight,
        **{name: getattr(certificate, name) for name in measured},
    )


def outcome_from_dict(plain: dict[str, Any]) -> Outcome:
    """The inverse of `row_to_dict`; ValueError, KeyError or TypeError if it is malformed."""
    return from_json(Outcome, plain | {"settings": settings_from_dict(plain["settings"])})


# ------------------------------------------------------------------------------ measures


def _position(ended: Outcome) -> float:
    return (ended.loss - ended.lo) / (ended.hi - ended.lo)


MEASURES = {
    "kl": Measure("KL", "nats", "mean KL from the prior, all dimensions together", lambda o: o.kl),
    "active_units": Measure(
        "active units",
        "",
        "latent dimensions whose posterior mean varies by more than .01",
        lambda o: float(o.active_units),
    ),
    "certified": Measure(
        "share certified",
        "",
        "share of the seeds whose loss with its margin is below the collapse loss",
        lambda o: float(o.verdict == "certified"),
    ),
    "collapsed": Measure(
        "share collapsed",
        "",
        f"share of the seeds whose KL is below {COLLAPSED_TOTAL_KL:g} nats in all and whose loss "
        "is not below the collapse loss",
        lambda o: float(o.verdict == "collapsed"),
    ),
    "position": Measure(
        "loss in the band",
        "",
        "where the loss lies: 0 at the band's lower edge, 1 at its upper one",
        _position,
    ),
    "mutual_information": Measure(
        "mutual information",
        "nats",
        "between points and latents, by the aggregate posterior",
        lambda o: o.mutual_information,
    ),
    "floor_slack": Measure(
        "KL above its floor",
        "nats",
        "how far the KL is above the numerical floor at the measured loss",
        lambda o: o.kl - o.floor,
    ),
    "loss": Measure(
        "loss", "", "squared error with sampled latents, over all points", lambda o: o.loss
    ),
}


@dataclass(frozen=True)
class Spread:
    """The distribution of a number over the seeds of a cell."""

    mean: float
    low: float
    high: float
    deviation: float  # standard deviation of the seeds' values; nan for a single seed


def spread(values: Iterable[float]) -> Spread:
    """Mean, extremes and standard deviation of at least one value."""
    array = np.array(list(values), dtype=float)
    deviation = float(array.std(ddof=1)) if len(array) > 1 else math.nan
    return Spread(float(array.mean()), float(array.min()), float(array.max()), deviation)


# --------------------------------------------------------------------------------- cells


@dataclass(frozen=True)
class Cell:
    """One point of a grid with the results of its seeds so far."""

    settings: Settings  # with the first seed of the grid
    seeds: tuple[int, ...]  # the seeds whose runs have ended
    refused: str  # why it cannot be trained, else ""
    gauge: float  # βσ²/λ_max
    eigenvalues_above: int  # the number of λ_i > βσ², at most latent_dim
    verdicts: dict[str, int]  # the number of seeds with each verdict
    values: dict[str, Spread]  # by the names of MEASURES; empty before a seed has ended


@dataclass(frozen=True)
class Theory:
    """What theory predicts from the data's covariance, before training."""

    eigenvalues: tuple[float, ...]  # of the shell points, decreasing
    steps: bool = True  # whether it tells of every dimension; not where a method guards the KL

    @property
    def lambda_max(self) -> float:
        """The largest eigenvalue: total collapse is stable where βσ² ≥ λ_max."""
        return self.eigenvalues[0]

    def above(self, settings: Settings) -> int:
        """The number of dimensions that a linear VAE with these settings keeps active."""
        c = settings.beta * settings.sigma2
        return sum(value > c for value in self.eigenvalues[: settings.latent_dim])

    def linear_kl(self, c: float, latent_dim: int) -> float:
        """Mean KL of a linear VAE at c = βσ² > 0, nats: Σ ½ ln(λ_i/c) over the λ_i > c, i ≤ k."""
        alive = (value for value in self.eigenvalues[:latent_dim] if value > c)
        return sum(0.5 * math.log(value / c) for value in alive)

    def linear_slope(self, c: float, latent_dim: int, below: bool = False) -> float:
        """dKL/dc of a linear VAE just above c, or just below it: −1/(2c) for each living dimension.

        Where c is one of the λ_i the two differ, by 1/(2c) for each dimension that dies there.
        """
        alive = [
            below if math.isclose(value, c) else value > c
            for value in self.eigenvalues[:latent_dim]
        ]
        return -sum(alive) / (2 * c)


def cells(grid: Grid, ended: Iterable[Outcome], theory: Theory) -> tuple[Cell, ...]:
    """All cells of the grid, in its order; outcomes of other runs are ignored."""
    found: dict[Settings, list[Outcome]] = {}
    for item in ended:
        found.setdefault(dataclasses.replace(item.settings, seed=grid.seeds[0]), []).append(item)
    points = (dataclasses.replace(point, seed=grid.seeds[0]) for point in grid.points)
    return tuple(_cell(point, found.get(point, []), grid, theory) for point in points)


def _cell(point: Settings, found: list[Outcome], grid: Grid, theory: Theory) -> Cell:
    mine = {item.settings.seed: item for item in found}
    trained = [mine[s] for s in grid.seeds if s in mine and not mine[s].refused]
    refused = next((item.refused for item in mine.values() if item.refused), "")
    return Cell(
        settings=point,
        seeds=tuple(item.settings.seed for item in trained),
        refused=refused,
        gauge=point.beta * point.sigma2 / theory.lambda_max,
        eigenvalues_above=theory.above(point),
        verdicts={name: sum(item.verdict == name for item in trained) for name in VERDICTS},
        values={name: spread(map(measure.of, trained)) for name, measure in MEASURES.items()}
        if trained
        else {},
    )


def cell_to_dict(cell: Cell) -> dict[str, Any]:
    """A cell as JSON values: coordinates, then each measure with its spread over seeds."""
    settings = cell.settings
    return {
        **coordinates(settings),
        "seeds": list(cell.seeds),
        "refused": cell.refused or None,
        "gauge": cell.gauge,
        "eigenvalues_above": cell.eigenvalues_above,
        "verdicts": {
            name: count / len(cell.seeds) if cell.seeds else None
            for name, count in cell.verdicts.items()
        },
        **{name: cell.values.get(name) for name in MEASURES},
    }


def coordinates(settings: Settings) -> dict[str, Any]:
    """The coordinates of a run in its grid."""
    return {
        "method": settings.method,
        "method_options": dict(settings.method_options),
        **{name: getattr(settings, name) for name in AXES},
    }
