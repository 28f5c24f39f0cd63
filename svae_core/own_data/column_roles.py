"""Columns that are not features: row numbers, names of rows, dates, and nearly empty ones.

They are found when a table has been written, are left out of training by default, and are said;
whoever names one of them among the columns to train on gets it.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from svae_core.own_data.names import NAMED_AS_CELLS, are_barcodes
from svae_core.own_data.tables import Column, Table, write_about
from svae_core.records import RequestError

ROW_NUMBER, ROW_NAME, DATE, EMPTY = "row number", "row name", "date", "nearly empty"
#: A column that a file keeps beside its matrix: it may be the label, but it is not of the matrix.
ANNOTATION = "annotation"
#: Share of a column's cells that may be missing before it is left out instead of its rows.
_MISSING = 0.8
#: Share of different values among a text column's cells from which it names its rows.
_DIFFERENT = 0.9
_SEEN = 20  # cells that show whether a column holds lists
_LIST = re.compile(r"[\[({]\s*[-+.\d][-+.\deE]*([,;]|\s)\s*[-+.\d]")
_SEPARATOR = re.compile(r"[,;\s]+")
_FEW = 8  # rows below which different texts say nothing
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( \d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)


def with_roles(table: Table, unnamed: tuple[bool, ...] = ()) -> Table:
    """The table with the role of each column; `unnamed`: which had no name in the file."""
    nameless = unnamed or (False,) * len(table.columns)
    columns = tuple(
        dataclasses.replace(column, role=_role(table, column, nameless[index], index == 0))
        for index, column in enumerate(table.columns)
    )
    # Rather all columns than none: a table of names only is refused where it is shaped.
    numbers = [column.name for column in columns if column.kind == "number"]
    either = NAMED_AS_CELLS if are_barcodes(numbers) else ""
    _refuse_lists(table)
    found = dataclasses.replace(table, columns=columns, rows_or_columns=either)
    write_about(found)
    return found


def _refuse_lists(table: Table) -> None:
    """RequestError where the cells of a column of text are lists that hold most of the numbers."""
    for column in table.columns:
        if column.kind == "number":
            continue
        cells = [cell for cell in table.texts(column.name)[:_SEEN] if cell]
        lists = [len(_SEPARATOR.split(cell)) for cell in cells if _LIST.match(cell)]
        if cells and len(lists) == len(cells) and min(lists) > len(table.of_kind("number")):
            raise RequestError(
                f"The column {column.name!r} holds lists of numbers as text and may be the data; "
                f"in Python: numpy.save('points.npy', frame[{column.name!r}].map(json.loads)"
                ".tolist())."
            )


def _role(table: Table, column: Column, nameless: bool, first: bool) -> str:
    if table.rows and column.missing >= _MISSING * table.rows and column.missing > 1:
        return EMPTY
    if column.kind == "number":
        unnamed = nameless or column.name.lower().startswith(("unnamed", "__index"))
        return ROW_NUMBER if first and unnamed and _counts_rows(table, column) else ""
    if column.kind != "category":
        return ""
    if column.categories and all(_DATE.fullmatch(value) for value in column.categories):
        return DATE
    present = table.rows - column.missing
    different = len(column.categories) >= _DIFFERENT * present
    return ROW_NAME if different and table.rows >= _FEW else ""


def _counts_rows(table: Table, column: Column) -> bool:
    """Whether a column is 0, 1, 2 … or 1, 2, 3 … down all rows."""
    position = table.of_kind("number").index(column.name)
    values = np.asarray(table.numbers()[:, position])
    return bool((values == np.arange(len(values)) + values[0]).all()) and values[0] in (0, 1)


#: Beginning of the sentence that says why columns of a role were left out.
REASONS = {
    ROW_NUMBER: "Left out, since it only counts the rows",
    ROW_NAME: "Left out, since its text is different in nearly every row (names, perhaps)",
    DATE: "Left out, since it holds dates or times",
    EMPTY: "Left out, since nearly all of its values are missing",
    ANNOTATION: "Left out, since it describes the rows and is not of the matrix",
}
