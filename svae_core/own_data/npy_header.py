"""Headers of NPY arrays that are not trusted: what they declare is compared with what there is."""

from __future__ import annotations

import tokenize
import warnings
from typing import BinaryIO

import numpy as np

from svae_core.own_data.damage import AGAIN, damaged
from svae_core.records import RequestError

HEADER_BYTES = 10_000  # numpy's own limit for headers that are not trusted
#: What numpy's reader of headers is known to raise on bytes made up for it.
PARSER_ERRORS = (
    *(ValueError, TypeError, SyntaxError, KeyError, OverflowError, EOFError, RecursionError),
    *(UserWarning, DeprecationWarning, MemoryError, tokenize.TokenError, AttributeError),
    IndexError,
)


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that a header declares; RequestError for what is no plain array of numbers."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise RequestError("The NPY file has a format that is not known here; save it anew.")
        read = np.lib.format.read_array_header_1_0
        if version == (2, 0):
            read = np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a header as Python 2 wrote it would warn at every look
            shape, _, dtype = read(file, max_header_size=HEADER_BYTES)
    except PARSER_ERRORS as error:
        if isinstance(error, RequestError):
            raise
        raise damaged("NPY file", "its header makes no sense") from error
    if any(length < 0 for length in shape):
        raise damaged("NPY file", "its header makes no sense")
    return tuple(int(length) for length in shape), dtype


def refuse_objects(dtype: np.dtype) -> None:
    """RequestError where an array holds Python objects: loading them could run code."""
    if dtype.hasobject:
        raise RequestError(
            "The array holds pickled Python objects, which could run code and are never loaded; "
            "save it as numbers, with allow_pickle=False."
        )


def checked_header(file: BinaryIO, size: int) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape, type and start of the numbers, if a file of `size` bytes holds as many as declared."""
    shape, dtype = read_header(file)
    refuse_objects(dtype)
    start = file.tell()
    declared = dtype.itemsize
    for length in shape:  # in Python's integers, which do not overflow
        declared *= length
    if declared > size - start:
        raise RequestError(
            f"The array claims to be {' × '.join(map(str, shape[:4]))} numbers, {declared:,} "
            f"bytes, but the file holds only {size - start:,} and is cut off; {AGAIN}."
        )
    return shape, dtype, start
