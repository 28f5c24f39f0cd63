"""Conventional VAE

Minimises D/(2σ²) + β·KL with a decoder that is not projected on the shell. Where βσ² exceeds the
largest covariance eigenvalue λₘₐₓ, total collapse is a stable state of training.

Source: arXiv 1312.6114
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings

COMPARISONS = ("pair", "against collapse", "large KL")


@dataclass(frozen=True)
class Config:
    """The conventional VAE has no options of its own."""


@final
class Method:
    """The common loss D/(2σ²) + β·KL."""

    mark = ("orange", "square", "dash")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """D/(2σ²) + β·KL."""
        batch.by_kl[:] = batch.beta
        value = batch.loss * batch.half_precision + batch.beta * batch.kl
        return value, batch.half_precision, 0.0
