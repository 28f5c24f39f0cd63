"""Tables whose reader gives cells as Python values: spreadsheets, ARFF.

A column is numbers if nearly all of its cells are; the few others count as missing, as in text
tables. Rows come one after another, so nothing but the table on disk holds them all.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from svae_core.own_data.column_roles import with_roles
from svae_core.own_data.formats import Source
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.tables import Table, Writer, check_width
from svae_core.own_data.text_layout import MISSING

_BLOCK = 4_096
#: Up to this share of a column's cells may be no numbers.
_WRONG = 0.05


def write_cells(
    source: Source,
    form: str,
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    notes: Sequence[str] = (),
    total: int = 0,
    categories: Collection[int] = (),
) -> Table:
    """The table of rows of cells, read twice: once to tell numbers from text, once to write.

    `rows` must give the same rows each time it is gone through; `total`: how many, for
    progress; `categories`: positions of columns whose values are names even where they are digits.
    """
    check_width(len(names))
    numeric, wrong = _kinds(rows, len(names), categories)
    writer = Writer(source.folder, list(names), numeric)
    try:
        for block in _blocks(rows):
            columns: list[Any] = []
            for index, is_number in enumerate(numeric):
                cells = [row[index] for row in block]
                columns.append(
                    np.array([_number(cell) for cell in cells])
                    if is_number
                    else [_text(cell) for cell in cells]
                )
            writer.append(columns)
            source.progress(min(1.0, writer.rows / max(1, total)))
    finally:
        writer.close()
    said = list(notes)
    for index, texts in wrong.items():
        listed = some([f"“{cleaned(text)}”" for text in sorted(texts)])
        said.append(
            f"In {writer.names[index]}, cells that are no numbers count as missing: {listed}."
        )
    table = writer.finish(source.name, form, tuple(said), tabular=True)
    return with_roles(table, tuple(not name for name in names))


def _kinds(
    rows: Iterable[Sequence[Any]], width: int, categories: Collection[int]
) -> tuple[list[bool], dict[int, set[str]]]:
    """Which columns hold numbers, and which texts stand among them."""
    filled, wrong = [0] * width, [0] * width
    texts: list[set[str]] = [set() for _ in range(width)]
    for row in rows:
        for index, cell in enumerate(row):
            if _text(cell) is None:
                continue
            filled[index] += 1
            if math.isnan(_number(cell)):
                wrong[index] += 1
                if len(texts[index]) < 50:
                    texts[index].add(str(cell))
    numeric = [wrong[i] <= _WRONG * filled[i] and i not in categories for i in range(width)]
    return numeric, {i: texts[i] for i in range(width) if numeric[i] and texts[i]}


def _blocks(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    ahead = iter(rows)
    while block := list(islice(ahead, _BLOCK)):
        yield block


def _number(cell: Any) -> float:
    """The cell as a number; NaN where it is none, or missing."""
    if isinstance(cell, datetime.date | datetime.time | datetime.timedelta):
        return math.nan
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _text(cell: Any) -> str | None:
    """The cell as text; None where nothing is there."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = str(cell).strip()
    return None if text in MISSING else text
