"""δ-VAE

A committed rate: posterior variances stay below the value at which a dimension's KL is δ/k whatever
its mean, so no point's KL is ever below δ. Of the paper's ways this is the one for independent
latents (the other correlates them in time). The rate is committed, its use is not: the decoder may
ignore a latent that costs δ nats.

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


@dataclass(frozen=True)
class Config:
    """How many nats are committed."""

    rate: float = option(
        1.0, "δ: nats that every posterior keeps", label="committed nats δ", low=0.0, high=500.0
    )


@final
class Method:
    """The common loss with posterior variances that stay below a bound."""

    mark = ("vermillion", "circle", "dot")
    projected = False
    guards_kl = "at least δ nats at every point"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, ground: PreparedData, settings: Settings) -> dict[str, float]:
        """The bound on log-variances."""
        return {"highest": highest_log_variance(self.config.rate / settings.latent_dim)}

    def posterior(self, encoded: Encoded) -> Gaussian:
        """A smooth minimum of the encoder's log-variance and the bound keeps gradients alive."""
        highest = encoded.constants["highest"].view(-1, 1, 1)
        # log s = h − log(1 + e^{h − raw}), below both h and raw.
        low = -(highest - encoded.log_variance).exp().log1p()
        return Gaussian(encoded.mean, highest + low)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)


def highest_log_variance(nats: float) -> float:
    """The log-variance l ≤ 0 at which the least KL of a dimension, ½(e^l − 1 − l), is `nats`."""
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
