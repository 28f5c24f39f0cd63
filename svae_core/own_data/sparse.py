"""Sparse matrices that are not trusted: checked before use, made dense in blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.records import RequestError


@dataclass(frozen=True)
class CompressedRows:
    """A matrix [n, d] in compressed rows, whose blocks of rows are given dense."""

    matrix: Any  # scipy.sparse.csr_matrix
    shape: tuple[int, int]

    @classmethod
    def of(cls, matrix: Any) -> CompressedRows:
        """From a csr_matrix of real numbers; RequestError for others."""
        if matrix.dtype.kind not in "fiub":
            raise RequestError(
                f"The sparse matrix holds {matrix.dtype.name}, but must hold real numbers."
            )
        return cls(matrix, (int(matrix.shape[0]), int(matrix.shape[1])))

    def __getitem__(self, rows: slice) -> np.ndarray:
        block = self.matrix[rows].toarray()
        return np.asarray(block, np.float32 if block.dtype == np.float32 else np.float64)


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
