"""Detection of a text table's encoding, delimiter, header and decimal sign.

Every result is an assumption and is noted. `csv.Sniffer` is not used: its regular expressions can
take exponential time on malicious text.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from svae_core.own_data.limits import LINE_BYTES
from svae_core.own_data.names import cleaned
from svae_core.records import RequestError

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SAMPLE_BYTES = 2**21  # twice the longest line that is allowed
_SAMPLE_LINES = 200
#: Cells that mean a missing value.
MISSING = ("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "-", "?", "#N/A")
# Bytes that are undefined in Windows-1252.
_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Layout:
    """How to read a text table."""

    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    skip: int  # lines before the first row of data
    notes: tuple[str, ...]


def sniff(path: Path) -> Layout:
    """The layout of a text file; RequestError if it is not text or its lines are too long."""
    encoding = _encoding(path)
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    text = sample.decode(encoding, errors="replace").lstrip("\ufeff")
    # Not splitlines, which also splits at form feeds and the like, unlike the CSV reader.
    lines = list(io.StringIO(text, newline=""))
    if len(sample) == _SAMPLE_BYTES:
        lines = lines[:-1] or lines  # the last line may be incomplete
    lines = lines[:_SAMPLE_LINES]
    if not any(line.strip() for line in lines):
        raise RequestError("The file is empty; give a table with a row for each point.")
    delimiter, rows, line_ends = _delimiter(lines)
    width = _usual_width(rows)
    first = _first_row(rows, width)
    header = _has_header(rows[first:], width)
    names = tuple(rows[first]) if header else ()
    if len(names) == width - 1:  # R writes row names without a heading
        names = ("row name", *names)
    skip = line_ends[first] if header else (line_ends[first - 1] if first else 0)
    decimal = _decimal(rows[first:], delimiter)
    notes = [
        f"Read as text in {encoding}, columns separated by {_DELIMITERS[delimiter]}, "
        f"{'names in the first row' if header else 'no row of names'}, decimal "
        f"{'comma' if decimal == ',' else 'point'}."
    ]
    if first:
        notes.append(f"Lines before the table were left out: {first}.")
    named = tuple(cleaned(name) for name in names) or ("",) * width
    return Layout(encoding, delimiter, decimal, named, skip, tuple(notes))


def _encoding(path: Path) -> str:
    """The encoding of the whole file, from one pass over it; RequestError if it is no text."""
    with path.open("rb") as file:
        start = file.read(4)
        if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
            return "utf-32"  # before UTF-16, whose mark is a prefix of this one
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        utf8, windows, length = True, True, 0
        block = b" "
        while block:
            block = file.read(2**20)
            if b"\0" in block:
                raise RequestError(
                    "The file is neither a text table nor a format known here; give CSV, TSV, "
                    "Parquet, NPY, NPZ or a ZIP of images."
                )
            length = _longest(block, length)
            if utf8:
                try:
                    decoder.decode(
                        block, final=not block
                    )  # a character may be split between blocks
                except UnicodeDecodeError:
                    utf8 = False
            windows = windows and len(block.translate(None, _UNDEFINED)) == len(block)
    return "utf-8" if utf8 else "cp1252" if windows else "latin-1"


def _longest(block: bytes, length: int) -> int:
    """The length of the unfinished last line; RequestError if any line is too long."""
    first, *others = block.replace(b"\r", b"\n").split(b"\n")
    if max([length + len(first), *map(len, others)]) > LINE_BYTES:
        raise RequestError(
            f"The file has a line of more than {LINE_BYTES:,} bytes, so it is no text table or has "
            "far too many columns; leave some out."
        )
    return len(others[-1]) if others else length + len(first)


def _delimiter(lines: list[str]) -> tuple[str, list[list[str]], list[int]]:
    """The delimiter with the most uniform rows whose cells hold no other delimiter."""
    best: tuple[float, int, str, list[list[str]], list[int]] | None = None
    for delimiter in _DELIMITERS:
        rows, ends = _parsed(lines, delimiter)
        if not rows:
            continue
        width = _usual_width(rows)
        alike = sum(len(row) == width for row in rows) / len(rows)
        cells = [cell.strip() for row in rows[:50] for cell in row[:200]]
        others = [other for other in _DELIMITERS if other != delimiter]
        clean = sum(
            not any(other in cell for other in others)
            or (delimiter != "," and _DECIMAL_COMMA.fullmatch(cell) is not None)
            for cell in cells
        ) / max(1, len(cells))
        score = alike * clean * (0.5 if width == 1 else 1.0)
        if best is None or (score, width) > best[:2]:
            best = (score, width, delimiter, rows, ends)
    if best is None:
        raise RequestError(
            "The file cannot be cut into columns; separate them by commas, semicolons or tabs."
        )
    return best[2:]


def _parsed(lines: list[str], delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Non-empty rows, and the number of lines read at the end of each."""
    reader = csv.reader(lines, delimiter=delimiter)
    rows, ends = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                ends.append(reader.line_num)
    except csv.Error:
        pass  # a cell beyond the csv module's limit: the rows before it are used
    return rows, ends


def _usual_width(rows: list[list[str]]) -> int:
    return max(Counter(len(row) for row in rows).items(), key=lambda item: (item[1], item[0]))[0]


def _first_row(rows: list[list[str]], width: int) -> int:
    """The first row of the table; a title above it has fewer or empty cells."""
    first = next(index for index, row in enumerate(rows) if len(row) in (width, width - 1))
    for ahead in range(first, len(rows)):
        if _heads_numbers(rows[ahead:], width):
            return ahead
        cells = [cell for cell in rows[ahead] if cell.strip()]
        if len(cells) == width or _holds_number(cells):
            break
    return first


def _heads_numbers(rows: list[list[str]], width: int) -> bool:
    """Whether the first row holds names only, one of them above a column of numbers."""
    names = {cell.strip() for cell in rows[0]}
    if len(names) < width or names & {*MISSING} or _holds_number(names):
        return False
    full = [row for row in rows[1:] if len(row) == width]
    columns = [
        [cell for cell in column if cell.strip() not in MISSING]
        for column in zip(*full, strict=True)
    ]
    return any(column and all(_holds_number([cell]) for cell in column) for column in columns)


def _holds_number(cells: Iterable[str]) -> bool:
    return any(_NUMBER.fullmatch(cell.strip()) for cell in cells)


def _has_header(rows: list[list[str]], width: int) -> bool:
    """Whether the first row is a header: no cell is a number or a value of its column."""
    first, others = rows[0], [row for row in rows[1:] if len(row) == width]
    if _holds_number(first):
        return False
    if len(first) == width - 1 or any(map(_holds_number, others)):
        return True
    columns = list(zip(*others, strict=True))
    return bool(others) and not any(
        name in column for name, column in zip(first, columns, strict=True)
    )


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
    points = sum("." in cell and _NUMBER.fullmatch(cell) is not None for cell in cells)
    return "," if commas > points else "."
