"""What looks wrong in data before anything is trained on them: one sentence for each suspicion.

A suspicion changes nothing: it names a column or a row, and what one might do about it. Columns are
looked at in at most SAMPLE rows, evenly spaced; rows are all looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from svae_core.config.shares import percent
from svae_core.own_data.limits import EXACT
from svae_core.own_data.names import some
from svae_core.own_data.numerals import spelt

SAMPLE = 20_000
#: Share of the variance from which one column or one row decides everything.
DOMINANT = 0.9
#: How many times as far from the mean as the median row a row must lie to be named.
OUTLYING = 30.0
#: Numbers that stand for a missing value in many files.
_SENTINELS = (
    *(-9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0),
    *(-1e30, 1e30, 1e20),  # 1e20: of masked arrays, and of climate models
)
#: Names of columns that divide or weigh the rows, and of those that hold what is to be predicted.
_ASIDE = re.compile(
    r"(.*[_ .])?(fold|kfold|folds|split|partition|subset|is_?(train|test|valid)|fnlwgt"
    r"|((sample|case|survey|sampling|row|obs)[_ .]?)weights?|weights)",
    re.IGNORECASE,
)
_PREDICTED = re.compile(
    r"(.*[_ .])?(outcome|survived|quality|churn|exited|cls|truth|y_?true|cluster|label|target"
    r"|class)(_?(id|no|code))?",
    re.IGNORECASE,
)
_CLASSES = 20  # different whole numbers up to which a column may be classes
_SECONDS = (5e8, 2.5e9)  # of the years 1985 to 2049, since 1970
_FEW = 8
_ID = re.compile(r"(^|[_\W])(id|ID|Id|no|nr|number|index|key)$|[a-z]I[Dd]$")  # ends of names


@dataclass(frozen=True)
class Suspicion:
    """Something that looks wrong, and where."""

    kind: str  # orientation counts dominant outlier sentinel time id aside classes equal
    sentence: str
    columns: tuple[str, ...] = ()  # those that leaving out would mend
    row: int = -1  # of the file, counted from 0
    value: float = math.nan  # that stands for a missing one


def suspicions_of_points(
    points: np.ndarray, names: Sequence[str], rows: np.ndarray | None
) -> list[Suspicion]:
    """Suspicions of points [n, d] as they are trained on; `rows`: which of the file's they are."""
    found = []
    by_column, by_row = squared_gaps(points)
    total = float(by_row.sum())
    if total <= 0:
        return []
    column, row = int(by_column.argmax()), int(by_row.argmax())
    share = by_column[column] / total
    if points.shape[1] > 1 and share > DOMINANT and len(names) == points.shape[1]:
        sentence = (
            f"{names[column]} has {percent(share)} of the variance and decides nearly all; "
            "standardise the columns, or leave it out."
        )
        found.append(Suspicion("dominant", sentence, (names[column],)))
    median = float(np.median(by_row))
    ratio = float(np.sqrt(by_row[row] / median)) if median > 0 else np.inf
    if ratio > OUTLYING:
        place = row if rows is None else int(rows[row])
        sentence = (
            f"Row {place + 1} lies {ratio:,.0f} times as far from the mean as the median row and "
            f"has {percent(by_row[row] / total)} of the variance; leave it out if it is a mistake."
        )
        found.append(Suspicion("outlier", sentence, row=place))
    return found


def squared_gaps(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances from the mean of points [n, d], summed by column [d] and by row [n]."""
    center = points.mean(axis=0, dtype=np.float64)
    by_column = np.zeros(points.shape[1])
    by_row = np.empty(len(points))
    step = max(1, 2**20 // max(1, points.shape[1]))
    for start in range(0, len(points), step):
        gap = (points[start : start + step] - center) ** 2
        by_column += gap.sum(axis=0)
        by_row[start : start + step] = gap.sum(axis=1)
    return by_column, by_row


def orientation(why: str, rows: int, columns: int) -> list[Suspicion]:
    """The question which are the points, where `why` says that either may be."""
    sentence = (
        f"{why}, so which are the points: the {rows:,} rows, as taken now, or the {columns:,} "
        "columns? Exchange them if the columns are."
    )
    return [Suspicion("orientation", sentence)] if why else []


def suspicions_of_columns(columns: np.ndarray, names: Sequence[str]) -> list[Suspicion]:
    """Suspicions of columns of numbers [n, c] as the file has them, NaN where missing."""
    part = columns[:: max(1, -(-len(columns) // SAMPLE))]
    ids, times = [], []
    sentinels: dict[float, list[str]] = {}
    for index, name in enumerate(names):
        values = np.asarray(part[:, index], np.float64)
        values = values[np.isfinite(values)]
        if len(values) < _FEW:
            continue
        sentinel = _sentinel(values)
        if sentinel is not None:
            sentinels.setdefault(sentinel, []).append(name)
        seconds = _scaled(values)
        called_id = _ID.search(name) is not None  # some are as long as times in nanoseconds
        if not called_id and _SECONDS[0] < seconds.min() and seconds.max() < _SECONDS[1]:
            times.append(name)
        elif _is_id(values, name):
            ids.append(name)
    found = []
    for sentinel, held in sentinels.items():
        sentence = (
            f"{spelt(sentinel)} lies far from all other values in {some(held)}; it may stand for "
            "missing ones: take it for missing, or leave the "
            f"{'column' if len(held) == 1 else 'columns'} out."
        )
        found.append(Suspicion("sentinel", sentence, tuple(held), value=sentinel))
    if times:
        sentence = f"Looks like a time stamp: {some(times)}; leave it out if it is one."
        found.append(Suspicion("time", sentence, tuple(times)))
    if ids:
        sentence = (
            f"Looks like an id, a number of the rows: {some(ids)}; leave it out if it is one."
        )
        found.append(Suspicion("id", sentence, tuple(ids)))
    aside = [name for name in names if _ASIDE.fullmatch(name)]
    if aside:
        sentence = (
            f"Named as a part or a weight of the rows is: {some(aside)}; leave it out if it is one."
        )
        found.append(Suspicion("aside", sentence, tuple(aside)))
    found += _classes(part, [name if name not in (*ids, *times, *aside) else "" for name in names])
    equal = list(_equal(part, names))
    if equal:
        pairs = some([f"{first} and {second}" for first, second in equal])
        sentence = f"Columns that are equal count twice: {pairs}; leave one of each out."
        found.append(Suspicion("equal", sentence, tuple(second for _, second in equal)))
    return found


def suspicions_of_cells(
    columns: np.ndarray, names: Sequence[str], places: np.ndarray
) -> list[Suspicion]:
    """A value far outside all others of its column, for columns [n, c]; NaN where missing.

    `places` [n]: rows of the file. Standardising hides such a value from the norms of the rows: of
    n values, one alone can lie at most √n standard deviations off.
    """
    found = _totals(columns, places)
    for index, name in enumerate(names):
        known = np.flatnonzero(np.isfinite(columns[:, index]))
        if len(known) < _FEW:
            continue
        order = known[np.argsort(columns[known, index], kind="stable")]
        values = columns[order, index]
        for end, rest in ((0, values[1:]), (-1, values[:-1])):
            width = float(rest[-1] - rest[0])
            away = float(rest[0] - values[0] if end == 0 else values[-1] - rest[-1])
            if width > 0 and away > OUTLYING * width and values[end] not in _SENTINELS:
                place = int(places[order[end]])
                sentence = (
                    f"{name} is {spelt(values[end])} in row {place + 1}, and from "
                    f"{spelt(rest[0])} to {spelt(rest[-1])} in all others; leave the row out "
                    "if it is a mistake."
                )
                found.append(Suspicion("outlier", sentence, row=place))
    return found


def _classes(columns: np.ndarray, names: Sequence[str]) -> list[Suspicion]:
    """Columns that may be classes, which would be trained on: coded in one column, or in several.

    `names`: empty for a column that has been named already.
    """
    spans = [_few_whole(columns[:, index]) for index in range(len(names))]
    groups = [group for group in _one_of_each(columns, spans) if all(names[i] for i in group)]
    found = []
    for group in groups:
        held = [names[i] for i in group]
        sentence = (
            f"{some(held)} hold 0 and 1, a single 1 in each row, as classes do that have a column "
            "each; leave them out if they are the label."
        )
        found.append(Suspicion("classes", sentence, tuple(held)))
    grouped = {index for group in groups for index in group}
    whole = [i for i, span in enumerate(spans) if span and names[i] and i not in grouped]
    # Among measured numbers a column of classes stands out where it is alone, first or last.
    alone = len(whole) == 1 and whole[0] in (0, len(names) - 1) and len(names) > 2
    for index in whole:
        if alone or _PREDICTED.fullmatch(names[index]):
            sentence = (
                f"{names[index]} has {spans[index]} different whole numbers, as classes have; "
                "choose it as the label, or leave it out, if it is one."
            )
            found.append(Suspicion("classes", sentence, (names[index],)))
    return found


def _few_whole(values: np.ndarray) -> int:
    """How many different whole numbers a column holds, if they may be classes; else 0."""
    known = values[np.isfinite(values)]
    if len(known) < _FEW or not (known == np.rint(known)).all():
        return 0
    different = len(np.unique(known))
    return different if 2 <= different <= min(_CLASSES, len(known) // 4) else 0


def _one_of_each(columns: np.ndarray, spans: list[int]) -> list[list[int]]:
    """Neighbouring columns of 0 and 1 that have a single 1 in each row together."""
    found, start = [], 0
    binary = [span == 2 and set(np.unique(columns[:, i])) == {0, 1} for i, span in enumerate(spans)]
    while start < len(binary):
        stop, total = start, np.zeros(len(columns))
        while stop < len(binary) and binary[stop] and total.max() <= 1 and not (total == 1).all():
            total = total + columns[:, stop]
            stop += 1
        if (total == 1).all():
            found.append(list(range(start, stop)))
        start = max(stop, start + 1) if (total == 1).all() else start + 1
    return found


def _totals(columns: np.ndarray, places: np.ndarray) -> list[Suspicion]:
    """A last row that holds the sums or the means of all others, as sheets have it."""
    whole = np.flatnonzero(np.isfinite(columns).all(axis=1))
    if len(whole) < 4:
        return []
    last, others = columns[whole[-1]], columns[whole[:-1]]
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are too large anyway
        spread = others.std(axis=0)
        varied = (spread > 0) & np.isfinite(spread)
        last, others, spread = last[varied], others[:, varied], spread[varied]
        sums, means = others.sum(axis=0), others.mean(axis=0)
    if len(last) < 2:
        return []
    beyond = np.abs(last) > np.abs(others).max(axis=0)
    if (beyond & (np.abs(last - sums) <= 5e-3 * np.abs(sums))).all():
        what = "sums"
    elif len(last) > 2 and (np.abs(last - means) < 5e-3 * spread).all():
        what = "means"
    else:
        return []
    row = int(places[whole[-1]])
    sentence = f"Row {row + 1} holds the {what} of all rows above; leave it out, it is no point."
    return [Suspicion("outlier", sentence, row=row)]


def _sentinel(values: np.ndarray) -> float | None:
    """A number far outside all others that stands for missing values, if there is one."""
    for sentinel in _SENTINELS:
        at = values == sentinel
        rest = values[~at]
        if not at.any() or len(rest) < _FEW:
            continue
        low, high = float(rest.min()), float(rest.max())
        if max(low - sentinel, sentinel - high) > 3.0 * max(high - low, 1e-12):
            return sentinel
    return None


def _scaled(values: np.ndarray) -> np.ndarray:
    """Times in seconds: milli-, micro- and nanoseconds are told by their size."""
    largest = float(np.abs(values).max())
    for power in (1.0, 1e3, 1e6, 1e9):
        if largest / power < _SECONDS[1]:
            return values / power
    return values


def _is_id(values: np.ndarray, name: str) -> bool:
    """Whether all are different whole numbers that only go up, or only down, or are called so."""
    if not (values == np.rint(values)).all():
        return False
    steps = np.diff(values)
    ordered = bool((steps > 0).all() or (steps < 0).all())
    called = _ID.search(name) is not None
    rounded = float(np.abs(values).max()) >= EXACT  # of different ids some may have become equal
    return ordered or (called and (rounded or len(np.unique(values)) == len(values)))


def _equal(columns: np.ndarray, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of columns that hold the same."""
    seen: dict[bytes, str] = {}
    for index, name in enumerate(names):
        key = np.ascontiguousarray(columns[:, index]).tobytes()
        if key in seen:
            yield seen[key], name
        seen.setdefault(key, name)
