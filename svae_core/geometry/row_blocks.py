"""Iteration over large arrays in blocks of rows, with bounded memory.

Points may be memory-mapped from a file. The pages that were read count as this process's memory
until the system reclaims them; `rows_of` releases them at once, so a pass over a file of any length
holds one block of it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

#: Rows of a block, at most.
ROWS = 16_384
#: Arrays up to WHOLE numbers are one block; larger ones have blocks of CACHED numbers, which fit a
#: processor's cache.
WHOLE = 2**22
CACHED = 2**19


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
    if not isinstance(owner, mmap.mmap) or not hasattr(owner, "madvise"):
        return
    with memoryview(owner) as view:
        unwritten = view.readonly  # changes to a private mapping would be lost
    if unwritten:
        owner.madvise(mmap.MADV_DONTNEED)


def center_of(points: np.ndarray) -> np.ndarray:
    """The mean [d] of points [n, d], summed in float64."""
    total = np.zeros(points.shape[1])
    for _, block in rows_of(points):
        total += block.sum(axis=0, dtype=np.float64)
    return total / len(points)
