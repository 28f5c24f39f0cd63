"""Columns whose cells are whole points: lists of numbers, and pictures as bytes.

Both are given in blocks of rows to `matrix.write_matrix`, and read from the file batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.own_data.formats import Source
from svae_core.own_data.limits import COLUMNS
from svae_core.own_data.names import cleaned
from svae_core.own_data.pictures import colours_of, grey_of, shrunk, size_of, thumbnail
from svae_core.own_data.tables import BEFORE, check_width
from svae_core.records import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_CELLS = 2**20


@dataclass(frozen=True)
class Batches:
    """What a file holds: its schema, how many rows, and a way to read columns in batches."""

    schema: pa.Schema
    rows: int
    read: Any  # (column positions, rows a batch) -> iterator of record batches


class ListRows:
    """The rows of a list column without its nulls, given batch by batch in order."""

    def __init__(self, batches: Batches, position: int, form: str) -> None:
        self._name = batches.schema.field(position).name
        self._form = form
        self._shape, self.kept = self._measure(batches, position)
        self.shape = (int(self.kept.sum()), *self._shape)
        step = max(1, BATCH_CELLS // max(1, int(np.prod(self._shape))))
        self._batches = batches.read([position], step)
        self._ahead = np.empty((0, *self._shape), np.float32)

    def _measure(self, batches: Batches, position: int) -> tuple[tuple[int, ...], np.ndarray]:
        """The shape that all cells share, and which rows have one; RequestError else."""
        shape: tuple[int, ...] | None = None
        kept = []
        for batch in batches.read([position], 4_096):
            column = batch.column(0)
            kept.append(np.asarray(column.is_valid().to_numpy(zero_copy_only=False)))
            found = _cell_shape(column.drop_null(), self._name, self._form)
            if found is not None and shape is not None and found != shape:
                raise self._refusal(f"of {shape[0]:,} and of {found[0]:,} numbers")
            shape = found if found is not None else shape
        if shape is None:
            raise self._refusal("without a number")
        return shape, np.concatenate(kept)

    def _refusal(self, what: str) -> RequestError:
        return RequestError(
            f"The column {cleaned(self._name)!r} holds lists {what}, but every point must have the "
            "same number of coordinates; cut or fill them to one length."
        )

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Rows must be asked for in order, as `write_matrix` does."""
        parts, have = [self._ahead], len(self._ahead)
        while have < rows.stop - rows.start:
            column = next(self._batches).column(0).drop_null()
            block = _numbers_of(column).reshape(len(column), *self._shape)
            parts.append(block)
            have += len(block)
        joined = np.concatenate(parts) if len(parts) > 1 else parts[0]
        self._ahead = joined[rows.stop - rows.start :]
        return joined[: rows.stop - rows.start]


def _cell_shape(column: pa.Array, name: str, form: str) -> tuple[int, ...] | None:
    """The shape of all cells of a batch without nulls; None where there is no cell."""
    import pyarrow as pa
    from pyarrow import compute

    shape: list[int] = []
    while pa.types.is_nested(column.type):
        if len(column) == 0:
            return None
        lengths = compute.list_value_length(column)
        extremes = compute.min_max(lengths).as_py()
        if extremes["min"] is None or extremes["min"] != extremes["max"] or extremes["min"] == 0:
            low, high = extremes["min"] or 0, extremes["max"] or 0
            raise RequestError(
                f"The column {cleaned(name)!r} of the {form} file holds lists of {low:,} to "
                f"{high:,} numbers, but every point must have the same number of coordinates; cut "
                "or fill them to one length."
            )
        shape.append(int(extremes["min"]))
        column = column.flatten()
    check_width(int(np.prod(shape)))
    return tuple(shape)


def _numbers_of(column: pa.Array) -> np.ndarray:
    """All numbers in a list column, flat; nulls inside become NaN."""
    import pyarrow as pa
    from pyarrow import compute

    while pa.types.is_nested(column.type):
        column = column.flatten()  # respects slices, unlike `values`
    if pa.types.is_boolean(column.type):
        column = compute.cast(column, pa.uint8())
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float32)
    if pa.types.is_uint8(column.type) and not column.null_count:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    wide = compute.cast(column, pa.float64(), safe=False)
    return np.asarray(wide.to_numpy(zero_copy_only=False))


class PictureRows:
    """Pictures decoded from bytes, never opened by the path beside them."""

    def __init__(self, batches: Batches, position: int, source: Source) -> None:
        self._name = cleaned(batches.schema.field(position).name)
        self._cells = self._bytes(batches, position)
        first = next(self._cells, None)
        if first is None:
            raise RequestError(f"The column {self._name!r} holds no picture.")
        self._first: bytes | None = first
        self.size, self.coloured = size_of(first, f"The first picture in the column {self._name}")
        self.keeps_colour = self.coloured and source.coloured
        most = COLUMNS // 3 if self.keeps_colour else COLUMNS
        self.small = shrunk(self.size, most, source.side)
        self.shape: tuple[int, ...] = (batches.rows, *self.small[::-1])
        self.shape += (3,) if self.keeps_colour else ()
        self.before: list[np.ndarray] = []  # the first, as the file has them

    def _bytes(self, batches: Batches, position: int) -> Iterator[bytes]:
        import pyarrow as pa

        for batch in batches.read([position], 256):
            column = batch.column(0)
            cells = column.field("bytes") if pa.types.is_struct(column.type) else column
            for cell in cells.to_pylist():
                if cell is None:
                    raise RequestError(
                        f"The column {self._name!r} names its pictures by path only, and files of "
                        "this machine are never opened for one; embed the bytes, in Python: "
                        "datasets.Dataset.map with images loaded, then to_parquet."
                    )
                yield cell

    def __getitem__(self, rows: slice) -> np.ndarray:
        found = []
        for _ in range(rows.start, rows.stop):
            content = self._first if self._first is not None else next(self._cells)
            self._first = None
            where = f"A picture in the column {self._name}"
            make = colours_of if self.keeps_colour else grey_of
            found.append(make(content, self.size, where, self.small))
            if len(self.before) < BEFORE:
                self.before.append(thumbnail(content, self.size, where))
        return np.stack(found)
