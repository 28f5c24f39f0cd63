"""The label of a table, its own or that of a second file: a column shown, never trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from svae_core.own_data.choice import Choice
from svae_core.own_data.column_roles import ANNOTATION, CLASS
from svae_core.own_data.joining import Joined, join, label_in
from svae_core.own_data.limits import CLASSES, EXACT
from svae_core.own_data.tables import Column, Table
from svae_core.records import RequestError

#: Names of columns that are taken for the label, in this order.
_LABEL_NAMES = (
    *("label", "labels", "class", "classes", "target", "species", "category", "diagnosis"),
    *("cell_type", "celltype", "cell type", "type", "folder", "digit", "y"),
)
#: What rows without a label are listed as, after all classes.
UNLABELLED = "(missing)"
_CLASSES_FROM = 200_000  # rows that show whether a column of numbers holds classes


def label_of(table: Table, choice: Choice) -> Column | None:
    """The chosen label column; for `auto`, a category with a usual name, or the last column."""
    if choice.label == "none":
        return None
    if choice.label != "auto":
        return table.column(choice.label)
    classes = {
        column.name.lower(): column
        for column in table.columns
        if column.kind == "category"
        and 2 <= len(column.categories) <= CLASSES
        and column.role != ANNOTATION
    }
    # A gene may be called Y: columns of a sparse matrix are all alike.
    plain = [column for column in table.columns if column.kind == "number" and not table.sparse]
    numbers = {column.name.lower(): column for column in plain}
    for column in table.columns:
        if column.role == CLASS and (
            column.name.lower() in classes
            or (column.kind == "number" and _numbers_classes(table, column))
        ):
            return column
    for name in _LABEL_NAMES:
        if name in classes:
            return classes[name]
        if name in numbers and len(table.columns) > 1 and _numbers_classes(table, numbers[name]):
            return numbers[name]
    last = table.columns[-1]
    # Names, dates and numbers as text are no classes, unless they are called so.
    usable = last in classes.values() and not last.role and len(table.columns) > 1
    return last if usable else None


@dataclass(frozen=True)
class Labelling:
    """Which column is the label, of which table, and which column of the data it keeps out."""

    source: Table
    label: Column | None
    kept_out: tuple[str, ...]  # columns of the data that are never trained on
    joined: Joined | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """How a second file was joined, and what its label replaces."""
        if self.joined is None:
            return ()
        notes = [self.joined.note]
        others = [name for name in self.kept_out if name != self.joined.data_key]
        if others and self.source is self.joined.table:
            notes.append(f"{others[0]} of the data itself looks like a label, and is left out.")
        return tuple(notes)

    def rows_for(self, rows: np.ndarray | None) -> np.ndarray | None:
        """Rows of `source` for rows of the data (None: all); -1 where there is none."""
        if self.joined is None or self.source is not self.joined.table:
            return rows
        return self.joined.rows if rows is None else self.joined.rows[rows]


def labelling_of(table: Table, choice: Choice, second: Table | None = None) -> Labelling:
    """The label of a table, or of the second file that belongs to it."""
    if second is None:
        label = label_of(table, choice)
        return Labelling(table, label, (label.name,) if label else ())
    joined = join(table, second)
    auto = label_of(table, Choice())
    key = (joined.data_key,) if joined.data_key else ()
    if choice.label == "none":
        return Labelling(table, None, key, joined)
    guess = label_of(second, Choice())
    found = label_in(joined, choice.label, guess)
    if found is None:
        label = table.column(choice.label)
        return Labelling(table, label, (label.name, *key), joined)
    return Labelling(second, found, (*((auto.name,) if auto else ()), *key), joined)


def _numbers_classes(table: Table, column: Column) -> bool:
    """Whether a column of numbers holds classes: few different whole numbers."""
    if not (math.isfinite(column.low) and column.low == round(column.low) and _exact(column)):
        return False
    if column.high - column.low >= 10 * CLASSES and column.high - column.low >= table.rows:
        return False
    values = np.asarray(table.number(column.name), np.float64)
    values = values[np.isfinite(values)]
    different = np.unique(values[:_CLASSES_FROM])
    whole = bool((different == np.rint(different)).all())
    return whole and 2 <= len(different) <= min(CLASSES, max(2, len(values) // 2))


def _exact(column: Column) -> bool:
    """Whether all whole numbers in a column are told apart."""
    return max(-column.low, column.high) < EXACT


def labels_of(
    table: Table, label: Column | None, rows: np.ndarray | None
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Classes [n] numbered from 0 in the order of their names, and the names.

    `rows` (None: all): -1 where a row has no label.
    """
    if label is None:
        return None, ()
    values: np.ndarray
    if label.kind == "number" and not _exact(label):
        raise RequestError(
            f"Column {label.name!r} of {table.name} has rounded numbers, 2⁵³ and more: "
            "classes may be one; save it as text, such as c1, c2, or choose another label."
        )
    if label.kind == "number":
        column = table.number(label.name)
        values = np.asarray(column if rows is None else column[rows], float)
        known = np.isfinite(values) & (True if rows is None else rows >= 0)
        values = np.where(known, values, np.inf)
        present, codes = np.unique(values, return_inverse=True)
        texts = [f"{value:.12g}" for value in present[: CLASSES + 1].tolist()]
        if len(set(texts)) < len(texts):  # they differ in later digits
            texts = [f"{value:.17g}" for value in present[: CLASSES + 1].tolist()]
        texts = [UNLABELLED if text == "inf" else text for text in texts]
    else:
        values = table.codes(label.name) if label.kind == "category" else np.empty(0)
        if rows is not None and len(values):
            values = np.where(rows >= 0, values[rows], -1)
        present, codes = np.unique(values, return_inverse=True)
        texts = [UNLABELLED if code < 0 else label.categories[code] for code in present]
    if label.kind == "text" or len(present) > CLASSES:
        raise RequestError(
            f"Column {label.name!r} of {table.name} has too many different values for a label; "
            f"choose one with at most {CLASSES}, or none."
        )
    order = sorted(range(len(texts)), key=lambda i: (texts[i] == UNLABELLED, i))
    if label.kind == "category":
        order = sorted(range(len(texts)), key=lambda i: (texts[i] == UNLABELLED, texts[i]))
    rank = np.argsort(order)
    return rank[codes].astype(int), tuple(texts[i] for i in order)


def count_classes(names: tuple[str, ...]) -> int:
    """How many classes the names of `labels_of` are: rows without a label are none."""
    return sum(name != UNLABELLED for name in names)
