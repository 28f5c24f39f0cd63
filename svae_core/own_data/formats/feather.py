"""Feather and Arrow IPC files: the same columns as Parquet, as they lie in memory."""

from __future__ import annotations

from svae_core.own_data.archive import is_of_disk
from svae_core.own_data.arrow import DAMAGE, read_arrow
from svae_core.own_data.arrow_points import Batches
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Format, Source, starts_with
from svae_core.own_data.tables import Table
from svae_core.records import RequestError


def read(source: Source) -> Table:
    """The table of a Feather (version 2) or Arrow IPC file."""
    import pyarrow as pa
    from pyarrow import ipc

    try:
        with pa.OSFile(str(source.path)) as raw, ipc.open_file(raw) as file:
            rows = sum(file.get_batch(index).num_rows for index in range(file.num_record_batches))

            def batches(positions: list[int], most: int):  # type: ignore[no-untyped-def]
                for index in range(file.num_record_batches):
                    batch = file.get_batch(index).select(positions)
                    # Offsets are trusted otherwise, and texts would be read from anywhere.
                    batch.validate(full=True)
                    for start in range(0, batch.num_rows, most):
                        yield batch.slice(start, most)

            return read_arrow(source, Batches(file.schema, rows, batches), FORMAT.name)
    except (pa.ArrowException, *DAMAGE) as error:
        if isinstance(error, RequestError) or is_of_disk(error):
            raise
        raise damaged("Feather file") from error


FORMAT = Format("Feather", (".feather", ".arrow"), starts_with(b"ARROW1"), read, table=True)
