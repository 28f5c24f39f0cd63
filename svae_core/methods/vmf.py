"""Hyperspherical VAE (von Mises–Fisher)

Latents lie on the unit sphere S^{k−1}: posteriors are von Mises–Fisher with direction μ(x) and
concentration κ(x), the prior is uniform, the KL exact. κ has a lower bound, which bounds the KL
below, and may be fixed, which fixes the KL; the decoder may still ignore the direction. The KL does
not split by dimension. Latents are drawn without rejection, by inverting the distribution function
of the angle to μ, so they are smooth in μ and κ.

Source: arXiv 1804.00891 v2; fixed κ arXiv 1808.10805; formulas in von_mises_fisher.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.distributions.sphere import direction_of, uniform_direction
from svae_core.distributions.von_mises_fisher import VonMisesFisher
from svae_core.methods import Encoded, Own, Terms, base_objective, check_directions
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

COMPARISONS = ("large KL",)


@dataclass(frozen=True)
class Config:
    """The concentration."""

    kappa: float = option(
        0.0, "κ of every posterior; 0: learned for each point", label="fixed κ", low=0.0, high=1e5
    )
    least: float = option(1.0, "floor under a learned κ", label="least κ", low=0.0, high=1e5)


@final
class Method:
    """The common loss with von Mises–Fisher posteriors."""

    mark = ("green", "square", "dot")
    projected = False
    guards_kl = "at least the KL of the least (or fixed) κ"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None; raises RequestError if k < 2, which leaves no sphere of directions."""
        check_directions(settings)
        return {}

    def posterior(self, encoded: Encoded) -> VonMisesFisher:
        """μ: the encoder's mean normalised to length 1; κ = least + k/s, s its first variance."""
        mean = encoded.mean
        k = mean.shape[-1]
        kappa = self.config.least + k * (-encoded.log_variance[..., 0].clamp_min(-9.0)).exp()
        if self.config.kappa > 0:
            kappa = mean.new_full(mean.shape[:2], self.config.kappa)
        return VonMisesFisher(direction_of(mean), kappa)

    def sample_prior(self, noise: Tensor, own: Own) -> Tensor:
        """Uniform on the sphere, [n, k]."""
        return uniform_direction(noise)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)
