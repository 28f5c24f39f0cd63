"""Upper bounds on the largest eigenvalue of a symmetric matrix that hold whatever was iterated.

An iteration only proposes: a vector, or a basis of a subspace. What is returned is evaluated from
the proposal by an inequality that holds for *any* proposal, with the rounding of that evaluation
added. A poor proposal costs tightness, never truth; a Rayleigh quotient, which is a *lower* bound,
appears nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_UNIT = 2.0**-53  # unit roundoff of float64
_NUMBERS = 1 << 20  # that one block of rows holds in float64
_POWERS = 40  # steps of a power iteration at most
_NEAR = 2e-4  # relative gap between an upper and a lower bound that ends it


def collatz_wielandt(
    matrix: np.ndarray, start: np.ndarray, absolute: float = 0.0
) -> tuple[float, np.ndarray]:
    """An upper bound on λ_max of a symmetric matrix with entries in [0, matrix_ij + absolute].

    matrix [n, n] ≥ 0, float32 or float64; start [n] > 0. Returns the bound and its vector [n].

    For u > 0 and D = diag(u) the matrix D⁻¹KD has the eigenvalues of K, and none exceeds its
    largest row sum (Gershgorin): λ_max(K) ≤ max_i (Ku)_i / u_i (Collatz 1942, Wielandt 1950). It
    grows with every entry of K, so K may be replaced by what bounds it entry by entry. A power
    iteration never raises it. A row sum of n terms ≥ 0 in float64 is low by at most a factor
    1 − n·2⁻⁵³ (Higham, Accuracy and Stability, §3.1).
    """
    u = np.maximum(start / start.max(), 1e-30)
    for _ in range(_POWERS):
        step = np.maximum((matrix @ u.astype(matrix.dtype)).astype(np.float64), 1e-30)
        ratios, lowest = step / u, float(u @ step) / float(u @ u)
        u = step / step.max()
        if ratios.max() <= lowest * (1 + _NEAR):
            break
    u = np.maximum(u, 1e-30)
    highest = 0.0
    for rows in _row_blocks(len(u)):
        sums = matrix[rows].astype(np.float64) @ u + absolute * u.sum()
        highest = max(highest, float((sums / u[rows]).max()))
    return highest * (1 + 2 * (len(u) + 4) * _UNIT), u


@dataclass(frozen=True, eq=False)
class ScaledMatrix:
    """The symmetric matrix K_ij = s_i s_j F_ij, known up to a Frobenius norm `error`."""

    table: np.ndarray  # [n, n] float32, F
    scale: np.ndarray  # [n] float64, s > 0
    error: float = 0.0

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """K @ vectors [n, p] in float32: for proposals only."""
        scaled = (self.scale[:, None] * vectors).astype(np.float32)
        return np.asarray(self.scale[:, None] * (self.table @ scaled))

    def images(self, basis: np.ndarray) -> tuple[np.ndarray, float]:
        """K @ basis [n, p] and ‖K‖_F², in float64."""
        squares, scaled = self.scale**2, self.scale[:, None] * basis
        image, frobenius = np.empty(basis.shape), 0.0
        for rows in _row_blocks(len(basis)):
            block = self.table[rows].astype(np.float64)
            image[rows] = self.scale[rows, None] * (block @ scaled)
            block *= block
            frobenius += float(squares[rows] @ (block @ squares))
        return image, frobenius


def deflated_bound(
    matrix: ScaledMatrix, start: np.ndarray, steps: int = 2
) -> tuple[float, np.ndarray]:
    """An upper bound on λ_max(K) by deflation of a subspace; `start` [n, p] proposes it.

    Returns the bound and an orthonormal basis [n, p] near the leading eigenvectors.

    In an orthonormal basis V of any subspace and one of its complement, K is [[T, Eᵀ], [E, B]] with
    T = VᵀKV, EᵀE = (KV)ᵀ(KV) − T². The complement obeys

        ‖B‖ ≤ β = ‖B‖_F,    β² = ‖K‖_F² − 2‖KV‖_F² + ‖T‖_F²,

    and for μ > β the Schur complement of μI − K gives: λ_max(K) ≤ μ if T + EᵀE/(μ − β) ⪯ μI. So an
    eigenproblem of size p, solved twice or so, certifies one of size n; it is good when what the
    subspace leaves out is, all together, smaller than the largest eigenvalue. Where that fails
    (β ≥ μ) the bound is ‖K‖_F, which always holds.

    Rounding: V is orthonormal to about n·2⁻⁵³, and sums of n products in float64 are exact to that
    factor, so T, EᵀE and β² are within c = 64(n + p)·2⁻⁵³ times ‖K‖_F (or its square) of the truth;
    that is added to each of them, and `matrix.error` to the end (Weyl).
    """
    basis = np.linalg.qr(start)[0]
    for _ in range(steps):
        basis = np.linalg.qr(matrix.times(basis))[0]
    image, frobenius = matrix.images(basis)
    slack = 64 * sum(basis.shape) * _UNIT
    norm = math.sqrt(frobenius * (1 + slack))
    inner = basis.T @ image
    inner = (inner + inner.T) / 2
    outer = image.T @ image - inner @ inner
    rest = frobenius - 2 * float((image**2).sum()) + float((inner**2).sum())
    rest = math.sqrt(max(rest, 0.0) + slack * norm**2)
    top = _schur_level(inner, (outer + outer.T) / 2, rest, norm, slack)
    return min(top, norm) + matrix.error, basis


def _schur_level(
    inner: np.ndarray, outer: np.ndarray, rest: float, norm: float, slack: float
) -> float:
    """The least μ > β (`rest`) found with T + EᵀE/(μ − β) ⪯ μI, rounding included, up to `norm`.

    The left side falls with μ, so bisection finds it; only levels that passed are returned.
    """
    low, high = max(rest, float(np.linalg.eigvalsh(inner)[-1])), norm
    for _ in range(40):
        if high <= low * (1 + 1e-6):
            break
        level = (low + high) / 2
        lifted = inner + outer / (level - rest)
        needed = float(np.linalg.eigvalsh(lifted)[-1])
        needed += slack * norm * (1 + norm / (level - rest))
        low, high = (low, level) if needed <= level else (level, high)
    return high


def _row_blocks(n: int) -> Iterator[slice]:
    size = max(1, _NUMBERS // n)
    return (slice(start, start + size) for start in range(0, n, size))
