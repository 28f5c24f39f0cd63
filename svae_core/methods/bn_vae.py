"""BN-VAE

Posterior means pass batch normalisation with a fixed scale γ and no shift: over each minibatch
every dimension's mean has mean 0 and mean square γ², so its KL is at least γ²/2 nats. (The shift
that the paper also learns can only add to the KL; a decoder's bias does the same.) Looked at, the
running averages of training take the minibatch's place, so the bound holds as nearly as they do.
Means spread by force can still be noise to the decoder.

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

# Least variance: only against division by 0. The usual 1e-5 added under the root is a way around
# the bound: under a strong KL the encoder shrinks its means until it outweighs them (measured:
# KL .01 where 1.5 were promised).
_LEAST = 1e-20
_NEW = 0.1  # share of the newest minibatch in the running averages; as usual


@dataclass(frozen=True)
class Config:
    """How far means are spread."""

    gamma: float = option(
        0.6, "γ: spread of each dimension's means", label="scale γ", low=0.0, high=10.0
    )


@final
class Method:
    """The common loss with normalised posterior means."""

    mark = ("green", "cross", "dot")
    projected = False
    guards_kl = "at least k·γ²/2 nats over a minibatch"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, ground: PreparedData, settings: Settings) -> dict[str, float]:
        """Nothing but γ is fixed before training."""
        return {}

    def memory(self, ground: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """Running mean and variance of the encoder's means, [k] each."""
        k = settings.latent_dim
        return {"mean": np.zeros(k), "variance": np.ones(k)}

    def posterior(self, encoded: Encoded) -> Gaussian:
        """N(γ·(m − E m)/√Var m, s)."""
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
        """The running averages take in this minibatch; the first one fills them."""
        assert terms.draws is not None
        center, variance = _moments(terms.draws.encoded.mean)
        share = _NEW if terms.step > 0 else 1.0
        new = {"mean": center.squeeze(1), "variance": variance.squeeze(1)}
        return {name: old + share * (new[name] - old) for name, old in terms.memory.items()}


def _moments(mean: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over the minibatch, [m, 1, k] each."""
    center = mean.mean(dim=1, keepdim=True)
    return center, ((mean - center) ** 2).mean(dim=1, keepdim=True)
