"""Parquet: read in batches; nested columns and dates are named and left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.own_data.archive import is_of_disk
from svae_core.own_data.formats import Format, Source, starts_with
from svae_core.own_data.names import distinct, plain, some
from svae_core.own_data.tables import Table, Writer, check_cells, check_width
from svae_core.records import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_CELLS = 2**20
#: Bounds for the file's own description of itself, which is read before anything else.
_TEXT_LIMIT, _PARTS_LIMIT = 2**24, 2**20


def read(source: Source) -> Table:
    """The table of a Parquet file, written into a folder."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(
            source.path,
            thrift_string_size_limit=_TEXT_LIMIT,
            thrift_container_size_limit=_PARTS_LIMIT,
        ) as file:
            check_width(len(file.schema_arrow))
            check_cells(file.metadata.num_rows, len(file.schema_arrow))
            return _read(file, source)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, RequestError) or is_of_disk(error):
            raise
        raise RequestError("The Parquet file is damaged or cut off.") from error


def _read(file: Any, source: Source) -> Table:
    import pyarrow as pa

    schema = file.schema_arrow
    numeric = [_is_number(field.type) for field in schema]
    usable = [
        index
        for index, field in enumerate(schema)
        if numeric[index] or _is_text(field.type) or pa.types.is_dictionary(field.type)
    ]
    left_out = [plain(field.name) for i, field in enumerate(schema) if i not in usable]
    if not usable:
        raise RequestError("The Parquet file has no column of numbers or text.")
    names = distinct((field.name for field in schema), "column")
    writer = Writer(source.folder, [names[i] for i in usable], [numeric[i] for i in usable])
    rows = max(1, file.metadata.num_rows)
    try:
        for batch in file.iter_batches(batch_size=max(1, _BATCH_CELLS // len(schema))):
            if batch.num_rows:
                columns = [batch.column(index) for index in usable]
                writer.append([_plain_column(column) for column in columns])
                source.progress(min(1.0, writer.rows / rows))
    finally:
        writer.close()
    notes: tuple[str, ...] = (f"Read as Parquet, {writer.rows:,} rows.",)
    if left_out:
        notes += (f"Left out, since they hold neither numbers nor text: {some(left_out)}.",)
    return writer.finish(source.name, FORMAT.name, notes)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    checks = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(check(kind) for check in checks)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


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


FORMAT = Format("Parquet", (".parquet", ".pq"), starts_with(b"PAR1"), read, table=True)
