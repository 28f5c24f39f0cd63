"""Sparse matrices become tables that stay sparse: wide ones too, such as counts of all genes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from svae_core.config.shares import percent
from svae_core.own_data.formats import Source
from svae_core.own_data.limits import CELLS, SPARSE_COLUMNS
from svae_core.own_data.names import distinct
from svae_core.own_data.numerals import spelt
from svae_core.own_data.sparse import CompressedRows, Part, SparseRows, SparseWriter
from svae_core.own_data.tables import Column, Table, write_about
from svae_core.records import RequestError

_BLOCK_VALUES = 2**20
_EXAMPLES, _SHOWN = 8, 200  # rows and columns of the preview


class _Extremes:
    """Missing values, smallest and largest of each column, zeros that are not stored included."""

    def __init__(self, width: int) -> None:
        self.missing, self.stored = np.zeros(width, np.int64), np.zeros(width, np.int64)
        self.low, self.high = np.full(width, np.inf), np.full(width, -np.inf)
        self.whole = True

    def add(self, values: np.ndarray, columns: np.ndarray) -> None:
        """Take in values [v] and their columns [v]."""
        width = len(self.low)
        wide = values.astype(np.float64)
        finite = np.isfinite(wide)
        self.stored += np.bincount(columns, minlength=width)
        self.missing += np.bincount(columns[~finite], minlength=width)
        np.minimum.at(self.low, columns[finite], wide[finite])
        np.maximum.at(self.high, columns[finite], wide[finite])
        self.whole = self.whole and bool((wide[finite] == np.rint(wide[finite])).all())

    def columns(self, names: Sequence[str], rows: int) -> tuple[Column, ...]:
        """A Column for each name, of a matrix with so many rows."""
        zeros = self.stored < rows
        low = np.where(zeros, np.minimum(self.low, 0.0), self.low)
        high = np.where(zeros, np.maximum(self.high, 0.0), self.high)
        known = low <= high
        low, high = np.where(known, low, 0.0), np.where(known, high, 0.0)
        return tuple(
            Column(name, "number", int(self.missing[i]), float(low[i]), float(high[i]))
            for i, name in enumerate(names)
        )


def write_sparse(
    source: Source,
    matrix: SparseRows,
    form: str,
    notes: Sequence[str] = (),
    column_names: Sequence[str] = (),
    tabular: bool = False,
) -> Table:
    """The table of a sparse matrix [n, d], written in blocks of rows."""
    rows, width = matrix.shape
    _check(rows, width)
    extremes, writer = _Extremes(width), SparseWriter(source.folder)
    examples: tuple[tuple[str, ...], ...] = ()
    try:
        for part in _blocks(matrix):
            block = matrix.part(part)
            extremes.add(block[0], block[1])
            writer.append(block)
            examples = examples or _examples(block, width)
            source.progress(part.stop / rows)
    finally:
        writer.close()
    given = len(column_names) == width
    names = distinct(column_names, "column") if given else [f"column {i + 1}" for i in range(width)]
    columns = extremes.columns(names, rows)
    stored = int(extremes.stored.sum())
    share = f"{percent(stored / (rows * width), '.3g')} of {rows:,} × {width:,}"
    counts = extremes.whole and all(column.low >= 0 for column in columns)
    table = Table(
        folder=source.folder,
        name=source.name,
        form=form,
        rows=rows,
        columns=columns,
        numbers_file="",
        numbers_dtype=writer.dtype,
        notes=(f"Read as a sparse matrix, {stored:,} numbers stored ({share}).", *notes),
        examples=examples,
        tabular=tabular,
        sparse=True,
        counts=counts,
    )
    write_about(table)
    return table


def turned(matrix: SparseRows) -> CompressedRows:
    """The columns of a sparse matrix as rows."""
    from scipy import sparse

    if isinstance(matrix, CompressedRows):
        return matrix.turned()
    values, columns, lengths = matrix.part(slice(0, matrix.shape[0]))
    pointers = np.concatenate([[0], np.cumsum(lengths)])
    return CompressedRows.of(sparse.csr_matrix((values, columns, pointers), matrix.shape)).turned()


def _check(rows: int, width: int) -> None:
    if rows < 1 or width < 1:
        raise RequestError(f"The sparse matrix has the shape {rows:,} × {width:,}, and no numbers.")
    if width > SPARSE_COLUMNS:
        raise RequestError(
            f"The sparse matrix has {width:,} columns, but at most {SPARSE_COLUMNS:,} can be read; "
            "drop some, or turn it if its columns are the points."
        )
    if rows > CELLS // 16:
        raise RequestError(
            f"The sparse matrix has {rows:,} rows, but at most {CELLS // 16:,} can be read; give "
            "a sample."
        )


def _blocks(matrix: SparseRows) -> list[slice]:
    """Slices of rows with about a million stored numbers each."""
    rows = matrix.shape[0]
    step = max(1, min(rows, _BLOCK_VALUES * rows // max(1, matrix.stored)))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _examples(block: Part, width: int) -> tuple[tuple[str, ...], ...]:
    values, columns, lengths = block
    found, start = [], 0
    for length in lengths[:_EXAMPLES].tolist():
        row = np.zeros(min(width, _SHOWN))
        inside = slice(start, start + length)
        shown = columns[inside] < len(row)
        row[columns[inside][shown]] = values[inside][shown]
        found.append(tuple(spelt(value) for value in row.tolist()))
        start += length
    return tuple(found)
