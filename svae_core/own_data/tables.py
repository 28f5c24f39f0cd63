"""Tables on disk: numbers row by row, text as category codes, and their description.

    FOLDER/about.json  numbers.bin [rows, number columns]  codes.bin [rows, category columns] int32
           texts-I.txt  cells of the first text columns, a line each  row_names.txt  of arrays

A `Writer` writes blocks, so a file of any length needs the memory of one block; tables are mapped
from disk when read. The numbers of an NPY file may stay in that file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from svae_core.own_data.limits import CATEGORIES, CELLS, COLUMNS, LETTERS
from svae_core.own_data.names import distinct
from svae_core.own_data.numerals import spelt
from svae_core.own_data.sparse import StoredRows
from svae_core.records import RequestError

ABOUT = "about.json"
#: The version of the readers: one more for each change by which a file gives another table.
READER = 2
NUMBERS, CODES = "numbers.bin", "codes.bin"
ROW_NAMES, _TEXTS = "row_names.txt", "texts-{}.txt"
_TEXTS_KEPT = 3  # columns of text whose cells are kept as written, to join files by them
_BEFORE = "before.npy"
BEFORE = 12  # pictures that are kept as the file has them
_EXAMPLES = 8  # rows kept for the preview
_LONGEST = 4 * LETTERS  # letters of a text by which rows are joined


@dataclass(frozen=True)
class Column:
    """One column: numbers, a category (few different texts), or free text that cannot be used."""

    name: str
    kind: str  # number | category | text
    missing: int  # cells that are empty or, among numbers, not finite
    low: float = math.nan  # of the finite numbers
    high: float = math.nan
    categories: tuple[str, ...] = ()
    role: str = ""  # why it is no feature: see column_roles


@dataclass(frozen=True)
class Table:
    """The description of a table on disk, and access to its columns."""

    folder: Path
    name: str  # of the file, made harmless
    form: str  # name of its format
    rows: int
    columns: tuple[Column, ...]
    numbers_file: str
    numbers_dtype: str
    notes: tuple[str, ...] = ()  # what was assumed, one sentence each
    examples: tuple[tuple[str, ...], ...] = ()  # the first rows as text
    image_shape: tuple[int, int] | None = None
    scale: float = 1.0  # numbers are divided by this
    stamp: str = ""  # size and time of a file that stays where it is
    sparse: bool = False  # numbers are stored as sparse.StoredRows has them
    colour: str = ""  # of pictures in colour: grey as they became, or channels as they kept
    counts: bool = False  # whole numbers that are never negative, of a matrix
    arrays: tuple[str, ...] = ()  # what else the file offers as points, by name
    array: str = ""  # which of its arrays the points are
    tabular: bool = False  # columns have units of their own: standardised by default
    rows_or_columns: str = ""  # why either may be the points; empty: rows are
    symbols: tuple[str, ...] = ()  # of sequences, one-hot at each position; see records.Dataset
    reader: int = READER  # the version of the readers that made it; 0: before they had one

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """Names of the columns of that kind, in the order in which they are stored."""
        return tuple(column.name for column in self.columns if column.kind == kind)

    def column(self, name: str) -> Column:
        """The column of that name; RequestError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        some = ", ".join(column.name for column in self.columns[:12])
        more = " …" if len(self.columns) > 12 else ""
        raise RequestError(f"{self.name} has no column {name!r}; it has: {some}{more}.")

    def numbers(self) -> np.ndarray:
        """[rows, number columns], mapped from disk, not yet divided by `scale`.

        Of a sparse table StoredRows, which becomes an array where rows are taken from it.
        """
        shape = (self.rows, len(self.of_kind("number")))
        path = self.folder / self.numbers_file  # an absolute path stays absolute
        with self._reading():
            if self.stamp and self.stamp != stamp_of(path):
                raise RequestError(f"{path} has changed since it was read; give it once more.")
            if self.sparse:
                return StoredRows(self.folder, self.numbers_dtype, shape)  # type: ignore[return-value]
            if self.numbers_file != NUMBERS:  # an NPY file that is mapped as it is
                return np.load(path, mmap_mode="r", allow_pickle=False).reshape(shape)
            return _mapped(path, self.numbers_dtype, shape)

    def block(self, rows: slice | np.ndarray, positions: Sequence[int]) -> np.ndarray:
        """[r, c] numbers of some rows and some columns of numbers, not yet divided by `scale`."""
        numbers: Any = self.numbers()
        if self.sparse:
            return np.asarray(numbers.dense(rows, np.asarray(positions, int)))
        return np.asarray(numbers[rows])[:, positions]

    def number(self, name: str) -> np.ndarray:
        """[rows] of one column of numbers, not yet divided by `scale`."""
        return np.asarray(self.numbers()[:, self.of_kind("number").index(name)])

    def codes(self, name: str) -> np.ndarray:
        """[rows] index of each row's category in the column, -1 if missing."""
        # Free text has codes as well, since it is recognised only at the end of the file.
        names = [column.name for column in self.columns if column.kind != "number"]
        shape = (self.rows, len(names))
        with self._reading():
            return np.asarray(_mapped(self.folder / CODES, "<i4", shape)[:, names.index(name)])

    def texts(self, name: str) -> list[str]:
        """[rows] cells of a column of text, empty where missing."""
        position = [column.name for column in self.columns].index(name)
        path = self.folder / _TEXTS.format(position)
        if path.exists():
            return _lines(path)
        names = (*self.columns[position].categories, "")
        known = len(names) - 1
        return [names[code] if code < known else "" for code in self.codes(name).tolist()]

    def row_names(self) -> list[str]:
        """[rows] names that an array's file has for its rows; empty if it has none."""
        path = self.folder / ROW_NAMES
        return _lines(path) if path.exists() else []

    def before(self) -> np.ndarray | None:
        """The first pictures as the file has them, [p, height, width, 3] uint8; None if alike."""
        path = self.folder / _BEFORE
        return np.load(path, allow_pickle=False) if path.exists() else None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Any error as a RequestError: another process may remove the data at any time."""
        try:
            yield
        except (OSError, ValueError) as error:
            if isinstance(error, RequestError):
                raise
            # numpy raises ValueError if the file is too short.
            reason = error.strerror if isinstance(error, OSError) else "they are cut off"
            raise RequestError(
                f"The data of {self.name} cannot be read any more ({reason}); give the file once "
                "more."
            ) from error


def stamp_of(path: Path) -> str:
    """Size and modification time of a file."""
    about = path.stat()
    return f"{about.st_size} {about.st_mtime_ns}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def write_lines(path: Path, texts: Iterable[str | None], mode: str = "w") -> None:
    """Write texts as lines; what would break one becomes a blank."""
    with path.open(mode, encoding="utf-8", errors="replace", newline="\n") as file:
        file.writelines(f"{' '.join((text or '')[:_LONGEST].split())}\n" for text in texts)


def keep_before(folder: Path, pictures: np.ndarray | None) -> None:
    """Keep the first pictures [p, height, width, 3] as the file has them, to be shown."""
    if pictures is not None:
        np.save(folder / _BEFORE, pictures[:BEFORE], allow_pickle=False)


def _mapped(path: Path, dtype: str, shape: tuple[int, int]) -> np.ndarray:
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=shape)


def write_about(table: Table) -> None:
    """Write about.json; after this the table can be read."""
    plain = dataclasses.asdict(table)
    del plain["folder"]
    (table.folder / ABOUT).write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")


def read_about(folder: Path) -> Table:
    """The table in a folder."""
    plain: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    columns = tuple(
        Column(**{**column, "categories": tuple(column["categories"])})
        for column in plain.pop("columns")
    )
    shape = plain.pop("image_shape")
    # Tables kept before this was recorded.
    plain.setdefault("tabular", plain["form"] in ("CSV", "Parquet"))
    plain.setdefault("reader", 0)
    return Table(
        folder=folder,
        columns=columns,
        image_shape=None if shape is None else (shape[0], shape[1]),
        notes=tuple(plain.pop("notes")),
        examples=tuple(tuple(row) for row in plain.pop("examples")),
        arrays=tuple(plain.pop("arrays", ())),
        symbols=tuple(plain.pop("symbols", ())),
        **plain,
    )


class Writer:
    """Writes a table block by block; the numeric columns must be known in advance."""

    def __init__(self, folder: Path, names: Sequence[str], numeric: Sequence[bool]) -> None:
        check_width(len(names))
        self.rows = 0
        self._folder = folder
        self.names = distinct(names, "column")
        self._numeric = tuple(numeric)
        self._categories: list[dict[str, int]] = [{} for _ in names]
        self._missing = np.zeros(len(names), np.int64)
        self._low = np.full(len(names), np.inf)
        self._high = np.full(len(names), -np.inf)
        self._examples: list[tuple[str, ...]] = []
        texts = [index for index, is_number in enumerate(numeric) if not is_number]
        self._texts = {index: folder / _TEXTS.format(index) for index in texts[:_TEXTS_KEPT]}
        for path in self._texts.values():
            path.unlink(missing_ok=True)
        self._numbers: BinaryIO = (folder / NUMBERS).open("wb")
        self._codes: BinaryIO = (folder / CODES).open("wb")

    def append(self, columns: Sequence[Any]) -> None:
        """Append a block: per column an array [rows] of float64, or a list of texts and None."""
        count = len(columns[0])
        self.rows += count
        check_cells(self.rows, len(columns))
        numbers, codes = [], []
        for index, column in enumerate(columns):
            if self._numeric[index]:
                numbers.append(column)
                self._measure(index, column)
            else:
                codes.append(self._coded(index, column))
                if index in self._texts:
                    write_lines(self._texts[index], column, "a")
        if numbers:
            self._numbers.write(np.stack(numbers, axis=1).astype("<f8").tobytes())
        if codes:
            self._codes.write(np.stack(codes, axis=1).astype("<i4").tobytes())
        for row in range(min(count, _EXAMPLES - len(self._examples))):
            self._examples.append(tuple(_shown(column[row]) for column in columns))

    def finish(self, name: str, form: str, notes: tuple[str, ...], **more: Any) -> Table:
        """Close the files and write about.json."""
        self.close()
        columns = tuple(self._column(index) for index in range(len(self.names)))
        table = Table(
            folder=self._folder,
            name=name,
            form=form,
            rows=self.rows,
            columns=columns,
            numbers_file=NUMBERS,
            numbers_dtype="<f8",
            notes=notes,
            examples=tuple(self._examples),
            **more,
        )
        write_about(table)
        return table

    def close(self) -> None:
        """Close the files."""
        with contextlib.closing(self._codes):  # closed even if flushing the numbers fails
            self._numbers.close()

    def _measure(self, index: int, column: np.ndarray) -> None:
        finite = column[np.isfinite(column)]
        self._missing[index] += len(column) - len(finite)
        if len(finite):
            self._low[index] = min(self._low[index], finite.min())
            self._high[index] = max(self._high[index], finite.max())

    def _coded(self, index: int, column: Sequence[str | None]) -> np.ndarray:
        known = self._categories[index]
        codes = np.full(len(column), -1)
        for row, text in enumerate(column):
            if text is None:
                self._missing[index] += 1
            elif text in known or len(known) <= CATEGORIES:  # one more than allowed marks free text
                codes[row] = known.setdefault(text, len(known))
        return codes

    def _column(self, index: int) -> Column:
        name, missing = self.names[index], int(self._missing[index])
        if self._numeric[index]:
            low, high = self._low[index], self._high[index]
            known = low <= high
            return Column(
                name, "number", missing, *((float(low), float(high)) if known else (0.0, 0.0))
            )
        if len(self._categories[index]) > CATEGORIES:
            return Column(name, "text", missing)
        return Column(
            name, "category", missing, categories=distinct(self._categories[index], "value")
        )


def check_width(columns: int) -> None:
    """RequestError if a table has too many columns, or none."""
    if columns > COLUMNS:
        raise RequestError(
            f"The file has {columns:,} columns, but at most {COLUMNS:,} can be used; drop some."
        )
    if columns == 0:
        raise RequestError("The file has no columns; give a table with at least one.")


def check_cells(rows: int, columns: int) -> None:
    """RequestError if a table has too many cells."""
    if rows * columns > CELLS:
        raise RequestError(
            f"The file has more than {CELLS // columns:,} rows of {columns:,} columns, and at most "
            f"{CELLS:,} cells can be read; give a sample of it."
        )


def _shown(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return distinct([cell], "value")[0]
    return "" if math.isnan(cell) else spelt(cell)
