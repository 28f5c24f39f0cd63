"""σ-VAE (learned σ²)

The decoder variance is not set but takes its best value for every minibatch, σ² = D/d, which
turns D/(2σ²) + (d/2)·log σ² into (d/2)·log(D/d) and a constant. The setting σ² plays no part. It
mends collapse by units: as σ² falls with the loss, βσ² passes below λ_max by itself.

Source: arXiv 2006.13202 v4 (optimal σ-VAE)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.methods import Terms
from svae_core.records import PreparedData, Settings

if TYPE_CHECKING:
    from torch import Tensor

_LEAST = 1e-6  # of σ², as of the setting: the logarithm of a perfect fit has no bottom


@dataclass(frozen=True)
class Config:
    """σ² is found by training; nothing is left to choose."""


@final
class Method:
    """The common loss at the best σ²."""

    mark = ("grey", "cross", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, ground: PreparedData, settings: Settings) -> dict[str, float]:
        """The number of coordinates d."""
        return {"dimension": float(len(ground.eigenvalues))}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """(d/2)·(1 + log σ²) + β·KL at σ² = D/d, [m]."""
        d = constants["dimension"]
        sigma2 = (terms.loss / d).clamp_min(_LEAST)
        return 0.5 * d * (1.0 + sigma2.log()) + terms.beta * terms.kl

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β·D/d: with the σ² that was learned."""
        return settings.beta * max(loss / d, _LEAST)
