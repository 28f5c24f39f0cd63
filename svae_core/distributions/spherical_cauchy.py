"""Spherical Cauchy posteriors on the unit sphere S^{k−1} under the uniform prior.

Density against the uniform law ((1 − ρ²)/(1 + ρ² − 2ρ⟨μ, z⟩))^{k−1}, 0 ≤ ρ < 1. Latents are drawn
exactly and without rejection: a Möbius map moves a uniform point. Information in nats.

Source: arXiv 2506.21278 v3 (Sablica & Hornik): family, sampler and KL; the mean derived here
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from svae_core.distributions.gaussian import array
from svae_core.distributions.sphere import uniform_direction

if TYPE_CHECKING:
    from torch import Tensor

_TERMS = 200  # of series that do not end by themselves; what is cut is below 1e-9 for k ≥ 5
_SMALL = 0.1  # k = 3: below this ρ the series, above it the closed form, which loses digits here


@functools.cache
def _kl_coefficients(k: int) -> tuple[float, ...]:
    """c_m/m for m = 1, 2, … with c_1 = (1 − k/2)/(k/2), c_{m+1} = c_m (m + 1 − k/2)/(m + k/2)."""
    half, found = k / 2, []
    c = (1.0 - half) / half
    for m in range(1, max(_TERMS, k // 2) + 1):
        if c == 0.0:
            break  # for even k the series ends
        found.append(c / m)
        c *= (m + 1.0 - half) / (m + half)
    return tuple(found)


@functools.cache
def _mean_coefficients(k: int) -> tuple[float, ...]:
    """e_n − e_{n−1} for n = 1, 2, …, of E‖u + a‖^{−2} = Σ e_n ρ^{2n} for u uniform, ‖a‖ = ρ."""
    # e_n are those of the hypergeometric function ₂F₁(1, 2 − k/2; k/2; ρ²).
    half, found, e = k / 2, [], 1.0
    for n in range(max(_TERMS, k // 2 + 1)):
        after = e * (2.0 - half + n) / (half + n)
        found.append(after - e)
        e = after
        if e == 0.0:
            break
    return tuple(found)


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Σ_{n ≥ 1} a_n xⁿ, from the last term on."""
    total = 0.0 * x
    for a in reversed(coefficients):
        total = (total + a) * x
    return total


def _artanh(x: Any) -> Any:
    """By logarithms: torch's own rounds differently with an element's place in the batch."""
    return 0.5 * (x.log1p() - (-x).log1p())


def kl_to_uniform(k: int, rho: Tensor) -> Tensor:
    """KL(spherical Cauchy ‖ uniform) on S^{k−1} in nats; float64 tensors ρ in [0, 1).

    (k−1)·[−log(1 − ρ²) − Σ_{m≥1} (c_m/m) ρ^{2m}], a finite sum for even k; k = 3 in closed form.
    """
    square = rho * rho
    series = (k - 1.0) * (-(-square).log1p() - _polynomial(_kl_coefficients(k), square))
    if k != 3:
        return series
    safe = rho.clamp_min(_SMALL)
    closed = (1.0 + safe * safe) / safe * 2.0 * _artanh(safe) - 2.0
    return series.where(rho < _SMALL, closed)


def mean_cosine(k: int, rho: Tensor) -> Tensor:
    """E⟨μ, z⟩, from 0 (uniform) to 1 (a point); float64 tensors ρ in [0, 1).

    ρ + (1 − ρ²)(1 − (1 − ρ²)·E‖u + a‖^{−2})/(2ρ); the difference from 1 is written as a series,
    whose first term is of order ρ², so nothing cancels.
    """
    square = rho * rho
    if k == 2:
        return rho
    if k == 3:  # the series converges slowly: E‖u + a‖^{−2} = artanh(ρ)/ρ
        safe = rho.clamp_min(_SMALL)
        closed = (1.0 - (1.0 - safe * safe) * _artanh(safe) / safe) / safe
    gap = -_polynomial(_mean_coefficients(k), square) / rho.clamp_min(1e-12)
    if k == 3:
        gap = gap.where(rho < _SMALL, closed)
    return rho + 0.5 * (1.0 - square) * gap


def rho_of_kl(k: int, kl: float) -> float:
    """The ρ with this KL to the uniform law, by bisection."""
    import torch

    low, high = 0.0, 1.0 - 1e-12
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = float(kl_to_uniform(k, torch.tensor(middle, dtype=torch.float64))) > kl
        low, high = (low, middle) if above else (middle, high)
    return low


@final
@dataclass(frozen=True, eq=False)
class SphericalCauchy:
    """Posteriors on S^{k−1} under the uniform prior: direction μ [m, b, k], ρ [m, b]."""

    direction: Tensor
    rho: Tensor

    @property
    def mean(self) -> Any:
        """E⟨μ, z⟩·μ, [m, b, k]."""
        length = mean_cosine(self.direction.shape[-1], self.rho.double())
        return self.direction * length.unsqueeze(-1).to(self.direction.dtype)

    @property
    def variance(self) -> Any:
        """(1 − (E⟨μ, z⟩)²)/k, the same in each coordinate: the average over directions."""
        k = self.direction.shape[-1]
        spread = (1.0 - mean_cosine(k, self.rho.double()) ** 2) / k
        return spread.unsqueeze(-1).to(self.direction.dtype).expand_as(self.direction)

    def draw(self, noise: Any) -> Any:
        """z = (1 − ρ²)(u + a)/‖u + a‖² + a with a = ρμ, u = noise/‖noise‖."""
        uniform = uniform_direction(noise)
        a = self.rho.unsqueeze(-1) * self.direction
        moved = uniform + a
        # ‖u + a‖ is at least 1 − ρ > 0.
        inverse = (1.0 - self.rho.unsqueeze(-1) ** 2) / (moved**2).sum(dim=-1, keepdim=True)
        return inverse * moved + a

    def kl(self) -> Any:
        """KL(q ‖ uniform), [m, b, 1]: it does not split by dimension."""
        k = self.direction.shape[-1]
        return kl_to_uniform(k, self.rho.double()).to(self.direction.dtype).unsqueeze(-1)

    def rows(self, block: slice) -> SphericalCauchy:
        return SphericalCauchy(self.direction[:, block], self.rho[:, block])

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """(k−1)·log((1 − ρ²)/(1 + ρ² − 2ρ⟨μ, z⟩)), [a, b]: against the uniform law."""
        direction, rho = (array(v)[0].astype(np.float64) for v in (self.direction, self.rho))
        cosine = np.asarray(z, np.float64) @ direction.T
        # 1 + ρ² − 2ρt = (1 − ρ)² + 2ρ(1 − t): both terms are positive.
        gap = (1.0 - rho) ** 2 + 2.0 * rho * np.maximum(1.0 - cosine, 0.0)
        return (direction.shape[1] - 1.0) * (np.log((1.0 - rho) * (1.0 + rho)) - np.log(gap))


def logit(rho: float) -> float:
    """log(ρ/(1 − ρ))."""
    return math.log(rho) - math.log1p(-rho)
