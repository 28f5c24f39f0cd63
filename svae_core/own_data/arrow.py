"""Arrow tables that are not trusted: plain columns, list columns of points, pictures in bytes.

Parquet and Feather both give batches of records; what may be the data is never dropped in silence:
a list column of one length is the points, a Hugging Face Image column is decoded from its bytes,
and a nested column that holds most of the numbers but fits neither is refused by name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from svae_core.own_data.array_to_table import (
    with_categories,
    with_facts,
    with_labels,
    with_note,
    with_row_names,
    write_matrix,
)
from svae_core.own_data.arrow_points import BATCH_CELLS, Batches, ListRows, PictureRows
from svae_core.own_data.column_roles import with_roles
from svae_core.own_data.formats import Source
from svae_core.own_data.names import cleaned, distinct, some
from svae_core.own_data.pictures import SIGNATURES
from svae_core.own_data.tables import Table, Writer, check_cells, check_width, keep_before
from svae_core.records import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

#: What a damaged file raises beside Arrow's own errors: a column that ends early raises IndexError
#: where it meets others, or StopIteration.
DAMAGE = (OSError, ValueError, OverflowError, KeyError, IndexError, StopIteration)
_LABELS = ("label", "labels", "target", "class", "y", "digit")
_DIFFERENT = 0.9  # share of different texts from which a column of text names its rows
_INDEX = ("__index_level_0__",)
_COLUMNS = "all plain columns"  # as a choice beside those that are whole points
_NAMED = 1_000_000  # rows up to which a column of text beside lists is kept as their names


def read_arrow(source: Source, batches: Batches, form: str) -> Table:
    """The table of a file of Arrow columns."""
    schema = batches.schema
    check_width(len(schema))
    check_cells(batches.rows, len(schema))
    pictures = [i for i in range(len(schema)) if _holds_pictures(batches, i)]
    lists = [i for i, field in enumerate(schema) if _is_list(field.type)]
    points = _points_among(batches, pictures, lists, source.array)
    if points is not None:
        read = _read_pictures if points in pictures else _read_lists
        table, kept = read(source, batches, points, form)
        offered, name = _offered(schema, pictures, lists), schema.field(points).name
        table = with_facts(table, arrays=offered, array=name)
        return _with_rest(table, batches, points, kept)
    table = _read_columns(source, batches, form)
    if lists:
        names = some([cleaned(schema.field(index).name) for index in lists])
        table = with_note(table, f"Lists of numbers were left out, but may be chosen: {names}.")
        table = with_facts(table, arrays=_offered(schema, pictures, lists), array=_COLUMNS)
    return table


def _offered(schema: pa.Schema, pictures: list[int], lists: list[int]) -> tuple[str, ...]:
    """What may be chosen as the points: columns of pictures or lists, or all plain ones."""
    names = (schema.field(index).name for index in (*pictures, *lists))
    return (*names, *([_COLUMNS] if _plain_numbers(schema) else []))


def _plain_numbers(schema: pa.Schema) -> int:
    """How many columns of numbers there are, beside labels and indices."""
    aside = {*_LABELS, *_index_columns(schema)}
    return sum(_is_number(field.type) and field.name.lower() not in aside for field in schema)


# ---------------------------------------------------------------------- plain columns


def _read_columns(source: Source, batches: Batches, form: str) -> Table:
    schema = batches.schema
    numeric = [_is_number(field.type) for field in schema]
    usable = [
        index
        for index, field in enumerate(schema)
        if field.name not in _index_columns(schema)
        and (numeric[index] or _is_text(field.type) or _is_dictionary(field.type))
    ]
    others = [field.name for i, field in enumerate(schema) if i not in usable]
    _refuse_bytes(batches, form)
    index = [cleaned(name) for name in others if name in _index_columns(schema)]
    whole = {field.name for field in schema if _is_list(field.type)}
    aside = {*_index_columns(schema), *whole}
    left_out = [cleaned(name) for name in others if name not in aside]
    inside = {field.name: _numbers_inside(field.type) for field in schema}
    most = max(inside, key=lambda name: inside[name], default="")
    if most and inside[most] > sum(numeric):
        raise RequestError(
            f"The column {cleaned(most)!r} of the {form} file is nested and may be the data; save "
            "it as a list column of one length, or each number as a column of its own."
        )
    if not usable:
        raise RequestError(f"The {form} file has no column of numbers or text.")
    names = distinct((field.name for field in schema), "column")
    writer = Writer(source.folder, [names[i] for i in usable], [numeric[i] for i in usable])
    rows = max(1, batches.rows)
    try:
        for batch in batches.read(usable, max(1, BATCH_CELLS // len(schema))):
            if batch.num_rows:
                writer.append([_plain_column(column) for column in batch.columns])
                source.progress(min(1.0, writer.rows / rows))
    finally:
        writer.close()
    notes: tuple[str, ...] = (f"Read as {form}, {writer.rows:,} rows.",)
    if index:
        notes += (f"The index of a data frame was left out: {some(index)}.",)
    if left_out:
        notes += (f"Left out, since they hold neither numbers nor text: {some(left_out)}.",)
    return with_roles(writer.finish(source.name, form, notes, tabular=True))


def _index_columns(schema: pa.Schema) -> tuple[str, ...]:
    """Columns that pandas wrote for the index of its frame."""
    try:
        about = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        named = [name for name in about.get("index_columns", ()) if isinstance(name, str)]
    except (ValueError, AttributeError, TypeError):
        named = []
    return (*_INDEX, *named)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    checks = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(check(kind) for check in checks)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_dictionary(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_dictionary(kind))


def _numbers_inside(kind: pa.DataType) -> int:
    """How many numbers a nested type holds in each cell, as far as the type tells."""
    import pyarrow as pa

    if not pa.types.is_nested(kind) or _is_list(kind):
        return 0
    return sum(
        1 if _is_number(kind.field(index).type) else _numbers_inside(kind.field(index).type)
        for index in range(kind.num_fields)
    )


def _plain_column(column: pa.Array) -> np.ndarray | list[str | None]:
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_number(column.type):
        if pa.types.is_boolean(column.type):
            column = compute.cast(column, pa.uint8())
        # Beyond 2^53 float64 is not exact, which does not matter to distances.
        wide = compute.cast(column, pa.float64(), safe=False)
        return np.asarray(wide.to_numpy(zero_copy_only=False))
    return [None if cell is None else str(cell) for cell in column.to_pylist()]


# ----------------------------------------------------------------------- list columns


def _is_list(kind: pa.DataType) -> bool:
    """Whether cells are lists of numbers, or lists of such lists of one length."""
    import pyarrow as pa

    types = pa.types
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
        if _is_number(kind) and not types.is_decimal(kind):
            return True
    return False


def _points_among(
    batches: Batches, pictures: list[int], lists: list[int], wanted: str
) -> int | None:
    """The column whose cells are the points; None where plain columns hold more numbers."""
    schema = batches.schema
    for index in (*pictures, *lists):
        if wanted and schema.field(index).name == wanted:
            return index
    if wanted == _COLUMNS and _plain_numbers(schema):
        return None
    if pictures:
        return pictures[0]
    lengths = _lengths(batches, lists) if lists else {}
    longest = max(lists, key=lambda index: lengths[index], default=None)
    few = longest is not None and lengths[longest] > _plain_numbers(schema)
    return longest if few else None


def _lengths(batches: Batches, lists: list[int]) -> dict[int, int]:
    """How many numbers the first cell of each list column holds, of those that are not null."""
    lengths = dict.fromkeys(lists, 0)
    for batch in batches.read(lists, 1_024):
        for index, column in zip(lists, batch.columns, strict=True):
            present = column.drop_null()
            if not lengths[index] and len(present):
                lengths[index] = int(np.asarray(present[0].as_py(), object).size)
        if all(lengths.values()):
            break
    return lengths


def _read_lists(
    source: Source, batches: Batches, position: int, form: str
) -> tuple[Table, np.ndarray]:
    """The table of a list column, and which rows of the file it has."""
    rows = ListRows(batches, position, form)
    name = cleaned(batches.schema.field(position).name)
    lost = int(len(rows.kept) - rows.kept.sum())
    notes = [f"Points are the lists in the column {name} of the {form} file."]
    if lost:
        notes.append(f"Rows without a list were left out: {lost:,}.")
    return write_matrix(source, rows, form, notes), rows.kept


# ---------------------------------------------------------------------------- pictures


def _holds_pictures(batches: Batches, position: int) -> bool:
    """Whether cells are pictures: bytes and path as Hugging Face stores them, or bytes alone."""
    import pyarrow as pa

    kind = batches.schema.field(position).type
    if _is_bytes(kind):
        return _first_bytes(batches, position).startswith(SIGNATURES)
    if not pa.types.is_struct(kind):
        return False
    names = {kind.field(index).name for index in range(kind.num_fields)}
    return names == {"bytes", "path"}


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _first_bytes(batches: Batches, position: int) -> bytes:
    """The first cell of a column of bytes that is not missing."""
    for batch in batches.read([position], 16):
        for cell in batch.column(0).to_pylist():
            if cell is not None:
                return bytes(cell)
    return b""


def _refuse_bytes(batches: Batches, form: str) -> None:
    """RequestError where a column of bytes, which nobody can read, holds most of the file."""
    schema = batches.schema
    for index, field in enumerate(schema):
        if _is_bytes(field.type) and len(_first_bytes(batches, index)) > 8 * _plain_numbers(schema):
            raise RequestError(
                f"The column {cleaned(field.name)!r} of the {form} file holds bytes that are no "
                "picture and may be the data; save its numbers as a list column of one length."
            )


def _read_pictures(
    source: Source, batches: Batches, position: int, form: str
) -> tuple[Table, np.ndarray]:
    """The table of a column of pictures, and which rows of the file it has."""
    name = cleaned(batches.schema.field(position).name)
    rows = PictureRows(batches, position, source)
    values = "in their colours" if rows.keeps_colour else "as grey values"
    notes = [f"Points are the pictures in the column {name}, {values}."]
    if rows.coloured and not rows.keeps_colour:
        notes.append("Pictures in colour were turned grey.")
    if rows.small != rows.size:
        notes.append(
            f"They were shrunk from {rows.size[0]} × {rows.size[1]} to "
            f"{rows.small[0]} × {rows.small[1]} pixels."
        )
    table = write_matrix(source, rows, form, notes)
    if rows.coloured or rows.small != rows.size:
        keep_before(table.folder, np.stack(rows.before))
    if rows.coloured:
        table = with_facts(table, colour="channels" if rows.keeps_colour else "grey")
    return table, np.ones(batches.rows, bool)


# ------------------------------------------------------------------------ labels beside


def _with_rest(table: Table, batches: Batches, points: int, kept: np.ndarray) -> Table:
    """The table with the label that stands in a column beside its points; others are named."""
    schema = batches.schema
    others = [index for index in range(len(schema)) if index != points]
    named = {
        schema.field(index).name.lower(): index
        for index in others
        if _is_plain(schema.field(index).type)
    }
    label = next((named[name] for name in _LABELS if name in named), None)
    if label is None:  # fine_label and coarse_label of CIFAR-100: the first one
        ending = [named[name] for name in named if name.endswith(("label", "labels"))]
        label = next((index for index in ending if not _is_text(schema.field(index).type)), None)
    if label is not None:
        table = _with_label(table, batches, label, kept)
    texts = [i for i in others if i != label and _is_text(schema.field(i).type)]
    if texts and batches.rows <= _NAMED:  # so that a second file can be joined by them
        cells = _whole(batches, texts[0])[kept].tolist()
        if len(set(cells)) >= _DIFFERENT * len(cells):
            table = with_row_names(table, cells)
    left = [cleaned(schema.field(index).name) for index in others if index != label]
    return with_note(table, f"Other columns were left out: {some(left)}.") if left else table


def _is_plain(kind: pa.DataType) -> bool:
    return _is_number(kind) or _is_text(kind) or _is_dictionary(kind)


def _with_label(table: Table, batches: Batches, position: int, kept: np.ndarray) -> Table:
    name = batches.schema.field(position).name
    values = _whole(batches, position)[kept]
    classes = class_names(batches.schema, name)
    if classes and values.dtype.kind in "iuf":
        codes = np.where(np.isfinite(values), values, -1).astype(np.int64)
        if codes.min(initial=-1) >= -1 and codes.max(initial=-1) < len(classes):
            return with_categories(table, name, classes, codes)
    return with_labels(table, values, name)


def _whole(batches: Batches, position: int) -> np.ndarray:
    import pyarrow as pa

    parts = []
    for batch in batches.read([position], 65_536):
        column = batch.column(0)
        if pa.types.is_integer(column.type) and not column.null_count:
            parts.append(column.to_numpy(zero_copy_only=False))  # exact beyond 2^53, as classes are
            continue
        cells = _plain_column(column)
        if isinstance(cells, list):
            cells = np.asarray(["" if cell is None else cell for cell in cells])
        parts.append(cells)
    return np.concatenate(parts) if parts else np.empty(0)


def class_names(schema: pa.Schema, column: str) -> list[str]:
    """Names of the classes of a Hugging Face ClassLabel column, from the schema's metadata."""
    try:
        about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        feature = about["info"]["features"][column]
        names = feature.get("names") or feature["feature"]["names"]
        return [str(name) for name in names]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
