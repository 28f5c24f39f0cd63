"""HDF5: a tree of data sets; also .mat of version 7.3. The points are the one with most numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from svae_core.own_data.array_in_file import LETTERS_REFUSED, NamedArray
from svae_core.own_data.array_to_table import with_facts, with_note, write_matrix
from svae_core.own_data.candidates import choose
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.hdf5_tree import (
    CHAR,
    ELSEWHERE,
    NOWHERE,
    Groups,
    array_of,
    is_hdf5,
    is_text,
    opened,
    sparse_in,
    sparse_shape,
    texts_of,
    what_else,
)
from svae_core.own_data.labels_from_arrays import vectors_among, write_vectors
from svae_core.own_data.named_arrays import completed
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.numerals import spelt
from svae_core.own_data.sparse import dense_of
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_SCALES = ("scale_factor", "add_offset")


def read(source: Source) -> Table:
    """The table of an HDF5 file: its points, and its labels if there are as many."""
    with opened(source.path) as file:
        groups = Groups.of(file)
        shapes, texts = groups.shapes, groups.text_shapes
        if source.labels and (vectors := vectors_among({**shapes, **texts})):
            loaded = {key: _labels(groups, key) for key in vectors}
            return write_vectors(source, FORMAT.name, loaded, {**shapes, **texts})
        matlab = _by_matlab(groups)
        if not shapes and groups.others:
            raise RequestError(
                f"The HDF5 file holds no array of numbers but {some(groups.others)}; save the "
                "numbers as one array, or the table as Parquet."
            )
        loom = {"matrix", "row_attrs", "col_attrs"} <= set(file)
        name = source.array or ("matrix" if loom and "matrix" in shapes else "")
        name = choose(shapes, name, "HDF5 file")
        sparse = name in groups.sparse
        array: Any = sparse_in(groups.sparse[name]) if sparse else array_of(groups.items[name])
        notes = [f"Points are the data set {cleaned(name)}."]
        if matlab and not sparse:
            array = np.asarray(array[:]).T if len(array.shape) == 2 else array
            notes.append("Turned on its side, as MATLAB stores matrices.")
        if matlab:
            shapes = {key: shape[::-1] for key, shape in shapes.items()}
        table = write_matrix(source, array, FORMAT.name, notes)
        table = completed(table, source, name, shapes, lambda key: _labels(groups, key), texts)
        for note in (*groups.notes, *_said_of_scale(groups.items.get(name), table)):
            table = with_note(table, note)
        if loom and not source.turned:
            table = with_facts(table, rows_or_columns="In a loom file the columns are the cells")
        return table


def _said_of_scale(item: Any, table: Table) -> Iterator[str]:
    """What netCDF declares about the numbers of a data set and h5py does not apply."""
    if item is None:
        return
    held = {key: np.ravel(item.attrs[key]) for key in (*_SCALES, "_FillValue") if key in item.attrs}
    held = {key: value for key, value in held.items() if len(value) and value.dtype.kind in "iuf"}
    scales = [f"{key} {spelt(float(held[key][0]))}" for key in _SCALES if key in held]
    if scales:
        yield f"Numbers are as they are stored: {' and '.join(scales)} were not applied."
    fill = float(held["_FillValue"][0]) if "_FillValue" in held else np.nan
    if any(fill in (column.low, column.high) for column in table.columns):
        yield f"The file says that {spelt(fill)} stands for missing values; take it for missing."


@contextmanager
def arrays(source: Source) -> Iterator[Mapping[str, NamedArray]]:
    """All arrays by their paths and other names; those that MATLAB stored are turned back."""
    import h5py

    with opened(source.path) as file:
        groups = Groups.of(file)
        turned = _by_matlab(groups)
        ends = {key: end for key, end in groups.links.items() if end is not None}
        found = {
            key: _array(item, turned) if isinstance(item, h5py.Dataset) else _sparse(item)
            for key, item in (groups.items | groups.sparse | ends).items()
            if isinstance(item, h5py.Dataset) or sparse_shape(item)
        }
        nothing = partial(np.empty, 0)
        found |= {key: NamedArray((0,), np.dtype(float), nothing) for key in groups.empty}
        refused = dict.fromkeys(groups.refused, ELSEWHERE)
        refused |= {key: NOWHERE for key, end in groups.links.items() if end is None}
        yield found | {
            key: NamedArray((), np.dtype(float), nothing, why) for key, why in refused.items()
        }


def _array(item: Any, turned: bool) -> NamedArray:
    shape = item.shape or ()
    if turned:
        shape = shape[::-1]

    def load() -> Any:
        if is_text(item):
            return texts_of(item)
        return np.asarray(array_of(item)[()]).T if turned else array_of(item)

    what = what_else(item)
    refusal = f"holds {what}, but must hold numbers; save it as such" if what else ""
    if what == CHAR:
        refusal = LETTERS_REFUSED
    return NamedArray(shape, item.dtype, load, refusal, same=item.id)


def _sparse(group: Any) -> NamedArray:
    dtype = group["data"].dtype
    rows = sparse_shape(group)
    return NamedArray(rows, dtype, lambda: dense_of(sparse_in(group)), same=group.id)


def _by_matlab(groups: Groups) -> bool:
    """Whether MATLAB wrote the file, which stores columns first: every array is on its side."""
    known = (*groups.items.values(), *groups.sparse.values())
    return any("MATLAB_class" in item.attrs for item in known)


def _labels(groups: Groups, name: str) -> np.ndarray:
    if name in groups.sparse:
        return dense_of(sparse_in(groups.sparse[name]))
    item: Any = array_of(groups.items[name])
    return texts_of(item) if name in groups.text_shapes else np.asarray(item[()])


FORMAT = Format(
    "HDF5",
    (".h5", ".hdf5"),
    lambda _path, start: is_hdf5(start),
    read,
    rank=1,
    arrays=arrays,
)
