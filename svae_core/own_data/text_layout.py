"""Detection of a text table's encoding, delimiter, header and decimal sign.

Every result is an assumption and is noted. `csv.Sniffer` is not used: its regular expressions can
take exponential time on malicious text.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from svae_core.own_data.formats import listed
from svae_core.own_data.limits import LINE_BYTES
from svae_core.own_data.names import cleaned
from svae_core.own_data.orange_header import header_of
from svae_core.records import RequestError

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SAMPLE_BYTES = 2**21  # twice the longest line that is allowed
_SAMPLE_LINES = 200
#: Cells that say that nothing is there.
MISSING = (
    *("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "none", "-", "--", "?"),
    *("#N/A", "#NA", "<NA>", "missing", "Missing", "MISSING", "."),
    # Errors of spreadsheets: a formula that had no value.
    *("#DIV/0!", "#VALUE!", "#NUM!", "#REF!", "#NAME?", "#NULL!", "#N/A N/A"),
)
#: What a first column is called that has no heading where all others have one.
ROW_NAMES = "row name"
# Bytes that mean nothing in Windows-1252.
_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"
_NUMBER = re.compile(r"[-+\u2212]?(\d+([.,]\d*)?|[.,]\d+)([eEdD][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
# Nobody writes 192 as 0,192: a zero in front of the comma means decimals of three places.
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_MARKS = re.compile(r"[$€£¥₹%\s]")  # around numbers: currency, percent
_WITH_COMMAS = re.compile(r"[-+(]?(\d*,\d+([eE][+-]?\d+)?|\d{1,3}(,\d{2,3})+(\.\d+)?)\)?")
#: Cells between blanks; text in quotes may hold some, as R writes it.
_BETWEEN_BLANKS = re.compile(r'"[^"]*"|[^ \t]+')


@dataclass(frozen=True)
class Layout:
    """How to read a text table."""

    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    skip: int  # lines before the first row of data
    notes: tuple[str, ...]
    roles: tuple[str, ...] = ()  # of the columns, where the file says them
    path: Path | None = None  # where the file stands with tabs for blanks, if it was rewritten


def sniff(path: Path, labels: bool = False, delimiters: Iterable[str] = _DELIMITERS) -> Layout:
    """The layout of a text file; RequestError if it is not text or its lines are too long.

    `labels`: a single column of text is read without a header, since nothing in it tells one.
    `delimiters`: those that may separate its columns, where they are known.
    """
    encoding = encoding_of(path)
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
    delimiter, rows, line_ends = _delimiter(lines, tuple(delimiters))
    width = _usual_width(rows)
    if width == 1 and delimiters is _DELIMITERS and _blanks_separate(lines):
        return _with_tabs(path, encoding)
    rows, line_ends, remarks = _without_remarks(rows, line_ends, width)
    first = _first_row(rows, width)
    header = _has_header(rows[first:], width)
    if labels and width == 1 and not any(map(_holds_number, rows[first:])):
        header = False
    names = tuple(rows[first]) if header else ()
    units = _rows_of_units(rows[first:], width) if header else 0
    declared = header_of(rows[first:]) if header and delimiter == "\t" else None
    names, roles, units = declared or (names, (), units)
    if (
        header and len(names) == width - 1
    ):  # row names without a heading of their own, as R writes them
        names = (ROW_NAMES, *names)
    skip = line_ends[first + units] if header else (line_ends[first - 1] if first else 0)
    decimal = _decimal(rows[first:], delimiter)
    form = (
        f"Read as text in {encoding}, columns separated by {_DELIMITERS[delimiter]}, "
        f"{'names in the first row' if header else 'no row of names'}, decimal "
        f"{'comma' if decimal == ',' else 'point'}."
    )
    named = tuple(cleaned(name) for name in names) or ("",) * width
    left_out = _left_out(first + remarks, 0 if declared else units)
    said = (form, *(["Roles of columns are as the header says (Orange)."] if roles else []))
    return Layout(encoding, delimiter, decimal, named, skip, (*said, *left_out), roles)


def _left_out(above: int, units: int) -> list[str]:
    """What of a file is no part of its table: lines above it, and rows of units under its names."""
    said = []
    if above:
        said.append(f"Lines before the table were left out: {above}.")
    if units:
        under = "the row" if units == 1 else f"{units} rows"
        said.append(f"Left out: {under} under the names, which hold no numbers (units, perhaps).")
    return said


def encoding_of(path: Path) -> str:
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
                    f"The file is neither a text table nor a format known here; give {listed()}."
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


def _delimiter(
    lines: list[str], delimiters: tuple[str, ...]
) -> tuple[str, list[list[str]], list[int]]:
    """The delimiter with the most uniform rows whose cells hold no other delimiter."""
    best: tuple[float, int, str, list[list[str]], list[int]] | None = None
    for delimiter in delimiters:
        rows, ends = _parsed(lines, delimiter)
        if not rows:
            continue
        width = _usual_width(rows)
        alike = sum(len(row) == width for row in rows) / len(rows)
        cells = [cell.strip() for row in rows[:50] for cell in row[:200]]
        others = [other for other in _DELIMITERS if other != delimiter]
        clean = sum(
            not any(other in cell for other in others)
            or (delimiter != "," and _WITH_COMMAS.fullmatch(_MARKS.sub("", cell)) is not None)
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


def _without_remarks(
    rows: list[list[str]], line_ends: list[int], width: int
) -> tuple[list[list[str]], list[int], int]:
    """The rows but one without those that begin with # or !, if names follow; how many above went.

    Remarks may have as many cells as the table (a sentence with commas; GEO's series matrix). Over
    numbers the last line with # holds the names, as numpy.savetxt and VCF write them.
    """
    first = next((i for i, row in enumerate(rows) if not _is_remark(row)), 0)
    if not first or len(rows[first]) not in (width, width - 1) or _holds_number(rows[first][1:]):
        return rows, line_ends, 0
    # One of them stays, so that the lines above the names are counted and left out.
    kept = [i for i, row in enumerate(rows) if not _is_remark(row) or i == first - 1]
    short = [["#"] if i < first else rows[i] for i in kept]
    return short, [line_ends[i] for i in kept], first - 1


def _is_remark(row: list[str]) -> bool:
    return row[0].lstrip().startswith(("#", "!"))


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


def _heads_numbers(rows: list[list[str]], width: int, some_empty: bool = False) -> bool:
    """Whether the first row is names throughout, and one of them stands above numbers only."""
    if not rows or len(rows[0]) != width:
        return False
    names = {cell.strip() for cell in rows[0]}
    if some_empty:  # a row of units may repeat itself, and leave cells empty
        over = _over_numbers(rows, width)
        names = {cell.strip() for cell in over} - {*MISSING}
    elif len(names) < width or names & {*MISSING}:
        return False
    if not names or _holds_number(names):
        return False
    full = [row for row in rows[1:] if len(row) == width]
    columns = [
        [cell for cell in column if cell.strip() not in MISSING]
        for column in zip(*full, strict=True)
    ]
    return any(column and all(_holds_number([cell]) for cell in column) for column in columns)


def _over_numbers(rows: list[list[str]], width: int) -> list[str]:
    """The cells of the first row that stand above columns of numbers."""
    below = [row for row in rows[1:] if len(row) == width]
    found = []
    for index, cell in enumerate(rows[0]):
        column = [row[index].strip() for row in below if row[index].strip() not in MISSING]
        if column and all(_holds_number([text]) for text in column):
            found.append(cell)
    return found


def _holds_number(cells: Iterable[str]) -> bool:
    return any(_NUMBER.fullmatch(cell.strip()) for cell in cells)


def _has_header(rows: list[list[str]], width: int) -> bool:
    """Whether the first row is a header: no cell is a number or a value of its column."""
    first, others = rows[0], [row for row in rows[1:] if len(row) == width]
    if _is_counted(first, others):
        return True
    if _holds_number(first):
        return False
    if len(first) == width - 1 or any(map(_holds_number, others)):
        return True
    columns = list(zip(*others, strict=True))
    return bool(others) and not any(
        name in column for name, column in zip(first, columns, strict=True)
    )


def _is_counted(first: list[str], others: list[list[str]]) -> bool:
    """Whether a row of numbers is names: 0 … d−1 as pandas writes them, years, or the like.

    Integers in equal steps, or from 0 in steps of 1, above columns that hold other numbers; the
    first cells may be empty or names, for columns of names (country, code, 1990, 1991, …).
    """
    cells = [cell.strip() for cell in first]
    while cells and not cells[-1]:  # as the comma at the end of a line leaves
        cells.pop()
    ahead = next((i for i, cell in enumerate(cells) if _holds_number([cell])), len(cells))
    for index, name in enumerate(cells[:ahead]):
        if name and any(_holds_number(row[index : index + 1]) for row in others):
            return False  # a name in front of numbers, over a column of numbers: no row of names
    numbers = cells[ahead:]
    if len(numbers) < 2 or not all(re.fullmatch(r"\d{1,9}", cell) for cell in numbers):
        return False
    steps = {int(b) - int(a) for a, b in itertools.pairwise(numbers)}
    from_zero = steps == {1} and int(numbers[0]) == 0
    below = [cell.strip() for row in others for cell in row[ahead : ahead + len(numbers)]]
    filled = [cell for cell in below if cell not in MISSING]
    decimals = sum("." in cell or "," in cell for cell in filled)
    mostly_decimals = bool(filled) and decimals > 0.5 * len(filled)
    # 0, 1, 2 … could be data where whole numbers stand below as well: names only if they differ.
    counts_on = len(others) > 0 and any(cell != "" for cell in filled)
    progression = len(steps) == 1 and steps != {0} and len(numbers) >= 3
    return counts_on and (mostly_decimals or (progression and (from_zero or _are_years(numbers))))


def _are_years(numbers: list[str]) -> bool:
    return all(1000 <= int(number) <= 2999 for number in numbers)


def _rows_of_units(rows: list[list[str]], width: int) -> int:
    """How many rows under the names hold units or further names: text above numbers only."""
    count = 0
    while count < 3 and _heads_numbers(rows[count + 1 :], width, some_empty=True):
        count += 1
    return count


def _blanks_separate(lines: list[str]) -> bool:
    """Whether lines are words and numbers between blanks, as many in each: GloVe, savetxt."""
    rows = [_BETWEEN_BLANKS.findall(line.strip()) for line in lines if _content(line)]
    if len(rows) > 1 and len(rows[0]) == 2 and len(rows[1]) > 3:
        rows = rows[1:]  # word2vec: how many vectors, and of how many numbers
    if not rows:
        return False
    width = _usual_width(rows)
    alike = sum(len(row) == width for row in rows) / len(rows)
    numbers = sum(_NUMBER.fullmatch(cell) is not None for row in rows for cell in row[-2:])
    ends = numbers > 0.5 * sum(min(2, len(row)) for row in rows)
    # Names in quotes throughout are a table of R, whatever its last columns hold.
    quoted = all(cell.startswith('"') for cell in rows[0])
    numbered = sum(any(map(_NUMBER.fullmatch, row)) for row in rows)
    return width > 1 and alike > 0.9 and (ends or (quoted and numbered > 0.5 * len(rows)))


def _content(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("#", "%"))


def _with_tabs(path: Path, encoding: str) -> Layout:
    """The layout of a copy of the file that has tabs for blanks, without its comments."""
    copy = path.with_name(f".{path.name}.tabs")
    notes = ["Columns are separated by blanks."]
    first = True
    with (
        path.open(encoding=encoding, errors="replace", newline=None) as file,
        copy.open("w", encoding="utf-8") as out,
    ):
        for line in file:
            if not _content(line):
                continue
            cells = _BETWEEN_BLANKS.findall(line.strip())
            if first and len(cells) == 2 and all(cell.isdigit() for cell in cells):
                notes.append("The first line, how many vectors there are, was left out.")
            else:
                out.write("\t".join(cells) + "\n")
            first = False
    found = sniff(copy)
    return dataclasses.replace(found, notes=(*notes, *found.notes), path=copy)


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [_MARKS.sub("", cell) for row in rows for cell in row]
    commas = sum(
        _DECIMAL_COMMA.fullmatch(cell) is not None and _THOUSANDS.fullmatch(cell) is None
        for cell in cells
    )
    points = sum("." in cell and _NUMBER.fullmatch(cell) is not None for cell in cells)
    return "," if commas > points else "."
