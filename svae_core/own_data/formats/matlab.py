"""MATLAB .mat, versions 4 to 7: matrices by name. Version 7.3 is HDF5 and read as that."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import with_arrays, with_labels, with_note, write_matrix
from svae_core.own_data.candidates import choose, labels_among, offered, said_of_others
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.limits import CATEGORIES, CELLS
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.sparse import CompressedRows, check_compressed
from svae_core.own_data.tables import Table
from svae_core.own_data.vectors import vectors_among, write_vectors
from svae_core.records import RequestError

_NUMBERS = {
    *("double", "single", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("uint64", "logical", "sparse"),
}
# SciPy raises NotImplementedError for versions of the format that it does not read.
_DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, NotImplementedError, OverflowError),
    *(zlib.error, EOFError),
)


def recognised(_path: Path, start: bytes) -> bool:
    """The text at the beginning of versions 5 to 7; version 4 has no signature but its ending."""
    return start.startswith(b"MATLAB 5.0 MAT-file")


def read(source: Source) -> Table:
    """The table of a .mat file: the matrix with most numbers, labels if there are as many."""
    from scipy import io

    try:
        declared = {name: (shape, kind) for name, shape, kind in io.whosmat(str(source.path))}
        numbers = {name: shape for name, (shape, kind) in declared.items() if kind in _NUMBERS}
        refused = [
            cleaned(f"{n} ({kind})")
            for n, (_, kind) in declared.items()
            if kind in ("struct", "object", "function", "opaque", "char", "unknown")
        ]
        cells = {n: shape for n, (shape, kind) in declared.items() if kind == "cell"}
        if source.labels and (vectors := vectors_among({**numbers, **cells})):
            shapes = {**numbers, **cells}
            if math.prod(shapes[vectors[0]]) > CELLS:
                raise RequestError("The vectors in the .mat file are too long to read.")
            loaded = io.loadmat(str(source.path), variable_names=vectors)
            return write_vectors(
                source, FORMAT.name, {n: _labels(loaded[n]) for n in vectors}, shapes
            )
        if not numbers:
            raise RequestError(
                f"The .mat file holds no matrix of numbers but {some(refused) or 'nothing'}; save "
                "the matrix with the points by itself: save('points.mat', 'points')."
            )
        name = choose(numbers, source.array, ".mat file")
        if math.prod(numbers[name]) > CELLS:
            raise RequestError(
                f"The matrix {cleaned(name)} in the .mat file is too large to read; give a sample."
            )
        labels = labels_among({**numbers, **cells}, name)
        wanted = [name, labels] if labels else [name]
        loaded = io.loadmat(str(source.path), variable_names=wanted)
        array = _matrix(loaded[name])
        table = write_matrix(
            source, array, FORMAT.name, (f"Points are the matrix {cleaned(name)}.",)
        )
        if labels:
            table = with_labels(table, _labels(loaded[labels]))
        for note in said_of_others(numbers, name, labels):
            table = with_note(table, note)
        if refused:
            table = with_note(table, f"What is no matrix was left out: {some(refused)}.")
        return with_arrays(table, offered(numbers), name)
    except _DAMAGE as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            "The .mat file is damaged, cut off, or of an unknown version."
        ) from error


def _matrix(found: Any) -> Any:
    from scipy import sparse

    if sparse.issparse(found):
        # Compressed columns as the file has them: turning them writes where their indices say.
        found = found.tocsc(copy=False)
        check_compressed(found.indptr, found.indices, found.shape, by_columns=True)
        return CompressedRows.of(found.tocsr())
    return found.T if found.ndim == 2 and found.shape[0] == 1 else found


def _labels(found: np.ndarray) -> np.ndarray:
    """A vector of labels: numbers, or the strings of a cell array."""
    flat = (found.toarray() if hasattr(found, "toarray") else found).reshape(-1)
    if flat.dtype == object:
        return np.array(
            [
                str(cell.item() if getattr(cell, "size", 0) == 1 else cell)
                for cell in flat[: CATEGORIES * 1000]
            ]
        )
    return flat


FORMAT = Format("MATLAB", (".mat",), recognised, read)
