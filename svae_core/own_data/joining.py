"""Two files: the rows of a second one, with labels or names, are found for the rows of the data.

By name where both files name their rows (barcodes, identifiers, words), else by order where they
have as many rows. Names win: files of equal length need not be in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from svae_core.own_data.column_roles import ROW_NUMBER
from svae_core.own_data.tables import Column, Table
from svae_core.records import RequestError

#: Columns of a file, at most, that are tried as the names of its rows.
_TRIED = 8
#: Share of the rows that must find their name, where joining by order is possible as well.
_MOSTLY = 0.5
_NAMES = "the names of its rows"


@dataclass(frozen=True)
class Joined:
    """A second file, and for each row of the data the row that belongs to it."""

    table: Table
    rows: np.ndarray  # [rows of the data] row of `table`, -1 where there is none
    key: str  # the column of `table` by which they were joined; empty: by order
    data_key: str  # the column of the data that agrees with it, if it is one
    note: str


def join(data: Table, second: Table) -> Joined:
    """The rows of `second` for those of `data`; RequestError where they cannot be told."""
    share, rows, mine, theirs = _by_name(data, second)
    even = second.rows - data.rows
    # A single column of text is read without a header: the counts say whether there was one.
    ordered = even == 0 or (even == 1 and _one_column_of_text(second))
    if rows is not None and share > (_MOSTLY if ordered else 0.0):
        found = int(np.count_nonzero(rows >= 0))
        note = (
            f"{second.name} is joined by name ({mine}, and {theirs} there): {found:,} of "
            f"{data.rows:,} rows are in it, out of {second.rows:,} there."
        )
        return Joined(second, rows, theirs, "" if mine == _NAMES else mine, note)
    if ordered:
        note = f"{second.name} is joined by order: {data.rows:,} rows in both files."
        return Joined(second, np.arange(data.rows) + even, "", "", note)
    if second.rows == len(data.of_kind("number")) and not data.tabular:
        raise RequestError(
            f"{second.name} has {second.rows:,} rows, as many as {data.name} has columns; exchange "
            "its rows and columns (--file.turned), if the columns are the points."
        )
    raise RequestError(
        f"{data.name} has {data.rows:,} rows and {second.name} has {second.rows:,}, and no column "
        "names the same rows in both; give one row for each, or the names of the rows in both."
    )


def label_in(joined: Joined, wanted: str, guess: Column | None) -> Column | None:
    """The label among the columns of a second file; None if there is none of that name.

    `guess`: the column that looks like a label by itself. Without one, the first column of text
    with few different values is taken, and never the one by which the files were joined.
    """
    columns = [column for column in joined.table.columns if column.name != joined.key]
    if wanted != "auto":
        return next((column for column in joined.table.columns if column.name == wanted), None)
    if guess is not None and guess in columns:
        return guess
    able = [column for column in columns if column.kind == "category" and not column.role]
    if not able:
        able = columns if len(columns) == 1 and columns[0].kind != "text" else []
    if not able:
        names = ", ".join(column.name for column in joined.table.columns[:12])
        raise RequestError(
            f"No column of {joined.table.name} looks like a label ({names}); name one with "
            "--file.label, or none."
        )
    return able[0]


def _one_column_of_text(table: Table) -> bool:
    return len(table.columns) == 1 and table.columns[0].kind != "number"


def _by_name(data: Table, second: Table) -> tuple[float, np.ndarray | None, str, str]:
    """The pair of columns in which most rows of the data are found: share, rows, both names."""
    best: tuple[float, np.ndarray | None, str, str] = (0.0, None, "", "")
    known = list(_names_of_rows(second))
    for mine, numeric, texts in _names_of_rows(data):
        for theirs, other_numeric, others in known:
            # Whole numbers agree by chance: they join only under one name.
            if (numeric or other_numeric) and mine.lower() != theirs.lower():
                continue
            position = {text: row for row, text in enumerate(others) if text}
            rows = np.array([position.get(text, -1) for text in texts])
            share = float(np.mean(rows >= 0)) if len(rows) else 0.0
            if share > best[0]:
                best = share, rows, mine, theirs
    return best


def _names_of_rows(table: Table) -> Iterator[tuple[str, bool, list[str]]]:
    """Columns that name rows: all cells different. Name, whether of numbers, and the cells."""
    given = table.row_names()
    if given and len(set(given)) == len(given):
        yield _NAMES, False, given
    texts = [column for column in table.columns if column.kind != "number"][:_TRIED]
    for column in texts:
        cells = table.texts(column.name)
        full = [cell for cell in cells if cell]
        if len(set(full)) == len(full) and len(full) > len(cells) // 2:
            yield column.name, False, cells
    numbers = [column for column in table.columns if column.kind == "number"]
    for column in numbers[:_TRIED] if table.tabular else ():
        if column.role == ROW_NUMBER:
            continue  # 0, 1, 2 … is an order, which joins anything
        values = np.asarray(table.number(column.name), np.float64)
        whole = np.isfinite(values).all() and (values == np.rint(values)).all()
        if whole and len(np.unique(values)) == len(values):
            yield column.name, True, [f"{value:.0f}" for value in values.tolist()]
