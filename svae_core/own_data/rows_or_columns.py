"""Rows or columns as the points: tables turned on their side, and when to ask.

Tables of genes × cells have a column for each cell, whose name is a barcode. Turned, they are a
matrix of numbers of one kind, sparse where most of them are zeros or there are too many columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import with_row_names, write_matrix
from svae_core.own_data.formats import Source
from svae_core.own_data.limits import CELLS, COLUMNS
from svae_core.own_data.sparse import CompressedRows
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_SPARSE = 0.5  # share of zeros from which a turned table is stored without them


def turned_table(source: Source, table: Table) -> Table:
    """The table of the columns of numbers of a table that was just read, as rows."""
    from scipy import sparse

    numbers: Any = np.array(table.numbers())
    if not numbers.size or numbers.size > CELLS:
        raise RequestError("The file has too few or too many numbers to exchange rows and columns.")
    texts = [column.name for column in table.columns if column.kind != "number"]
    names = table.texts(texts[0]) if texts else []
    cells = table.of_kind("number")
    scarce = np.count_nonzero(numbers) < (1 - _SPARSE) * numbers.size
    array = numbers.T
    if scarce or array.shape[1] > COLUMNS:
        array = CompressedRows.of(sparse.csr_matrix(array))
    straight = Source(source.path, source.name, source.folder, source.progress)
    notes = ("Turned on its side, as chosen: the columns of the file are the points.", *table.notes)
    found = write_matrix(straight, array, table.form, notes, names)
    return with_row_names(found, cells)
