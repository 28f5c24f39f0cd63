"""Edit vectors

A latent has a direction, von Mises–Fisher around that of the encoder's mean with a fixed κ, and a
norm, uniform in an interval of width ε from that of the mean. The prior's norm is uniform up to N.
The KL is one number that no weight can change, so β does nothing and the KL is never 0; it is not
information, since the decoder may ignore the latent and the encoder may give every point the same
mean. In the source a latent is an edit of a similar sentence; here it is all that is known of the
point. The KL does not split by dimension.

Source: after the code of arXiv 1709.08878 (Guu et al., TACL 2018); formulas in polar.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.distributions.polar import Polar, draw_prior
from svae_core.distributions.von_mises_fisher import VonMisesFisher
from svae_core.methods import Encoded, Own, Terms, base_objective, check_directions
from svae_core.records import PreparedData, RequestError, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """The noise; defaults are those of the source's model of edits."""

    kappa: float = option(15.0, "concentration κ of all directions", label="κ", low=1e-3, high=1e5)
    width: float = option(
        1.0, "width ε of the interval of norms", label="norm width ε", low=1e-4, high=1e3
    )
    longest: float = option(10.0, "largest norm N", label="largest norm N", low=1e-3, high=1e4)


@final
class Method:
    """The common loss with polar posteriors of constant KL."""

    mark = ("blue", "square", "dot")
    projected = False
    guards_kl = "the KL of κ plus log(N/ε) nats, at every point"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None; raises RequestError if there are no directions, or ε is not below N."""
        check_directions(settings)
        if self.config.width >= self.config.longest:
            raise RequestError(
                f"The norm width ε of edit_vectors is {self.config.width:g}, but must be below the "
                f"largest norm, {self.config.longest:g}."
            )
        return {}

    def posterior(self, encoded: Encoded) -> Polar:
        """Direction and norm of the encoder's mean; norms end at N − ε."""
        # A mean of exactly 0, as in a collapsed start, has no direction: it gets (1, …, 1)/√k.
        mean = encoded.mean + 1e-6
        norm = ((mean**2).sum(dim=-1) + 1e-24).sqrt()
        kappa = mean.new_full(norm.shape, self.config.kappa)
        least = norm.clamp_max(self.config.longest - self.config.width)
        around = VonMisesFisher(mean / norm.unsqueeze(-1), kappa)
        return Polar(around, least, self.config.width, self.config.longest)

    def sample_prior(self, noise: Tensor, own: Own) -> Tensor:
        """A uniform direction times a uniform norm, [n, k]."""
        return draw_prior(noise, self.config.longest)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]; the KL is a constant."""
        return base_objective(terms)
