"""Conventional VAE

Minimises D/(2σ²) + β·KL with a decoder that is not projected on the shell. Where βσ² exceeds the
largest covariance eigenvalue λ_max, total collapse is a stable state of training.

Source: arXiv 1312.6114
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Config:
    """The conventional VAE has no options of its own."""


def slopes(
    averages: Averages,
    kl_per_dim: np.ndarray,
    constants: np.ndarray,
    memory: np.ndarray,
    by_kl: np.ndarray,
) -> tuple[float, float, float]:
    """D/(2σ²) + β·KL."""
    by_kl[:] = averages.beta
    value = averages.loss * averages.half_precision + averages.beta * averages.kl
    return value, averages.half_precision, 0.0


@final
class Method:
    """The common loss D/(2σ²) + β·KL."""

    mark = ("orange", "square", "dash")
    projected = False
    guards_kl = ""
    guards_information = ""
    slopes = staticmethod(slopes)

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}
