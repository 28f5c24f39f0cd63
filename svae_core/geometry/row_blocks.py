"""Large arrays a block of rows at a time, so that work on them needs little memory beside them.

Points may be mapped from a file. Pages of it that were read stay in this process's memory until
the system wants them back; `rows_of` hands them back at once, so a pass over a file of any length
holds one block of it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

#: Rows of a block at most.
ROWS = 16_384
#: Numbers that are one block; of more, blocks of so many stay in a processor's cache.
WHOLE = 2**22
CACHED = 2**19


def blocks(count: int, width: int = 1) -> list[slice]:
    """Slices of range(count), rows of this width: few enough at a time to be worked on fast."""
    numbers = WHOLE if count * width <= WHOLE else CACHED
    size = max(1, min(ROWS, numbers // max(1, width)))
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def rows_of(points: np.ndarray, width: int = 1) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows of points [n, d], block by block; `width`: numbers a row needs, where more than d.

    A block of a mapped file is gone from memory when the next one is asked for, and comes back
    when it is looked at.
    """
    for rows in blocks(len(points), max(width, points.shape[1])):
        yield rows, points[rows]
        let_go(points)


def let_go(points: np.ndarray) -> None:
    """Give back the memory of a file's pages, where points [n, d] are mapped from one."""
    owner: object = points
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if not isinstance(owner, mmap.mmap) or not hasattr(owner, "madvise"):
        return
    with memoryview(owner) as view:
        unwritten = view.readonly  # what was written into a private mapping would be lost
    if unwritten:
        owner.madvise(mmap.MADV_DONTNEED)


def center_of(points: np.ndarray) -> np.ndarray:
    """The mean [d] of points [n, d], summed in float64."""
    total = np.zeros(points.shape[1])
    for _, block in rows_of(points):
        total += block.sum(axis=0, dtype=np.float64)
    return total / len(points)
