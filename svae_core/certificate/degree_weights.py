"""How heavily each degree of the exponential series counts in the kernel floor: h_m = λ^m e^{g_m}.

`kernel_floors` explains the bound, which holds for *any* weights. They are therefore chosen freely:
on a sample of points, for a smooth stand-in of the bound, by a numerical minimiser.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

_SAMPLE = 512  # points that weights are chosen on
_CELLS = 2_048  # that their inner products are rounded to
_RADII = 17  # radii that stand for all while weights are chosen …
_TEMPERATURE = 0.01  # … by a soft maximum over them, nats
_EVALUATIONS = 20
_LARGEST = 8.0  # |g_m|, so that nothing overflows


@dataclass(frozen=True, eq=False)
class DegreeWeights:
    """h_m = λ^m e^{g_m} for m ≤ M, and λ^m e^{g_M} from there on."""

    lam: float
    logs: np.ndarray  # [M + 1], g

    def gram_series(self) -> np.ndarray:
        """c_m = h_m/m! of f(t) = Σ h_m t^m/m!, [M + 1]."""
        m = np.arange(len(self.logs))
        return np.asarray(np.exp(self.logs + m * math.log(self.lam) - gammaln(m + 1)))

    def gram_tail(self, squares: np.ndarray) -> np.ndarray:
        """An upper bound on Σ_{m>M} h_m t^m/m! at t = ‖x‖² (`squares` [n]): [n]."""
        return np.asarray(math.exp(self.logs[-1]) * self._exponential_tail(self.lam * squares))

    def radial_growth(self, rho: np.ndarray) -> np.ndarray:
        """log Σ_m (λρ)^{2m}/(m! h_m) at radii ρ [r], from above: the terms m > M are bounded."""
        m = np.arange(len(self.logs))
        terms = np.multiply.outer(np.log(self.lam * rho**2), m) - gammaln(m + 1) - self.logs
        tail = math.exp(-self.logs[-1]) * self._exponential_tail(self.lam * rho**2)
        return np.asarray(np.logaddexp(_log_sums(terms), np.log(tail)))

    def _exponential_tail(self, z: np.ndarray) -> np.ndarray:
        """Σ_{m>M} z^m/m! ≤ z^{M+1}/(M+1)! / (1 − z/(M+2)): each term is a factor ≤ z/(M+2) less."""
        degree = len(self.logs)
        ratio = z / (degree + 1)
        if ratio.max() >= 1:
            raise ValueError("the series is cut before its terms fall")
        logs = degree * np.log(np.maximum(z, 1e-300)) - gammaln(degree + 1)
        return np.asarray(np.exp(np.maximum(logs, -700.0)) / (1 - ratio))


def degree_for(lam: float, largest: float) -> int:
    """M with the terms m > M of e^z, z ≤ λ·`largest`, far below its rounding in float32."""
    z = lam * largest
    return math.ceil(z + 7 * math.sqrt(z) + 7)


def choose_weights(
    points: np.ndarray, lambdas: np.ndarray, radii: tuple[float, float], seed: int
) -> list[DegreeWeights]:
    """Weights for each λ [l], increasing; points [n, d] float64, ‖y‖ in `radii`.

    The bound's logarithm is convex in g: log-sum-exps of linear functions, one for each radius and
    each direction of the eigenvector, and maxima over these. Its slope in g_m is the share of
    degree m in the top eigenvector's quadratic form less its share in the radial sum. The next λ
    starts from the weights of the last.
    """
    n = len(points)
    rows = np.random.default_rng([seed, 61]).permutation(n)[:_SAMPLE]
    sample = _Sample.of(points[rows])
    largest = max(sample.reach, radii[1] ** 2)
    chosen: list[DegreeWeights] = []
    start = np.zeros(1)
    for lam in lambdas:
        degree = degree_for(lam, largest)
        start = np.pad(start, (0, max(0, degree + 1 - len(start))), mode="edge")
        found = minimize(
            _SampleProblem(float(lam), degree, sample, radii).value_and_slope,
            start[: degree + 1],
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_LARGEST, _LARGEST)] * (degree + 1),
            options={"maxfun": _EVALUATIONS},
        )
        start = found.x
        chosen.append(DegreeWeights(float(lam), found.x))
    return chosen


@dataclass(frozen=True, eq=False)
class _Sample:
    """Points whose inner products are rounded to cells: a degree costs one number a cell."""

    squares: np.ndarray  # [n], ‖x‖²
    cells: np.ndarray  # [n²], which cell ⟨x_i, x_j⟩ lies in
    middle: np.ndarray  # [cells], inner product there, divided by `reach`
    reach: float  # max ‖x‖²

    @classmethod
    def of(cls, points: np.ndarray) -> _Sample:
        """That of points [n, d]."""
        squares = np.einsum("ij,ij->i", points, points)
        reach = float(squares.max())
        cells = (points @ points.T / reach + 1) * (_CELLS / 2)
        cells = np.clip(cells, 0, _CELLS - 1).astype(np.intp)
        used, places = np.unique(cells, return_inverse=True)
        return cls(squares, places.ravel(), (used + 0.5) * (2 / _CELLS) - 1, reach)


class _SampleProblem:
    """The smooth stand-in at one λ: soft maximum over radii, eigenvalue by power iteration."""

    def __init__(
        self, lam: float, degree: int, sample: _Sample, radii: tuple[float, float]
    ) -> None:
        m = np.arange(degree + 1)
        squares = sample.squares
        rho = np.linspace(max(radii[0], 0.1 * radii[1]), radii[1], _RADII)
        self._sample = sample
        self._powers = np.vander(sample.middle, degree + 1, increasing=True).T.copy()
        # Without min ‖x‖² all scales could underflow; a common factor shifts the logarithm only.
        self._scale = np.exp(-0.5 * lam * (squares - squares.min())) / math.sqrt(len(squares))
        self._series = m * math.log(lam * sample.reach) - gammaln(m + 1)
        self._radial = np.multiply.outer(np.log(lam * rho**2), m) - gammaln(m + 1)
        self._decay = -lam * rho**2
        self._vector = np.full(len(squares), len(squares) ** -0.5)

    def value_and_slope(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """The logarithm of the bound, up to a constant, and its slope [M + 1]."""
        series = np.exp(logs + self._series)
        vector = self._vector = self._top_vector(series)
        pull = vector * self._scale
        mass = np.bincount(self._sample.cells, np.outer(pull, pull).ravel())
        shares = series * (self._powers @ mass)  # of each degree in vᵀKv
        top = shares.sum()
        terms = self._radial - logs
        growth = _log_sums(terms)
        # τ·log Σ exp(·/τ) is a maximum over radii that has a slope everywhere.
        heights = (self._decay + growth) / _TEMPERATURE
        peak = float(_log_sums(heights[None])[0])
        radial = np.exp(heights - peak) @ np.exp(terms - growth[:, None])
        return _TEMPERATURE * peak + math.log(top), shares / top - radial

    def _top_vector(self, series: np.ndarray) -> np.ndarray:
        """The leading eigenvector of the kernel of this series, sought from the last one."""
        n = len(self._vector)
        table = (series @ self._powers).astype(np.float32)
        kernel = table[self._sample.cells].reshape(n, n)
        vector = self._vector
        # Not to convergence: the weights that come of it are valid whatever they are.
        for _ in range(20):
            step = self._scale * (kernel @ (self._scale * vector).astype(np.float32))
            step /= np.linalg.norm(step)
            moved = float(np.abs(step - vector).max())
            vector = step
            if moved < 1e-4:
                break
        return np.asarray(vector)


def _log_sums(terms: np.ndarray) -> np.ndarray:
    """log Σ exp over the last axis of [r, m]: [r]. (SciPy's is ten times dearer at this size.)"""
    peaks = terms.max(axis=-1)
    return np.asarray(peaks + np.log(np.exp(terms - peaks[:, None]).sum(axis=-1)))
