"""From a table to points: column selection, imputation, one-hot coding and standardisation.

Every operation on the data is noted in one sentence. Works in blocks of rows, so that little memory
is needed besides the points.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

import numpy as np

from svae_core.config.limits import limits
from svae_core.own_data.array_to_table import blocks_of
from svae_core.own_data.column_roles import REASONS
from svae_core.own_data.joining import Joined, join, label_in
from svae_core.own_data.limits import CATEGORIES, CATEGORIES_UNASKED, CLASSES, COLUMNS, NUMBERS
from svae_core.own_data.names import some
from svae_core.own_data.preprocessing import (
    Feature,
    is_pair,
    made_points,
    positions_of,
    stored_points,
)
from svae_core.own_data.suspicions import SAMPLE, suspicions_of_columns, suspicions_of_points
from svae_core.own_data.tables import Column, Table
from svae_core.records import Dataset, RequestError

#: Names of columns that are taken for the label, in this order.
_LABEL_NAMES = (
    *("label", "labels", "class", "classes", "target", "species", "category", "diagnosis"),
    *("folder", "digit", "y"),
)
_LOOKED_AT = 500  # columns beyond which suspicions of single ones are not looked for
_CLASSES_FROM = 200_000  # rows that show whether a column of numbers holds classes


@dataclass(frozen=True)
class Choice:
    """The user's choices for a table."""

    features: str = ""  # names separated by commas, quoted where they hold one; empty: all usable
    label: str = "auto"
    missing: str = "drop"  # drop | mean
    standardise: str = "auto"  # auto | yes | no


def names_of(text: str) -> tuple[str, ...]:
    """The names in a list separated by commas."""
    rows = list(csv.reader(io.StringIO(text), skipinitialspace=True))
    return tuple(name.strip() for row in rows for name in row if name.strip())


def text_of(names: tuple[str, ...] | list[str]) -> str:
    """The inverse of `names_of`."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(names)
    return out.getvalue()


def label_of(table: Table, choice: Choice) -> Column | None:
    """The chosen label column; for `auto`, a category with a usual name, or the last column."""
    if choice.label == "none":
        return None
    if choice.label != "auto":
        return table.column(choice.label)
    classes = {
        column.name.lower(): column
        for column in table.columns
        if column.kind == "category" and 2 <= len(column.categories) <= CLASSES
    }
    numbers = {column.name.lower(): column for column in table.columns if column.kind == "number"}
    for name in _LABEL_NAMES:
        if name in classes:
            return classes[name]
        if name in numbers and len(table.columns) > 1 and _numbers_classes(table, numbers[name]):
            return numbers[name]
    last = table.columns[-1]
    return last if last in classes.values() and len(table.columns) > 1 else None


@dataclass(frozen=True)
class Labelling:
    """Which column is the label, of which table, and which column of the data it keeps out."""

    source: Table
    label: Column | None
    kept_out: Column | None  # of the data: never trained on
    joined: Joined | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """How a second file was joined, and what its label replaces."""
        if self.joined is None:
            return ()
        if self.kept_out is None or self.kept_out is self.label:
            return (self.joined.note,)
        kept = f"{self.kept_out.name} of the data itself looks like a label and is not trained on."
        return self.joined.note, kept

    def rows_for(self, rows: np.ndarray | None) -> np.ndarray | None:
        """Rows of `source` for rows of the data (None: all); -1 where there is none."""
        if self.joined is None or self.source is not self.joined.table:
            return rows
        return self.joined.rows if rows is None else self.joined.rows[rows]


def labelling_of(table: Table, choice: Choice, second: Table | None = None) -> Labelling:
    """The label of a table, or of the second file that belongs to it."""
    if second is None:
        label = label_of(table, choice)
        return Labelling(table, label, label)
    joined = join(table, second)
    auto = label_of(table, Choice())
    if choice.label == "none":
        return Labelling(table, None, None, joined)
    guess = label_of(second, Choice())
    found = label_in(joined, choice.label, guess)
    if found is None:
        label = table.column(choice.label)
        return Labelling(table, label, label, joined)
    return Labelling(second, found, auto, joined)


def _numbers_classes(table: Table, column: Column) -> bool:
    """Whether a column of numbers holds classes: few different whole numbers."""
    if not (math.isfinite(column.low) and column.low == round(column.low)):
        return False
    if column.high - column.low >= 10 * CLASSES and column.high - column.low >= table.rows:
        return False
    values = np.asarray(table.numbers()[:, _position(table, column)], np.float64)
    values = values[np.isfinite(values)]
    different = np.unique(values[:_CLASSES_FROM])
    whole = bool((different == np.rint(different)).all())
    return whole and 2 <= len(different) <= min(CLASSES, max(2, len(values) // 2))


def shape(table: Table, choice: Choice, seed: int, second: Table | None = None) -> Dataset:
    """The dataset of a table under these choices; RequestError if nothing usable is left.

    `second`: a file with labels for the same rows, joined by name or by order.
    """
    labelling = labelling_of(table, choice, second)
    label = labelling.label
    features, notes = _features(table, choice, labelling.kept_out)
    rows, more = _rows(table, features, choice, seed)
    labels, names = _labels(labelling.source, label, labelling.rows_for(rows))
    more += labelling.notes
    standardise = choice.standardise == "yes" or (choice.standardise == "auto" and table.tabular)
    untouched = stored_points(table, features, rows, standardise)
    if untouched is None:
        points, features, said = made_points(table, features, rows, standardise)
        more += said
    else:
        points = untouched
    more += _suspicions(table, points, features, rows)
    if label is not None:
        more += (f"The label is {label.name}; it is shown, and never trained on.",)
    return Dataset(
        name=table.name,
        title=table.name,
        points=points,
        labels=labels,
        label_names=names,
        feature_names=() if table.image_shape else tuple(item.name for item in features),
        image_shape=table.image_shape if len(features) == _pixels(table) else None,
        notes=(*table.notes, *notes, *more),
    )


def _suspicions(
    table: Table, points: np.ndarray, features: list[Feature], rows: np.ndarray | None
) -> tuple[str, ...]:
    """What looks wrong in the data, in a sentence each; pictures are not looked at."""
    if table.image_shape:
        return ()
    numbers = [item for item in features if item.code < 0]
    found = suspicions_of_points(points, [item.name for item in features], rows)
    if table.tabular and 0 < len(numbers) <= _LOOKED_AT:
        step = max(1, -(-table.rows // SAMPLE))
        some_rows = np.asarray(table.numbers()[::step])[:, positions_of(numbers)]
        found += suspicions_of_columns(some_rows, [item.name for item in numbers])
    return tuple(found)


def _pixels(table: Table) -> int:
    return table.image_shape[0] * table.image_shape[1] if table.image_shape else 0


# -------------------------------------------------------------------- columns and rows


def _features(
    table: Table, choice: Choice, label: Column | None
) -> tuple[list[Feature], tuple[str, ...]]:
    """The features, categories one-hot coded, and notes on what was left out."""
    chosen = tuple(dict.fromkeys(names_of(choice.features)))  # repeated names count once
    columns = [table.column(name) for name in chosen] if chosen else list(table.columns)
    columns = [column for column in columns if label is None or column.name != label.name]
    notes: list[str] = []
    if not chosen:
        columns, notes = _without_roles(columns)
    most = CATEGORIES if chosen else CATEGORIES_UNASKED
    free = [
        column.name
        for column in columns
        if column.kind == "text" or (column.kind == "category" and len(column.categories) > most)
    ]
    if free and chosen:
        raise RequestError(
            f"Column {free[0]!r} of {table.name} is free text with too many different values; "
            "leave it out."
        )
    if free:
        notes.append(f"Text with more than {most} different values was left out: {some(free)}.")
        columns = [column for column in columns if column.name not in free]
    features: list[Feature] = []
    coded = []
    for column in columns:
        if column.kind == "number":
            features.append(Feature(column.name, column, _position(table, column)))
        else:
            coded.append(column.name)
            # Two categories need one coordinate: a second would be redundant.
            codes = range(1, 2) if is_pair(column) else range(len(column.categories))
            features += [
                Feature(f"{column.name} = {column.categories[code]}", column, -1, code)
                for code in codes
            ]
    if coded:
        notes.append(f"Categories became one column of 0 and 1 each: {some(coded)}.")
    if len(features) > COLUMNS:
        raise RequestError(
            f"{table.name} would have {len(features):,} features, but at most {COLUMNS:,} can be "
            "used; choose fewer columns."
        )
    if not features:
        raise RequestError(f"{table.name} has no column left to train on; choose at least one.")
    return features, tuple(notes)


def _without_roles(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """The columns that may be features, and a sentence for each kind of the others."""
    notes = []
    for role, reason in REASONS.items():
        names = [column.name for column in columns if column.role == role]
        if names:
            notes.append(f"{reason}: {some(names)}.")
    kept = [column for column in columns if not column.role]
    # Rather names and gaps than nothing: what cannot be trained on is then said further on.
    return (kept, notes) if kept else (columns, [])


def _position(table: Table, column: Column) -> int:
    return table.of_kind("number").index(column.name)


def _rows(
    table: Table, features: list[Feature], choice: Choice, seed: int
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The rows used (None: all, in order), and notes on dropped and imputed values."""
    gaps = {item.column.name: item.column.missing for item in features if item.column.missing}
    usable: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    total = sum(gaps.values())
    if total and choice.missing == "drop":
        usable = _complete(table, features)
        lost = table.rows - len(usable)
        notes = (
            f"{lost:,} of {table.rows:,} rows were dropped, since a value is missing or not finite "
            f"in {some(list(gaps))}.",
        )
        if len(usable) < 2:
            raise RequestError(
                f"{table.name} has {len(usable)} rows without a missing value, but two are needed; "
                "fill gaps with the mean, or choose other columns."
            )
    elif total:
        notes = (
            f"{total:,} missing or not finite values were replaced in {some(list(gaps))}: a number "
            "by the mean of its column, one of two categories by the more frequent, any other "
            "category by none.",
        )
    count = table.rows if usable is None else len(usable)
    if count < 2:
        raise RequestError(f"{table.name} has one row, but at least two different ones are needed.")
    limit = min(NUMBERS // len(features), limits().points)
    if count > limit:
        picked = np.sort(np.random.default_rng([seed, 41]).choice(count, limit, replace=False))
        usable = picked if usable is None else usable[picked]
        notes += (f"A random sample of {limit:,} of {count:,} rows is used, so that they fit.",)
    return usable, notes


def _complete(table: Table, features: list[Feature]) -> np.ndarray:
    """Indices of the rows in which no feature is missing."""
    keep = np.ones(table.rows, bool)
    for names in {item.column.name for item in features if item.code >= 0}:
        keep &= table.codes(names) >= 0
    positions = positions_of(features)
    if positions:
        numbers = table.numbers()
        for block in blocks_of(table.rows, numbers.shape[1]):
            keep[block] &= np.isfinite(numbers[block][:, positions]).all(axis=1)
    return np.flatnonzero(keep)


def _labels(
    table: Table, label: Column | None, rows: np.ndarray | None
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Classes [n] numbered from 0 in the order of their names, and the names.

    `rows` (None: all): -1 where a row has no label.
    """
    if label is None:
        return None, ()
    values: np.ndarray
    if label.kind == "number":
        column = table.numbers()[:, _position(table, label)]
        values = np.asarray(column if rows is None else column[rows], float)
        known = np.isfinite(values) & (True if rows is None else rows >= 0)
        values = np.where(known, values, np.inf)
        present, codes = np.unique(values, return_inverse=True)
        texts = [f"{value:.12g}" for value in present[: CLASSES + 1].tolist()]
        if len(set(texts)) < len(texts):  # they differ in later digits
            texts = [f"{value:.17g}" for value in present[: CLASSES + 1].tolist()]
        texts = ["(missing)" if text == "inf" else text for text in texts]
    else:
        values = table.codes(label.name) if label.kind == "category" else np.empty(0)
        if rows is not None and len(values):
            values = np.where(rows >= 0, values[rows], -1)
        present, codes = np.unique(values, return_inverse=True)
        texts = ["(missing)" if code < 0 else label.categories[code] for code in present]
    if label.kind == "text" or len(present) > CLASSES:
        raise RequestError(
            f"Column {label.name!r} of {table.name} has too many different values for a label; "
            f"choose one with at most {CLASSES}, or none."
        )
    order = sorted(range(len(texts)), key=lambda i: (texts[i] == "(missing)", i))
    if label.kind == "category":
        order = sorted(range(len(texts)), key=lambda i: (texts[i] == "(missing)", texts[i]))
    rank = np.argsort(order)
    return rank[codes].astype(int), tuple(texts[i] for i in order)
