"""GMVAE (mixture that depends on w)

The prior has two levels: a network turns a normal w into the means and variances of K Gaussians,
and the latent comes from one of them, each as likely. So clusters need not be Gaussian, as those of
a plain mixture prior are. The encoder gives w as well; the component is judged by the latent, not
by a network. What the choice of component costs is free up to λ nats per minibatch, as otherwise
all points tend to be judged alike. No KL is guaranteed: the decoder may ignore the latent. The KL
shown is the full bound, over drawn paths; it does not split by dimension.

Source: arXiv 1611.02648 v2 (Dilokthanakul et al.) and its code; the gradient is the bound's own
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE, Gaussian
from svae_core.distributions.two_level import TwoLevel
from svae_core.methods import Encoded, Own, Sizes, Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """The mixture, and the constraint on its choice."""

    components: int = option(10, "Gaussians that w gives", label="components K", low=1, high=256)
    free: float = option(
        0.5,
        "nats of the choice of component that cost nothing; 0: the plain bound",
        label="free nats λ",
        low=0.0,
        high=10.0,
    )
    width: int = option(64, "width of the network of w", label="width", low=1, high=4096)


@final
class Method:
    """The common loss with a mixture prior of two levels."""

    mark = ("sky", "square", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""
    chain_steps = 1  # w takes as much noise as the latent

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def own_layers(self, sizes: Sizes) -> dict[str, tuple[int, int]]:
        """The encoder's head for w: mean and log-variance."""
        return {"w": (sizes.features, 2 * sizes.latent_dim)}

    def parameters(self, settings: Settings) -> np.ndarray:
        """The network of w, flat: k → width → K means and K log-variances, of k numbers each.

        Weights are uniform in ±1/√inputs; the biases of the means set the components apart.
        """
        rng, k, width = (
            np.random.default_rng([settings.seed, 67]),
            settings.latent_dim,
            self.config.width,
        )
        outputs = self.config.components * k
        first = rng.uniform(-1, 1, (k + 1) * width) / np.sqrt(k)
        second = rng.uniform(-1, 1, 2 * width * outputs) / np.sqrt(width)
        return np.concatenate([first, second, rng.normal(size=outputs), np.zeros(outputs)])

    def heads(self, parameters: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances [m, b, K, k] of the components, from weights [m, e]."""
        k, width = w.shape[-1], self.config.width
        sizes = k * width, width, 2 * width * self.config.components * k
        first, shift, second, bias = parameters.split((*sizes, parameters.shape[1] - sum(sizes)), 1)
        hidden = (shift.unsqueeze(1) + w @ first.unflatten(1, (k, width))).tanh()
        made = bias.unsqueeze(1) + hidden @ second.unflatten(1, (width, -1))
        means, log_variances = made.unflatten(2, (2, self.config.components, k)).unbind(2)
        return means, log_variances.clamp(*LOG_VARIANCE_RANGE)

    def posterior(self, encoded: Encoded) -> TwoLevel:
        """The encoder's Gaussian, and another for w."""
        assert encoded.features is not None
        mean, log_variance = encoded.layer("w", encoded.features).chunk(2, dim=-1)
        return TwoLevel(
            gaussian=Gaussian(encoded.mean, encoded.log_variance),
            upper=Gaussian(mean, log_variance.clamp(*LOG_VARIANCE_RANGE)),
            heads=partial(self.heads, encoded.parameters),
        )

    def sample_prior(self, noise: Tensor, own: Own) -> Tensor:
        """Latents [n, k]: a w of its own for each, and the components in turn."""
        import torch

        w = torch.randn(noise.shape, generator=torch.Generator().manual_seed(67)).to(noise)
        means, log_variances = self.heads(own.parameters.unsqueeze(0), w.unsqueeze(0))
        rows = torch.arange(len(noise), device=noise.device)
        turn = rows % self.config.components
        return means[0, rows, turn] + (0.5 * log_variances[0, rows, turn]).exp() * noise

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·(rate, in which the component's choice counts as λ nats at least), [m]."""
        (path,) = terms.draws.paths
        assigned = path.assigned.mean(dim=1)
        more = (self.config.free - assigned).clamp_min(0.0)
        return base_objective(terms) + terms.beta * more
