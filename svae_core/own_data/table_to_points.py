"""From a table to points: column selection, imputation, one-hot coding and standardisation.

Every operation on the data is noted in one sentence. Works in blocks of rows, so that little memory
is needed besides the points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svae_core.config.limits import limits
from svae_core.own_data.array_to_table import blocks_of
from svae_core.own_data.choice import (
    EVERY,
    Choice,
    absent_numbers,
    names_of,
    rows_left_out,
)
from svae_core.own_data.column_roles import ANNOTATION, REASONS, ROW_NAME
from svae_core.own_data.counts import MOST_VARIABLE, PER_CELL, cell_factors, most_variable
from svae_core.own_data.labels import (
    UNLABELLED,
    Labelling,
    count_classes,
    labelling_of,
    labels_of,
)
from svae_core.own_data.limits import CATEGORIES, CATEGORIES_UNASKED, COLUMNS, NUMBERS
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.numerals import spelt
from svae_core.own_data.preprocessing import (
    Feature,
    Treatment,
    is_pair,
    made_points,
    positions_of,
    stored_points,
)
from svae_core.own_data.suspicions import (
    SAMPLE,
    Suspicion,
    orientation,
    suspicions_of_cells,
    suspicions_of_columns,
    suspicions_of_points,
)
from svae_core.own_data.tables import Column, Table
from svae_core.records import Dataset, RequestError

_LOOKED_AT = 500  # columns beyond which suspicions of single ones are not looked for
_NAMED = 20_000  # points beyond which they get no names: nobody reads them, and all are sent


@dataclass(frozen=True)
class Selection:
    """What of a table becomes points, and what is done to it on the way."""

    labelling: Labelling
    features: list[Feature]
    rows: np.ndarray | None  # None: all, in order
    treatment: Treatment
    notes: tuple[str, ...]


def select(table: Table, choice: Choice, seed: int, second: Table | None = None) -> Selection:
    """The rows and features of a table under these choices; RequestError if nothing is left."""
    labelling = labelling_of(table, choice, second)
    factors = None if choice.counts == "raw" else cell_factors(table)
    variable = most_variable(table, factors) if choice.counts == "variable" else None  # type: ignore[arg-type]
    features, notes = _features(table, choice, labelling.kept_out, variable)
    standardise = choice.standardise == "yes" or (choice.standardise == "auto" and table.tabular)
    logs, said = _logs(features, choice)
    treatment = Treatment(standardise, absent_numbers(choice), logs, factors)
    if factors is not None:
        said = (
            f"Counts of each row were brought to {PER_CELL:,.0f} in all (library size), then log(1 "
            "+ x) was taken.",
            *said,
        )
    rows, more = _rows(table, features, choice, treatment.absent, seed)
    return Selection(labelling, features, rows, treatment, (*notes, *said, *more))


def shape(table: Table, choice: Choice, seed: int, second: Table | None = None) -> Dataset:
    """The dataset of a table under these choices; RequestError if nothing usable is left.

    `second`: a file with labels for the same rows, joined by name or by order.
    """
    chosen = select(table, choice, seed, second)
    labelling, rows, features = chosen.labelling, chosen.rows, chosen.features
    labels, names = labels_of(labelling.source, labelling.label, labelling.rows_for(rows))
    more = labelling.notes
    untouched = stored_points(table, features, rows, chosen.treatment)
    if untouched is None:
        points, features, said = made_points(table, features, rows, chosen.treatment)
        more += said
    else:
        points = untouched
    suspected = suspicions(table, points, features, rows, chosen.treatment)
    more += tuple(item.sentence for item in suspected)
    if labelling.label is not None:
        more += (
            f"The label is {labelling.label.name}; it is shown, and never trained on.",
            f"K starts at its number of classes, {count_classes(names)}, where none is chosen.",
        )
        if without := int(np.count_nonzero(np.asarray(names)[labels] == UNLABELLED)):
            elsewhere = ", or no row in the second file" if labelling.joined else ""
            more += (
                f"{without:,} points have no label: an empty cell, a word for one, such as NA, none"
                f" or ?{elsewhere}.",
            )
    return Dataset(
        name=table.name,
        title=table.name,
        points=points,
        labels=labels,
        label_names=names,
        feature_names=() if table.image_shape else tuple(item.name for item in features),
        image_shape=table.image_shape if len(features) == _pixels(table) else None,
        symbols=table.symbols if len(features) == len(table.of_kind("number")) else (),
        notes=(*table.notes, *chosen.notes, *more),
        row_names=row_names(table, choice, rows),
    )


def row_names(table: Table, choice: Choice, rows: np.ndarray | None) -> np.ndarray | None:
    """Names [n] of the points: the column chosen, names of rows in the file, or None."""
    if (table.rows if rows is None else len(rows)) > _NAMED:
        return None
    named = [column.name for column in table.columns if column.role == ROW_NAME]
    if choice.names:
        column = table.column(choice.names)
        numbers = [spelt(x) for x in table.number(column.name)] if column.kind == "number" else []
        texts = numbers or table.texts(column.name)
    else:
        texts = table.row_names() or (table.texts(named[0]) if named else [])
    if not texts:
        return None
    found = np.array([cleaned(text) for text in texts])
    return found if rows is None else found[rows]


def suspicions(
    table: Table,
    points: np.ndarray,
    features: list[Feature],
    rows: np.ndarray | None,
    treatment: Treatment,
) -> list[Suspicion]:
    """What looks wrong in the data; pictures and sequences are not looked at.

    `rows`: which of the file's the points are (None: all).
    """
    if table.image_shape or table.colour or table.symbols:
        return []
    numbers = [item for item in features if item.code < 0]
    found = orientation(table.rows_or_columns, table.rows, len(table.of_kind("number")))
    found += raw_counts(table) if treatment.factors is None else []
    found += suspicions_of_points(points, [item.name for item in features], rows)
    if table.tabular and 0 < len(numbers) <= _LOOKED_AT:
        step = max(1, -(-table.rows // SAMPLE))
        places = np.arange(0, table.rows, step)
        some_rows = np.array(table.block(slice(None, None, step), positions_of(numbers)), float)
        some_rows[np.isin(some_rows, treatment.absent)] = np.nan
        names = [item.name for item in numbers]
        found += suspicions_of_columns(some_rows, names)
        named = {item.row for item in found}
        used = np.ones(len(places), bool) if rows is None else np.isin(places, rows)
        cells = suspicions_of_cells(some_rows[used], names, places[used])
        found += [item for item in cells if item.row not in named]
    return found


def raw_counts(table: Table) -> list[Suspicion]:
    """The question whether whole numbers of named or sparse rows are counts to be normalised."""
    if not table.counts or not (table.sparse or table.row_names()):
        return []
    sentence = (
        "The numbers look like raw counts, of cells perhaps, so rows with a larger total lie "
        "farther from the mean; bring all rows to the same total and take log(1 + x), unless the "
        "totals matter."
    )
    return [Suspicion("counts", sentence)]


def _pixels(table: Table) -> int:
    return table.image_shape[0] * table.image_shape[1] if table.image_shape else 0


# -------------------------------------------------------------------- columns and rows


def _features(
    table: Table, choice: Choice, kept_out: tuple[str, ...], variable: np.ndarray | None = None
) -> tuple[list[Feature], tuple[str, ...]]:
    """The features, categories one-hot coded, and notes on what was left out.

    `variable`: positions of the columns of numbers that are used (None: all).
    """
    position = {name: index for index, name in enumerate(table.of_kind("number"))}
    columns, notes = _columns(table, choice, kept_out, variable)
    chosen = bool(names_of(choice.features))
    most = CATEGORIES if chosen else CATEGORIES_UNASKED
    free = _free_text(columns, most)
    if free and chosen:
        raise RequestError(
            f"Column {free[0]!r} of {table.name} is free text with too many different values; "
            "leave it out."
        )
    if free:
        notes.append(f"Text with more than {most} different values was left out: {some(free)}.")
        columns = [column for column in columns if column.name not in free]
    features = [
        feature for column in columns for feature in _features_of(column, position.get(column.name))
    ]
    coded = [column.name for column in columns if column.kind != "number"]
    if coded:
        notes.append(f"Categories became one column of 0 and 1 each: {some(coded)}.")
    if len(features) > COLUMNS:
        raise RequestError(
            f"{table.name} would have {len(features):,} features, but at most {COLUMNS:,} can be "
            "used; "
            + (
                f"keep the {MOST_VARIABLE:,} most variable ones (--file.counts variable)."
                if table.sparse
                else "choose fewer columns."
            )
        )
    if not features:
        raise RequestError(f"{table.name} has no column left to train on; choose at least one.")
    return features, tuple(notes)


def _columns(
    table: Table, choice: Choice, kept_out: tuple[str, ...], variable: np.ndarray | None
) -> tuple[list[Column], list[str]]:
    """The columns that are used, and notes on those that are not."""
    chosen = tuple(dict.fromkeys(names_of(choice.features)))  # repeated names count once
    columns = [table.column(name) for name in chosen] if chosen else list(table.columns)
    without = {table.column(name).name for name in names_of(choice.without)}
    without |= {choice.names} if choice.names else set()
    hidden = {*kept_out, *without}
    columns = [column for column in columns if column.name not in hidden]
    notes: list[str] = []
    if not chosen:
        columns, notes = _without_roles(columns)
    beside = [column.name for column in columns if column.kind == "category"]
    if beside and not chosen and not table.tabular:  # labels of pictures or cells, given up
        columns = [column for column in columns if column.kind != "category"]
        notes.append(f"{REASONS[ANNOTATION]}: {some(beside)}.")
    if without:
        left_out = [column.name for column in table.columns if column.name in without]
        notes.append(f"Left out, as chosen: {some(left_out)}.")
    if variable is not None:
        numbers = table.of_kind("number")
        known = {numbers[position] for position in variable.tolist()}
        before = len(columns)
        columns = [column for column in columns if column.name in known]
        notes.append(f"The {len(columns):,} most variable of {before:,} columns are used.")
    return columns, notes


def _without_roles(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """The columns that may be features, and a sentence for each kind of the others."""
    notes = []
    for role, reason in REASONS.items():
        names = [column.name for column in columns if column.role == role]
        if names:
            notes.append(f"{reason}: {some(names)}.")
    kept = [column for column in columns if not column.role]
    # Rather dates and gaps than nothing: what cannot be trained on is then said further on.
    return (kept, notes) if kept else ([item for item in columns if item.role != ROW_NAME], [])


def _logs(features: list[Feature], choice: Choice) -> tuple[frozenset[str], tuple[str, ...]]:
    """The columns of which logarithms are taken, and a note; RequestError where there are none."""
    numbers = {item.name: item.column for item in features if item.code < 0}
    wanted = list(numbers) if choice.logs == EVERY else names_of(choice.logs)
    wanted = [name for name in wanted if name in numbers]
    for name in wanted:
        if numbers[name].low < 0:
            raise RequestError(
                f"Column {name!r} holds negative numbers, which have no logarithm; take logs of "
                "others, or standardise."
            )
    notes: tuple[str, ...] = ()
    plain = [name for name in wanted if numbers[name].low > 0]
    shifted = [name for name in wanted if numbers[name].low == 0]
    if plain:
        notes += (f"Logarithms were taken of {some(plain)}.",)
    if shifted:
        notes += (f"log(1 + x) was taken of {some(shifted)}, which hold zeros.",)
    return frozenset(wanted), notes


def _free_text(columns: list[Column], most: int) -> list[str]:
    """The names of columns with more different values than categories may have."""
    return [
        column.name
        for column in columns
        if column.kind == "text" or (column.kind == "category" and len(column.categories) > most)
    ]


def _features_of(column: Column, position: int | None) -> list[Feature]:
    """A column of numbers, at a position among these; or one feature for each category."""
    if column.kind == "number":
        assert position is not None
        return [Feature(column.name, column, position)]
    # Two categories need one coordinate: a second would be redundant.
    codes = range(1, 2) if is_pair(column) else range(len(column.categories))
    return [
        Feature(f"{column.name} = {column.categories[code]}", column, -1, code) for code in codes
    ]


def _rows(
    table: Table, features: list[Feature], choice: Choice, absent: tuple[float, ...], seed: int
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The rows used (None: all, in order), and notes on dropped and imputed values."""
    gaps = {item.column.name: item.column.missing for item in features if item.column.missing}
    usable: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    if absent:
        gaps = _gaps(table, features, absent)
        notes = (f"Count as missing, as chosen: {', '.join(spelt(x) for x in absent)}.",)
    total = sum(gaps.values())
    if total and choice.missing == "drop":
        usable = _complete(table, features, absent)
        notes += (_dropped(table, len(usable), gaps),)
    elif total:
        notes += (
            f"{total:,} missing or not finite values were replaced in {some(list(gaps))}: a number "
            "by the mean of its column, one of two categories by the more frequent, any other "
            "category by none.",
        )
    without = rows_left_out(choice)
    if without:
        usable = np.setdiff1d(np.arange(table.rows) if usable is None else usable, without)
        listed = some([f"{row + 1:,}" for row in without])
        notes += (f"Rows left out, as chosen: {listed}.",)
    count = table.rows if usable is None else len(usable)
    if count < 2:
        left = " that can be used" if count < table.rows else ""
        raise RequestError(
            f"{table.name} has {'one row' if count else 'no rows'}{left}, but at least two "
            "different ones are needed."
        )
    limit = min(NUMBERS // len(features), limits().points)
    if count > limit:
        picked = np.sort(np.random.default_rng([seed, 41]).choice(count, limit, replace=False))
        usable = picked if usable is None else usable[picked]
        notes += (f"A random sample of {limit:,} of {count:,} rows is used, so that they fit.",)
    return usable, notes


def _dropped(table: Table, left: int, gaps: dict[str, int]) -> str:
    """How many rows were dropped for their gaps; RequestError where fewer than two are left."""
    if left < 2:
        raise RequestError(
            f"{table.name} has {left} rows without a missing value, but two are needed; "
            "fill gaps with the mean, or choose other columns."
        )
    return (
        f"{table.rows - left:,} of {table.rows:,} rows were dropped, since a value is missing or "
        f"not finite in {some(list(gaps))}."
    )


def _gaps(table: Table, features: list[Feature], absent: tuple[float, ...]) -> dict[str, int]:
    """How many values are missing in each column, numbers that stand for missing ones included."""
    gaps = {item.column.name: item.column.missing for item in features if item.column.missing}
    numbers = [item for item in features if item.code < 0]
    positions = positions_of(features)
    for block in blocks_of(table.rows, max(1, len(positions))):
        stand = np.isin(table.block(block, positions), absent).sum(axis=0)
        for item, count in zip(numbers, stand.tolist(), strict=True):
            if count:
                gaps[item.name] = gaps.get(item.name, 0) + count
    return gaps


def _complete(table: Table, features: list[Feature], absent: tuple[float, ...]) -> np.ndarray:
    """Indices of the rows in which no feature is missing."""
    keep = np.ones(table.rows, bool)
    for names in {item.column.name for item in features if item.code >= 0}:
        keep &= table.codes(names) >= 0
    positions = positions_of(features)
    if positions:
        for block in blocks_of(table.rows, len(positions)):
            values = table.block(block, positions)
            keep[block] &= (np.isfinite(values) & ~np.isin(values, absent)).all(axis=1)
    return np.flatnonzero(keep)
