"""The spherical shell: a map of data to radii between r_min and r_max that keeps directions.

u = (x − μ)/‖x − μ‖,  ρ = r_min + (r_max − r_min)·F(‖x − μ‖),  s(x) = ρ u

μ is the training mean and F a strictly increasing map of the training norms onto [0, 1]: linear,
or by rank. Both are linear interpolation between knots, so the map has an exact inverse. The rank
map alone is not robust, since one row moves the mean: `robust` is by rank about the geometric
median instead. Source: arXiv 2603.10935 v4 (the shell); F and the edge cases are defined here.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from svae_core.geometry.dominant_rows_columns import dominance
from svae_core.geometry.row_blocks import center_of, geometric_median_of, rows_of
from svae_core.records import RequestError, Shell

# A radius within this many rounding errors of a knot is taken as the knot: the inverse then returns
# the norms of training points exactly, in float32 too, even where the rank map is very steep.
_SNAP = 4
# Dimensions up to which all directions are found, to take three of them.
_ALL_VECTORS = 1_000


class ShellMap:
    """The bijection between data within the training norm range and the shell.

    `transform` and `inverse_transform` keep the floating type of their input [n, d].
    After `fit`: center_ [d], knot_norms_ and knot_radii_ [knots], norms_ [n].
    """

    def __init__(self, r_min: float = 0.8, r_max: float = 1.2, radial_map: str = "linear"):
        self.r_min = r_min
        self.r_max = r_max
        self.radial_map = radial_map

    def fit(self, points: np.ndarray) -> Self:
        """Learn the centre and the radial map. Raises RequestError for unusable points."""
        points = floating(points)
        check_points(points)
        if not 0 < self.r_min < self.r_max:
            raise RequestError(
                f"r_min is {self.r_min:g} and r_max is {self.r_max:g}, but 0 < r_min < r_max is "
                "needed."
            )
        robust = self.radial_map == "robust"
        self.center_ = geometric_median_of(points) if robust else center_of(points)
        self.norms_ = self._norms(points)
        largest = float(self.norms_.max())
        if largest <= 1e-12 * float(np.abs(self.center_).max()):  # in whatever units
            raise RequestError(
                "All points are identical (row 1 equals every other row), so they have no "
                "directions; give data with at least two different points."
            )
        self.knot_norms_, self.knot_radii_ = self._knots()
        return self

    def transform(self, points: np.ndarray) -> np.ndarray:
        """Points on the shell, [n, d]; norms outside the training range are clamped to it."""
        points = floating(points)
        out = np.empty(points.shape, points.dtype)
        for rows, block in rows_of(points):
            offset = block.astype(np.float64) - self.center_
            norms = np.linalg.norm(offset, axis=1, keepdims=True)
            lost = norms[:, 0] == 0
            offset[lost, 0] = norms[lost] = 1.0  # x = μ has no direction; the first axis is used
            radii = np.interp(norms[:, 0], self.knot_norms_, self.knot_radii_)
            radii[lost] = np.interp(0.0, self.knot_norms_, self.knot_radii_)
            out[rows] = offset * (radii[:, None] / norms)
        return out

    def inverse_transform(self, points: np.ndarray) -> np.ndarray:
        """The data [n, d] that `transform` maps to these points; radii are clamped to the shell."""
        points = floating(points)
        out = np.empty(points.shape, points.dtype)
        for rows, block in rows_of(points):
            shell = block.astype(np.float64)
            radii = np.linalg.norm(shell, axis=1)
            known = self._snapped(radii, float(np.finfo(points.dtype).eps))
            norms = np.interp(known, self.knot_radii_, self.knot_norms_)
            scale = np.divide(norms, radii, out=np.zeros_like(norms), where=radii > 0)
            out[rows] = self.center_ + shell * scale[:, None]
        return out

    def clamped(self, points: np.ndarray) -> int:
        """The number of points outside the training norm range, which `transform` clamps."""
        if len(points) == 0:
            return 0
        norms = self._norms(np.asarray(points))
        low, high = self.norms_.min(), self.norms_.max()
        slack = 1e-6 * high
        return int(np.count_nonzero((norms < low - slack) | (norms > high + slack)))

    def _norms(self, points: np.ndarray) -> np.ndarray:
        parts = [
            np.linalg.norm(block.astype(np.float64) - self.center_, axis=1)
            for _, block in rows_of(points)
        ]
        return np.concatenate(parts)

    def _knots(self) -> tuple[np.ndarray, np.ndarray]:
        norms = np.unique(self.norms_)
        if norms[-1] - norms[0] <= 1e-12 * norms[-1]:  # all norms equal: one radius for all
            return norms[-1:], np.array([(self.r_min + self.r_max) / 2])
        if self.radial_map == "linear":
            norms = norms[[0, -1]]
        return norms, np.linspace(self.r_min, self.r_max, len(norms))

    def _snapped(self, radii: np.ndarray, rounding: float) -> np.ndarray:
        """Radii, moved onto the nearest knot where they differ from it by rounding only."""
        knots = self.knot_radii_
        right = np.clip(np.searchsorted(knots, radii), 1, len(knots) - 1) if len(knots) > 1 else 0
        left = np.maximum(np.asarray(right) - 1, 0)
        nearest = np.where(
            np.abs(radii - knots[left]) <= np.abs(radii - knots[right]), knots[left], knots[right]
        )
        near = np.abs(radii - nearest) <= _SNAP * rounding * self.r_max
        return np.where(near, nearest, radii)


def fit_shell(
    points: np.ndarray,
    r_min: float,
    r_max: float,
    radial_map: str,
    held_out: np.ndarray | None = None,
) -> Shell:
    """Fit the map on `points`, and map them and any held-out points to the shell as float32.

    float64 points are centred in float64 first, so that what is far from the origin keeps its
    directions.

    `round_trip_error` is the largest ‖x − inverse(s(x))‖ over the training points, divided by the
    largest norm.
    """
    points = floating(points)
    kept_out = np.empty((0, points.shape[1]), points.dtype) if held_out is None else held_out
    shell = ShellMap(r_min, r_max, radial_map).fit(points)
    on_shell = shell.transform(points).astype(np.float32, copy=False)
    worst = 0.0
    for rows, block in rows_of(points):
        back = on_shell[rows].astype(points.dtype, copy=False)
        gap = shell.inverse_transform(back) - block
        worst = max(worst, float(np.linalg.norm(gap, axis=1).max()))
    return Shell(
        r_min=r_min,
        r_max=r_max,
        radial_map=radial_map,
        center=shell.center_,
        knot_norms=shell.knot_norms_,
        knot_radii=shell.knot_radii_,
        points=on_shell,
        directionless=int(np.count_nonzero(shell.norms_ == 0)),
        round_trip_error=worst / float(shell.norms_.max()),
        held_out=shell.transform(kept_out).astype(np.float32, copy=False),
        clamped=shell.clamped(kept_out),
        dominance=dominance(points, shell.center_, shell.norms_),
    )


def far_origin(points: np.ndarray) -> np.ndarray:
    """What to take off each column [d] before it becomes float32: its mean, where that is far.

    Far is more than 64 standard deviations: float32 keeps seven digits, and fewer than five of
    them would be left for what varies.
    """
    mean, deviation = points.mean(axis=0, dtype=np.float64), points.std(axis=0, dtype=np.float64)
    return np.where(np.abs(mean) > 64 * deviation, mean, 0.0)


def shell_map(record: Shell) -> ShellMap:
    """The fitted map of a Shell record, for further points."""
    shell = ShellMap(record.r_min, record.r_max, record.radial_map)
    shell.center_ = record.center
    shell.knot_norms_, shell.knot_radii_ = record.knot_norms, record.knot_radii
    shell.norms_ = record.knot_norms
    return shell


def view_basis(points: np.ndarray) -> np.ndarray:
    """Three orthonormal directions [d, 3] for the 3-D view of the shell points.

    Up to three dimensions are shown unchanged; more by the leading right singular vectors of the
    unit directions (not centred, so that the shell's centre stays in the middle of the view).
    """
    d = points.shape[1]
    if d <= 3:
        return np.eye(d, 3)
    gram = np.zeros((d, d))
    for _, block in rows_of(points):
        unit = block.astype(np.float64)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        gram += unit.T @ unit
    top = _leading(gram, 3)
    # The sign of an eigenvector is arbitrary: the largest entry is made positive, so that the
    # view is the same on every machine.
    return top * np.sign(top[np.abs(top).argmax(axis=0), np.arange(3)])


def _leading(gram: np.ndarray, count: int) -> np.ndarray:
    """The eigenvectors [d, count] of the largest eigenvalues of a symmetric matrix [d, d]."""
    d = len(gram)
    if d <= _ALL_VECTORS:
        return np.asarray(np.linalg.eigh(gram)[1][:, ::-1][:, :count])
    from scipy.sparse.linalg import eigsh

    # From a fixed start, so that it is the same every time; all of 3,000 vectors take five seconds.
    start = np.random.default_rng(43).standard_normal(d)
    values, vectors = eigsh(gram, count, v0=start)
    return np.asarray(vectors[:, np.argsort(-values)])


def shell_view(points: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Points [n, d] in the 3-D view, [n, 3] float32: radius kept, direction projected.

    Radii are exact; angles are those of a 3-D projection, so with d > 3 distances are distorted.
    """
    # The basis in the points' type and row-major: otherwise the product would copy the points.
    shadow = points @ np.ascontiguousarray(basis, dtype=points.dtype)
    stretch = _lengths(points) / np.maximum(_lengths(shadow), 1e-12)
    return (shadow * stretch[:, None]).astype(np.float32)


def _lengths(rows: np.ndarray) -> np.ndarray:
    """Euclidean norms [n] of rows [n, d]; numpy.linalg.norm takes three times as long."""
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", rows, rows)))


def floating(points: np.ndarray) -> np.ndarray:
    """Points as float32 or float64; other types become float64 (integer differences overflow)."""
    points = np.asarray(points)
    return points if points.dtype in (np.float32, np.float64) else points.astype(np.float64)


def check_points(points: np.ndarray) -> None:
    """Raise RequestError unless points are a finite table [n ≥ 2, d ≥ 1]; names row and column."""
    if points.ndim != 2 or points.shape[0] < 2 or points.shape[1] < 1:
        raise RequestError(
            f"The data have shape {points.shape}, but must be a table of at least two rows and "
            "one column."
        )
    for rows, block in rows_of(points):
        bad = ~np.isfinite(block)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise RequestError(
                f"The value in row {rows.start + row + 1}, column {column + 1} is "
                f"{block[row, column]}, not a finite number; remove or fill it."
            )
