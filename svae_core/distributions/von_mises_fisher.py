"""Von Mises–Fisher posteriors on the unit sphere S^{k−1} against the uniform one.

KL exact, by recurrences that neither overflow nor underflow at k from 2 to 512; latents drawn by
inversion of the distribution of the angle, without rejection. Information in nats.

Source: arXiv 1804.00891 v2 (family); sampler and gradients derived here
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from svae_core.distributions.gaussian import array

if TYPE_CHECKING:
    from torch import Tensor

_NODES, _REACH = 192, 7.5  # of the table of angles, and how many widths it spans to either side
_ORDER = 40.0  # Bessel recurrences start above this order, where Debye's expansion is exact enough


def log_mean_exp(k: int, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """log E e^{κt}, t one coordinate of the uniform S^{k−1}, and its derivative A = E_κ t.

    A = I_{k/2}(κ)/I_{k/2−1}(κ), by its continued fraction, started at an order so high that Debye's
    uniform expansion is exact there; log I comes down with it. float64 tensors, κ > 0.
    """
    order = k / 2 - 1.0
    steps = max(12, math.ceil(_ORDER - order))
    log_bessel = _debye(order + steps, kappa)
    ratio = (_debye(order + steps + 1.0, kappa) - log_bessel).exp()
    for step in range(steps, 0, -1):
        ratio = 1.0 / (2.0 * (order + step) / kappa + ratio)
        log_bessel = log_bessel - ratio.log()
    return math.lgamma(order + 1.0) + order * (2.0 / kappa).log() + log_bessel, ratio


def _debye(order: float, x: Tensor) -> Tensor:
    """log I_v(x), for v of some tens, uniformly in x > 0 (DLMF 10.41.3, three terms)."""
    v = order
    root = (v * v + x * x).sqrt()
    t = v / root
    first = t * (3.0 - 5.0 * t**2) / 24.0
    second = t**2 * (81.0 - 462.0 * t**2 + 385.0 * t**4) / 1152.0
    third = t**3 * (30375.0 - 369603.0 * t**2 + 765765.0 * t**4 - 425425.0 * t**6) / 414720.0
    series = 1.0 + first / v + second / v**2 + third / v**3
    return root + v * (x / (v + root)).log() - 0.5 * (2.0 * math.pi * root).log() + series.log()


def angle(k: int, kappa: Tensor, share: Tensor) -> Tensor:
    """The angle to μ below which a share of the mass lies, with its gradients; float64 tensors.

    Its density e^{κ cos θ} sin^{k−2} θ is tabulated around the mode, linear between nodes.
    """
    import torch

    with torch.no_grad():
        n = k - 2.0
        mode = 2.0 * kappa / (n + (n * n + 4.0 * kappa * kappa).sqrt())  # cos θ at the mode
        width = (kappa * mode + n / (1.0 - mode * mode).clamp_min(1e-12)).rsqrt() if n else 0
        width = kappa.rsqrt() if n == 0 else width
        low = (mode.acos() - _REACH * width).clamp_min(0.0)
        step = ((mode.acos() + _REACH * width).clamp_max(math.pi) - low) / _NODES
        grid = torch.arange(_NODES + 1, dtype=kappa.dtype, device=kappa.device)
        nodes = low.unsqueeze(-1) + step.unsqueeze(-1) * grid
        cosine = nodes.cos()
        log = kappa.unsqueeze(-1) * (cosine - 1.0) + n * nodes.sin().clamp_min(1e-300).log()
        density = (log - log.amax(dim=-1, keepdim=True)).exp()

        def below(values: Tensor) -> Tensor:
            pieces = 0.5 * (values[..., 1:] + values[..., :-1])
            return torch.nn.functional.pad(pieces.cumsum(dim=-1), (1, 0)) * step.unsqueeze(-1)

        mass = below(density)
        wanted = share * mass[..., -1]
        at = (mass[..., 1:-1] < wanted.unsqueeze(-1)).sum(dim=-1, keepdim=True)
        mass_at, here, there = (
            v.gather(-1, i).squeeze(-1) for v, i in ((mass, at), (density, at), (density, at + 1))
        )
        rest = (wanted - mass_at).clamp_min(0.0) / step
        part = 2.0 * rest / (here + (here**2 + 2.0 * (there - here) * rest).clamp_min(0).sqrt())
        found = low + step * (at.squeeze(-1) + part)
        height = (here + (there - here) * part).clamp_min(1e-300)
        mean = below(density * cosine)
        moved = mean.gather(-1, at).squeeze(-1) + (wanted - mass_at) * found.cos()
        by_kappa = -(moved - share * mean[..., -1]) / height
        by_share = mass[..., -1] / height
    return found + by_kappa * (kappa - kappa.detach()) + by_share * (share - share.detach())


@final
@dataclass(frozen=True, eq=False)
class VonMisesFisher:
    """Posteriors on S^{k−1} against the uniform one: direction [m, b, k], kappa [m, b]."""

    direction: Tensor
    kappa: Tensor

    @property
    def mean(self) -> Any:
        """A(κ)·μ: shorter than 1 the less is known."""
        return self.direction * self._normaliser()[1].unsqueeze(-1).to(self.direction.dtype)

    @property
    def variance(self) -> Any:
        """(1 − A²)/k, the same in each coordinate: the average over directions."""
        spread = (1.0 - self._normaliser()[1] ** 2) / self.direction.shape[-1]
        return spread.unsqueeze(-1).to(self.direction.dtype).expand_as(self.direction)

    def draw(self, noise: Any) -> Any:
        """Noise along μ gives the angle to it, noise across gives the way there."""
        along = (noise * self.direction).sum(dim=-1, keepdim=True)
        across = noise - along * self.direction
        share = (0.5 * (along.squeeze(-1).double() * 0.5**0.5).erf() + 0.5).clamp(1e-9, 1 - 1e-9)
        theta = angle(noise.shape[-1], self.kappa.double(), share).to(noise.dtype).unsqueeze(-1)
        across = across * (across**2).sum(dim=-1, keepdim=True).clamp_min(1e-24).rsqrt()
        return theta.cos() * self.direction + theta.sin() * across

    def kl(self) -> Any:
        """κ·A − log E e^{κt}, [m, b, 1]; its derivative κ·(1 − A² − (k−1)·A/κ) is closed too."""
        log_mean, ratio = self._normaliser()
        kappa = self.kappa.detach().double()
        slope = kappa * (1.0 - ratio**2) - (self.direction.shape[-1] - 1.0) * ratio
        change = slope.to(self.kappa.dtype) * (self.kappa - self.kappa.detach())
        return ((kappa * ratio - log_mean).to(self.kappa.dtype) + change).unsqueeze(-1)

    def rows(self, block: slice) -> VonMisesFisher:
        return VonMisesFisher(self.direction[..., block, :], self.kappa[..., block])

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """κ·μᵀz − log E e^{κt}: against the uniform density."""
        direction, kappa = array(self.direction[0]), array(self.kappa[0]).astype(np.float64)
        return kappa * (z.astype(np.float64) @ direction.T) - array(self._normaliser()[0][0])

    def _normaliser(self) -> tuple[Tensor, Tensor]:
        return log_mean_exp(self.direction.shape[-1], self.kappa.detach().double())
