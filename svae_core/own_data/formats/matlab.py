"""MATLAB .mat, versions 4 to 7: matrices by name. Version 7.3 is HDF5 and read as that."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.archive import is_of_disk
from svae_core.own_data.array_in_file import LETTERS_REFUSED, NamedArray
from svae_core.own_data.array_to_table import text_of_label, with_note, write_matrix
from svae_core.own_data.candidates import choose, labels_among
from svae_core.own_data.damage import AGAIN
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.labels_from_arrays import vectors_among, write_vectors
from svae_core.own_data.limits import CATEGORIES, CELLS
from svae_core.own_data.named_arrays import completed
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.sparse import CompressedRows, check_compressed
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

#: MATLAB's classes of numbers, and what SciPy makes of them.
_NUMBERS = {
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{"double": "float64", "single": "float32", "logical": "bool", "sparse": "float64"},
}
_REFUSED = frozenset(("struct", "object", "function", "opaque", "char", "unknown"))
# SciPy raises NotImplementedError for versions of the format that it does not read.
_DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, NotImplementedError, OverflowError),
    *(zlib.error, EOFError),
)


def recognised(_path: Path, start: bytes) -> bool:
    """The text at the beginning of versions 5 to 7; of version 4 the header of its first matrix."""
    return start.startswith(b"MATLAB 5.0 MAT-file") or _is_version_4(start)


def _is_version_4(start: bytes) -> bool:
    """Five integers: type MOPT, rows, columns, 0 or 1, and letters of the name that follows."""
    for order in "<>":
        if len(start) < 24:
            return False
        kind, rows, columns, imaginary, letters = struct.unpack(f"{order}5i", start[:20])
        machine, reserved, number, form = kind // 1000, kind // 100 % 10, kind // 10 % 10, kind % 10
        name = start[20 : 20 + max(0, letters)]
        known = machine == (order == ">") and reserved == 0 and number <= 5 and form <= 2
        if known and min(rows, columns) > 0 and imaginary in (0, 1) and 2 <= letters <= 64:
            return name[-1:] == b"\0" and name[:-1].replace(b"_", b"").isalnum()
    return False


def read(source: Source) -> Table:
    """The table of a .mat file: the matrix with most numbers, labels if there are as many."""
    with _damage_named():
        return _read(source)


@contextmanager
def arrays(source: Source) -> Iterator[Mapping[str, NamedArray]]:
    """All arrays by name; cell arrays as the words in them."""
    from scipy import io

    path = str(source.path)
    with _damage_named():
        yield {name: _array(path, name, *about) for name, *about in io.whosmat(path)}


def _array(path: str, name: str, shape: tuple[int, ...], kind: str) -> NamedArray:
    from scipy import io, sparse

    def load(words: bool) -> Any:
        found = io.loadmat(path, variable_names=[name])[name]
        if words:
            return _labels(found)
        if found.dtype.kind == "c":
            raise RequestError(
                f"The array {cleaned(name)} holds complex numbers, but must hold real ones; save "
                "its real part, or both parts as columns."
            )
        # Its class is that of its numbers where a sparse matrix is logical.
        return _matrix(found).matrix.toarray() if sparse.issparse(found) else np.asarray(found)

    if kind == "cell":
        return NamedArray(shape, np.dtype(object), partial(load, True))
    known = kind in _NUMBERS
    refusal = "" if known else f"is a {kind}, but must hold numbers; save it as an array by itself"
    if kind == "char":
        refusal = LETTERS_REFUSED
    dtype = np.dtype(_NUMBERS.get(kind, "float64"))
    return NamedArray(tuple(shape), dtype, partial(load, False), refusal)


@contextmanager
def _damage_named() -> Iterator[None]:
    """Whatever the library raises on bytes that make no sense is one sentence."""
    try:
        yield
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, RequestError) or is_of_disk(error):
            raise
        raise RequestError(
            f"The .mat file is damaged, cut off, or of an unknown version; {AGAIN}."
        ) from error


def _read(source: Source) -> Table:
    from scipy import io

    declared = {name: (shape, kind) for name, shape, kind in io.whosmat(str(source.path))}
    numbers = {name: shape for name, (shape, kind) in declared.items() if kind in _NUMBERS}
    cells = {name: shape for name, (shape, kind) in declared.items() if kind == "cell"}
    refused = [cleaned(f"{n} ({kind})") for n, (_, kind) in declared.items() if kind in _REFUSED]
    shapes = {**numbers, **cells}

    def labels(key: str) -> np.ndarray | None:
        return _labels(io.loadmat(str(source.path), variable_names=[key])[key])

    if source.labels and (vectors := vectors_among(shapes)):
        if math.prod(shapes[vectors[0]]) > CELLS:
            raise RequestError("The vectors in the .mat file are too long to read.")
        loaded = io.loadmat(str(source.path), variable_names=vectors)
        known = {name: _labels(loaded[name]) for name in vectors}
        return write_vectors(source, FORMAT.name, known, shapes)
    if not numbers:
        others = [*refused, *(f"{cleaned(name)} (cell array)" for name in cells)]
        raise RequestError(
            f"The .mat file holds no matrix of numbers but {some(others) or 'nothing'}; save "
            "the matrix with the points by itself: save('points.mat', 'points')."
        )
    name = choose(numbers, source.array, ".mat file")
    if math.prod(numbers[name]) > CELLS:
        raise RequestError(
            f"The matrix {cleaned(name)} in the .mat file is too large to read; give a sample."
        )
    count = _pictures_at_the_end(shapes, name)
    if count:
        numbers[name] = (count, *numbers[name][:-1])
    loaded = io.loadmat(str(source.path), variable_names=[name])
    array = np.moveaxis(loaded[name], -1, 0) if count else _matrix(loaded[name])
    notes = [f"Points are the matrix {cleaned(name)}."]
    if count:
        notes.append(f"Its last axis counts the pictures, {count:,}, as MATLAB keeps them.")
    table = write_matrix(source, array, FORMAT.name, notes)
    table = completed(table, source, name, numbers, labels, cells)
    if refused:
        table = with_note(table, f"What is no matrix was left out: {some(refused)}.")
    return table


def _pictures_at_the_end(shapes: Mapping[str, Sequence[int]], name: str) -> int:
    """How many pictures an array height × width (× 3) × number holds; 0 where it is none.

    The last axis counts them where as many labels are there, or where four axes cannot be read
    otherwise.
    """
    shape = tuple(shapes[name])
    if len(shape) == 3:
        last = {**shapes, name: (shape[-1], *shape[:-1])}
        return shape[-1] if not labels_among(shapes, name) and labels_among(last, name) else 0
    colours_in_front = len(shape) == 4 and (shape[1] in (1, 3) or shape[3] in (1, 3))
    return shape[-1] if len(shape) == 4 and shape[2] in (1, 3) and not colours_in_front else 0


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
    dense = found.toarray() if hasattr(found, "toarray") else found
    if dense.dtype != object and 1 not in dense.shape:
        return np.asarray(dense)  # a column for each class
    flat = dense.reshape(-1)
    if flat.dtype == object:
        return np.array(
            [
                text_of_label(cell.item() if getattr(cell, "size", 0) == 1 else cell)
                for cell in flat[: CATEGORIES * 1000]
            ]
        )
    return flat


FORMAT = Format("MATLAB", (".mat",), recognised, read, arrays=arrays)
