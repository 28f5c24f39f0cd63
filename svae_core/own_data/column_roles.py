"""Columns that are not features: row numbers, names of rows, dates, and nearly empty ones.

They are found when a table has been written, are left out of training by default, and are said;
whoever names one of them among the columns to train on gets it.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from svae_core.own_data.names import (
    NAMED_AS_CELLS,
    NAMED_AS_GENES,
    NAMED_AS_SAMPLES,
    are_barcodes,
    are_genes,
    are_samples,
)
from svae_core.own_data.tables import Column, Table, write_about
from svae_core.records import RequestError

ROW_NUMBER, ROW_NAME, DATE, EMPTY = "row number", "row name", "date", "nearly empty"
NUMBERS_AS_TEXT, PART = "numbers as text", "part"
#: A column that a file keeps beside its matrix: it may be the label, but it is not of the matrix.
ANNOTATION = "annotation"
#: A column that its file declares to be the class.
CLASS = "class"
#: Share of a column's cells that may be missing before it is left out instead of its rows.
_MISSING = 0.8
#: Share of different values among a text column's cells from which it names its rows.
_DIFFERENT = 0.9
_SEEN = 20  # cells that show whether a column holds lists
_LIST = re.compile(r"[\[({]\s*[-+.\d][-+.\deE]*([,;]|\s)\s*[-+.\d]")
_SEPARATOR = re.compile(r"[,;\s]+")
_DECIMAL = re.compile(
    r"[-+\u2212(]?\d+[\d.,]*[.,]\d+([eE][-+]?\d+)?( ?[^\W\d_%°µ]{0,4}[²³%°µ]?\)?-?)$"
)
#: Words that say for which part of a study a row is.
_PARTS = {
    *("train", "training", "test", "testing", "val", "valid", "validation", "dev", "holdout"),
    *("eval", "evaluation", "unlabeled", "extra"),
}
_FEW = 8  # rows below which different texts say nothing
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( \d{1,2}:\d{2}.*)?"
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)


def with_roles(
    table: Table, unnamed: tuple[bool, ...] = (), declared: tuple[str, ...] = ()
) -> Table:
    """The table with the role of each column.

    `unnamed`: which had no name in the file; `declared`: the roles that it gives them itself.
    """
    nameless = unnamed or (False,) * len(table.columns)
    indexed = nameless[0] and not all(nameless)
    columns = tuple(
        dataclasses.replace(column, role=_role(table, column, nameless[i], i == 0, indexed))
        for i, column in enumerate(table.columns)
    )
    columns = tuple(
        # Names stay names of the rows, which the file may call meta.
        column
        if column.role == ROW_NAME
        else dataclasses.replace(column, role=given or column.role)
        for column, given in zip(columns, declared or ("",) * len(columns), strict=True)
    )
    _refuse_numbers_as_text(columns)
    # Rather all columns than none: a table of names only is refused where it is shaped.
    numbers = [column.name for column in columns if column.kind == "number"]
    named = [column.name for column in columns if column.role == ROW_NAME]
    either = NAMED_AS_CELLS if are_barcodes(numbers) else ""
    either = either or (NAMED_AS_SAMPLES if are_samples(numbers) else "")
    if not either and named and len(numbers) > 1:
        firsts = [column.name for column in columns[:2]]
        either = NAMED_AS_GENES if are_genes(firsts, table.texts(named[0])) else ""
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


def _refuse_numbers_as_text(columns: tuple[Column, ...]) -> None:
    """RequestError where most of the numbers are written so that they can only be text."""
    hidden = [column for column in columns if column.role == NUMBERS_AS_TEXT]
    if len(hidden) > sum(column.kind == "number" and not column.role for column in columns):
        example = next(value for value in hidden[0].categories if _DECIMAL.match(value))
        raise RequestError(
            f"The column {hidden[0].name!r} holds numbers written as text (“{example}”) and may be "
            "the data; write them as plain numbers, such as 1234.5, or in Python by "
            "pandas.to_numeric."
        )


def _holds_decimals(column: Column) -> bool:
    """Whether most of the texts are numbers with decimals: measured, and no names or classes."""
    found = sum(_DECIMAL.match(value) is not None for value in column.categories)
    return found > 0.5 * len(column.categories)


def _role(table: Table, column: Column, nameless: bool, first: bool, indexed: bool) -> str:
    if table.rows and column.missing >= _MISSING * table.rows and column.missing > 1:
        return EMPTY
    if column.kind == "number":
        unnamed = nameless or column.name.lower().startswith(("unnamed", "__index"))
        return ROW_NUMBER if first and unnamed and _counts_rows(table, column, indexed) else ""
    if column.kind != "category":
        return ""
    if _holds_decimals(column):
        return NUMBERS_AS_TEXT
    if (
        2 <= len(column.categories) <= len(_PARTS)
        and {*map(str.lower, column.categories)} <= _PARTS
    ):
        return PART
    if column.categories and all(_DATE.fullmatch(value) for value in column.categories):
        return DATE
    present = table.rows - column.missing
    different = len(column.categories) >= _DIFFERENT * present
    return ROW_NAME if different and table.rows >= _FEW else ""


def _counts_rows(table: Table, column: Column, indexed: bool) -> bool:
    """Whether a column is 0, 1, 2 … or 1, 2, 3 … down all rows.

    `indexed`: it alone has no name, so it is the index of a data frame; of one that was shuffled or
    cut its numbers are different and in no order.
    """
    position = table.of_kind("number").index(column.name)
    values = np.asarray(table.numbers()[:, position])
    if indexed and column.low >= 0 and (values == np.rint(values)).all():
        return len(np.unique(values)) == len(values)
    return bool((values == np.arange(len(values)) + values[0]).all()) and values[0] in (0, 1)


#: Beginning of the sentence that says why columns of a role were left out.
REASONS = {
    ROW_NUMBER: "Left out, since it only counts the rows",
    ROW_NAME: "Left out, since its text is different in nearly every row (names, perhaps)",
    DATE: "Left out, since it holds dates or times",
    NUMBERS_AS_TEXT: (
        "Left out, since its numbers are written as text in more than one way, or in one that is "
        "not clear, so write them as plain numbers"
    ),
    PART: "Left out, since it divides the rows into parts for training and testing",
    EMPTY: "Left out, since nearly all of its values are missing",
    CLASS: "Left out, since the file declares it to be the class",
    ANNOTATION: "Left out, since it describes the rows and is not of the matrix",
}
