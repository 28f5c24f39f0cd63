"""VaDE (mixture prior)

The prior is a mixture of Gaussians with learned weights, means and variances, so clusters need not
share one Gaussian. The KL to a mixture has no closed form; its variational upper bound
−log Σⱼ πⱼ·exp(−KLⱼ) is used, with KLⱼ the KL to component j: VaDE's loss at its best assignment
of points to components. The mixture is standardised (mean 0, variance 1 in each dimension), since a
decoder could undo any other choice; with one component it is the conventional VAE. The KL does not
split by dimension. No KL is guaranteed: components can merge, and the decoder can ignore the code.

Source: arXiv 1611.05148 v3 (VaDE); bound: Hershey & Olsen 2007
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from svae_core.distributions.gaussian import Gaussian
from svae_core.distributions.mixture import draw_mixture
from svae_core.methods import Encoded, Own, Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


#: It was called so until the mixture VAE of arXiv 1611.02648 got a file of its own.
FORMER_NAMES = ("gmvae",)


@dataclass(frozen=True)
class Config:
    """The size of the mixture."""

    components: int = option(10, "Gaussians in the prior", low=1, high=256)


@final
@dataclass(frozen=True, eq=False)
class MixturePosterior:
    """Gaussian posteriors under a mixture prior; tensors with a leading axis of members."""

    gaussian: Gaussian  # [m, b, k]
    log_weights: Tensor  # [m, 1, c]
    means: Tensor  # [m, 1, c, k]
    variances: Tensor  # [m, 1, c, k]

    @property
    def mean(self) -> Any:
        return self.gaussian.mean

    @property
    def variance(self) -> Any:
        return self.gaussian.variance

    def draw(self, noise: Any) -> Any:
        return self.gaussian.draw(noise)

    def kl(self) -> Any:
        """−log Σ_c π_c·exp(−KL(q‖component c)), [m, b, 1] nats: an upper bound on the KL."""
        # KL(q‖Σ_c π_c p_c) ≤ Σ_c ω_c·[KL_c + log(ω_c/π_c)] for any weights ω (Hershey & Olsen
        # 2007); the minimum is at ω_c ∝ π_c·e^{−KL_c}.
        mean, log_s = self.gaussian.mean.unsqueeze(2), self.gaussian.log_variance.unsqueeze(2)
        gap = (mean - self.means) ** 2
        each = (gap + log_s.exp()) / self.variances - 1.0 - log_s + self.variances.log()
        return -(self.log_weights - 0.5 * each.sum(dim=3)).logsumexp(dim=2, keepdim=True)

    def rows(self, block: slice) -> MixturePosterior:
        return MixturePosterior(
            self.gaussian.rows(block), self.log_weights, self.means, self.variances
        )

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return self.gaussian.log_density(z)


@final
class Method:
    """The common loss with a learned mixture prior."""

    mark = ("sky", "cross", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def parameters(self, settings: Settings) -> np.ndarray:
        """Initial logits [c], means [c, k] and log-variances [c, k] of the components, flat."""
        c, k = self.config.components, settings.latent_dim
        means = np.random.default_rng([settings.seed, 61]).normal(size=c * k)
        return np.concatenate([np.zeros(c), means, np.zeros(c * k)])

    def posterior(self, encoded: Encoded) -> MixturePosterior:
        """The encoder's Gaussian with the standardised mixture as prior."""
        log_weights, means, variances = self._mixture(encoded.parameters, encoded.mean.shape[-1])
        return MixturePosterior(
            gaussian=Gaussian(encoded.mean, encoded.log_variance),
            log_weights=log_weights.unsqueeze(1),
            means=means.unsqueeze(1),
            variances=variances.unsqueeze(1),
        )

    def sample_prior(self, noise: Tensor, own: Own) -> Tensor:
        """Latents [n, k] from the mixture; components in proportion to their weights."""
        found = self._mixture(own.parameters.unsqueeze(0), noise.shape[1])
        log_weights, means, variances = (part[0] for part in found)
        return draw_mixture(log_weights, means, variances, noise)

    def _mixture(self, parameters: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights [m, c], means and variances [m, c, k], standardised."""
        c = self.config.components
        logits, means, log_variances = parameters.split([c, c * k, c * k], dim=1)
        log_weights = logits.log_softmax(dim=1)
        weights = log_weights.exp().unsqueeze(2)
        means, variances = means.view(-1, c, k), log_variances.view(-1, c, k).exp()
        # Law of total variance: Var z = Σ_c π_c·(s_c + (μ_c − μ)²).
        center = (weights * means).sum(dim=1, keepdim=True)
        total = (weights * (variances + (means - center) ** 2)).sum(dim=1, keepdim=True)
        return log_weights, (means - center) * total.rsqrt(), variances / total

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·(upper bound on the KL), [m]."""
        return base_objective(terms)
