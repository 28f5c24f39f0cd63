"""Answers S(c|μ) = softmax_c(b·⟨s_c, μ⟩) of a fixed head, and the codes that fit them exactly.

s_c are the K corners of a regular simplex, unit vectors in K − 1 dimensions. Σ_c s_c = 0 and Σ_c
s_c s_cᵀ = K/(K−1)·I, so the code u = (K−1)/(K·b)·Σ_c a_c s_c of centred log-odds a = log T − mean
gives back S(u) = T exactly, with energy ½‖u‖² = (K−1)/(2·K·b²)·‖a‖².

Source: after the abstract of arXiv 2605.18224 v4; the code is derived here
"""

from __future__ import annotations

from typing import Any

import numpy as np


def corners(count: int) -> np.ndarray:
    """Unit vectors [K, K − 1] with ⟨s_c, s_e⟩ = −1/(K − 1) for c ≠ e."""
    # The centred unit vectors of K dimensions, in an orthonormal basis of the plane they lie in.
    centred = np.eye(count) - 1.0 / count
    basis = np.linalg.svd(centred)[0][:, : count - 1]
    found = centred @ basis
    # Signs of singular vectors are arbitrary; this choice is the same on every machine.
    found = found * np.where(found[0] < 0, -1.0, 1.0)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def code_of(log_teacher: Any, corner: Any, sharpness: float) -> Any:
    """u [..., K − 1] with S(u) = T, from log T [..., K] and the corners [..., K, K − 1]."""
    count = corner.shape[-2]
    centred = log_teacher - log_teacher.mean(-1)[..., None]
    return (count - 1) / (count * sharpness) * (centred @ corner)


def log_answers(mean: Any, corner: Any, sharpness: float) -> Any:
    """log S(c|μ) [m, b, K] of tensors μ [m, b, K − 1] and corners [m, K, K − 1]."""
    return (sharpness * (mean @ corner.transpose(-1, -2))).log_softmax(-1)
