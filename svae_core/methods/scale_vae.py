"""Scaled latents

The decoder gets z = f⊙m(x) + √s⊙ε with one factor per dimension, the same for all points, while
the loss takes the KL of the latent before scaling. Here fⱼ = max(1, τ/sd mⱼ(x)) with a running
estimate of the spread that has no gradient, so means that have shrunk are spread to τ again; f = 1
is the conventional VAE. At collapse a linear dimension comes alive where λⱼ > βσ²/fⱼ²: the method
acts as a smaller σ² by another name, and the gauge shown is βσ²/f². The KL shown is that of the
scaled latent, which bounds the information.

Source: after the abstract of Song et al., LREC-COLING 2024 (Scale-VAE; the VAE is arXiv 1312.6114);
the rule for f and the threshold are ours
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.distributions.gaussian import Gaussian, gaussian_kl
from svae_core.methods import Encoded, Terms
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_NEW = 0.1  # weight of the newest minibatch in the running spread; the usual momentum
_LARGEST = 100.0  # of f: where all means are equal nothing is there to be spread


@dataclass(frozen=True)
class Config:
    """How far latents are scaled."""

    spread: float = option(
        1.0, "τ: spread that means are scaled to", label="spread τ", low=0.0, high=100.0
    )
    factor: float = option(
        0.0, "f of every dimension; 0: from the spread", label="fixed factor f", low=0.0, high=100.0
    )


@final
class Method:
    """The common loss whose decoder sees scaled latents and whose KL does not."""

    mark = ("blue", "diamond", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None; τ and f are options."""
        return {}

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """Running factors f [k], and the largest of them, []."""
        start = self.config.factor or 1.0
        return {"factors": np.full(settings.latent_dim, start), "largest": np.array(start)}

    def posterior(self, encoded: Encoded) -> Gaussian:
        """N(f⊙m, s): what the decoder sees, so that information and KL are measured of it."""
        return Gaussian(encoded.memory["factors"].unsqueeze(1) * encoded.mean, encoded.log_variance)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL(N(m, s) ‖ N(0, I)), [m]; D of the scaled latents."""
        encoded = terms.draws.encoded
        exp = type(encoded.mean).exp
        kl = gaussian_kl(encoded.mean, encoded.log_variance, exp).sum(dim=2).mean(dim=1)
        return terms.reconstruction + terms.beta * kl

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """f = max(1, τ/sd m), a moving average, at most 100; unchanged where f is fixed."""
        if self.config.factor:
            return terms.memory
        mean = terms.draws.encoded.mean
        sd = mean.std(dim=1, correction=0)
        wanted = (self.config.spread / sd.clamp_min(1e-9)).clamp(1.0, _LARGEST)
        factors = terms.memory["factors"]
        factors = factors + _NEW * (wanted - factors)
        return {"factors": factors, "largest": factors.amax(dim=1)}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """βσ²/f² with the largest f: the dimension that comes alive most easily."""
        return settings.beta * settings.sigma2 / memory["largest"] ** 2
