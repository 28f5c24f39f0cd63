"""Spherical VAE

The decoder is projected on the shell and the loss is held in the feasible band [lo, hi] by a soft
penalty w·[max(0, D−hi) + max(0, lo−D)] whose weight is fixed before training: w = κβ/(2θ), θ the
water level of the Gaussian rate–distortion curve at D = hi. The penalty alone enforces nothing:
the guarantee holds for a trained model whose measured loss is below δ.

Source: arXiv 2603.10935 v4 (band, projection, soft penalty); weight rule derived in region.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.geometry.region import (
    PENALTY_STRENGTH,
    minibatch_error,
    penalty_weight,
    require_band,
    target,
)
from svae_core.methods import Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """How hard the band is held."""

    strength: float = option(
        PENALTY_STRENGTH,
        "κ: penalty weight in units of the slope of the Gaussian rate–distortion curve at hi",
        label="penalty strength κ",
        low=0.0,
        high=1000.0,
    )


@final
class Method:
    """The common loss and a soft penalty outside the band."""

    mark = ("blue", "circle", "solid")
    projected = True
    guards_kl = "what a loss below δ forces, once that is measured"
    guards_information = "a penalty holds the loss below δ"

    def __init__(self, config: Config):
        self.config = config

    def constants(self, ground: PreparedData, settings: Settings) -> dict[str, float]:
        """Weight and edges of the penalty, from data and band alone."""
        region = require_band(ground.region)
        error = minibatch_error(
            ground.clusters.deviation, settings.batch_size, len(ground.shell.points)
        )
        return {
            "weight": penalty_weight(settings.beta, ground.water_level, self.config.strength),
            "upper": target(region.lo, region.hi, region.delta - region.within, error),
            "lower": region.lo if region.lower_edge else 0.0,
        }

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL + w·[max(0, D−upper) + max(0, lower−D)], [m]."""
        # The two are D's distance to the nearest loss that is allowed. That one stands still while
        # D is outside, and inside it is D: so autograd need not know of it.
        nearest = terms.distortion.detach().clamp(constants["lower"], constants["upper"])
        outside = (terms.distortion - nearest).abs()
        return base_objective(terms) + constants["weight"] * outside
