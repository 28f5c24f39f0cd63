"""Free bits

Minimises D/(2σ²) + β·Σⱼ max(λ, KLⱼ), KLⱼ the mean over the minibatch: the first λ nats of each
dimension cost nothing, so the loss does not pull them to 0. A hinge is not a bound on information:
where the decoder does not use a dimension, its λ nats are noise.

Source: arXiv 1606.04934 v2, appendix C.8
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings, option

COMPARISONS = ("against collapse", "large KL")


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

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """D/(2σ²) + β·Σ_j max(λ, KL_j)."""
        free = batch.constants[0]
        value = batch.loss * batch.half_precision
        for j in range(len(batch.kl_per_dim)):
            # The maximum is of minibatch means, not of points; below λ its gradient is 0, at λ ½.
            kl = batch.kl_per_dim[j]
            above = 1.0 if kl > free else 0.5 if kl == free else 0.0
            batch.by_kl[j] = batch.beta * above
            value += batch.beta * max(free, kl)
        return value, batch.half_precision, 0.0
