"""Von Mises–Fisher posteriors on the unit sphere S^{k−1} under the uniform prior.

The KL is exact, by recurrences that neither overflow nor underflow for k from 2 to 512. Latents are
drawn without rejection, by inverting the distribution function of the angle. Information in nats.

Source: arXiv 1804.00891 v2 (family); sampler and gradients derived here
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from svae_core.distributions.gaussian import array
from svae_core.distributions.sphere import uniform_direction

if TYPE_CHECKING:
    from torch import Tensor

_NODES, _REACH = 192, 7.5  # intervals of the table of angles; its half-length in standard widths
_ORDER = 40.0  # Bessel recurrences start above this order, where Debye's expansion is accurate


def log_mean_exp(k: int, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """log E e^{κt}, t one coordinate of a uniform point of S^{k−1}, and its derivative A = E_κ t.

    E e^{κt} = Γ(k/2)·(2/κ)^{k/2−1}·I_{k/2−1}(κ) and A = I_{k/2}(κ)/I_{k/2−1}(κ), a ratio of Bessel
    functions computed by its continued fraction from a high order downwards. float64, κ > 0.
    """
    order = k / 2 - 1.0
    steps = max(12, math.ceil(_ORDER - order))
    log_bessel = _debye(order + steps, kappa)
    ratio = (_debye(order + steps + 1.0, kappa) - log_bessel).exp()
    # With r_v = I_{v+1}/I_v, the recurrence I_{v−1} = (2v/κ)·I_v + I_{v+1} gives
    # r_{v−1} = 1/(2v/κ + r_v); downwards it is stable, and log I_{v−1} = log I_v − log r_{v−1}.
    for step in range(steps, 0, -1):
        ratio = 1.0 / (2.0 * (order + step) / kappa + ratio)
        log_bessel = log_bessel - ratio.log()
    return math.lgamma(order + 1.0) + order * (2.0 / kappa).log() + log_bessel, ratio


def _debye(order: float, x: Tensor) -> Tensor:
    """log I_v(x) for orders v of 40 and more, uniformly in x > 0 (DLMF 10.41.3, three terms)."""
    v = order
    root = (v * v + x * x).sqrt()
    t = v / root
    first = t * (3.0 - 5.0 * t**2) / 24.0
    second = t**2 * (81.0 - 462.0 * t**2 + 385.0 * t**4) / 1152.0
    third = t**3 * (30375.0 - 369603.0 * t**2 + 765765.0 * t**4 - 425425.0 * t**6) / 414720.0
    series = 1.0 + first / v + second / v**2 + third / v**3
    return root + v * (x / (v + root)).log() - 0.5 * (2.0 * math.pi * root).log() + series.log()


def _tabulated(k: int, kappa: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The density e^{κ cos θ} sin^{k−2} θ at equally spaced nodes around its mode.

    The first node and the step, [...] like κ; cos θ and the density, at most 1, [..., nodes].
    """
    import torch

    n = k - 2.0
    # The mode solves κ sin²θ = n cos θ; the width is 1/√(−(log density)'') there.
    mode = 2.0 * kappa / (n + (n * n + 4.0 * kappa * kappa).sqrt())  # cos θ at the mode
    width = (kappa * mode + n / (1.0 - mode * mode).clamp_min(1e-12)).rsqrt()
    low = (mode.acos() - _REACH * width).clamp_min(0.0)
    step = ((mode.acos() + _REACH * width).clamp_max(math.pi) - low) / _NODES
    grid = torch.arange(_NODES + 1, dtype=kappa.dtype, device=kappa.device)
    nodes = low.unsqueeze(-1) + step.unsqueeze(-1) * grid
    cosine = nodes.cos()
    log = kappa.unsqueeze(-1) * (cosine - 1.0) + n * nodes.sin().clamp_min(1e-300).log()
    return low, step, cosine, (log - log.amax(dim=-1, keepdim=True)).exp()


def angle(k: int, kappa: Tensor, share: Tensor) -> Tensor:
    """The quantile θ of the angle to μ at probability `share`, with gradients; float64 tensors.

    The density is taken as linear between the nodes of its table, so its distribution function F
    is piecewise quadratic and inverted exactly.
    """
    import torch

    with torch.no_grad():
        low, step, cosine, density = _tabulated(k, kappa)

        def cumulative(values: Tensor) -> Tensor:
            pieces = 0.5 * (values[..., 1:] + values[..., :-1])
            return torch.nn.functional.pad(pieces.cumsum(dim=-1), (1, 0)) * step.unsqueeze(-1)

        mass = cumulative(density)
        target = share * mass[..., -1]
        at = (mass[..., 1:-1] < target.unsqueeze(-1)).sum(dim=-1, keepdim=True)
        mass_at, left, right = (
            v.gather(-1, i).squeeze(-1) for v, i in ((mass, at), (density, at), (density, at + 1))
        )
        # Within the interval: left·p + (right − left)·p²/2 = rest. The root p is written without a
        # difference of near-equal numbers.
        rest = (target - mass_at).clamp_min(0.0) / step
        part = 2.0 * rest / (left + (left**2 + 2.0 * (right - left) * rest).clamp_min(0).sqrt())
        theta = low + step * (at.squeeze(-1) + part)
        height = (left + (right - left) * part).clamp_min(1e-300)
        # F(θ; κ) = share. Implicit differentiation gives ∂θ/∂κ = −(∂F/∂κ)/f(θ) and
        # ∂θ/∂share = 1/f(θ), and ∂F/∂κ = E[cos; angle ≤ θ] − F·E[cos], f the normalised density.
        mean = cumulative(density * cosine)
        moved = mean.gather(-1, at).squeeze(-1) + (target - mass_at) * theta.cos()
        by_kappa = -(moved - share * mean[..., -1]) / height
        by_share = mass[..., -1] / height
    # The added terms are 0; they carry the gradients of the implicit function.
    return theta + by_kappa * (kappa - kappa.detach()) + by_share * (share - share.detach())


@final
@dataclass(frozen=True, eq=False)
class VonMisesFisher:
    """Posteriors on S^{k−1} under the uniform prior: direction μ [m, b, k], kappa [m, b]."""

    direction: Tensor
    kappa: Tensor

    @property
    def mean(self) -> Any:
        """A(κ)·μ, [m, b, k]; its length A(κ) goes from 0 (uniform) to 1 (a point)."""
        return self.direction * self._normaliser()[1].unsqueeze(-1).to(self.direction.dtype)

    @property
    def variance(self) -> Any:
        """(1 − A²)/k, the same in each coordinate: the average over directions."""
        spread = (1.0 - self._normaliser()[1] ** 2) / self.direction.shape[-1]
        return spread.unsqueeze(-1).to(self.direction.dtype).expand_as(self.direction)

    def draw(self, noise: Any) -> Any:
        """z from normal noise: its component along μ gives the angle, the rest the tangent."""
        along = (noise * self.direction).sum(dim=-1, keepdim=True)
        across = noise - along * self.direction
        # Φ(noise along μ) is uniform on [0, 1]; the quantile of the angle at it has the right law.
        share = (0.5 * (along.squeeze(-1).double() * 0.5**0.5).erf() + 0.5).clamp(1e-9, 1 - 1e-9)
        theta = angle(noise.shape[-1], self.kappa.double(), share).to(noise.dtype).unsqueeze(-1)
        across = uniform_direction(across)
        return theta.cos() * self.direction + theta.sin() * across

    def kl(self) -> Any:
        """κ·A − log E e^{κt}, [m, b, 1] nats; gradient by κ: κ·A′ = κ·(1 − A²) − (k−1)·A."""
        log_mean, ratio = self._normaliser()
        # In float64, since both terms grow with κ and nearly cancel; `change` is 0 and carries the
        # gradient, so that autograd need not go through the continued fraction.
        kappa = self.kappa.detach().double()
        slope = kappa * (1.0 - ratio**2) - (self.direction.shape[-1] - 1.0) * ratio
        change = slope.to(self.kappa.dtype) * (self.kappa - self.kappa.detach())
        return ((kappa * ratio - log_mean).to(self.kappa.dtype) + change).unsqueeze(-1)

    def rows(self, block: slice) -> VonMisesFisher:
        return VonMisesFisher(self.direction[..., block, :], self.kappa[..., block])

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """κ·μᵀz − log E e^{κt}, [a, b] nats, relative to the uniform density."""
        direction, kappa = array(self.direction[0]), array(self.kappa[0]).astype(np.float64)
        return kappa * (z.astype(np.float64) @ direction.T) - array(self._normaliser()[0][0])

    def _normaliser(self) -> tuple[Tensor, Tensor]:
        return log_mean_exp(self.direction.shape[-1], self.kappa.detach().double())
