"""Excel .xlsx and OpenDocument .ods: the first sheet that holds a table."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from svae_core.own_data import archive
from svae_core.own_data.array_to_table import with_arrays
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.limits import CELLS
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.rows_to_table import write_cells
from svae_core.own_data.tables import Table, check_cells, check_width
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
    """The table of a sheet: the one asked for by name, else the first that is not empty."""
    import python_calamine as calamine

    _check_size(source)
    damage = (calamine.CalamineError, calamine.PasswordError, calamine.XmlError, calamine.ZipError)
    try:
        book = calamine.load_workbook(str(source.path))
        name = _sheet(book, source.array)
        rows = book.get_sheet_by_name(name).to_python()
    except (*damage, ValueError, OSError) as error:
        if isinstance(error, RequestError) or archive.is_of_disk(error):
            raise
        raise RequestError("The spreadsheet is damaged, cut off, or protected.") from error
    rows = [row for row in rows if any(cell != "" for cell in row)]
    if len(rows) < 2:
        raise RequestError(f"The sheet {cleaned(name)} has no rows; give a row for each point.")
    width = max(map(len, rows))
    check_width(width)
    check_cells(len(rows), width)
    names, skip = _names(rows, width)
    notes = [
        f"Read the sheet {cleaned(name)}, {'names in the first row' if names else 'no names'}."
    ]
    others = [cleaned(sheet) for sheet in book.sheet_names if sheet != name]
    if others:
        notes.append(f"Other sheets were left out: {some(others)}.")
    body = [[None if cell == "" else cell for cell in row] for row in rows[skip:]]
    table = write_cells(source, FORMAT.name, names or [""] * width, body, notes, total=len(body))
    return with_arrays(table, book.sheet_names, name)


def _check_size(source: Source) -> None:
    with archive.opened(source.path) as (_, members):
        total = sum(item.file_size for item in members)
    if total > min(max(_UNPACKED // 4, _RATIO * source.size()), _UNPACKED, 8 * CELLS):
        raise RequestError("The spreadsheet unpacks to more than can be read; save it as CSV.")


def _sheet(book: Any, wanted: str) -> str:
    names = list(book.sheet_names)
    if wanted:
        if wanted not in names:
            raise RequestError(f"There is no sheet {cleaned(wanted)!r}; there are: {some(names)}.")
        return wanted
    for name in names:
        sheet = book.get_sheet_by_name(name)
        if sheet.total_height > 1:
            return str(name)
    raise RequestError("The spreadsheet holds no table; give a sheet with a row for each point.")


def _names(rows: list[list[Any]], width: int) -> tuple[list[str], int]:
    """Names of the columns and how many rows they take: the first row, if it is text throughout."""
    first = rows[0] + [""] * (width - len(rows[0]))
    text = [isinstance(cell, str) for cell in first]
    numbers_below = any(isinstance(cell, int | float) for row in rows[1:50] for cell in row)
    counted = all(isinstance(cell, int | float) for cell in first) and [
        float(cell) for cell in first
    ] == list(map(float, range(width)))
    if (all(text) and numbers_below) or counted:
        return [str(cell) if isinstance(cell, str) else f"{cell:g}" for cell in first], 1
    return [], 0


FORMAT = Format("Excel", (".xlsx", ".ods"), recognised, read, table=True)
