"""Matrix Market .mtx: a dense or sparse matrix as text, also the counts of 10x Genomics."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from svae_core.own_data.array_to_table import with_facts, write_matrix
from svae_core.own_data.damage import AGAIN, damaged
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.limits import BLOCK_BYTES, CELLS, LINE_BYTES
from svae_core.own_data.names import cleaned
from svae_core.own_data.sparse import CompressedRows
from svae_core.own_data.tables import Table, check_cells, check_width
from svae_core.records import RequestError

#: What Cell Ranger writes into the second line of its counts, genes × cells.
_GENES_FIRST = re.compile(rb"(?im)^%.*(?:cellranger|software_version|\b10x\b)")
_BANNER = re.compile(rb"(?i)(?:\xef\xbb\xbf)?%%MatrixMarket(?=[ \t])")
# SciPy reads no sign before a number that is not negative.
_PLUS = re.compile(rb"(?<![\w.])\+")
_LONGEST_START = 4_096
_NUMBER = rb"[+-]?+(?:(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?+\d++)?+|(?i:nan|inf(?:inity)?+))"
#: Numbers between blanks, as far as they go; each group is possessive, so that time is linear.
_NUMBERS = re.compile(rb"\s*+(?:" + _NUMBER + rb"\s++)*+")
_SEVERAL = re.compile(rb"\S[ \t]++\S")  # on one line
_WHOLE = re.compile(rb"(?i)\b(?:unsigned-)?integer\b")  # what a header calls its numbers


def read(source: Source) -> Table:
    """The table of a Matrix Market file, a row for each point."""
    from scipy import io as scipy_io
    from scipy import sparse

    with source.path.open("rb") as file:
        transposed = bool(_GENES_FIRST.search(file.read(_LONGEST_START)))
    try:
        with source.path.open("rb") as file:
            rows, columns, entries, kind, field, symmetry = scipy_io.mminfo(_readable(file))
        if field in ("complex", "pattern"):
            raise RequestError(
                f"The Matrix Market file is of the kind {field}, but must hold real numbers."
            )
        shape = (columns, rows) if transposed else (rows, columns)
        if kind != "coordinate":
            check_width(shape[1])
            check_cells(*shape)
        if entries > CELLS or _bytes_of(entries, kind, symmetry) > source.size() + 64:
            raise RequestError(
                f"The Matrix Market file claims {entries:,} numbers, more than its size allows, so "
                f"it is cut off; {AGAIN}."
            )
        _check_text(source.path, kind)
        with source.path.open("rb") as file:
            matrix: Any = scipy_io.mmread(_readable(file))
    except (ValueError, TypeError, IndexError, OverflowError, EOFError, StopIteration) as error:
        if isinstance(error, RequestError):
            raise
        raise damaged("Matrix Market file") from error
    matrix = matrix.T if transposed else matrix
    notes = [f"Read as Matrix Market, {kind}."]
    if transposed and not source.turned:
        notes.append("Turned on its side: the file has genes × cells, and cells are the points.")
    elif source.turned and not transposed:
        notes.append("Turned on its side, as chosen: the columns of the file are the points.")
    array = CompressedRows.of(matrix.tocsr()) if sparse.issparse(matrix) else np.asarray(matrix)
    table = write_matrix(source, array, FORMAT.name, notes)
    asked = not transposed and not source.turned and table.counts
    return with_facts(table, rows_or_columns="Nothing in the file tells") if asked else table


def _check_text(path: Path, kind: str) -> None:
    """RequestError where a word below the comments is no number: SciPy reads how it begins.

    To SciPy 1e+05 is 1 in a matrix of integers, and 0,5 is 0 in one of real numbers.
    """
    with path.open("rb") as file:
        line = _BANNER.sub(b"%", file.readline(LINE_BYTES))
        while line.startswith(b"%") or line.isspace():
            if b"\0" in line:
                raise damaged("Matrix Market file", "it is not text throughout")
            line = file.readline(LINE_BYTES)
        start = len(line)  # behind the line with the sizes
        while line:
            block = line + file.read(BLOCK_BYTES) + file.readline(LINE_BYTES) + b"\n"
            known = _NUMBERS.match(block)
            if known and known.end() < len(block):
                word = block[known.end() :][:100].split()[0].decode("utf-8", "replace")
                # Of what is no text, as far as it could be one: the rest may look like sentences.
                shown = (cleaned(word).split() or ["what stands there"])[0]
                raise damaged("Matrix Market file", f"“{shown}” is no number")
            # Whether such a file was meant by rows or by columns, nothing in it tells.
            if kind == "array" and _SEVERAL.search(block, start):
                raise RequestError(
                    "The Matrix Market file has several numbers on a line, but in an array each "
                    "stands on a line of its own, column after column; write it by "
                    "scipy.io.mmwrite, or give the rows as CSV."
                )
            line, start = file.readline(LINE_BYTES), 0


def _bytes_of(entries: int, kind: str, symmetry: str) -> int:
    """Bytes that so many numbers take at least: "1 1 1" and an end of line, or "1" and one."""
    if kind == "coordinate":
        return 6 * entries
    # Of a symmetric matrix one half is written, and of a skew one not even the diagonal.
    return 2 * entries if symmetry == "general" else entries - math.isqrt(entries)


def _readable(file: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(_AsReal(file))


class _AsReal(io.RawIOBase):
    """The file as SciPy reads it: its banner as usual, and a header that calls its numbers real.

    Counts that were corrected or shared have decimals under a header that says integer, by which
    they would be cut off.
    """

    def __init__(self, file: BinaryIO) -> None:
        head = _WHOLE.sub(b"real", file.readline(_LONGEST_START))
        self._head = _BANNER.sub(b"%%MatrixMarket", head.lower())
        self._file, self._last = file, b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        part = self._head[: len(into)]
        self._head = self._head[len(into) :]
        if not part:
            # With the byte before: the sign of an exponent stays.
            part = self._last + self._file.read(len(into))
            part = _PLUS.sub(b" ", part)[len(self._last) :]
            self._last = part[-1:]
        into[: len(part)] = part
        return len(part)


FORMAT = Format("Matrix Market", (".mtx",), lambda _path, start: bool(_BANNER.match(start)), read)
