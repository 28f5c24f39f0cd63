"""NPY: one array of NumPy. Plain arrays stay where they are and are mapped from disk."""

from __future__ import annotations

import math

import numpy as np

from svae_core.own_data.array_layout import Layout, block_of, layout_of
from svae_core.own_data.array_to_table import (
    Extremes,
    blocks_of,
    examples_of,
    names_for,
    text_of_label,
    write_matrix,
)
from svae_core.own_data.formats import Format, Source, starts_with
from svae_core.own_data.npy_header import checked_header
from svae_core.own_data.tables import Table, Writer, stamp_of, write_about
from svae_core.records import RequestError


def read(source: Source) -> Table:
    """The table of an NPY file: [n, d], [n], or pictures."""
    with source.path.open("rb") as file:
        shape, dtype, _ = checked_header(file, source.size())
    if source.labels and dtype.kind in "US" and len(shape) <= 2 and math.prod(shape) == shape[0]:
        return _words(source, shape[0])
    layout = layout_of(shape[::-1] if source.turned else shape, source)
    check_numbers(dtype)
    array = np.load(source.path, mmap_mode="r", allow_pickle=False)
    note = f"Numbers are {dtype.name}."
    if (
        source.turned
        or dtype.kind == "V"
        or layout.coloured
        or layout.changes_pictures
        or not array.flags.c_contiguous
    ):
        return write_matrix(source, array, FORMAT.name, (note,))
    return _as_it_lies(source, array, layout)


def _as_it_lies(source: Source, array: np.ndarray, layout: Layout) -> Table:
    """The table of an array whose rows can be read where they are: nothing is copied."""
    dtype = array.dtype
    inside = source.path.parent == source.folder
    flat = array.reshape(layout.rows, layout.width)
    extremes = Extremes(layout.width)
    for part in blocks_of(layout.rows, layout.width):
        extremes.add(block_of(flat[part], layout))
        source.progress(part.stop / layout.rows)
    notes = [f"Read as an array {' × '.join(map(str, array.shape))} of {dtype.name}."]
    grey = layout.image_shape is not None and dtype == np.uint8
    if grey:
        notes.append("Values from 0 to 255 are divided by 255.")
    table = Table(
        folder=source.folder,
        name=source.name,
        form=FORMAT.name,
        rows=layout.rows,
        columns=extremes.columns(names_for(layout)),
        numbers_file=source.path.name if inside else str(source.path.resolve()),
        numbers_dtype=dtype.str,
        notes=tuple(notes),
        examples=examples_of(flat[:8]),
        image_shape=layout.image_shape,
        scale=255.0 if grey else 1.0,
        stamp="" if inside else stamp_of(source.path),
    )
    write_about(table)
    return table


def _words(source: Source, rows: int) -> Table:
    """The table of labels that are words, [n] or [n, 1]."""
    words = np.load(source.path, allow_pickle=False).reshape(rows)
    writer = Writer(source.folder, ["label"], [False])
    try:
        for part in blocks_of(rows, 1):
            writer.append([[text_of_label(word) for word in words[part].tolist()]])
    finally:
        writer.close()
    return writer.finish(source.name, FORMAT.name, ("Read as an array of words.",))


def check_numbers(dtype: np.dtype) -> None:
    """RequestError where an array holds no real numbers: complex ones, dates, records, text."""
    if dtype.names:
        raise RequestError(
            f"The array is structured, with the fields {', '.join(map(str, dtype.names[:6]))}; "
            "save the fields to train on as one array of numbers."
        )
    bfloat16 = dtype.kind == "V" and dtype.itemsize == 2
    if dtype.kind not in "fiub" and not bfloat16:
        raise RequestError(f"The array holds {dtype.name}, but must hold real numbers.")


FORMAT = Format("NPY", (".npy",), starts_with(b"\x93NUMPY"), read)
