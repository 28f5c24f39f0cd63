"""Iteration over large arrays in blocks of rows, with bounded memory.

Points may be memory-mapped from a file. The pages that were read count as this process's memory
until the system reclaims them; `rows_of` releases them at once, so a pass over a file of any length
holds one block of it.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator

import numpy as np

#: Rows of a block, at most.
ROWS = 16_384
#: Arrays up to WHOLE numbers are one block; larger ones have blocks of CACHED numbers, which fit a
#: processor's cache.
WHOLE = 2**22
CACHED = 2**19
#: Steps towards the geometric median, and the move, in mean distances, from which it has come.
_MEDIAN_STEPS, _MEDIAN_TOLERANCE = 100, 1e-7


def blocks(count: int, width: int = 1) -> list[slice]:
    """Slices that cover range(count), for rows of `width` numbers each."""
    numbers = WHOLE if count * width <= WHOLE else CACHED
    size = max(1, min(ROWS, numbers // max(1, width)))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def rows_of(points: np.ndarray, width: int = 1) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows of points [n, d], block by block; `width`: numbers needed per row, if more than d.

    The pages of a memory-mapped block are released when the next block is requested, and are read
    again on access.
    """
    for rows in blocks(len(points), max(width, points.shape[1])):
        yield rows, points[rows]
        let_go(points)


def let_go(points: np.ndarray) -> None:
    """Release the memory pages of points [n, d], if they are memory-mapped from a file."""
    owner: object = points
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if sys.platform != "win32" and isinstance(owner, mmap.mmap):
        with memoryview(owner) as view:
            unwritten = view.readonly  # changes to a private mapping would be lost
        if unwritten:
            owner.madvise(mmap.MADV_DONTNEED)


def geometric_median_of(points: np.ndarray) -> np.ndarray:
    """The point [d] with the least sum of distances to points [n, d], by Weiszfeld's iteration.

    Fewer than half of the rows, however far away, cannot move it far; a single one moves the mean
    anywhere. Starts at the median of each coordinate over a sample of rows. Source: Vardi and
    Zhang, "The multivariate L1-median and associated data depth", PNAS 2000.
    """
    step = max(1, len(points) // ROWS)
    center = np.median(points[::step].astype(np.float64), axis=0)
    for _ in range(_MEDIAN_STEPS):
        pull, weight, scale = np.zeros(points.shape[1]), 0.0, 0.0
        for _, block in rows_of(points):
            gap = block - center
            distance = np.linalg.norm(gap, axis=1)
            # A point at the centre pulls with no direction; it would divide by zero.
            own = np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
            pull += own @ gap
            weight += float(own.sum())
            scale += float(distance.sum())
        if weight == 0:
            break
        move = pull / weight
        center = center + move
        if float(np.linalg.norm(move)) <= _MEDIAN_TOLERANCE * scale / len(points):
            break
    return center


def center_of(points: np.ndarray) -> np.ndarray:
    """The mean [d] of points [n, d], summed in float64."""
    total = np.zeros(points.shape[1])
    for _, block in rows_of(points):
        total += block.sum(axis=0, dtype=np.float64)
    return total / len(points)
