"""GECO

Minimises β·KL under the constraint D ≤ hi, by a multiplier: β·KL + λ·(D − hi), where λ grows
by e^{ν·C} after each step, C the moving average of (D − hi)/hi. The decoder is not projected on
the shell, so collapse has the loss T: the constraint excludes it where hi is below T. The setting
σ² plays no part, and nothing is said below: a soft constraint counts once its loss is measured.

Source: arXiv 1810.00597 v1, algorithm 1
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.geometry.region import require_band
from svae_core.methods import Terms
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_RANGE = 1e6  # λ stays within this factor of 1, so that an impossible bound stays finite


@dataclass(frozen=True)
class Config:
    """How the multiplier follows."""

    memory: float = option(
        0.99, "share of the moving average kept at each step", low=0.0, high=0.9999
    )
    rate: float = option(
        0.01,
        "ν: growth of the multiplier per step and relative excess",
        label="rate ν",
        low=0.0,
        high=1.0,
    )


@final
class Method:
    """The KL under a constraint on the loss."""

    mark = ("grey", "diamond", "dot")
    projected = False
    guards_kl = "what a loss of hi needs, once that is measured"
    guards_information = "a multiplier pushes the loss to hi; excludes collapse if hi < T"

    def __init__(self, config: Config):
        self.config = config

    def constants(self, ground: PreparedData, settings: Settings) -> dict[str, float]:
        """The bound."""
        return {"bound": require_band(ground.region).hi}

    def memory(self, ground: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """log λ, from λ = 1, and the moving average C."""
        return {"log_multiplier": np.zeros(()), "excess": np.zeros(())}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """β·KL + λ·(D − hi), [m]."""
        multiplier = terms.memory["log_multiplier"].exp()
        return terms.beta * terms.kl + multiplier * (terms.distortion - constants["bound"])

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """C moves towards this minibatch's excess, then log λ by ν·C."""
        now = terms.distortion / constants["bound"] - 1.0
        keep = self.config.memory if terms.step > 0 else 0.0
        excess = keep * terms.memory["excess"] + (1.0 - keep) * now
        log = terms.memory["log_multiplier"] + self.config.rate * excess
        limit = math.log(_RANGE)
        return {"log_multiplier": log.clamp(-limit, limit), "excess": excess}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β/(2λ): λ stands where 1/(2σ²) stands in the common loss."""
        return settings.beta / (2.0 * math.exp(memory["log_multiplier"]))
