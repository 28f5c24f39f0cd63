"""Parquet: columns of numbers or text, a list column of points, or pictures of Hugging Face."""

from __future__ import annotations

from svae_core.own_data.archive import is_of_disk
from svae_core.own_data.arrow import DAMAGE, read_arrow
from svae_core.own_data.arrow_points import Batches
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Format, Source, starts_with
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

#: Bounds for the file's own description of itself, which is read before anything else.
_TEXT_LIMIT, _PARTS_LIMIT = 2**24, 2**20
#: Bytes that are read ahead of a column, instead of all of it in a group of rows.
_BUFFER = 2**20


def read(source: Source) -> Table:
    """The table of a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(
            source.path,
            thrift_string_size_limit=_TEXT_LIMIT,
            thrift_container_size_limit=_PARTS_LIMIT,
            buffer_size=_BUFFER,
        ) as file:
            schema = file.schema_arrow

            def batches(positions: list[int], rows: int):  # type: ignore[no-untyped-def]
                names = [schema.field(index).name for index in positions]
                for batch in file.iter_batches(batch_size=rows, columns=names):
                    # A column's name leads to all of its leaves, in the order of the file.
                    yield batch.select(names)

            found = Batches(schema, file.metadata.num_rows, batches)
            return read_arrow(source, found, FORMAT.name)
    except (pa.ArrowException, *DAMAGE) as error:
        if isinstance(error, RequestError) or is_of_disk(error):
            raise
        raise damaged("Parquet file") from error


FORMAT = Format("Parquet", (".parquet", ".pq"), starts_with(b"PAR1"), read, table=True)
