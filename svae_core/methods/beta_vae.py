"""β-VAE

Minimises D/(2σ²) + βₘ·β·KL: the conventional loss with a further weight βₘ on the KL, meant for
disentangled latents. With βₘ = 1 it is the conventional VAE; a smaller βₘ keeps more information
in the latents; with a larger one collapse is stable from a σ² that is βₘ times smaller.

Source: Higgins et al., ICLR 2017; its capacity view arXiv 1804.03599
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings, option

COMPARISONS = ("against collapse",)


@dataclass(frozen=True)
class Config:
    """The weight of the KL."""

    multiple: float = option(
        4.0,
        "weight of the KL in units of the setting β",
        label="multiple of β",
        low=0.0,
        high=1e4,
    )


@final
class Method:
    """The common loss with the KL weighted by β_m·β."""

    mark = ("sky", "diamond", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The weight of the KL."""
        return {"weight": self.config.multiple * settings.beta}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β_m·β·σ², which is compared with λ_max."""
        return self.config.multiple * settings.beta * settings.sigma2

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """D/(2σ²) + β_m·β·KL."""
        weight = batch.constants[0]
        batch.by_kl[:] = weight
        value = batch.loss * batch.half_precision + weight * batch.kl
        return value, batch.half_precision, 0.0
