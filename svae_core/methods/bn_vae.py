"""BN-VAE

Posterior means are batch-normalised with a fixed scale γ and no shift: over each minibatch every
dimension's mean has average 0 and mean square γ², so its KL is at least γ²/2 nats. (The shift that
the paper also learns can only add to the KL; the decoder's bias does the same.) In evaluation the
running averages of training replace the minibatch's, so the bound holds approximately. The decoder
can still ignore means that are spread in this way.

Source: arXiv 2004.12585 v1, theorem 1 and algorithm 1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.distributions.gaussian import Gaussian
from svae_core.methods import Encoded, Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

COMPARISONS = ("large KL",)
# Smallest variance, only against division by 0. The usual 1e-5 added under the root breaks the
# bound: under a strong KL the encoder shrinks its means until 1e-5 dominates their variance
# (measured: a KL of .01 where the bound is 1.5).
_LEAST = 1e-20
_NEW = 0.1  # weight of the newest minibatch in the running averages; the usual momentum


@dataclass(frozen=True)
class Config:
    """The scale of the posterior means."""

    gamma: float = option(
        0.6, "γ: spread of each dimension's means", label="scale γ", low=0.0, high=10.0
    )


@final
class Method:
    """The common loss with batch-normalised posterior means."""

    mark = ("green", "cross", "dot")
    projected = False
    guards_kl = "at least k·γ²/2 nats over a minibatch"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None; γ is an option."""
        return {}

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """Running mean and variance of the encoder's means, [k] each."""
        k = settings.latent_dim
        return {"mean": np.zeros(k), "variance": np.ones(k)}

    def posterior(self, encoded: Encoded) -> Gaussian:
        """N(γ·(m − E m)/√Var m, s); moments of the minibatch in training, else running ones."""
        # E KL_j ≥ ½ E m_j² (s − 1 − log s ≥ 0), and E m_j² = γ² after the normalisation.
        if encoded.training:
            center, variance = _moments(encoded.mean)
        else:
            center = encoded.memory["mean"].unsqueeze(1)
            variance = encoded.memory["variance"].unsqueeze(1)
        scaled = (encoded.mean - center) * variance.clamp_min(_LEAST).rsqrt()
        return Gaussian(self.config.gamma * scaled, encoded.log_variance)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """Exponential moving averages, initialised by the first minibatch."""
        center, variance = _moments(terms.draws.encoded.mean)
        share = _NEW if terms.step > 0 else 1.0
        new = {"mean": center.squeeze(1), "variance": variance.squeeze(1)}
        return {name: old + share * (new[name] - old) for name, old in terms.memory.items()}


def _moments(mean: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over the minibatch, [m, 1, k] each."""
    center = mean.mean(dim=1, keepdim=True)
    return center, ((mean - center) ** 2).mean(dim=1, keepdim=True)
