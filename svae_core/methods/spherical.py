"""Spherical VAE

The decoder is projected on the shell and the loss is held in the feasible band [lo, hi] by a soft
penalty w·max(0, D−hi) + wₗₒ·max(0, lo−D) whose weights are fixed before training: w = κβ/(2θ), θ
the water level of the Gaussian rate–distortion curve at D = hi, and wₗₒ = κ·max(β/(2θ), 1/(2σ²)),
so that a small σ² does not pull the loss below lo. The penalty alone enforces nothing:
the guarantee holds for a trained model whose measured loss is below δ.

Source: arXiv 2603.10935 v4 (band, projection, soft penalty); weight rule derived in region.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from svae_core.geometry.region import (
    PENALTY_STRENGTH,
    describe_target,
    lower_excess,
    minibatch_error,
    penalty_weight,
    require_band,
    target,
)
from svae_core.methods import Averages
from svae_core.records import FeasibleRegion, PreparedData, Settings, option

COMPARISONS = ("pair", "against collapse", "large KL")


@dataclass(frozen=True)
class Config:
    """The strength of the penalty."""

    strength: float = option(
        PENALTY_STRENGTH,
        "κ: penalty weight in units of the slope of the Gaussian rate–distortion curve at hi",
        label="penalty strength κ",
        low=0.0,
        high=1000.0,
    )


@final
class Method:
    """The common loss plus a soft penalty outside the band."""

    mark = ("blue", "circle", "solid")
    projected = True
    guards_kl = "what a measured loss below δ requires"
    guards_information = "a penalty holds the loss below δ"

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """Weight and edges of the penalty, from the data and the band alone."""
        found = penalty(
            require_band(prepared.region),
            prepared.water_level,
            _noise(prepared, settings),
            beta=settings.beta,
            sigma2=settings.sigma2,
            strength=self.config.strength,
        )
        if settings.penalty_rule < 2:  # of saved runs: one weight for both edges
            found["lower_weight"] = found["weight"]
        return found

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """D/(2σ²) + β·KL + w·max(0, D − upper) + w_lo·max(0, lower − D)."""
        fixed = batch.constants
        weight, lower_weight, upper, lower = fixed[0], fixed[1], fixed[2], fixed[3]
        batch.by_kl[:] = batch.beta
        value = batch.loss * batch.half_precision + batch.beta * batch.kl
        # A step's gradient sees the side of the band on which the minibatch lies, and its weight.
        if batch.distortion > upper:
            return value + weight * (batch.distortion - upper), batch.half_precision, weight
        if batch.distortion < lower:
            outside = lower_weight * (lower - batch.distortion)
            return value + outside, batch.half_precision, -lower_weight
        return value, batch.half_precision, 0.0


def penalty(
    region: FeasibleRegion,
    level: float,
    error: float,
    *,
    beta: float,
    sigma2: float,
    strength: float = PENALTY_STRENGTH,
) -> dict[str, float]:
    """The penalty of a band that is not empty: its two weights, and the losses where it starts.

    `level`: the water level θ at D = hi; `error`: standard error of a minibatch's loss.
    """
    weight = penalty_weight(beta, level, strength)
    excess = lower_excess(beta, level, sigma2, strength) if region.lower_edge else 0.0
    return {
        "weight": weight,
        "lower_weight": weight + excess,
        "upper": target(region.lo, region.hi, region.delta - region.within, error),
        "lower": region.lo if region.lower_edge else 0.0,
    }


def describe_aim(prepared: PreparedData, settings: Settings) -> str:
    """One sentence on where a run of these settings aims; empty where there is no band."""
    return describe_target(prepared.region, _noise(prepared, settings))


def _noise(prepared: PreparedData, settings: Settings) -> float:
    """Standard error of a minibatch's loss, from data alone."""
    n = len(prepared.shell.points)
    return minibatch_error(prepared.clusters.deviation, settings.batch_size, n)
