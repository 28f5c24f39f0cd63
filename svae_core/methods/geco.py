"""GECO

Minimises β·KL under the constraint D ≤ hi, by a multiplier: β·KL + λ·(D − hi), where λ grows
by e^{ν·C} after each step, C the moving average of (D − hi)/hi. The decoder is not projected on
the shell, so a collapsed decoder has the loss T: the constraint excludes it where hi is below T.
The setting σ² has no effect. The constraint is soft: only the measured loss shows whether it holds.

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

_RANGE = 1e6  # λ stays within this factor of 1, so that it stays finite under an unreachable bound


@dataclass(frozen=True)
class Config:
    """How the multiplier follows the constraint."""

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
    """β·KL under the constraint D ≤ hi, by a multiplier."""

    mark = ("grey", "diamond", "dot")
    projected = False
    guards_kl = "what a measured loss of hi requires"
    guards_information = "a multiplier drives the loss to hi; excludes collapse if hi < T"

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The bound hi on D."""
        return {"bound": require_band(prepared.region).hi}

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """log λ, starting at λ = 1, and the moving average C."""
        return {"log_multiplier": np.zeros(()), "excess": np.zeros(())}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """β·KL + λ·(D − hi), [m]."""
        multiplier = terms.memory["log_multiplier"].exp()
        return terms.beta * terms.kl + multiplier * (terms.distortion - constants["bound"])

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """C ← α·C + (1 − α)·(D − hi)/hi, then log λ ← log λ + ν·C (dual ascent in log λ)."""
        now = terms.distortion / constants["bound"] - 1.0
        keep = self.config.memory if terms.step > 0 else 0.0
        excess = keep * terms.memory["excess"] + (1.0 - keep) * now
        log = terms.memory["log_multiplier"] + self.config.rate * excess
        limit = math.log(_RANGE)
        return {"log_multiplier": log.clamp(-limit, limit), "excess": excess}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β/(2λ): λ replaces the 1/(2σ²) of the common loss."""
        return settings.beta / (2.0 * math.exp(memory["log_multiplier"]))
