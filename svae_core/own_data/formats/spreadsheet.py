"""Excel .xlsx and OpenDocument .ods: the sheet that holds most numbers."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import zipfile
from pathlib import Path
from typing import Any

from svae_core.own_data import archive
from svae_core.own_data.array_to_table import with_facts, with_note
from svae_core.own_data.damage import AGAIN
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.formats.delimited_text import read_laid_out
from svae_core.own_data.limits import CELLS
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.tables import Table, check_cells, check_width
from svae_core.own_data.text_layout import sniff
from svae_core.records import RequestError

#: Bytes that the parts of a spreadsheet may unpack to: its library keeps them in memory.
_UNPACKED = 2**28
_RATIO = 200  # … and for each byte of the file: more is a bomb


def recognised(path: Path, start: bytes) -> bool:
    """A ZIP with a workbook inside, or the type of an OpenDocument spreadsheet."""
    if not start.startswith(b"PK\x03\x04"):
        return False
    if b"application/vnd.oasis.opendocument.spreadsheet" in start[:120]:
        return True
    try:
        with zipfile.ZipFile(path) as packed:
            return any(name.startswith("xl/workbook") for name in packed.namelist()[:200])
    except (*archive.DAMAGE, OSError):
        return False


def read(source: Source) -> Table:
    """The table of a sheet: the one asked for by name, else the one with most numbers.

    Its cells are read as those of a text table, so that titles, units and signs of thousands mean
    the same in both.
    """
    import python_calamine as calamine

    _check_size(source)
    damage = (calamine.CalamineError, calamine.PasswordError, calamine.XmlError, calamine.ZipError)
    try:
        book = calamine.load_workbook(str(source.path))
        names = list(book.sheet_names)
        name, rows = _sheet(book, names, source.array)
    except (*damage, ValueError, OSError) as error:
        if isinstance(error, RequestError) or archive.is_of_disk(error):
            raise
        raise RequestError(
            f"The spreadsheet is damaged, cut off, or protected; {AGAIN}, without a password."
        ) from error
    rows, above = _without_title([row for row in rows if any(cell != "" for cell in row)])
    if len(rows) < 2:
        raise RequestError(f"The sheet {cleaned(name)} has no rows; give a row for each point.")
    before = [f"Lines before the table were left out: {above}."] if above else []
    others = [cleaned(sheet) for sheet in names if sheet != name]
    after = [f"Other sheets were left out: {some(others)}."] if others else []
    table = _read_as_text(source, name, rows, before, after)
    empty = [column.name for column in table.columns if column.missing == table.rows]
    if empty:
        table = with_note(
            table,
            f"Empty, as formulas that were never calculated are: {some(empty)}; open and save the "
            "file in a spreadsheet program, if it has formulas.",
        )
    return with_facts(table, arrays=tuple(names), array=name)


def _read_as_text(
    source: Source, name: str, rows: list[list[Any]], before: list[str], after: list[str]
) -> Table:
    """The table of a sheet's cells by way of a text file; with notes before and after its own."""
    width = max(map(len, rows))
    check_width(width)
    check_cells(len(rows), width)
    path = source.folder / "sheet.tsv"
    try:
        _write(path, rows, width)
        layout = sniff(path, source.labels, "\t")
        head = "names in the first row" if any(layout.names) else "no names"
        said = [note for note in layout.notes if not note.startswith("Read as text")]
        notes = f"Read the sheet {cleaned(name)}, {head}.", *before, *said, *after
        layout = dataclasses.replace(layout, path=path, notes=notes)
        return read_laid_out(source, layout, FORMAT.name, FORMAT.table)
    finally:
        path.unlink(missing_ok=True)


def _check_size(source: Source) -> None:
    with archive.opened(source.path) as (_, members):
        total = sum(item.file_size for item in members)
    if total > min(max(_UNPACKED // 4, _RATIO * source.size()), _UNPACKED, 8 * CELLS):
        raise RequestError("The spreadsheet unpacks to more than can be read; save it as CSV.")


def _sheet(book: Any, names: list[str], wanted: str) -> tuple[str, list[list[Any]]]:
    """The name and the rows of the sheet asked for, or of the one with most numbers."""
    if wanted:
        if wanted not in names:
            raise RequestError(f"There is no sheet {cleaned(wanted)!r}; there are: {some(names)}.")
        return wanted, book.get_sheet_by_name(wanted).to_python()
    most, best = (0, 0), ""
    found: list[list[Any]] = []
    for name in names:
        rows = book.get_sheet_by_name(name).to_python()
        cells = [cell for row in rows for cell in row if cell != ""]
        held = sum(isinstance(cell, int | float) for cell in cells), len(cells)
        if len(rows) > 1 and held > most:
            most, best, found = held, str(name), rows
    if not best:
        raise RequestError(
            "The spreadsheet holds no table; give a sheet with a row for each point."
        )
    return best, found


def _without_title(rows: list[list[Any]]) -> tuple[list[list[Any]], int]:
    """The rows without lines of a single cell above them and without empty columns; how many."""
    filled = [sum(cell != "" for cell in row) for row in rows]
    several = max(filled, default=0) > 1
    above = next((i for i, count in enumerate(filled) if count > 1), 0) if several else 0
    body = rows[above:]
    width = max(map(len, body), default=0)
    used = [i for i in range(width) if any(i < len(row) and row[i] != "" for row in body)]
    return [[row[i] if i < len(row) else "" for i in used] for row in body], above


def _write(path: Path, rows: list[list[Any]], width: int) -> None:
    """Write rows as a text table; numbers come back to the last digit."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter="\t", lineterminator="\n")
        for row in rows:
            out.writerow([_text(cell) for cell in [*row, *[""] * (width - len(row))]])


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    dated = isinstance(cell, datetime.date | datetime.time)
    return cell.isoformat() if dated else " ".join(str(cell).split())


FORMAT = Format("Excel", (".xlsx", ".ods"), recognised, read, table=True)
