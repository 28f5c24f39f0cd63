"""A look at what will be trained on, before anything is: columns, their shares, what looks wrong.

    look = look_at(table, choice, second)

Of large tables a sample of rows is looked at, evenly spaced, so that a look takes well below a
second; `Look.looked_at` says how many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from svae_core.own_data.choice import Choice
from svae_core.own_data.labels import labels_of
from svae_core.own_data.limits import CATEGORIES_UNASKED
from svae_core.own_data.preprocessing import Feature, made_points
from svae_core.own_data.suspicions import SAMPLE, Suspicion, squared_gaps
from svae_core.own_data.table_to_points import Selection, raw_counts, select, suspicions
from svae_core.own_data.tables import Column, Table
from svae_core.records import RequestError

#: Numbers that are looked at, columns that are described, bars of a histogram, first pictures.
_NUMBERS, _DESCRIBED, _BARS, _PICTURES = 2**22, 500, 12, 12
_FEW_ROWS = 2_000  # looked at where nothing can be trained on
CONSTANT = "constant, left out"


@dataclass(frozen=True)
class ColumnLook:
    """One column: what it is used for, how its values lie, and its share of the variance."""

    name: str
    use: str  # trained on, label, names, or why it is left out
    holds: str
    missing: int
    low: float  # nan: no numbers
    high: float
    histogram: tuple[int, ...]  # counts in equal steps from low to high, or of the categories
    share: float  # of the variance of the points; nan where it is not trained on


@dataclass(frozen=True)
class Look:
    """What will be trained on, or why nothing can be."""

    rows: int
    width: int
    looked_at: int  # rows
    columns: tuple[ColumnLook, ...]
    suspicions: tuple[Suspicion, ...] = ()
    label: str = ""
    classes: tuple[tuple[str, int], ...] = ()
    standardised: bool = False
    deviations: tuple[float, float] = (math.nan, math.nan)  # smallest and largest of a coordinate
    pictures: np.ndarray | None = field(default=None, compare=False)  # [p, height, width] 0 to 1
    refusal: str = ""


def look_at(table: Table, choice: Choice, second: Table | None = None) -> Look:
    """A look at a table under these choices; what cannot be shaped is said in `refusal`."""
    try:
        chosen = select(table, choice, 0, second)
        rows, points, features = _sampled(table, chosen)
    except RequestError as error:
        uses = {column.name: column.role for column in table.columns}
        columns = _columns(table, slice(0, min(table.rows, _FEW_ROWS)), uses, {})
        asked = tuple(raw_counts(table)) if choice.counts == "raw" else ()
        return Look(table.rows, 0, 0, columns, asked, refusal=str(error))
    by_column, _ = squared_gaps(points)
    shares = _shares(by_column, features)
    label = chosen.labelling.label
    names, classes = _classes(chosen)
    uses = {column.name: _use(column, chosen, choice, shares) for column in table.columns}
    deviations = np.sqrt(by_column / len(points))
    return Look(
        rows=table.rows if chosen.rows is None else len(chosen.rows),
        width=len(features),
        looked_at=len(points),
        columns=_columns(table, rows, uses, shares, chosen.treatment.absent),
        suspicions=tuple(suspicions(table, points, features, _of_file(rows), chosen.treatment)),
        label=label.name if label else "",
        classes=tuple(zip(names, classes, strict=True)),
        standardised=chosen.treatment.standardise,
        deviations=(float(deviations.min()), float(deviations.max())),
        pictures=_pictures(table, points),
    )


def _sampled(
    table: Table, chosen: Selection
) -> tuple[np.ndarray | slice, np.ndarray, list[Feature]]:
    """Rows of the file, evenly spaced, and their points."""
    count = table.rows if chosen.rows is None else len(chosen.rows)
    most = max(2, _NUMBERS // max(1, len(chosen.features)))
    step = max(1, -(-count // min(SAMPLE, most))) if count > most else 1
    rows = chosen.rows
    if step > 1:
        rows = np.arange(0, table.rows, step) if rows is None else rows[::step]
    points, features, _ = made_points(table, chosen.features, rows, chosen.treatment)
    return slice(0, table.rows) if rows is None else rows, points, features


def _of_file(rows: np.ndarray | slice) -> np.ndarray | None:
    return None if isinstance(rows, slice) else rows


def _shares(by_column: np.ndarray, features: list[Feature]) -> dict[str, float]:
    """The share of the variance of each column, its categories together."""
    total = float(by_column.sum())
    found: dict[str, float] = {}
    for item, part in zip(features, by_column.tolist(), strict=True):
        found[item.column.name] = found.get(item.column.name, 0.0) + part / total
    return found


def _use(column: Column, chosen: Selection, choice: Choice, shares: dict[str, float]) -> str:
    label = chosen.labelling.label
    if label is not None and column is label:
        return "label"
    if column.name == choice.names:
        return "names"
    if column.name in shares:
        return "trained on"
    if any(item.column.name == column.name for item in chosen.features):
        return CONSTANT
    if column.role:
        return f"left out: {column.role}"
    many = column.kind == "text" or len(column.categories) > CATEGORIES_UNASKED
    return "left out: text" if many else "left out"


def _columns(
    table: Table,
    rows: np.ndarray | slice,
    uses: dict[str, str],
    shares: dict[str, float],
    absent: tuple[float, ...] = (),
) -> tuple[ColumnLook, ...]:
    """Descriptions of the first columns, from these rows; numbers in `absent` are missing ones."""
    described = [_without(table, column, absent) for column in table.columns[:_DESCRIBED]]
    names = [column.name for column in described if column.kind == "number"]
    position = {name: index for index, name in enumerate(table.of_kind("number"))}
    with np.errstate(invalid="ignore"):
        block = table.block(rows, [position[name] for name in names]) if names else np.empty((0, 0))
    if absent:
        block = np.where(np.isin(block, absent), np.nan, block)
    values = dict(zip(names, block.T, strict=True)) if names else {}
    return tuple(
        ColumnLook(
            name=column.name,
            use=uses.get(column.name, ""),
            holds=_holds(column),
            missing=column.missing,
            low=column.low / table.scale if column.kind == "number" else math.nan,
            high=column.high / table.scale if column.kind == "number" else math.nan,
            histogram=(
                _histogram(values[column.name], column)
                if column.kind == "number"
                else _frequencies(table, column, rows)
            ),
            share=shares.get(column.name, math.nan),
        )
        for column in described
    )


def _without(table: Table, column: Column, absent: tuple[float, ...]) -> Column:
    """The column, measured without the numbers that stand for missing ones."""
    if not absent or column.kind != "number":
        return column
    values = np.asarray(table.number(column.name), np.float64)
    stand = np.isin(values, absent)
    rest = values[np.isfinite(values) & ~stand]
    ends = (float(rest.min()), float(rest.max())) if len(rest) else (0.0, 0.0)
    missing = column.missing + int(stand.sum())
    return replace(column, missing=missing, low=ends[0], high=ends[1])


def _holds(column: Column) -> str:
    if column.kind == "number":
        return "numbers"
    if column.kind == "text":
        return "free text or dates, not used"
    count = len(column.categories)
    return "1 category" if count == 1 else f"{count} categories"


def _histogram(values: np.ndarray, column: Column) -> tuple[int, ...]:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite) or not math.isfinite(column.high - column.low):
        return ()
    return tuple(np.histogram(finite, _BARS, (column.low, column.high))[0].tolist())


def _frequencies(table: Table, column: Column, rows: np.ndarray | slice) -> tuple[int, ...]:
    if column.kind == "text":
        return ()
    codes = table.codes(column.name)[rows]
    return tuple(np.bincount(codes[codes >= 0], minlength=1)[:_BARS].tolist())


def _classes(chosen: Selection) -> tuple[tuple[str, ...], list[int]]:
    """Names of the classes and how many rows have each."""
    labelling = chosen.labelling
    labels, names = labels_of(labelling.source, labelling.label, labelling.rows_for(chosen.rows))
    if labels is None:
        return (), []
    return names, np.bincount(labels, minlength=len(names)).tolist()


def _pictures(table: Table, points: np.ndarray) -> np.ndarray | None:
    """The first points as pictures, from 0 to 1."""
    shape = table.image_shape
    if shape is None or points.shape[1] != shape[0] * shape[1]:
        return None
    first = points[:_PICTURES].astype(np.float64).reshape(-1, *shape)
    low, high = float(first.min()), float(first.max())
    return (first - low) / (high - low) if high > low else np.zeros_like(first)
