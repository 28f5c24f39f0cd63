"""Arrays become tables: rows of numbers of one kind, with labels and row names beside them.

What a library gives (a mapped NPY file, an HDF5 data set, a sparse matrix, a safetensors slice) is
read in blocks of rows and written as one table of numbers; nothing here needs the whole array in
memory. Arrays are not standardised by default: their columns share one unit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from svae_core.own_data.array_layout import Layout, before, block_of, layout_of
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Source
from svae_core.own_data.limits import CATEGORIES, LETTERS
from svae_core.own_data.names import cleaned, distinct
from svae_core.own_data.numerals import spelt
from svae_core.own_data.sparse import SparseRows
from svae_core.own_data.sparse_to_table import turned, write_sparse
from svae_core.own_data.tables import (
    BEFORE,
    CODES,
    NUMBERS,
    ROW_NAMES,
    Column,
    Table,
    check_cells,
    keep_before,
    write_about,
    write_lines,
)
from svae_core.records import RequestError

_BLOCK_CELLS = 2**20
_EXAMPLES = 8


class Rows(Protocol):
    """An array [n, …] that gives blocks of rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> Any: ...


class Extremes:
    """Missing values, smallest and largest of each column, over blocks."""

    def __init__(self, width: int) -> None:
        self.missing = np.zeros(width, np.int64)
        self._low, self._high = np.full(width, np.inf), np.full(width, -np.inf)
        self._whole = True

    def add(self, block: np.ndarray) -> None:
        """Take in rows [r, width]."""
        with np.errstate(invalid="ignore"):  # of bytes that are no number: counted as missing
            wide = np.asarray(block, np.float64)
        finite = np.isfinite(wide)
        self.missing += len(wide) - np.count_nonzero(finite, axis=0)
        self._low = np.minimum(self._low, np.where(finite, wide, np.inf).min(axis=0))
        self._high = np.maximum(self._high, np.where(finite, wide, -np.inf).max(axis=0))
        self._whole = self._whole and bool((wide == np.rint(wide))[finite].all())

    @property
    def counts(self) -> bool:
        """Whether all are whole numbers that are never negative."""
        return self._whole and bool((self._low >= 0).all())

    def columns(self, names: Sequence[str]) -> tuple[Column, ...]:
        """A Column of numbers for each name."""
        known = self._low <= self._high
        low, high = np.where(known, self._low, 0.0), np.where(known, self._high, 0.0)
        return tuple(
            Column(name, "number", int(self.missing[i]), float(low[i]), float(high[i]))
            for i, name in enumerate(names)
        )


def names_for(layout: Layout, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of an array's columns: those that are given, or pixel 1 … or column 1 …"""
    if len(given) == layout.width:
        return distinct(given, "column")
    word = "pixel" if layout.picture else "column"
    return tuple(f"{word} {i + 1}" for i in range(layout.width))


def examples_of(block: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """The first rows as text."""
    return tuple(tuple(spelt(value) for value in row) for row in block[:_EXAMPLES].tolist())


def blocks_of(rows: int, width: int) -> list[slice]:
    """Slices of rows that hold about a million numbers each."""
    step = max(1, _BLOCK_CELLS // max(1, width))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def write_matrix(
    source: Source,
    array: Rows | SparseRows,
    form: str,
    notes: Sequence[str] = (),
    column_names: Sequence[str] = (),
    tabular: bool = False,
) -> Table:
    """The table of an array [n, …], written in blocks; see `array_layout` for what may be read."""
    if isinstance(array, SparseRows):
        matrix = turned(array) if source.turned else array
        return write_sparse(source, matrix, form, notes, column_names, tabular)
    if source.turned:
        array = _on_its_side(array)
    layout = layout_of(tuple(int(length) for length in array.shape), source)
    said = [f"Read as an array {' × '.join(map(str, array.shape))}.", *notes]
    extremes, dtype, examples = _write_blocks(source, array, layout)
    scale = 1.0
    said += layout.said()
    if layout.picture and dtype == "|u1":
        scale = 255.0
        said.append("Values from 0 to 255 are divided by 255.")
    table = Table(
        folder=source.folder,
        name=source.name,
        form=form,
        rows=layout.rows,
        columns=extremes.columns(names_for(layout, column_names)),
        numbers_file=NUMBERS,
        numbers_dtype=dtype,
        notes=tuple(said),
        examples=examples,
        image_shape=layout.image_shape,
        scale=scale,
        tabular=tabular,
        counts=extremes.counts and not layout.picture,
        colour=("channels" if layout.keeps_colour else "grey") if layout.coloured else "",
    )
    write_about(table)
    return table


def _write_blocks(
    source: Source, array: Rows, layout: Layout
) -> tuple[Extremes, str, tuple[tuple[str, ...], ...]]:
    """Write an array's numbers block by block; what they span, their type, and examples of rows."""
    extremes, dtype = Extremes(layout.width), ""
    examples: tuple[tuple[str, ...], ...] = ()
    with (source.folder / NUMBERS).open("wb") as out:
        for part in blocks_of(layout.rows, layout.read_width):
            raw = array[part]
            block = block_of(raw, layout)
            dtype = dtype or _stored_as(block, layout)
            extremes.add(block)
            out.write(np.ascontiguousarray(block, dtype).tobytes())
            if not examples:
                examples = examples_of(block)
                keep_before(source.folder, before(raw[:BEFORE], layout))
            source.progress(part.stop / layout.rows)
    return extremes, dtype, examples


def _on_its_side(array: Rows) -> np.ndarray:
    if len(array.shape) != 2:
        raise RequestError(
            f"The array has {len(array.shape)} axes, and only rows and columns can be exchanged."
        )
    check_cells(*array.shape)
    return np.asarray(array[: array.shape[0]]).T


def _stored_as(block: np.ndarray, layout: Layout) -> str:
    """The type of numbers on disk: small where nothing is lost by it."""
    grey = layout.coloured and not layout.keeps_colour
    if layout.picture and (block.dtype == np.uint8 or (grey and block.max() > 1.0)):
        return "|u1"
    return "<f4" if block.dtype in (np.float32, np.float16) else "<f8"


# ------------------------------------------------------------------------ labels and names


def with_labels(table: Table, labels: np.ndarray | None, name: str = "label") -> Table:
    """The table with a category column of these labels [n] or [n, 1]; said where they cannot be.

    Integers, truth values and text are labels; numbers with a fraction are not.
    """
    if labels is None:
        return table
    labels = labels.reshape(-1) if labels.ndim == 2 and 1 in labels.shape else labels
    if _one_of_each(labels):
        labels = labels.argmax(axis=1)
        table = with_note(table, f"The {name} has a column of 0 and 1 for each class.")
    if labels.ndim != 1 or len(labels) != table.rows:
        shape = " × ".join(map(str, labels.shape))
        return _without(table, f"have the shape {shape} beside {table.rows:,} rows")
    if labels.dtype.itemsize == 0:
        return _without(table, "hold words without a letter")
    whole = labels.dtype.kind == "f" and bool((np.isfinite(labels) & (labels % 1 == 0)).all())
    if labels.dtype.kind not in "iubUSO" and not whole:
        return _without(table, f"hold {cleaned(labels.dtype.name)}")
    if labels.dtype.kind == "U" and _beyond_unicode(labels):
        raise damaged("file", "its labels are no text")
    values, codes = np.unique(labels, return_inverse=True)
    if len(values) > CATEGORIES:
        return _without(table, f"hold more than {CATEGORIES:,} different values")
    return with_categories(table, name, [text_of_label(value) for value in values.tolist()], codes)


def _one_of_each(labels: np.ndarray) -> bool:
    """Whether rows are 0 but for a single 1: a column for each class."""
    if labels.ndim != 2 or labels.dtype.kind not in "fiub":
        return False
    return bool(((labels == 0) | (labels == 1)).all() and ((labels == 1).sum(axis=1) == 1).all())


def with_categories(
    table: Table, name: str, categories: Sequence[str], codes: np.ndarray, role: str = ""
) -> Table:
    """The table with one more category column: codes [n] into categories, -1 where missing."""
    wide = codes.astype("<i4").reshape(-1, 1)
    path = table.folder / CODES
    before = [column for column in table.columns if column.kind != "number"]
    if before:
        known = np.fromfile(path, "<i4").reshape(table.rows, len(before))
        wide = np.concatenate([known, wide], axis=1)
    path.write_bytes(wide.tobytes())
    (column_name,) = distinct([name], "label")
    taken = {column.name for column in table.columns}
    while column_name in taken:
        column_name += " (label)"
    missing = int(np.count_nonzero(codes < 0))
    values = distinct(categories, "value")
    column = Column(column_name, "category", missing, categories=values, role=role)
    names = (*column.categories, "")
    examples = tuple(
        (*row, names[code]) if len(row) == len(table.columns) else row
        for row, code in zip(table.examples, codes.tolist(), strict=False)
    )
    return with_facts(table, columns=(*table.columns, column), examples=examples)


def with_facts(table: Table, **facts: Any) -> Table:
    """The table with these of its fields changed, here and in the file beside its numbers."""
    found = dataclasses.replace(table, **facts)
    write_about(found)
    return found


def with_row_names(table: Table, names: Sequence[str]) -> Table:
    """The table with the names of its rows [n] beside it, by which a second file is joined."""
    if len(names) == table.rows:
        write_lines(table.folder / ROW_NAMES, names)
    return table


def with_note(table: Table, note: str) -> Table:
    """The table with one more sentence about how it was read."""
    return with_facts(table, notes=(*table.notes, note))


def _without(table: Table, what: str) -> Table:
    return with_note(table, f"The labels were left out, since they {what}.")


def text_of_label(value: Any) -> str:
    """A label as text, no longer than names are kept; a whole number is written without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bytes):
        return value[: 4 * LETTERS].decode("utf-8", "replace")
    return str(value)[: 4 * LETTERS]


def _beyond_unicode(labels: np.ndarray) -> bool:
    """Whether there are letters no Unicode text can have: bytes that were made up."""
    letters = np.ascontiguousarray(labels).view(f"{labels.dtype.str[0]}u4")
    return bool(letters.max(initial=0) > 0x10FFFF)
