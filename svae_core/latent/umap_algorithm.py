"""UMAP's graph and its layout in two dimensions, without umap-learn (arXiv 1802.03426).

    head, tail, weights = fuzzy_graph(*nearest(points))
    coordinates = lay_out(start, head, tail, weights, epochs, rate)

umap-learn takes 3 CPU s and 180 MB to import even when all its code is cached; this is as much of
it as the live map needs, with one compiled function. tests/test_umap_algorithm.py compares both.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.config import compiled_code

F = np.float32
#: Neighbours of a point, itself among them.
NEIGHBOURS = 15
#: Closeness in the map is 1/(1 + A·d^2B): umap-learn's fit for a least distance of 0.1.
A, B = 1.5769434603113077, 0.8950608779109733
_APART = 5  # random points that an edge pushes its head away from, each time it pulls
_BISECTIONS, _TOLERANCE = 64, 1e-5
_LEAST_SCALE = 1e-3  # of the mean distance


def nearest(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact nearest neighbours [v, 15] of points [v, k], each point's first being itself.

    Their indices, and their distances.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    square = (points * points).sum(axis=1)
    indices = np.empty((len(points), NEIGHBOURS), dtype=np.int32)
    distances = np.empty((len(points), NEIGHBOURS), dtype=np.float32)
    for start in range(0, len(points), 512):
        rows = slice(start, min(start + 512, len(points)))
        gap = square[rows, None] + square - 2.0 * points[rows] @ points.T
        own = np.arange(rows.start, rows.stop)
        gap[own - rows.start, own] = -1.0  # the point itself comes first
        near = np.argpartition(gap, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        order = np.argsort(np.take_along_axis(gap, near, axis=1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, axis=1)
        indices[rows] = near
        distances[rows] = np.sqrt(np.take_along_axis(gap, near, axis=1).clip(min=0.0))
    return indices, distances


def fuzzy_graph(
    indices: np.ndarray, distances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fuzzy simplicial set of points with these neighbours: heads, tails and weights [e].

    An edge i → j has the membership w_ij = exp(−(d_ij − ρ_i)/σ_i): ρ_i is the least distance above
    0, and σ_i solves Σ_j w_ij = log₂ 15. The weight of both directions is their probabilistic sum,
    w_ij + w_ji − w_ij·w_ji. Sorted by head, then by tail.
    """
    count, gap = len(indices), distances.astype(np.float64)
    least = np.where(gap > 0, gap, np.inf).min(axis=1)
    least[np.isinf(least)] = 0.0
    smallest = _LEAST_SCALE * np.where(least > 0, gap.mean(axis=1), gap.mean())
    gap = np.maximum(gap[:, 1:] - least[:, None], 0.0)
    scale = np.maximum(_scales(gap), smallest)
    weights = np.exp(-gap / np.maximum(scale, np.finfo(float).tiny)[:, None]).ravel()
    here = np.repeat(np.arange(count), NEIGHBOURS - 1)
    there = indices[:, 1:].ravel().astype(np.int64)
    forth, back = here * count + there, there * count + here
    edges = np.union1d(forth, back)
    one, other = np.zeros(len(edges)), np.zeros(len(edges))
    one[np.searchsorted(edges, forth)] = other[np.searchsorted(edges, back)] = weights
    head, tail = np.divmod(edges, count)
    return head, tail, one + other - one * other


def _scales(gap: np.ndarray) -> np.ndarray:
    """σ_i by bisection."""
    low, high = np.zeros(len(gap)), np.full(len(gap), np.inf)
    scale = np.ones(len(gap))
    for _ in range(_BISECTIONS):
        excess = np.exp(-gap / scale[:, None]).sum(axis=1) - math.log2(NEIGHBOURS)
        if np.abs(excess).max() < _TOLERANCE:
            break
        high, low = np.where(excess > 0, scale, high), np.where(excess > 0, low, scale)
        scale = np.where(np.isinf(high), 2 * scale, (low + high) / 2)
    return scale


def lay_out(
    start: np.ndarray,
    head: np.ndarray,
    tail: np.ndarray,
    weights: np.ndarray,
    epochs: int,
    rate: float,
) -> np.ndarray:
    """Coordinates [v, 2] after stochastic gradient descent from `start`, its mean moved to 0.

    Edges are drawn in proportion to their weights, the heaviest in every epoch.
    """
    coordinates = np.ascontiguousarray(start - start.mean(axis=0), dtype=np.float32)
    drawn = weights >= weights.max() / epochs
    between = weights.max() / weights[drawn]
    compiled()(coordinates, head[drawn], tail[drawn], between, epochs, rate)
    return coordinates


@functools.cache
def compiled() -> Callable[..., None]:
    """The descent, compiled. CannotCompile where there is no native code."""
    return compiled_code.load(_compile, [Path(__file__)])


def _compile(cached: bool) -> Callable[..., None]:
    from numba import njit, types

    whole = types.Array(types.int64, 1, "C")
    signature = types.void(
        *(types.Array(types.float32, 2, "C"), whole, whole),
        *(types.Array(types.float64, 1, "C"), types.int64, types.float64),
    )
    compiler: Any = njit(signature, cache=cached, error_model="numpy", boundscheck=False)
    return compiler(_descend)


def _descend(coordinates, head, tail, between, epochs, rate):
    """Move coordinates [v, 2] along edges that are due once in `between` epochs [e]."""
    one, four, near, a, b = F(1), F(4), F(0.001), F(A), F(B)
    count = np.uint64(len(coordinates))
    due, between_apart = between.copy(), between / _APART
    due_apart = between_apart.copy()
    random = np.uint64(0x9E3779B97F4A7C15)
    for epoch in range(epochs):
        step = F(rate * (1.0 - epoch / epochs))
        for edge in range(len(head)):
            if due[edge] > epoch:
                continue
            i, j = head[edge], tail[edge]
            x, y = coordinates[i, 0], coordinates[i, 1]
            dx, dy = x - coordinates[j, 0], y - coordinates[j, 1]
            square = dx * dx + dy * dy
            if square > 0:
                power = a * square**b
                pull = F(-2) * b * power / (square * (power + one))
                dx = step * min(four, max(-four, pull * dx))
                dy = step * min(four, max(-four, pull * dy))
                x, y = x + dx, y + dy
                coordinates[j, 0] -= dx
                coordinates[j, 1] -= dy
            due[edge] += between[edge]
            pushes = int((epoch - due_apart[edge]) / between_apart[edge])
            due_apart[edge] += pushes * between_apart[edge]
            for _ in range(pushes):
                random ^= random << np.uint64(13)  # xorshift64 (Marsaglia 2003)
                random ^= random >> np.uint64(7)
                random ^= random << np.uint64(17)
                j = np.int64(((random >> np.uint64(32)) * count) >> np.uint64(32))
                dx, dy = x - coordinates[j, 0], y - coordinates[j, 1]
                square = dx * dx + dy * dy
                if j != i and square > 0:
                    push = F(2) * b / ((near + square) * (a * square**b + one))
                    x += step * min(four, max(-four, push * dx))
                    y += step * min(four, max(-four, push * dy))
            coordinates[i, 0], coordinates[i, 1] = x, y
