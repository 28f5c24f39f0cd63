"""Free bits

Minimises D/(2σ²) + β·Σ_j max(λ, KL_j), KL_j the mean over the minibatch: the first λ nats of each
dimension cost nothing, so the loss does not pull them to 0. A hinge is not a bound on information:
where the decoder does not use a dimension, its λ nats are noise.

Source: arXiv 1606.04934 v2, appendix C.8
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.methods import Terms
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """The free nats."""

    free: float = option(
        0.25, "nats per dimension that cost nothing", label="free nats λ", low=0.0, high=100.0
    )


@final
class Method:
    """The common loss with a hinge on the KL of each dimension."""

    mark = ("purple", "square", "dot")
    projected = False
    guards_kl = "KL is not penalised below λ nats per dimension"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The nats that cost nothing."""
        return {"free": self.config.free}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·Σ_j max(λ, KL_j), [m]."""
        free = constants["free"].unsqueeze(1)
        # The maximum is of minibatch means, not of points; below λ its gradient is 0.
        hinged = terms.kl_per_dim.maximum(free).sum(dim=1)
        return terms.reconstruction + terms.beta * hinged
