"""Spherical Cauchy VAE

Latents lie on the unit sphere S^{k−1}: posteriors are spherical Cauchy with direction μ(x) and
concentration ρ(x), the prior is uniform, the KL exact. Its tails are heavier than those of von
Mises–Fisher, and a latent is drawn by one smooth map of a uniform point. ρ is learned without a
floor, so nothing keeps the KL above 0, and the decoder may ignore the direction. The KL does not
split by dimension.

Source: after the abstract and the authors' code of arXiv 2506.21278 v3 (Sablica & Hornik); formulas
in spherical_cauchy.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.distributions.sphere import direction_of, uniform_direction
from svae_core.distributions.spherical_cauchy import SphericalCauchy, logit, rho_of_kl
from svae_core.methods import Encoded, Own, Terms, base_objective, check_directions
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_START_KL = 0.1  # nats of a posterior at the start: enough for a gradient, little to unlearn
_LARGEST = 1.0 - 2.0**-20  # of ρ: in float32 still apart from 1


@dataclass(frozen=True)
class Config:
    """The concentration."""

    rho: float = option(
        0.0,
        "ρ of every posterior; 0: learned for each point",
        label="fixed ρ",
        low=0.0,
        high=0.9999,
    )


@final
class Method:
    """The common loss with spherical Cauchy posteriors."""

    mark = ("vermillion", "cross", "dot")
    projected = False
    guards_kl = "the KL of a fixed ρ, where one is chosen"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The logit of the first ρ; raises RequestError if k < 2, which leaves no sphere."""
        check_directions(settings)
        return {"start": logit(rho_of_kl(settings.latent_dim, _START_KL))}

    def posterior(self, encoded: Encoded) -> SphericalCauchy:
        """μ: the encoder's mean normalised to length 1; ρ = sigmoid(start − first log-variance)."""
        start = encoded.constants["start"].unsqueeze(1)
        # Not torch's sigmoid: it rounds differently with an element's place in the batch.
        rho = (1.0 / (1.0 + (encoded.log_variance[..., 0] - start).exp())).clamp_max(_LARGEST)
        if self.config.rho > 0:
            rho = rho.new_full(rho.shape, self.config.rho)
        return SphericalCauchy(direction_of(encoded.mean), rho)

    def sample_prior(self, noise: Tensor, own: Own) -> Tensor:
        """Uniform on the sphere, [n, k]."""
        return uniform_direction(noise)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)
