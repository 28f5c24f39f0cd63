"""Latents of the forward cloud: En' ~ N(En, He²), z ~ N(Ex, En'²), under a fixed mixture prior.

Expectation Ex, entropy En and hyper-entropy He of each coordinate. Var z = En² + He², and the
excess kurtosis is 6·He²·(2·En² + He²)/(En² + He²)²: He makes the tails heavy. Information in nats.

Source: the two lines of the sampler from the abstract of Liu et al., Pattern Recognition 140
(2023) 109530; the bound on the KL is derived here
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_NODES = 20


@functools.cache
def _hermite() -> tuple[tuple[float, float], ...]:
    """Nodes ε and weights with Σ w f(ε) = E f for ε ~ N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return tuple(zip(nodes.tolist(), (weights / weights.sum()).tolist(), strict=True))


def mean_log_square(ratio: Any) -> Any:
    """E log(1 + ratio·ε)², ε ~ N(0, 1), for ratios He/En of at most 1/5, by quadrature.

    The logarithm is singular at ε = −1/ratio, which is five standard deviations away or more.
    """
    return sum(weight * ((1.0 + ratio * node) ** 2).log() for node, weight in _hermite())


@final
@dataclass(frozen=True, eq=False)
class CloudPosterior:
    """Clouds of b points under Σ_c π_c N(μ_c, σ_c²); tensors with a leading axis of members."""

    expectation: Tensor  # Ex [m, b, k]
    log_entropy: Tensor  # log En² [m, b, k]
    ratio: Tensor  # He/En [m, b, k]
    log_weights: Tensor  # log π [m, 1, c]
    means: Tensor  # μ [m, 1, c, k]
    variances: Tensor  # σ² [m, 1, c, k]

    @property
    def mean(self) -> Any:
        return self.expectation

    @property
    def variance(self) -> Any:
        """En² + He²."""
        return self.log_entropy.exp() * (1.0 + self.ratio**2)

    def draw(self, noise: Any) -> Any:
        """z = Ex + En·(1 + He/En·ε₁)·ε₂ from noise [..., 2k]: ε₂, then ε₁."""
        k = self.expectation.shape[-1]
        width = (0.5 * self.log_entropy).exp() * (1.0 + self.ratio * noise[..., k:])
        return self.expectation + width * noise[..., :k]

    def kl(self) -> Any:
        """An upper bound on the KL to the mixture, [m, b, 1] nats.

        With En' as a further variable of the same law in model and posterior, KL ≤ E_{En'} of the
        KL of N(Ex, En'²); to a component it is ½·Σ_j [log σ² − E log En'² + (En² + He² +
        (Ex − μ)²)/σ² − 1]. Over the mixture the best weights give −log Σ_c π_c·e^{−KL_c}.
        """
        entropy = (self.log_entropy + mean_log_square(self.ratio)).unsqueeze(2)
        spread = self.variance.unsqueeze(2) + (self.expectation.unsqueeze(2) - self.means) ** 2
        each = self.variances.log() - entropy + spread / self.variances - 1.0
        return -(self.log_weights - 0.5 * each.sum(dim=3)).logsumexp(dim=2, keepdim=True)

    def rows(self, block: slice) -> CloudPosterior:
        own = (self.expectation, self.log_entropy, self.ratio)
        expectation, log_entropy, ratio = (part[..., block, :] for part in own)
        mixture = self.log_weights, self.means, self.variances
        return CloudPosterior(expectation, log_entropy, ratio, *mixture)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Not known in closed form: nan, [a, b]."""
        return np.full((len(z), self.expectation.shape[-2]), np.nan)
