"""Upper bounds on A(λ) = max_y log E exp(−λ‖x − y‖²) from eigenvalues of kernel matrices.

Plain kernel. e^{−λ‖x−y‖²} = ⟨φ(x), φ(y)⟩² with ⟨φ(x), φ(x')⟩ = k(x, x') = e^{−(λ/2)‖x−x'‖²} and
‖φ(y)‖ = 1, so for every y anywhere

    E e^{−λ‖x−y‖²} = ⟨φ(y), (E φφᵀ) φ(y)⟩ ≤ λ_max(E φφᵀ) = λ_max(k(x_i, x_j)/N).

Exact where the data are well separated clusters: then y need only resemble one of them.

Kernel with degree weights. Let y = ρv, ‖v‖ = 1 and w_i = e^{−λ‖x_i‖²}. In

    e^{λρ⟨x,v⟩} = Σ_m (λρ)^m ⟨x, v⟩^m / m!

each degree is an inner product of features of x and of v, and these may be scaled against each
other: for any h_m > 0, with features √(h_m/m!) x^{⊗m} and (λρ)^m/√(m! h_m) v^{⊗m},

    A(λ) ≤ max_ρ {−λρ² + log Σ_m (λρ)^{2m}/(m! h_m)}
           + log λ_max[√(w_i w_j)/N · Σ_m h_m ⟨x_i, x_j⟩^m/m!].

h_m = λ^m is the plain kernel. ρ stands in a scalar only, so one eigenproblem serves all radii, and
better weights gain what a decoder loses by being confined to the shell.

Parts. E φφᵀ is a mean over points, hence a mean of the same operators of the parts of any
partition, and λ_max of a mean is at most the mean of the λ_max: large data are cut into random
parts, every point counts, and the bound holds. The cost is that each part's diagonal weighs more.

Everything here is derived and verified in this package; the eigenvalue bounds are those of
`eigenvalue_bounds`. A is convex in λ and falls, so chords between bounds at some λ are bounds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from svae_core.certificate.degree_weights import DegreeWeights, choose_weights
from svae_core.certificate.eigenvalue_bounds import ScaledMatrix, collatz_wielandt, deflated_bound
from svae_core.certificate.information_floors import radial_maximum
from svae_core.records import FloorCurves

#: Called with what is done and what there is to do, as the work goes on.
Progress = Callable[[int, int], None]

_CELLS = 1 << 16  # that inner products are sorted into, to tabulate f(t)
_PAIRS = 8_000_000  # pairs of points in all parts together, about …
_PART = (500, 2_400)  # … with parts of at least and at most so many points
_LEAST = 1.001  # a bound on λ_max of a kernel matrix whose least value is 1
_WIDTH = 24  # vectors of the subspace that is deflated …
_WHOLE = 64  # … of so few points it is the whole space
_EVERY = 5  # knots are every 5th λ of the curves' grid
_SERIES = (0.5, 10.0)  # λ max‖x‖² between which degree weights are worth their cost
_PLAIN = 4.0  # … and from which the plain kernel is


def sharpen(
    curves: FloorCurves, points: np.ndarray, seed: int = 0, progress: Progress | None = None
) -> FloorCurves:
    """The same curves with `proved` lowered to the least of all proved bounds on A.

    points [n, d] must be those of the curves. The work is that of about forty kernel matrices over
    n · (points of a part) pairs; `progress` follows it. Curves already sharpened stay as they are.

    Only λ‖x‖² matters, and series of it overflow where ‖x‖ is far from 1: so the unit is the power
    of 2 next to the largest radius, by which a division rounds nothing.
    """
    if curves.kernel_part:
        return curves
    unit = 2.0 ** round(math.log2(curves.radii[1]))
    lambdas = curves.lambdas * unit**2
    radii = curves.radii[0] / unit, curves.radii[1] / unit
    parts = list(_parts(points, seed, unit))
    square = max(float(part.squares.max()) for part in parts)
    knots = np.arange(0, len(lambdas), _EVERY)
    low, high = np.array(_SERIES) / square
    series = knots[(lambdas[knots] >= low) & (lambdas[knots] <= high)]
    plain = knots[lambdas[knots] >= _PLAIN / square]
    count = _Count(progress, len(parts) * (len(series) + len(plain)))
    found = np.minimum(curves.proved, _elementary_exponents(curves))
    kernel = _plain_exponents(parts, lambdas[plain], len(points), count)
    found[plain] = np.minimum(found[plain], kernel)
    weights = choose_weights(parts[0].points, lambdas[series], radii, seed)
    weighted = _weighted_exponents(parts, weights, radii, len(points), count)
    found[series] = np.minimum(found[series], weighted)
    return dataclasses.replace(
        curves, proved=_convex_hull(curves.lambdas, found), kernel_part=len(parts[0].points)
    )


def how_proved(curves: FloorCurves) -> str:
    """One sentence where the kernel bounds were not taken over all points at once; else empty."""
    count = round(math.exp(curves.log_n))
    if curves.kernel_part == 0:
        return (
            "The proved floor is that of its closed form; the kernel bounds are not computed yet."
        )
    if curves.kernel_part >= count:
        return ""
    return (
        f"The proved floor averages kernel bounds over parts of about {curves.kernel_part:,} of "
        f"the {count:,} points; every point is in one, so the floor is of all."
    )


def _elementary_exponents(curves: FloorCurves) -> np.ndarray:
    """The elementary floor as a bound on A(λ) [l]: log(1 − (δ/M)(1 − e^{−λM})).

    For 0 ≤ s ≤ M convexity gives e^{−λs} ≤ 1 − (s/M)(1 − e^{−λM}), and E‖x − y‖² ≥ δ for every y.
    """
    share = max(curves.delta, 0.0) / curves.bound
    return np.asarray(np.log1p(share * np.expm1(-curves.lambdas * curves.bound)))


def _convex_hull(lambdas: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The best bounds [l] that follow from bounds [l] on a function that is convex and falls.

    It lies below each of its chords, so below the lower convex hull of the points (λ, bound); and
    what bounds it at one λ bounds it at every larger one.
    """
    bounds = np.minimum.accumulate(bounds)
    hull: list[int] = []
    for at in range(len(lambdas)):
        while len(hull) > 1:
            first, last = hull[-2], hull[-1]
            run, rise = lambdas[at] - lambdas[first], bounds[at] - bounds[first]
            if (bounds[last] - bounds[first]) * run < rise * (lambdas[last] - lambdas[first]):
                break
            hull.pop()
        hull.append(at)
    return np.asarray(np.interp(lambdas, lambdas[hull], bounds[hull]))


class _Count:
    """Counts finished pieces of work for whoever follows them."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def step(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


# ---------------------------------------------------------------------------------- parts


@dataclass(frozen=True, eq=False)
class _Part:
    """Some of the points, with what kernels of them are made of."""

    points: np.ndarray  # [n, d] float64
    squares: np.ndarray  # [n], ‖x‖²
    gaps: np.ndarray  # [n, n] float32, never above ‖x_i − x_j‖²
    codes: np.ndarray  # [n, n] uint16, the cell of ⟨x_i, x_j⟩
    reach: float  # inner products lie in [−reach, reach]


def _parts(points: np.ndarray, seed: int, unit: float = 1.0) -> Iterator[_Part]:
    """A random partition of points/unit into equal parts; one part where the points are few."""
    n = len(points)
    size = min(max(_PAIRS // n, _PART[0]), _PART[1])
    order = np.arange(n) if n <= size else np.random.default_rng([seed, 59]).permutation(n)
    for rows in np.array_split(order, math.ceil(n / size)):
        yield _part(points[rows].astype(np.float64) / unit)


def _part(points: np.ndarray) -> _Part:
    """In float64 an inner product of d terms is off by at most (d + 2)·2⁻⁵³ ‖x‖‖x'‖ (Higham §3.1).

    That is far below a thousandth of a cell, which `_series_matrix` allows for, and is taken off
    the squared distances together with their rounding to float32.
    """
    d = points.shape[1]
    gram = points @ points.T
    gram = np.maximum(gram, gram.T)
    squares = np.einsum("ij,ij->i", points, points)
    reach = max(float(squares.max()), 1e-200) * (1 + 1e-6)
    codes = ((gram + reach) * (_CELLS / (2 * reach))).astype(np.uint16)
    gram *= -2
    gram += squares[:, None] + squares
    gram *= 1 - 2.0**-22
    gram -= 8 * (d + 8) * 2.0**-53 * reach
    return _Part(points, squares, np.maximum(gram, 0).astype(np.float32), codes, reach)


# --------------------------------------------------------------------------- plain kernel


def _plain_exponents(parts: list[_Part], lambdas: np.ndarray, n: int, count: _Count) -> np.ndarray:
    """log λ_max(k(x_i, x_j)/N) from above at each λ [l].

    An entry in float32 is low by a factor of at most 1 − 3e-5: the exponent, at most 88 before it
    underflows, is rounded twice to 2⁻²⁴, and exp is taken to be right to 16 units in the last
    place (NumPy documents fewer than 4). What underflows is below 2e-38.
    """
    sums = np.zeros(len(lambdas))
    for part in parts:
        u = np.ones(len(part.points))
        kernel = np.empty_like(part.gaps)
        top = math.inf
        for at, lam in enumerate(lambdas):
            if top <= _LEAST:  # no entry off the diagonal counts any more, nor at larger λ
                sums[at] += top
                count.step()
                continue
            np.multiply(part.gaps, np.float32(-0.5 * lam), out=kernel)
            np.exp(kernel, out=kernel)
            top, u = collatz_wielandt(kernel, u, absolute=2e-38)
            top *= 1 + 3e-5
            sums[at] += top
            count.step()
    return np.asarray(np.log(sums / n))


# ----------------------------------------------------------------- kernel of degree weights


def _weighted_exponents(
    parts: list[_Part],
    weights: list[DegreeWeights],
    radii: tuple[float, float],
    n: int,
    count: _Count,
) -> np.ndarray:
    """The bound with degree weights at their λ [l]: radial factor times Σ over parts of λ_max."""
    shortest = min(float(part.squares.min()) for part in parts)
    sums = np.zeros(len(weights))
    for part in parts:
        width = len(part.points) if len(part.points) <= _WHOLE else _WIDTH
        start = np.random.default_rng(0).normal(size=(len(part.points), width))
        start[:, 0] = 1
        for at, weight in enumerate(weights):
            scale = np.exp(-0.5 * weight.lam * (part.squares - shortest)) / math.sqrt(n)
            tail = float(
                scale**2 @ weight.gram_tail(part.squares)
            )  # a trace: no eigenvalue is more
            top, start = deflated_bound(_series_matrix(part, weight, scale), start)
            sums[at] += top + tail
            count.step()
    radial = np.array([radial_factor(weight, radii) for weight in weights])
    lambdas = np.array([weight.lam for weight in weights])
    return np.asarray(radial + np.log(sums) - lambdas * shortest)


def _series_matrix(part: _Part, weight: DegreeWeights, scale: np.ndarray) -> ScaledMatrix:
    """s_i s_j f(⟨x_i, x_j⟩), f(t) = Σ_{m≤M} h_m t^m/m!, tabulated at the middle of each cell.

    Within a cell f moves by at most its half width (and a thousandth, for the rounding of t) times
    f'(|t|), the largest slope there since all coefficients are positive. With float32's rounding of
    the table, and the float64 rounding of the sum, that bounds each entry's error; the Frobenius
    norm of these bounds every eigenvalue's.
    """
    series = weight.gram_series()
    width = 2 * part.reach / _CELLS
    used = np.unique(part.codes) if part.codes.size < _CELLS else np.arange(_CELLS)
    middle = (used + 0.5) * width - part.reach
    far = np.abs(middle) + width
    value, largest = (np.polynomial.polynomial.polyval(at, series) for at in (middle, far))
    slope = np.polynomial.polynomial.polyval(far, np.polynomial.polynomial.polyder(series))
    table, error = np.zeros(_CELLS, np.float32), np.zeros(_CELLS, np.float32)
    table[used] = value
    wrong = 0.5005 * width * slope + (2.0**-23 + 4 * len(series) * 2.0**-53) * largest
    error[used] = wrong**2
    return ScaledMatrix(*_filled(part.codes, table, error, scale))


def _filled(
    codes: np.ndarray, table: np.ndarray, error: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Table entries [n, n] by code, the scale [n], and √(Σ s_i² s_j² error_ij), rounded up."""
    squares, total = scale**2, 0.0
    entries = np.empty(codes.shape, np.float32)
    size = max(1, (1 << 18) // len(entries))
    for start in range(0, len(entries), size):
        rows = slice(start, start + size)
        np.take(table, codes[rows], out=entries[rows], mode="clip")
        wrong = np.take(error, codes[rows], mode="clip").astype(np.float64)
        total += float(squares[rows] @ (wrong @ squares))
    return entries, scale, math.sqrt(total * (1 + 1e-5))


def radial_factor(weight: DegreeWeights, radii: tuple[float, float]) -> float:
    """max over ρ in radii of −λρ² + log Σ_m (λρ)^{2m}/(m! h_m), never too low."""
    lam = np.array([weight.lam])
    peak = radial_maximum(lam, lambda rho: weight.radial_growth(rho)[None], radii)
    return float(peak[0]) + 1e-12  # for the rounding of the sum
