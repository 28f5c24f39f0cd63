"""CSV and TSV: read in blocks, each cell as text first, so that nothing depends on luck.

A column is numbers if nearly every cell that is not empty is one; the few others count as missing,
and are said. Where late rows show that a column is text after all, the file is read once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.own_data.column_roles import with_roles
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.limits import BLOCK_BYTES
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.numerals import Numerals, guess, parse
from svae_core.own_data.tables import Table, Writer, check_width
from svae_core.own_data.text_layout import MISSING, ROW_NAMES, Layout, sniff
from svae_core.records import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

#: How many cells of a column show how its numbers are written.
_GUESSED_FROM = 10_000
#: Up to this share of a column's cells, in so many spellings, may be no numbers.
_WRONG, _FEW_TEXTS = 0.05, 20
#: … and up to this share (“nd”, “BDL”) where so many of the others have decimals: no codes do.
_WRONG_BESIDE_DECIMALS, _DECIMALS = 0.5, 0.2
_SHOWN = str.maketrans("<>*#", "‹›∗＃")
#: More rows than this share with a wrong number of cells: the file is no table of this layout.
_RAGGED = 0.1


def read(source: Source) -> Table:
    """The table of a text file, written into its folder."""
    layout = sniff(source.path, source.labels)
    # Rows of numbers between blanks without names are vectors: an array, whose units are alike.
    vectors = layout.path is not None and not any(layout.names)
    try:
        return read_laid_out(source, layout, FORMAT.name, tabular=not vectors)
    finally:
        if layout.path is not None:
            layout.path.unlink(missing_ok=True)


def read_laid_out(source: Source, layout: Layout, form: str, tabular: bool) -> Table:
    """The table of text of a known layout; also of a sheet that was written as such."""
    check_width(len(layout.names))
    columns = [_Column() for _ in layout.names]
    while True:
        writer = Writer(source.folder, layout.names, [not column.text for column in columns])
        try:
            ragged = _write(source, layout, writer, columns)
        finally:
            writer.close()
        late = [column for column in columns if column.is_text_after_all()]
        if not late:
            break
        columns = [_Column(text=column.text or column in late) for column in columns]
    if len(layout.names) == 1 and columns[0].text and not source.labels:
        raise RequestError(
            "The file has one column, and that of text; separate columns by commas, semicolons or "
            "tabs."
        )
    notes = layout.notes
    if ragged:
        share = len(ragged) / max(1, writer.rows + len(ragged))
        if share > _RAGGED:
            raise RequestError(
                f"{len(ragged):,} of {writer.rows + len(ragged):,} rows do not have "
                f"{len(layout.names)} cells, so columns cannot be told apart (first such row: "
                f"“{ragged[0]}”); check the delimiter."
            )
        notes += (
            f"Rows with a wrong number of cells were left out: {len(ragged):,} (the first: "
            f"“{ragged[0]}”).",
        )
    notes += tuple(
        note
        for name, column in zip(writer.names, columns, strict=True)
        for note in column.said(name)
    )
    table = writer.finish(source.name, form, notes, tabular=tabular)
    unnamed = tuple(name in ("", ROW_NAMES) for name in layout.names)
    return with_roles(table, unnamed, layout.roles)


@dataclass(eq=False)
class _Column:
    """A column while its file is read: numbers, until too many of its cells are none."""

    text: bool = False
    numerals: Numerals | None = None
    cells: int = 0  # that are not missing
    wrong: int = 0  # of them no numbers
    decimals: int = 0  # of them numbers with a fraction
    examples: set[str] = field(default_factory=set)  # of those

    def numbers(self, cells: pa.Array, decimal: str) -> np.ndarray:
        """The cells as numbers, NaN where they are none; those are counted."""
        if self.numerals is None:
            self.numerals = guess(cells.drop_null().slice(0, _GUESSED_FROM), decimal)
        values, wrong = parse(cells, self.numerals)
        self.cells += len(cells) - cells.null_count
        self.wrong += len(wrong)
        finite = values[np.isfinite(values)]
        self.decimals += int(np.count_nonzero(finite != np.rint(finite)))
        for text in wrong.slice(0, _GUESSED_FROM).to_pylist():
            if text is not None and len(self.examples) <= _FEW_TEXTS:
                self.examples.add(text)
        return values

    def is_text_after_all(self) -> bool:
        """Whether so many cells are no numbers that the column must be read as text."""
        measured = self.decimals > _DECIMALS * (self.cells - self.wrong)
        share = _WRONG_BESIDE_DECIMALS if measured else _WRONG
        return not self.text and (
            self.wrong > share * self.cells or len(self.examples) > _FEW_TEXTS
        )

    def said(self, name: str) -> Iterator[str]:
        """What was assumed of the column, in sentences."""
        habits = self.numerals.said() if self.numerals and not self.text else ""
        if habits:
            yield f"In {name}, numbers are written with {habits}."
        if self.wrong and not self.text:
            # Names lose <, > and *, without which <0.05 would be said to be no number.
            plain = [text.translate(_SHOWN) for text in sorted(self.examples)]
            texts = some([f"“{cleaned(text)}”" for text in plain])
            count = (
                "1 cell that is no number counts"
                if self.wrong == 1
                else (f"{self.wrong:,} cells that are no numbers count")
            )
            yield f"In {name}, {count} as missing: {texts}."


def _write(source: Source, layout: Layout, writer: Writer, columns: list[_Column]) -> list[str]:
    """Write all rows; the rows left out."""
    ragged: list[str] = []
    path = layout.path or source.path
    size = max(1, path.stat().st_size)
    with path.open("rb") as file:
        for batch in _batches(file, layout, ragged):
            block: list[Any] = []
            for column, raw in zip(columns, batch.columns, strict=True):
                cells = _cells(raw)
                text = column.text
                block.append(cells.to_pylist() if text else column.numbers(cells, layout.decimal))
            writer.append(block)
            source.progress(min(1.0, file.tell() / size))
    return ragged


def _batches(file: Any, layout: Layout, ragged: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv

    def leave_out(row: Any) -> str:
        ragged.append(cleaned(row.text))
        return "skip"

    names = [str(index) for index in range(len(layout.names))]
    try:
        reader = csv.open_csv(
            file,
            read_options=csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=names,
                skip_rows=layout.skip,
                encoding=layout.encoding,
            ),
            parse_options=csv.ParseOptions(
                delimiter=layout.delimiter,
                newlines_in_values=True,
                invalid_row_handler=leave_out,
            ),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
        yield from reader
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise RequestError(
                "The file has names but no rows; give a row for each point."
            ) from error
        raise RequestError(
            "The file breaks off or is no table, maybe since a quotation mark is left open."
        ) from error
    except UnicodeError as error:
        raise RequestError(f"The file is not text throughout: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return cleaned(str(error).splitlines()[0]).rstrip(".").replace(". ", ", ")


def _cells(column: pa.Array) -> pa.Array:
    """The cells without spaces around them; null where one says that nothing is there."""
    import pyarrow as pa
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(column)
    nothing = compute.is_in(trimmed, value_set=pa.array(MISSING))
    return compute.if_else(nothing, pa.scalar(None, pa.string()), trimmed)


FORMAT = Format(
    "CSV", (".csv", ".tsv", ".txt"), lambda _path, _start: True, read, table=True, rank=2
)
