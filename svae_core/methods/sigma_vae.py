"""σ-VAE (learned σ²)

The decoder variance takes its maximum-likelihood value for every minibatch, σ² = D/d, which turns
D/(2σ²) + (d/2)·log σ² into (d/2)·log(D/d) and a constant. The setting σ² has no effect. This
removes collapse by the choice of units: as σ² falls with the loss, βσ² falls below λₘₐₓ.

Source: arXiv 2006.13202 v4 (optimal σ-VAE)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings

COMPARISONS = ("against collapse",)
_LEAST = 1e-6  # lower bound on σ², as for the setting: log σ² of a perfect fit is unbounded below


@dataclass(frozen=True)
class Config:
    """No options: σ² is learned."""


@final
class Method:
    """The common loss at the maximum-likelihood σ²."""

    mark = ("grey", "cross", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The number of coordinates d."""
        return {"dimension": float(len(prepared.eigenvalues))}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β·D/d, at the learned σ²."""
        return settings.beta * max(loss / d, _LEAST)

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """(d/2)·(1 + log σ²) + β·KL at σ² = D/d."""
        # ∂/∂σ² of D/(2σ²) + (d/2)·log σ² vanishes at σ² = D/d, where D/(2σ²) = d/2.
        d = batch.constants[0]
        sigma2 = max(batch.loss / d, _LEAST)
        batch.by_kl[:] = batch.beta
        value = 0.5 * d * (1.0 + math.log(sigma2)) + batch.beta * batch.kl
        by_loss = 0.5 / sigma2 if batch.loss / d >= _LEAST else 0.0
        return value, by_loss, 0.0
