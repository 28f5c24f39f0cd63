"""AnnData .h5ad: cells × genes, dense or sparse, with layers, embeddings and annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import (
    with_categories,
    with_facts,
    with_note,
    with_row_names,
    write_matrix,
)
from svae_core.own_data.candidates import LABELS, choose, listed, offered
from svae_core.own_data.column_roles import ANNOTATION
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.hdf5_tree import (
    ELSEWHERE,
    array_of,
    check_links,
    is_hdf5,
    opened,
    reads_elsewhere,
    sparse_in,
    sparse_shape,
    texts_of,
)
from svae_core.own_data.limits import CATEGORIES, CLASSES, COLUMNS
from svae_core.own_data.names import NAMED_AS_CELLS, are_barcodes, cleaned, some
from svae_core.own_data.sparse import DenseRows
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_OFFERED = 20  # annotations beside the label
#: Annotations that name cell types, in the order in which they are taken for the label.
_CELL_TYPES = ("cell_type", "celltype", "louvain", "leiden", "cluster", "clusters", *LABELS)


def recognised(path: Path, start: bytes) -> bool:
    """HDF5 whose root says so, or that has X beside obs and var."""
    if not is_hdf5(start):
        return False
    try:
        with opened(path) as file:
            kind = file.attrs.get("encoding-type", "")
            return kind == "anndata" or {"X", "obs", "var"} <= set(file)
    except RequestError:
        return False


def read(source: Source) -> Table:
    """The table of an AnnData file: X or the matrix asked for, with the types of its cells."""
    with opened(source.path) as file:
        check_links(file)
        shapes = {key: _shape(file[key]) for key in _matrices(file)}
        name = source.array or ("X" if "X" in shapes else "")
        name = choose(shapes, name, "AnnData file")
        note = f"Points are {cleaned(name)}, a row for each cell."
        array = _matrix(file[name])
        names = _names(file, "var") if shapes[name][1:] == (_length(file, "var"),) else ()
        notes = [note]
        if len(shapes) > 1:
            others = {key: shape for key, shape in shapes.items() if key != name}
            notes.append(f"The file also holds {listed(others)}; choose by name.")
        table = write_matrix(source, array, FORMAT.name, notes, names)
        cells = _names(file, "obs") if "obs" in file else ()
        table = with_facts(with_row_names(table, cells), arrays=offered(shapes), array=name)
        if are_barcodes(names) and not are_barcodes(cells) and not source.turned:
            table = with_facts(table, rows_or_columns=NAMED_AS_CELLS)
        return _with_annotations(table, file)


def _matrices(file: Any) -> list[str]:
    found = ["X"] if "X" in file else []
    for group in ("layers", "obsm"):
        found += [f"{group}/{name}" for name in file.get(group, {})]
    return [key for key in found if _shape(file[key])]


def _shape(item: Any) -> tuple[int, ...]:
    shape = getattr(item, "shape", None)
    if shape is None:
        return sparse_shape(item)
    return tuple(int(length) for length in shape) if len(shape) == 2 else ()


def _matrix(item: Any) -> Any:
    if hasattr(item, "shape"):
        if reads_elsewhere(item):
            raise RequestError(f"The matrix in the file {ELSEWHERE}.")
        array, shape = array_of(item), _shape(item)
        return DenseRows(array, shape) if shape[1] > COLUMNS else array  # type: ignore[arg-type]
    return sparse_in(item)


def _index(frame: Any) -> Any:
    name = frame.attrs.get("_index", "_index")
    return frame.get(name) if not isinstance(name, bytes) else frame.get(name.decode())


def _length(file: Any, which: str) -> int:
    index = _index(file[which]) if which in file else None
    return 0 if index is None else int(index.shape[0])


def _names(file: Any, which: str) -> tuple[str, ...]:
    index = _index(file[which])
    return () if index is None else tuple(texts_of(index).tolist())


def _with_annotations(table: Table, file: Any) -> Table:
    """The table with the cells' annotations of few values, the one that names their types last.

    The last is its label, and any other can be chosen; those that can be no label are named.
    """
    frame = file.get("obs", {})
    coded = {key: found for key in frame if (found := _categories(frame[key], table.rows))}
    wanted = [name for name in _CELL_TYPES if name in {key.lower() for key in coded}]
    usable = [key for key, (names, _) in coded.items() if 2 <= len(names) <= CLASSES]
    label = next((key for key in coded if wanted and key.lower() == wanted[0]), "")
    label = label or next(iter(usable), "")
    index = frame.attrs.get("_index", "_index") if hasattr(frame, "attrs") else ""
    beside = [key for key in usable if key not in (label, index)][:_OFFERED]
    for key in [*beside, label] if label else []:
        names, codes = coded[key]
        table = with_categories(table, key, names, codes, "" if key == label else ANNOTATION)
    known = {*beside, label, index, "__categories"}
    others = [cleaned(key) for key in frame if key not in known]
    if others:
        table = with_note(table, f"Other annotations of the cells were left out: {some(others)}.")
    return table


def _categories(item: Any, rows: int) -> tuple[list[str], np.ndarray] | None:
    """Names and codes of a categorical column, or of one of few different texts."""
    if hasattr(item, "keys"):
        if not {"categories", "codes"} <= set(item):
            return None
        names, codes = texts_of(item["categories"]), np.asarray(item["codes"][:], np.int64)
        fits = len(codes) == rows and len(names) <= CATEGORIES
        fits = fits and codes.min(initial=-1) >= -1 and codes.max(initial=-1) < len(names)
        return (names.tolist(), codes) if fits else None
    if item.shape != (rows,) or item.dtype.kind not in "OSiub":
        return None
    if "categories" in item.attrs:  # files of anndata before 0.7 refer to names elsewhere
        return None
    values = texts_of(item)
    names, codes = np.unique(values, return_inverse=True)
    return (names.tolist(), codes) if len(names) <= min(CLASSES, rows // 2) else None


FORMAT = Format("AnnData", (".h5ad",), recognised, read)
