"""Points of a table's features: values filled in, categories coded, columns scaled and centred.

In blocks of rows, in float64; an array that needs none of it is used as it lies on disk.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import blocks_of
from svae_core.own_data.names import some
from svae_core.own_data.tables import Column, Table
from svae_core.records import RequestError

_FLOAT32 = 1e18  # squares of larger numbers overflow
_MANY = 2**23  # numbers from which points are kept in a file
_FAR = 1e3  # offsets of so many standard deviations cost float32 half of its digits


@dataclass(frozen=True)
class Feature:
    """One coordinate of the points: a column of numbers, or one category of a column."""

    name: str
    column: Column
    position: int  # of the column among those of its kind
    code: int = -1  # of the category


@dataclass(frozen=True)
class Treatment:
    """What is done to values on their way to points, beside coding and filling."""

    standardise: bool = False
    absent: tuple[float, ...] = ()  # numbers that stand for missing ones
    logs: frozenset[str] = frozenset()  # columns of which logarithms are taken
    factors: np.ndarray | None = None  # [rows of the table] of counts, before log(1 + x)

    @property
    def changes_values(self) -> bool:
        """Whether values are not those of the file."""
        return self.standardise or bool(self.absent or self.logs) or self.factors is not None


def is_pair(column: Column) -> bool:
    """Whether a column holds two categories, coded as one coordinate of 0 and 1."""
    return len(column.categories) == 2


def stored_points(
    table: Table, features: list[Feature], rows: np.ndarray | None, treatment: Treatment
) -> np.ndarray | None:
    """The array as it lies on disk, mapped, where nothing at all has to be done to it."""
    if treatment.changes_values or rows is not None or table.scale != 1.0 or table.sparse:
        return None
    numbers = table.numbers()
    every = positions_of(features) == list(range(numbers.shape[1]))
    varied = all(item.column.low < item.column.high for item in features)
    small = all(max(-item.column.low, item.column.high) < _FLOAT32 for item in features)
    whole = not any(item.column.missing for item in features)
    if not (every and varied and small and whole and len(features) == numbers.shape[1]):
        return None
    plain = numbers.dtype == np.float32 and numbers.flags.c_contiguous
    return numbers if plain else None


def made_points(
    table: Table, features: list[Feature], rows: np.ndarray | None, treatment: Treatment
) -> tuple[np.ndarray, list[Feature], tuple[str, ...]]:
    """Points [n, d] float32, the features that vary, and notes on what was done."""
    source = _Source(table, features, rows, treatment)
    standardise = treatment.standardise
    mean, spread = source.statistics()
    varies = spread > 0
    if not varies.any():
        raise RequestError(
            f"All rows of {table.name} are equal in the columns chosen; give data that vary."
        )
    notes = []
    constant = [item.name for item, moves in zip(features, varies, strict=True) if not moves]
    if table.image_shape or table.symbols:
        varies[:] = True  # images keep constant pixels, sequences the places of all symbols
    elif constant:
        notes.append(f"Constant columns were dropped: {some(constant)}.")
    kept = [item for item, moves in zip(features, varies, strict=True) if moves]
    if standardise:
        notes.append("Every column was brought to mean 0 and variance 1.")
    target = _Target(table, (source.count, len(kept)))
    scale = np.where(spread > 0, spread, 1.0)
    # float32 keeps 24 bits: of a column far from zero they would go into its offset.
    far = (np.abs(mean) / _FAR > spread) & varies & (not (table.image_shape or table.symbols))
    if far.any() and not standardise:
        names = [item.name for item, is_far in zip(features, far, strict=True) if is_far]
        notes.append(f"Columns far from zero were moved to mean 0: {some(names)}.")
    shift = np.where(far, mean, 0.0)
    for start, block in source.blocks():
        filled = np.where(np.isfinite(block), block, mean)
        filled = (filled - mean) / scale if standardise else filled - shift
        largest = float(np.abs(filled).max())
        if largest > _FLOAT32:
            raise RequestError(
                f"{table.name} holds numbers up to {largest:.3g}, too large to square; standardise "
                "its columns."
            )
        target.write(start, filled[:, varies])
    return target.finish(), kept, tuple(notes)


class _Target:
    """Where points [n, d] are written: memory, or of many a file without a name, mapped.

    Mapped pages go when memory is short, and `row_blocks` releases them after each block.
    """

    def __init__(self, table: Table, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._file: Any = None
        if shape[0] * shape[1] >= _MANY:
            with contextlib.suppress(OSError):  # a folder that may not be written: memory, then
                self._file = tempfile.TemporaryFile(dir=table.folder)  # noqa: SIM115
        self._points = np.empty(shape, np.float32) if self._file is None else None

    def write(self, start: int, block: np.ndarray) -> None:
        """Write the rows from `start` on, in order."""
        if self._points is not None:
            self._points[start : start + len(block)] = block
            return
        try:
            self._file.write(np.ascontiguousarray(block, "<f4").data)
        except OSError as error:
            raise RequestError(
                "The points do not fit on the disk; make room there, or use fewer rows or columns."
            ) from error

    def finish(self) -> np.ndarray:
        """The points, read-only where they are mapped."""
        if self._points is not None:
            return self._points
        with self._file as file:  # the mapping stays when the file is closed
            file.flush()
            return np.memmap(file, np.dtype("<f4"), "r", shape=self._shape)


class _Source:
    """Blocks of float64 rows of the features, categories coded, gaps as NaN."""

    def __init__(
        self,
        table: Table,
        features: list[Feature],
        rows: np.ndarray | None,
        treatment: Treatment,
    ) -> None:
        self.count = table.rows if rows is None else len(rows)
        self._rows = rows
        self._features = features
        self._treatment = treatment
        self._table = table
        self._scale = table.scale
        self._positions = positions_of(features)
        coded = {item.column.name for item in features if item.code >= 0}
        self._codes = {name: table.codes(name) for name in coded}
        pairs = {item.column.name for item in features if item.code >= 0 and is_pair(item.column)}
        # Imputation of a missing category of two: the more frequent one.
        self._missing = {name: self._more_frequent(name) for name in pairs}

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Blocks as (first row, values [rows, features])."""
        for part in blocks_of(self.count, len(self._features)):
            rows = part if self._rows is None else self._rows[part]
            block = np.empty((part.stop - part.start, len(self._features)))
            if self._positions:
                of_numbers = [i for i, item in enumerate(self._features) if item.code < 0]
                block[:, of_numbers] = self._treated(rows)
            for index, item in enumerate(self._features):
                if item.code >= 0:
                    name = item.column.name
                    codes = self._codes[name][rows]
                    known = np.where(codes < 0, self._missing.get(name, -1), codes)
                    block[:, index] = known == item.code
            yield part.start, block

    def _treated(self, rows: slice | np.ndarray) -> np.ndarray:
        """Numbers [r, number features] of these rows, as the treatment makes them."""
        with np.errstate(invalid="ignore"):
            found = np.asarray(self._table.block(rows, self._positions), np.float64)
        if self._treatment.absent:
            found[np.isin(found, self._treatment.absent)] = np.nan
        found = found / self._scale
        if self._treatment.factors is not None:
            found = np.log1p(found * self._treatment.factors[rows][:, None])
        numbers_of = [item for item in self._features if item.code < 0]
        for index, item in enumerate(numbers_of):
            if item.name in self._treatment.logs:
                take = np.log if item.column.low > 0 else np.log1p
                with np.errstate(invalid="ignore"):
                    found[:, index] = take(found[:, index])
        return found

    def _more_frequent(self, name: str) -> int:
        """The more frequent of two categories in the rows used; the first if equally frequent."""
        codes = self._codes[name] if self._rows is None else self._codes[name][self._rows]
        return int(np.count_nonzero(codes == 1) > np.count_nonzero(codes == 0))

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each feature over its finite values."""
        low, high = self._extremes()
        # Computed relative to the middle of the range and in units of its half, against overflow
        # of huge values and cancellation of small variations on a large offset.
        middle, half = low / 2 + high / 2, np.maximum(high / 2 - low / 2, 0.0)
        unit = np.where(half > 0, half, 1.0)
        count, total, squares = (np.zeros(len(low)) for _ in range(3))
        for _, block in self.blocks():
            finite = np.isfinite(block)
            scaled = np.where(finite, (block - middle) / unit, 0.0)
            count += finite.sum(axis=0)
            total += scaled.sum(axis=0)
            squares += (scaled * scaled).sum(axis=0)
        mean = total / np.maximum(count, 1)
        variance = np.maximum(squares / np.maximum(count, 1) - mean * mean, 0.0)
        return middle + unit * mean, np.where(half > 0, unit * np.sqrt(variance), 0.0)

    def _extremes(self) -> tuple[np.ndarray, np.ndarray]:
        low = np.full(len(self._features), np.inf)
        high = np.full(len(self._features), -np.inf)
        for _, block in self.blocks():
            finite = np.isfinite(block)
            low = np.minimum(low, np.where(finite, block, np.inf).min(axis=0))
            high = np.maximum(high, np.where(finite, block, -np.inf).max(axis=0))
        known = low <= high
        return np.where(known, low, 0.0), np.where(known, high, 0.0)


def positions_of(features: list[Feature]) -> list[int]:
    return [item.position for item in features if item.code < 0]
