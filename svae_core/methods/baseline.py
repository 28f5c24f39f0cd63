"""Conventional VAE

Minimises D/(2σ²) + β·KL with a decoder that is not projected on the shell. Where βσ² exceeds the
largest covariance eigenvalue λ_max, total collapse is a stable state of training.

Source: arXiv 1312.6114
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.methods import Terms, base_objective
from svae_core.records import PreparedData, Settings

if TYPE_CHECKING:
    from torch import Tensor


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

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)
