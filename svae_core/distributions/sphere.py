"""Directions: points of the unit sphere S^{k−1}, by operators of tensors."""

from __future__ import annotations

from typing import Any


def uniform_direction(noise: Any) -> Any:
    """Uniform points of the sphere from standard normal noise, both [..., k]."""
    return noise * (noise**2).sum(dim=-1, keepdim=True).clamp_min(1e-24).rsqrt()


def direction_of(mean: Any) -> Any:
    """Means [..., k] at length 1; one of exactly 0, as in a collapsed start, gives (1, …, 1)/√k."""
    mean = mean + 1e-6
    return mean * ((mean**2).sum(dim=-1, keepdim=True) + 1e-24).rsqrt()
