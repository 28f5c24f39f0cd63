"""A second file of arrays: its vectors of one length become the columns of a table of labels.

NPZ, HDF5, .mat and safetensors files may hold labels, names and other properties of the rows of
another file, an array each. `joining` then finds the rows that belong together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from svae_core.own_data.array_to_table import text_of_label
from svae_core.own_data.candidates import LABELS, said_of_others
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Source
from svae_core.own_data.limits import EXACT, LETTERS
from svae_core.own_data.tables import Table, Writer, check_cells, check_width


def vectors_among(shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """Names of the arrays [n], [n, 1] or [1, n] of one n; none where there is no such array.

    n is that of the array that is named as labels are, else the largest.
    """
    lengths = {
        key: math.prod(shape)
        for key, shape in shapes.items()
        if shape and max(shape) == math.prod(shape) > 1
    }
    named = [key for key in lengths if key.lower().rsplit("/", 1)[-1] in LABELS]
    length = lengths[named[0]] if named else max(lengths.values(), default=0)
    return [key for key, found in lengths.items() if found == length]


def _fits_float(vector: np.ndarray) -> bool:
    """Whether these are numbers that float64 tells apart; others are kept as text."""
    kind = vector.dtype.kind
    return kind in "fb" or (kind in "iu" and np.abs(vector.astype(float)).max(initial=0) < EXACT)


def write_vectors(
    source: Source,
    form: str,
    vectors: Mapping[str, np.ndarray],
    shapes: Mapping[str, Sequence[int]],
) -> Table:
    """The table of vectors of one length, a column each; `shapes`: of all arrays in the file."""
    check_width(len(vectors))
    flat = {key: np.asarray(vector).reshape(-1) for key, vector in vectors.items()}
    rows = len(next(iter(flat.values())))
    if any(len(vector) != rows for vector in flat.values()):
        raise damaged(f"{form} file", "its arrays are not as long as they say")
    check_cells(rows, len(flat))
    numeric = [_fits_float(vector) for vector in flat.values()]
    names = [key.rsplit("/", 1)[-1] for key in flat]
    writer = Writer(source.folder, names, numeric)
    try:
        writer.append(
            [
                vector.astype(np.float64)
                if is_number
                else [text_of_label(cell)[: 4 * LETTERS] or None for cell in vector.tolist()]
                for vector, is_number in zip(flat.values(), numeric, strict=True)
            ]
        )
    finally:
        writer.close()
    counted = "1 array" if len(flat) == 1 else f"{len(flat)} arrays"
    notes = (f"Read {counted} of {rows:,} as columns.", *said_of_others(shapes, *flat))
    return writer.finish(source.name, form, notes, tabular=True)
