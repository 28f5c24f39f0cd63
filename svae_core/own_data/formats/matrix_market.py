"""Matrix Market .mtx: a dense or sparse matrix as text, also the counts of 10x Genomics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import with_facts, write_matrix
from svae_core.own_data.damage import AGAIN, damaged
from svae_core.own_data.formats import Format, Source, starts_with
from svae_core.own_data.limits import BLOCK_BYTES, CELLS
from svae_core.own_data.sparse import CompressedRows
from svae_core.own_data.tables import Table, check_cells, check_width
from svae_core.records import RequestError

#: What Cell Ranger writes into the second line of its counts, genes × cells.
_GENES_FIRST = (b"cellranger", b"software_version", b"10x")
_LONGEST_START = 4_096
_LAST_BYTES = 512  # that hold the last number


def read(source: Source) -> Table:
    """The table of a Matrix Market file, a row for each point."""
    from scipy import io, sparse

    with source.path.open("rb") as file:
        comments = file.read(_LONGEST_START).lower()
    try:
        rows, columns, entries, kind, field, _ = io.mminfo(str(source.path))
        if field in ("complex", "pattern"):
            raise RequestError(
                f"The Matrix Market file is of the kind {field}, but must hold real numbers."
            )
        transposed = any(word in comments for word in _GENES_FIRST)
        shape = (columns, rows) if transposed else (rows, columns)
        if kind != "coordinate":
            check_width(shape[1])
            check_cells(*shape)
        if entries > CELLS or entries * 4 > source.size() + 64:
            raise RequestError(
                f"The Matrix Market file claims {entries:,} numbers, more than its size allows, so "
                f"it is cut off; {AGAIN}."
            )
        _check_text(source.path)
        matrix: Any = io.mmread(str(source.path))
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


def _check_text(path: Path) -> None:
    """RequestError where bytes are no text, or the last number is half: SciPy does not check."""
    last = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            if b"\0" in block:
                raise damaged("Matrix Market file", "it is not text throughout")
            last = (last + block)[-_LAST_BYTES:]
    try:
        float(last.split()[-1])
    except (ValueError, IndexError) as error:
        raise damaged("Matrix Market file") from error


FORMAT = Format("Matrix Market", (".mtx",), starts_with(b"%%MatrixMarket"), read)
