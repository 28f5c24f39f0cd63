"""IDX: the files of MNIST as published, one array of numbers each."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from svae_core.own_data.array_layout import layout_of
from svae_core.own_data.array_to_table import write_matrix
from svae_core.own_data.damage import AGAIN
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

#: Types by their code; numbers are big-endian.
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def recognised(path: Path, start: bytes) -> bool:
    """Two zeros, a known type, a number of axes, and a file of just that size."""
    if start[:2] != b"\0\0" or len(start) < 8 or start[2] not in _TYPES or not 1 <= start[3] <= 4:
        return False
    shape, dtype, begin = _header(start)
    # A file that is cut off is an IDX file too: it is refused as that.
    return path.stat().st_size <= begin + math.prod(shape) * dtype.itemsize


def _header(start: bytes) -> tuple[tuple[int, ...], np.dtype, int]:
    axes = start[3]
    lengths = np.frombuffer(start[4 : 4 + 4 * axes], ">u4")
    return tuple(int(length) for length in lengths), np.dtype(_TYPES[start[2]]), 4 + 4 * axes


def read(source: Source) -> Table:
    """The table of an IDX file: pictures, or rows of numbers."""
    with source.path.open("rb") as file:
        shape, dtype, begin = _header(file.read(64))
    declared = math.prod(shape) * dtype.itemsize
    if declared > source.size() - begin:
        raise RequestError(
            f"The IDX file claims {' × '.join(map(str, shape))} numbers, {declared:,} bytes, but "
            f"holds only {source.size() - begin:,} and is cut off; {AGAIN}."
        )
    if len(shape) == 1 and not source.labels:
        raise RequestError(
            "The IDX file holds one number for each point, so it is the labels; give the file with "
            "the images, which is called …-images-idx3-ubyte."
        )
    layout_of(shape, source)  # before anything is allocated
    array = np.memmap(source.path, dtype, "r", offset=begin, shape=shape)
    return write_matrix(source, array, FORMAT.name, ("Read as IDX, the format of MNIST.",))


FORMAT = Format("IDX", (".idx", ".idx3-ubyte", ".ubyte"), recognised, read)
