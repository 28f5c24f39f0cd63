"""10x Genomics .h5: counts of genes × cells in compressed columns; cells are the points."""

from __future__ import annotations

from pathlib import Path

from svae_core.own_data.array_to_table import with_row_names, write_matrix
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.hdf5_tree import (
    check_links,
    is_hdf5,
    lies_inside,
    opened,
    sparse_of,
    texts_of,
)
from svae_core.own_data.tables import Table
from svae_core.records import RequestError


def recognised(path: Path, start: bytes) -> bool:
    """HDF5 with a group `matrix` of data, indices, indptr, shape and barcodes."""
    if not is_hdf5(start):
        return False
    try:
        with opened(path) as file:
            parts = {"data", "indptr", "shape", "barcodes"}
            return lies_inside(file, "matrix") and parts <= set(file["matrix"])
    except (RequestError, TypeError):
        return False


def read(source: Source) -> Table:
    """The table of a 10x file, a row for each cell and a column for each gene."""
    with opened(source.path) as file:
        check_links(file)
        matrix = file["matrix"]
        genes, cells = (int(length) for length in matrix["shape"][:2])
        # Compressed columns of genes × cells are compressed rows of cells × genes.
        array = sparse_of(matrix, (cells, genes), by_columns=False)
        names = texts_of(matrix["features/name"]) if "features/name" in matrix else ()
        note = "Read as counts of 10x Genomics, turned so that cells are the points."
        table = write_matrix(source, array, FORMAT.name, (note,), tuple(names))
        return with_row_names(table, texts_of(matrix["barcodes"]).tolist())


FORMAT = Format("10x Genomics", (".h5",), recognised, read)
