"""Matrix Market .mtx: a dense or sparse matrix as text, also the counts of 10x Genomics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import with_question, write_matrix
from svae_core.own_data.formats import Format, Source, starts_with
from svae_core.own_data.limits import CELLS
from svae_core.own_data.sparse import CompressedRows
from svae_core.own_data.tables import Table, check_cells, check_width
from svae_core.records import RequestError

#: What Cell Ranger writes into the second line of its counts, genes × cells.
_GENES_FIRST = (b"cellranger", b"software_version", b"10x")
_LONGEST_START = 4_096


def read(source: Source) -> Table:
    """The table of a Matrix Market file, a row for each point."""
    from scipy import io, sparse

    with source.path.open("rb") as file:
        comments = file.read(_LONGEST_START).lower()
    try:
        rows, columns, entries, kind, field, symmetry = io.mminfo(str(source.path))
        if field in ("complex", "pattern"):
            raise RequestError(
                f"The Matrix Market file is of the kind {field}, but must hold real numbers."
            )
        transposed = any(word in comments for word in _GENES_FIRST)
        shape = (columns, rows) if transposed else (rows, columns)
        dense = kind != "coordinate"
        if dense:
            check_width(shape[1])
            check_cells(*shape)
        if entries > CELLS or entries * 4 > source.size() + 64:
            raise RequestError(
                f"The Matrix Market file claims {entries:,} numbers, more than its size allows; it "
                "is cut off or made up."
            )
        path = source.path
        matrix: Any = _dense(path, rows, columns, symmetry) if dense else io.mmread(str(path))
    except (ValueError, TypeError, IndexError, OverflowError, EOFError, StopIteration) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError("The Matrix Market file is damaged or cut off.") from error
    matrix = matrix.T if transposed else matrix
    notes = [f"Read as Matrix Market, {kind}."]
    if transposed and not source.turned:
        notes.append("Turned on its side: the file has genes × cells, and cells are the points.")
    elif source.turned and not transposed:
        notes.append("Turned on its side, as chosen: the columns of the file are the points.")
    array = CompressedRows.of(matrix.tocsr()) if sparse.issparse(matrix) else np.asarray(matrix)
    table = write_matrix(source, array, FORMAT.name, notes)
    asked = not transposed and not source.turned and table.counts
    return with_question(table, "Nothing in the file tells") if asked else table


def _dense(path: Path, rows: int, columns: int, symmetry: str) -> np.ndarray:
    """The matrix [rows, columns] of a dense file, which has a line for each number, by columns.

    SciPy's own reader writes beyond its memory where lines hold more numbers than the shape says.
    """
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as file:
        while (line := file.readline()).startswith(b"%") or line.isspace():
            pass  # up to the line with the shape
        try:
            found = csv.read_csv(
                file,
                csv.ReadOptions(use_threads=False, column_names=["value"]),
                convert_options=csv.ConvertOptions(column_types={"value": pa.float64()}),
            )
        except pa.ArrowInvalid as error:
            raise RequestError("The Matrix Market file is damaged or cut off.") from error
    values = found["value"].to_numpy()
    skew = symmetry == "skew-symmetric"
    # Of a symmetric matrix the part below the diagonal, with it or, of a skew one, without.
    place = np.triu_indices(rows, int(skew)) if symmetry != "general" else None
    expected = rows * columns if place is None else len(place[0])
    if len(values) != expected:
        raise RequestError(
            f"The Matrix Market file has {len(values):,} numbers, but its shape needs "
            f"{expected:,}; it is damaged or cut off."
        )
    if place is None:
        return np.asarray(values.reshape(columns, rows).T)
    above = np.zeros((rows, columns))
    above[place] = values
    other = np.triu(above, 1).T
    return above.T - np.triu(above, 1) if skew else above + other


FORMAT = Format("Matrix Market", (".mtx",), starts_with(b"%%MatrixMarket"), read)
