"""Posteriors in polar form: a von Mises–Fisher direction times a norm uniform on [n, n + ε].

The prior is a uniform direction times a norm uniform on [0, N]; it is not uniform in the ball. The
KL is KL_vMF(k, κ) + log(N/ε), the same for every point: neither μ nor n is in it.

Source: the code of Guu et al. 2018, arXiv 1709.08878 (github.com/kelvinguu/neural-editor)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from svae_core.distributions.gaussian import array
from svae_core.distributions.von_mises_fisher import VonMisesFisher

if TYPE_CHECKING:
    from torch import Tensor


def chi_squared_share(degrees: int, squared: Tensor) -> Tensor:
    """P(χ² ≤ squared): uniform on [0, 1] for the squared length of that many normal numbers."""
    import torch

    half = torch.full((), 0.5 * degrees, dtype=torch.float64, device=squared.device)
    # Of one degree the slope is infinite at 0, where it is not asked for.
    share = torch.special.gammainc(half, 0.5 * squared.double().clamp_min(1e-12))
    return share.to(squared.dtype)


@final
@dataclass(frozen=True, eq=False)
class Polar:
    """Posteriors of points [m, b, k]."""

    around: VonMisesFisher  # the direction's law
    least: Tensor  # [m, b]: n, at most `longest` − `width`
    width: float  # ε
    longest: float  # N

    @property
    def mean(self) -> Any:
        """(n + ε/2)·A(κ)·μ, [m, b, k]: norm and direction are independent."""
        return self._middle.unsqueeze(-1) * self.around.mean

    @property
    def variance(self) -> Any:
        """(E‖z‖² − ‖E z‖²)/k, the same in each coordinate: the average over directions."""
        squared = self._middle**2 + self.width**2 / 12.0
        spread = squared - (self.mean**2).sum(dim=-1)
        return (spread / self.mean.shape[-1]).unsqueeze(-1).expand_as(self.mean)

    @property
    def _middle(self) -> Any:
        return self.least + 0.5 * self.width

    def draw(self, noise: Any) -> Any:
        """z from normal noise: along μ it gives the angle, its direction across μ the tangent.

        Its length across μ is independent of both, and χ with k − 1 degrees: it gives the norm.
        """
        along = (noise * self.around.direction).sum(dim=-1, keepdim=True)
        across = noise - along * self.around.direction
        share = chi_squared_share(noise.shape[-1] - 1, (across**2).sum(dim=-1))
        return (self.least + self.width * share).unsqueeze(-1) * self.around.draw(noise)

    def kl(self) -> Any:
        """KL_vMF(k, κ) + log(N/ε), [m, b, 1] nats."""
        return self.around.kl() + math.log(self.longest / self.width)

    def rows(self, block: slice) -> Polar:
        return Polar(self.around.rows(block), self.least[..., block], self.width, self.longest)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """log q(z_a|x_b)/p(z_a), [a, b] nats; −inf where x gives no such norm."""
        z, least = np.asarray(z, np.float64), array(self.least[0]).astype(np.float64)
        norm = np.linalg.norm(z, axis=1, keepdims=True)
        slack = 1e-5 * self.longest  # z is rounded to float32
        inside = (norm >= least - slack) & (norm <= least + self.width + slack)
        turned = self.around.log_density(z / np.maximum(norm, 1e-300))
        return np.where(inside, turned + math.log(self.longest / self.width), -np.inf)


def draw_prior(noise: Tensor, longest: float) -> Tensor:
    """Latents [n, k] from the prior: the length of the noise gives the norm."""
    squared = (noise**2).sum(dim=-1, keepdim=True)
    norm = longest * chi_squared_share(noise.shape[-1], squared)
    return norm * noise * squared.clamp_min(1e-24).rsqrt()
