"""Gaussian posteriors under a mixture whose components depend on a second latent w.

    w ~ N(0, I), c uniform on K components, z | w, c ~ N(μ_c(w), diag s_c(w))

Posteriors of a point are q(z|x)·q(w|x)·r_c, with responsibilities r_c ∝ N(z; μ_c(w), s_c(w)) that
no network makes. For any z and w drawn from q,

    rate = Σ_c r_c·KL(q(z|x) ‖ N(μ_c, s_c)) + KL(r ‖ 1/K) + KL(q(w|x) ‖ N(0, I))

Its first two terms are never below KL(q(z|x) ‖ p(z|w)), whatever r is (Hershey & Olsen 2007), so
its mean is never below KL(q(z|x) ‖ p(z)), nor, over points, below I(x; z).

Source: arXiv 1611.02648, and its code (github.com/Nat-D/GMVAE, branch version2)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from svae_core.distributions.chain import fixed_noise
from svae_core.distributions.gaussian import Gaussian

if TYPE_CHECKING:
    from torch import Tensor

#: w [m, b, k] -> means and log-variances of the components, [m, b, c, k] each.
Heads = Callable[[Any], tuple[Any, Any]]


@final
@dataclass(frozen=True, eq=False)
class LevelPath:
    """One z and one w of each point."""

    z: Tensor  # [m, b, k]
    rate: Tensor  # [m, b] nats
    assigned: Tensor  # [m, b] nats of them: KL(r ‖ 1/K)


@final
@dataclass(frozen=True, eq=False)
class TwoLevel:
    """Posteriors of points [m, b, k], tensors."""

    gaussian: Gaussian  # q(z|x)
    upper: Gaussian  # q(w|x)
    heads: Heads

    @property
    def mean(self) -> Any:
        return self.gaussian.mean

    @property
    def variance(self) -> Any:
        return self.gaussian.variance

    def draw(self, noise: Any) -> Any:
        """z from noise [m, b, 2k], of which w has the second half."""
        return self.gaussian.draw(noise[..., : self.mean.shape[-1]])

    def path(self, noise: Any) -> LevelPath:
        """z, w and their rate from noise [m, b, 2k]."""
        k = self.mean.shape[-1]
        z, w = self.gaussian.draw(noise[..., :k]), self.upper.draw(noise[..., k:])
        means, log_variances = self.heads(w)
        log_r = log_responsibilities(z, means, log_variances)
        # KL(q(z|x) ‖ N(μ_c, s_c)) of every component in closed form: z itself is only needed for r.
        mean, log_s = (v.unsqueeze(-2) for v in (self.mean, self.gaussian.log_variance))
        spread = ((mean - means) ** 2 + log_s.exp()) * (-log_variances).exp()
        each = 0.5 * (spread - 1.0 - log_s + log_variances).sum(-1)
        assigned = (log_r.exp() * (log_r + math.log(means.shape[-2]))).sum(-1)
        below = (log_r.exp() * each).sum(-1) + assigned
        return LevelPath(z, below + self.upper.kl().sum(-1), assigned)

    @cached_property
    def _rate(self) -> Any:
        found = [self.path(noise).rate for noise in fixed_noise(self.mean, 2 * self.mean.shape[-1])]
        return sum(found) / len(found)

    def kl(self) -> Any:
        """The mean rate over paths of `fixed_noise`, [m, b, 1] nats."""
        return self._rate.unsqueeze(-1)

    def rows(self, block: slice) -> TwoLevel:
        return TwoLevel(self.gaussian.rows(block), self.upper.rows(block), self.heads)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        return self.gaussian.log_density(z)


def log_responsibilities(z: Any, means: Any, log_variances: Any) -> Any:
    """log p(c | z, w) [..., b, c] of latents [..., b, k] under components [..., b, c, k].

    The softmax divides by what all components have in common: (2π)^{k/2} and the uniform p(c).
    """
    gap = (z.unsqueeze(-2) - means) ** 2 * (-log_variances).exp()
    return (-0.5 * (gap + log_variances).sum(-1)).log_softmax(dim=-1)
