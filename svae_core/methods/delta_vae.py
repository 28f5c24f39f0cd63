"""δ-VAE

A committed rate: posterior variances are bounded so that every dimension's KL is at least δ/k,
whatever its mean, and no point's KL is below δ. The paper has this variant for independent latents
and another for latents correlated in time. A committed rate does not make the decoder use it: the
decoder may ignore a latent that costs δ nats.

Source: arXiv 1901.03416 v1, section 2
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE, Gaussian
from svae_core.methods import Encoded, Terms, base_objective
from svae_core.records import PreparedData, RequestError, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

COMPARISONS = ("large KL",)


@dataclass(frozen=True)
class Config:
    """The committed rate."""

    rate: float = option(
        1.0, "δ: nats that every posterior keeps", label="committed nats δ", low=0.0, high=500.0
    )


@final
class Method:
    """The common loss with bounded posterior variances."""

    mark = ("vermillion", "circle", "dot")
    projected = False
    guards_kl = "at least δ nats at every point"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The upper bound on log-variances."""
        return {"highest": highest_log_variance(self.config.rate / settings.latent_dim)}

    def posterior(self, encoded: Encoded) -> Gaussian:
        """N(m, s) with log s a smooth minimum of the encoder's log-variance and its bound."""
        highest = encoded.constants["highest"].view(-1, 1, 1)
        # log s = h − log(1 + e^{h − raw}), below both h and raw; a hard minimum would have no
        # gradient above the bound.
        low = -(highest - encoded.log_variance).exp().log1p()
        return Gaussian(encoded.mean, highest + low)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)


def highest_log_variance(nats: float) -> float:
    """The log-variance l ≤ 0 at which a dimension's KL at mean 0, ½(e^l − 1 − l), equals `nats`.

    That KL decreases in l below 0, so the root is found by bisection.
    """
    low, high = LOG_VARIANCE_RANGE[0], 0.0
    if 0.5 * (math.exp(low) - 1.0 - low) < nats:
        raise RequestError(
            f"--delta_vae.rate asks for {nats:g} nats per dimension, but a dimension can commit at "
            f"most {0.5 * (math.exp(low) - 1.0 - low):.2f}; lower it or use more dimensions."
        )
    for _ in range(60):
        middle = 0.5 * (low + high)
        enough = 0.5 * (math.exp(middle) - 1.0 - middle) >= nats
        low, high = (middle, high) if enough else (low, middle)
    return low
