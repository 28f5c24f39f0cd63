"""Reads a file by the format that it has, unpacking gzip first; all failures are one sentence."""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from svae_core.own_data.archive import is_of_disk
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Progress, Source, recognise, renamed
from svae_core.own_data.limits import CELLS
from svae_core.own_data.names import cleaned
from svae_core.own_data.rows_or_columns import turned_table
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_GZIP = b"\x1f\x8b"
_UNPACKED = "unpacked"
#: Bytes that gzip may unpack to: as much as the largest table, in text.
_UNPACKED_BYTES = 16 * CELLS


def read_table(
    path: Path,
    name: str,
    folder: Path,
    progress: Progress = lambda share: None,
    array: str = "",
    how: str = "",
) -> Table:
    """The table of a file, written into a folder that exists; RequestError, one sentence.

    `how`: words of formats.HOW. With `labels` it is a second file, whose columns belong to the rows
    of another; one column may do.
    """
    with opened(Source(path, name, folder, progress, array, how)) as source:
        table = recognise(source.path).read(source)
        # Matrices are turned as they are read, and so are sparse ones.
        turns = source.turned and table.tabular and not table.sparse
        return turned_table(source, table) if turns else table


@contextmanager
def opened(source: Source) -> Iterator[Source]:
    """The source without its gzip; whatever goes wrong with it in use is one sentence."""
    name = source.name
    try:
        with source.path.open("rb") as file:
            packed = file.read(2) == _GZIP
        if packed:
            source = renamed(source, _unpacked(source))
        try:
            yield source
        finally:
            if packed:
                source.path.unlink(missing_ok=True)
    except RequestError as error:
        raise RequestError(f"{name}: {error}") from error
    except OSError as error:
        if is_of_disk(error):
            raise refused_by_disk(name, error) from error
        raise RequestError(f"{name}: {damaged('file')}") from error
    except MemoryError as error:
        raise RequestError(f"{name}: Reading it takes too much memory; give a sample.") from error


def refused_by_disk(name: str, error: OSError) -> RequestError:
    """The sentence for a file that could not be read, or whose table could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RequestError(
            f"{name} cannot be kept, since the disk is full; make room there and give it again."
        )
    reason = os.strerror(error.errno) if error.errno else cleaned(error)
    return RequestError(f"{name} cannot be kept or read: {reason}.")


def _unpacked(source: Source) -> Path:
    """The file without its gzip, never larger than the limit."""
    target = source.folder / _UNPACKED
    left = _UNPACKED_BYTES
    try:
        with gzip.open(source.path) as packed, target.open("wb") as out:
            while block := packed.read(2**20):
                left -= len(block)
                if left < 0:
                    raise RequestError("The file unpacks to more than can be read; give a sample.")
                out.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged("gzip file") from error
    return target
