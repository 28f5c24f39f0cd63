"""From a table to points: column selection, imputation, one-hot coding and standardisation.

Every operation on the data is noted in one sentence. Works in blocks of rows, so that little memory
is needed besides the points.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from svae_core.config.limits import limits
from svae_core.own_data.column_roles import REASONS
from svae_core.own_data.limits import CATEGORIES, CATEGORIES_UNASKED, CLASSES, COLUMNS, NUMBERS
from svae_core.own_data.names import some
from svae_core.own_data.suspicions import SAMPLE, suspicions_of_columns, suspicions_of_points
from svae_core.own_data.tables import Column, Table
from svae_core.records import Dataset, RequestError

_BLOCK_CELLS = 2**20
#: Names of columns that are taken for the label, in this order.
_LABEL_NAMES = (
    *("label", "labels", "class", "classes", "target", "species", "category", "diagnosis"),
    *("folder", "digit", "y"),
)
_LOOKED_AT = 500  # columns beyond which suspicions of single ones are not looked for
_CLASSES_FROM = 200_000  # rows that show whether a column of numbers holds classes
_FLOAT32 = 1e18  # squares of larger numbers overflow
_FAR = 1e3  # offsets of so many standard deviations cost float32 half of its digits


@dataclass(frozen=True)
class Choice:
    """The user's choices for a table."""

    features: str = ""  # names separated by commas, quoted where they hold one; empty: all usable
    label: str = "auto"
    missing: str = "drop"  # drop | mean
    standardise: str = "auto"  # auto | yes | no


@dataclass(frozen=True)
class Feature:
    """One coordinate of the points: a column of numbers, or one category of a column."""

    name: str
    column: Column
    position: int  # of the column among those of its kind
    code: int = -1  # of the category


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


def shape(table: Table, choice: Choice, seed: int) -> Dataset:
    """The dataset of a table under these choices; RequestError if nothing usable is left."""
    label = label_of(table, choice)
    features, notes = _features(table, choice, label)
    rows, more = _rows(table, features, choice, seed)
    labels, names = _labels(table, label, rows)
    standardise = choice.standardise == "yes" or (choice.standardise == "auto" and table.tabular)
    untouched = _untouched(table, features, rows, standardise)
    if untouched is None:
        points, features, said = _points(table, features, rows, standardise)
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
        some_rows = np.asarray(table.numbers()[::step])[:, _positions(numbers)]
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
            codes = range(1, 2) if _is_pair(column) else range(len(column.categories))
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


def _is_pair(column: Column) -> bool:
    """Whether a column holds two categories, coded as one coordinate of 0 and 1."""
    return len(column.categories) == 2


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
    positions = _positions(features)
    if positions:
        numbers = table.numbers()
        for block in _blocks(table.rows, numbers.shape[1]):
            keep[block] &= np.isfinite(numbers[block][:, positions]).all(axis=1)
    return np.flatnonzero(keep)


def _labels(
    table: Table, label: Column | None, rows: np.ndarray | None
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Classes [n] numbered from 0 in the order of their names, and the names."""
    if label is None:
        return None, ()
    values: np.ndarray
    if label.kind == "number":
        column = table.numbers()[:, _position(table, label)]
        values = np.asarray(column if rows is None else column[rows], float)
        values = np.where(np.isfinite(values), values, np.inf)
        present, codes = np.unique(values, return_inverse=True)
        texts = [f"{value:.12g}" for value in present[: CLASSES + 1].tolist()]
        if len(set(texts)) < len(texts):  # they differ in later digits
            texts = [f"{value:.17g}" for value in present[: CLASSES + 1].tolist()]
        texts = ["(missing)" if text == "inf" else text for text in texts]
    else:
        values = table.codes(label.name) if label.kind == "category" else np.empty(0)
        values = values if rows is None or not len(values) else values[rows]
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


# ------------------------------------------------------------------------------ points


def _untouched(
    table: Table, features: list[Feature], rows: np.ndarray | None, standardise: bool
) -> np.ndarray | None:
    """The array as it lies on disk, mapped, where nothing at all has to be done to it."""
    if standardise or rows is not None or table.scale != 1.0:
        return None
    numbers = table.numbers()
    every = _positions(features) == list(range(numbers.shape[1]))
    varied = all(item.column.low < item.column.high for item in features)
    small = all(max(-item.column.low, item.column.high) < _FLOAT32 for item in features)
    whole = not any(item.column.missing for item in features)
    if not (every and varied and small and whole and len(features) == numbers.shape[1]):
        return None
    plain = numbers.dtype == np.float32 and numbers.flags.c_contiguous
    return numbers if plain else None


def _points(
    table: Table, features: list[Feature], rows: np.ndarray | None, standardise: bool
) -> tuple[np.ndarray, list[Feature], tuple[str, ...]]:
    """Points [n, d] float32, the features that vary, and notes on what was done."""
    source = _Source(table, features, rows)
    mean, spread = source.statistics()
    varies = spread > 0
    if not varies.any():
        raise RequestError(
            f"All rows of {table.name} are equal in the columns chosen; give data that vary."
        )
    notes = []
    constant = [item.name for item, moves in zip(features, varies, strict=True) if not moves]
    if table.image_shape:
        varies[:] = True  # images keep constant pixels
    elif constant:
        notes.append(f"Constant columns were dropped: {some(constant)}.")
    kept = [item for item, moves in zip(features, varies, strict=True) if moves]
    if standardise:
        notes.append("Every column was brought to mean 0 and variance 1.")
    points = np.empty((source.count, len(kept)), np.float32)
    scale = np.where(spread > 0, spread, 1.0)
    # float32 keeps 24 bits: of a column far from zero they would go into its offset.
    far = (np.abs(mean) > _FAR * spread) & varies & (not table.image_shape)
    if far.any() and not standardise:
        names = [item.name for item, is_far in zip(features, far, strict=True) if is_far]
        notes.append(f"Columns far from zero were moved to mean 0: {some(names)}.")
    shift = np.where(far, mean, 0.0)
    for start, block in source.blocks():
        filled = np.where(np.isfinite(block), block, mean)
        filled = (filled - mean) / scale if standardise else filled - shift
        largest = float(np.abs(filled).max())
        if largest > _FLOAT32:
            raise RequestError(
                f"{table.name} holds numbers up to {largest:.3g}, too large to square; standardise "
                "its columns."
            )
        points[start : start + len(block)] = filled[:, varies]
    return points, kept, tuple(notes)


class _Source:
    """Blocks of float64 rows of the features, categories coded, gaps as NaN."""

    def __init__(self, table: Table, features: list[Feature], rows: np.ndarray | None) -> None:
        self.count = table.rows if rows is None else len(rows)
        self._rows = rows
        self._features = features
        self._scale = table.scale
        self._positions = _positions(features)
        self._numbers = table.numbers() if self._positions else None
        coded = {item.column.name for item in features if item.code >= 0}
        self._codes = {name: table.codes(name) for name in coded}
        pairs = {item.column.name for item in features if item.code >= 0 and _is_pair(item.column)}
        # Imputation of a missing category of two: the more frequent one.
        self._missing = {name: self._more_frequent(name) for name in pairs}

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Blocks as (first row, values [rows, features])."""
        for part in _blocks(self.count, len(self._features)):
            rows = part if self._rows is None else self._rows[part]
            block = np.empty((part.stop - part.start, len(self._features)))
            if self._numbers is not None:
                with np.errstate(invalid="ignore"):
                    found = np.asarray(self._numbers[rows], np.float64)[:, self._positions]
                of_numbers = [i for i, item in enumerate(self._features) if item.code < 0]
                block[:, of_numbers] = found / self._scale
            for index, item in enumerate(self._features):
                if item.code >= 0:
                    name = item.column.name
                    codes = self._codes[name][rows]
                    known = np.where(codes < 0, self._missing.get(name, -1), codes)
                    block[:, index] = known == item.code
            yield part.start, block

    def _more_frequent(self, name: str) -> int:
        """The more frequent of two categories in the rows used; the first if equally frequent."""
        codes = self._codes[name] if self._rows is None else self._codes[name][self._rows]
        return int(np.count_nonzero(codes == 1) > np.count_nonzero(codes == 0))

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each feature over its finite values."""
        low, high = self._extremes()
        # Computed relative to the middle of the range and in units of its half, against overflow
        # of huge values and cancellation of small variations on a large offset.
        middle, half = low / 2 + high / 2, np.maximum(high / 2 - low / 2, 0.0)
        unit = np.where(half > 0, half, 1.0)
        count, total, squares = (np.zeros(len(low)) for _ in range(3))
        for _, block in self.blocks():
            finite = np.isfinite(block)
            scaled = np.where(finite, (block - middle) / unit, 0.0)
            count += finite.sum(axis=0)
            total += scaled.sum(axis=0)
            squares += (scaled * scaled).sum(axis=0)
        mean = total / np.maximum(count, 1)
        variance = np.maximum(squares / np.maximum(count, 1) - mean * mean, 0.0)
        return middle + unit * mean, np.where(half > 0, unit * np.sqrt(variance), 0.0)

    def _extremes(self) -> tuple[np.ndarray, np.ndarray]:
        low = np.full(len(self._features), np.inf)
        high = np.full(len(self._features), -np.inf)
        for _, block in self.blocks():
            finite = np.isfinite(block)
            low = np.minimum(low, np.where(finite, block, np.inf).min(axis=0))
            high = np.maximum(high, np.where(finite, block, -np.inf).max(axis=0))
        known = low <= high
        return np.where(known, low, 0.0), np.where(known, high, 0.0)


def _positions(features: list[Feature]) -> list[int]:
    return [item.position for item in features if item.code < 0]


def _blocks(rows: int, width: int) -> list[slice]:
    step = max(1, _BLOCK_CELLS // max(1, width))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
