"""Draws from a mixture of diagonal Gaussians, by operators of tensors."""

from __future__ import annotations

from typing import Any

_STRIDE = 0.6180339887498949  # 1/golden ratio: its multiples modulo 1 are evenly spread


def draw_mixture(log_weights: Any, means: Any, variances: Any, noise: Any) -> Any:
    """Latents [n, k] from noise [n, k]; log-weights [c], means and variances [c, k].

    Components come by inversion at a low-discrepancy sequence instead of random numbers: their
    counts deviate little from their weights, and the noise need not choose them.
    """
    ends = log_weights.exp().cumsum(dim=0)
    spread = ((noise.new_ones(len(noise)).cumsum(dim=0) - 0.5) * _STRIDE) % 1.0
    which = (spread.unsqueeze(1) > ends).sum(dim=1).clamp_max(len(ends) - 1)
    return means[which] + variances[which].sqrt() * noise
