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
from typing import final

import numpy as np

from svae_core.geometry.region import require_band
from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings, option

COMPARISONS = ("against collapse",)
# λ stays within a factor of a million, so that it stays finite under an unreachable bound.
_LIMIT = math.log(1e6)


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
        """The bound hi on D, the share α kept and the rate ν."""
        bound = require_band(prepared.region).hi
        return {"bound": bound, "memory": self.config.memory, "rate": self.config.rate}

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """log λ, starting at λ = 1, and the moving average C."""
        return {"log_multiplier": np.zeros(()), "excess": np.zeros(())}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β/(2λ): λ replaces the 1/(2σ²) of the common loss."""
        return settings.beta / (2.0 * math.exp(memory["log_multiplier"]))

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """β·KL + λ·(D − hi); then C ← α·C + (1 − α)·(D − hi)/hi and log λ ← log λ + ν·C."""
        bound, remembered, rate = batch.constants[0], batch.constants[1], batch.constants[2]
        multiplier = math.exp(batch.memory[0])
        batch.by_kl[:] = batch.beta
        value = batch.beta * batch.kl + multiplier * (batch.distortion - bound)
        # Dual ascent in log λ.
        keep = remembered if batch.step > 0 else 0.0
        batch.memory[1] = keep * batch.memory[1] + (1.0 - keep) * (batch.distortion / bound - 1.0)
        batch.memory[0] = min(max(batch.memory[0] + rate * batch.memory[1], -_LIMIT), _LIMIT)
        return value, 0.0, multiplier
