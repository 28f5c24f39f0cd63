"""Sparse matrices: those of libraries, not trusted, and those on disk that tables map.

They stay sparse until rows are asked for: a block of rows, of some columns, is then made dense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np

from svae_core.own_data.limits import CELLS
from svae_core.records import RequestError

DATA, INDICES, POINTERS = "sparse_data.bin", "sparse_indices.bin", "sparse_pointers.bin"
Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # values, their columns, values in each row


@runtime_checkable
class SparseRows(Protocol):
    """A matrix [n, d] that gives blocks of rows in compressed form."""

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def stored(self) -> int: ...  # how many numbers it holds

    def part(self, rows: slice) -> Part: ...


@dataclass(frozen=True)
class CompressedRows:
    """A matrix [n, d] of SciPy in compressed rows."""

    matrix: Any  # scipy.sparse.csr_matrix
    shape: tuple[int, int]

    @classmethod
    def of(cls, matrix: Any) -> CompressedRows:
        """From a csr_matrix of real numbers; RequestError for others, and where it is damaged.

        A library that makes rows of another form trusts that form's indices.
        """
        check_real(matrix.dtype)
        check_compressed(matrix.indptr, matrix.indices, matrix.shape, by_columns=False)
        matrix.sum_duplicates()
        return cls(matrix, (int(matrix.shape[0]), int(matrix.shape[1])))

    @property
    def stored(self) -> int:
        """How many numbers it holds."""
        return int(self.matrix.nnz)

    def part(self, rows: slice) -> Part:
        """Rows in compressed form."""
        pointers = self.matrix.indptr[rows.start : rows.stop + 1]
        inside = slice(int(pointers[0]), int(pointers[-1]))
        return self.matrix.data[inside], self.matrix.indices[inside], np.diff(pointers)

    def turned(self) -> CompressedRows:
        """Columns as rows."""
        return CompressedRows.of(self.matrix.T.tocsr())


@dataclass(frozen=True)
class DenseRows:
    """A dense matrix [n, d], such as counts of all genes, whose zeros are not kept."""

    array: Any  # gives blocks of rows
    shape: tuple[int, int]

    @property
    def stored(self) -> int:
        """How many numbers it may hold."""
        return self.shape[0] * self.shape[1]

    def part(self, rows: slice) -> Part:
        """Rows in compressed form."""
        from scipy import sparse

        block = np.asarray(self.array[rows])
        check_real(block.dtype)
        found = sparse.csr_matrix(block)
        return found.data, found.indices, np.diff(found.indptr)


def dense_of(matrix: SparseRows) -> np.ndarray:
    """A small matrix as an array with its zeros; RequestError where it is none."""
    if matrix.shape[0] * matrix.shape[1] > CELLS:
        raise RequestError(
            "A sparse matrix in the file has too many numbers with its zeros; leave it out."
        )
    values, columns, lengths = matrix.part(slice(0, matrix.shape[0]))
    found = np.zeros(matrix.shape, values.dtype)
    found[np.repeat(np.arange(matrix.shape[0]), lengths), columns] = values
    return found


class StoredRows:
    """A matrix [n, d] on disk, mapped; indexing makes rows dense, as an array's would be."""

    def __init__(self, folder: Path, dtype: str, shape: tuple[int, int]) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._pointers = _mapped(folder / POINTERS, np.dtype("<i8"))
        self._values = _mapped(folder / DATA, self.dtype)
        self._columns = _mapped(folder / INDICES, np.dtype("<i4"))
        if len(self._pointers) != shape[0] + 1 or self._pointers[-1] != len(self._columns):
            raise ValueError("cut off")

    @property
    def stored(self) -> int:
        """How many numbers it holds."""
        return len(self._values)

    def part(self, rows: slice) -> Part:
        """Rows in compressed form."""
        pointers = self._pointers[rows.start : rows.stop + 1]
        inside = slice(int(pointers[0]), int(pointers[-1]))
        return self._values[inside], self._columns[inside], np.diff(pointers)

    def dense(self, rows: slice | np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
        """Rows as an array [r, c] of the type of the values; `columns`: which (None: all)."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.shape[0])
            rows = np.arange(start, stop, step)
        begin, lengths = self._pointers[rows], self._pointers[rows + 1] - self._pointers[rows]
        before = np.concatenate([[0], np.cumsum(lengths)])
        # Where the values of the rows lie: for each row a run of positions from its beginning.
        at = np.arange(before[-1]) + np.repeat(begin - before[:-1], lengths)
        row, column = np.repeat(np.arange(len(rows)), lengths), self._columns[at]
        width = self.shape[1] if columns is None else len(columns)
        if columns is not None:
            place = np.full(self.shape[1], -1)
            place[columns] = np.arange(width)
            column = place[column]
            kept = column >= 0
            row, column, at = row[kept], column[kept], at[kept]
        found = np.zeros((len(rows), width), self.dtype)
        found[row, column] = self._values[at]
        return found

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            rows, columns = key
            wanted = np.arange(self.shape[1])[columns]
            found = self.dense(rows, np.atleast_1d(wanted))
            return found if np.ndim(wanted) else found[:, 0]
        return self.dense(key)


class SparseWriter:
    """Writes the files that StoredRows maps, block by block."""

    def __init__(self, folder: Path) -> None:
        self.dtype = ""
        self._at = 0
        self._files: list[BinaryIO] = [
            (folder / name).open("wb") for name in (DATA, INDICES, POINTERS)
        ]
        self._files[2].write(np.zeros(1, "<i8").tobytes())

    def append(self, part: Part) -> None:
        """Append rows in compressed form."""
        values, columns, lengths = part
        self.dtype = self.dtype or values.dtype.newbyteorder("<").str.replace("b1", "u1")
        data, indices, pointers = self._files
        data.write(np.ascontiguousarray(values, self.dtype).data)
        indices.write(np.ascontiguousarray(columns, "<i4").data)
        ends = self._at + np.cumsum(lengths, dtype=np.int64)
        pointers.write(ends.astype("<i8").tobytes())
        self._at = int(ends[-1]) if len(ends) else self._at

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def check_real(dtype: np.dtype) -> None:
    """RequestError where a sparse matrix does not hold real numbers."""
    if dtype.kind not in "fiub":
        raise RequestError(f"The sparse matrix holds {dtype.name}, but must hold real numbers.")


def check_compressed(
    pointers: np.ndarray, indices: np.ndarray, shape: tuple[int, ...], by_columns: bool
) -> None:
    """RequestError where pointers and indices of compressed rows or columns do not fit a shape.

    Libraries trust them and would read beyond the arrays.
    """
    major, minor = (shape[1], shape[0]) if by_columns else (shape[0], shape[1])
    whole = pointers.ndim == 1 and indices.ndim == 1
    whole = whole and pointers.dtype.kind in "iu" and indices.dtype.kind in "iu"
    if whole and len(pointers):
        steps = np.diff(pointers.astype(np.int64))
        whole = pointers[0] == 0 and pointers[-1] == len(indices) and bool((steps >= 0).all())
        # Blocks of rows (bsr) have fewer pointers than rows.
        whole = whole and len(pointers) - 1 <= major
        whole = whole and (not len(indices) or 0 <= indices.min() <= indices.max() < minor)
    if not whole or not len(pointers):
        raise RequestError(
            "The sparse matrix is damaged: its indices do not fit its shape; save it anew."
        )


def _mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    if path.stat().st_size == 0:
        return np.empty(0, dtype)
    return np.memmap(path, dtype=dtype, mode="r")
