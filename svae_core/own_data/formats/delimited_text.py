"""CSV and TSV: read in blocks, each cell as text first, so that nothing depends on luck.

A column is numbers if every cell that is not empty is one. Where a late row shows that a column is
text after all, the file is read once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.own_data.formats import Format, Source
from svae_core.own_data.limits import BLOCK_BYTES
from svae_core.own_data.names import plain
from svae_core.own_data.sniffing import MISSING, Layout, sniff
from svae_core.own_data.tables import Table, Writer, check_width
from svae_core.records import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

#: More rows than this share with a wrong number of cells: the file is no table of this layout.
_RAGGED = 0.1


def read(source: Source) -> Table:
    """The table of a text file, written into its folder."""
    layout = sniff(source.path)
    check_width(len(layout.names))
    texts: set[int] = set()
    while True:
        writer = Writer(
            source.folder, layout.names, [i not in texts for i in range(len(layout.names))]
        )
        try:
            late, ragged = _write(source, layout, writer, texts)
        finally:
            writer.close()
        if not late:
            break
        texts |= late  # numbers at first, text further down: once more, now knowing it
    if len(layout.names) == 1 and texts:
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
    return writer.finish(source.name, FORMAT.name, notes, tabular=FORMAT.table)


def _write(
    source: Source, layout: Layout, writer: Writer, texts: set[int]
) -> tuple[set[int], list[str]]:
    """Write all rows; which columns turned out to be text, and the rows left out."""
    late: set[int] = set()
    ragged: list[str] = []
    size = max(1, source.size())
    with source.path.open("rb") as file:
        for batch in _batches(file, layout, ragged):
            columns: list[Any] = []
            for index in range(batch.num_columns):
                cells = _cells(batch.column(index))
                numbers = None if index in texts else _numbers(cells, layout.decimal)
                if numbers is None and index not in texts:
                    late.add(index)
                columns.append(cells.to_pylist() if numbers is None else numbers)
            if not late:
                writer.append(columns)
            source.progress(min(1.0, file.tell() / size))
    return late, ragged


def _batches(file: Any, layout: Layout, ragged: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv

    def leave_out(row: Any) -> str:
        ragged.append(plain(row.text))
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
    return plain(str(error).splitlines()[0]).rstrip(".").replace(". ", ", ")


def _cells(column: pa.Array) -> pa.Array:
    """The cells without spaces around them; null where one says that nothing is there."""
    import pyarrow as pa
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(column)
    nothing = compute.is_in(trimmed, value_set=pa.array(MISSING))
    return compute.if_else(nothing, pa.scalar(None, pa.string()), trimmed)


def _numbers(cells: pa.Array, decimal: str) -> np.ndarray | None:
    """The cells as float64, NaN where null; None if one of them is no number."""
    import pyarrow as pa
    from pyarrow import compute

    if decimal == ",":
        cells = compute.replace_substring(cells, ",", ".")
    for plus in (False, True):
        try:
            # The parser takes no plus sign, which is rare: tried without it only where it fails.
            tried = compute.replace_substring_regex(cells, r"^\+", "") if plus else cells
            return np.asarray(compute.cast(tried, pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            continue
    return None


FORMAT = Format(
    "CSV", (".csv", ".tsv", ".txt"), lambda _path, _start: True, read, table=True, rank=2
)
