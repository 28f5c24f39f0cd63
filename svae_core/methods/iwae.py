"""IWAE

Several importance-weighted latents per point: minimises −E log (1/s) Σᵢ wᵢ with
log wᵢ = −dᵢ/(2σ²) − β·log(q(zᵢ|x)/p(zᵢ)), a bound on the likelihood that tightens with s. With
one sample it is the conventional loss with an estimated KL. A tighter bound does not prevent
collapse: no KL is guaranteed.

Source: arXiv 1509.00519 v4
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.distributions.gaussian import Gaussian
from svae_core.methods import Draws, Terms
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """The number of samples."""

    samples: int = option(5, "latents per point", label="samples s", low=1, high=64)


@final
class Method:
    """The importance-weighted loss."""

    mark = ("green", "circle", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config
        self.samples = config.samples

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """−mean over points of log (1/s) Σ w, [m]."""
        weights = log_weights(terms.draws, terms.sigma2, terms.beta)
        return (math.log(self.samples) - weights.logsumexp(dim=1)).mean(dim=1)


def log_weights(draws: Draws, sigma2: Tensor, beta: Tensor) -> Tensor:
    """log w, [m, s, b], without the constant −(d/2)·log 2πσ²."""
    assert isinstance(draws.posterior, Gaussian)
    mean = draws.posterior.mean.unsqueeze(1)
    log_variance = draws.posterior.log_variance.unsqueeze(1)
    standard = (draws.z - mean) * (-0.5 * log_variance).exp()
    # log q − log p: their constants −(k/2)·log 2π cancel.
    ratio = 0.5 * (draws.z**2 - standard**2 - log_variance).sum(dim=3)
    return -draws.losses / (2.0 * sigma2.view(-1, 1, 1)) - beta.view(-1, 1, 1) * ratio
