"""Dispatch of a file to the reader of its format, by its content, not by its name."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

from svae_core.own_data import archive
from svae_core.own_data.arrays import read_npy, read_npz
from svae_core.own_data.images import read_images
from svae_core.own_data.names import cleaned
from svae_core.own_data.parquet import read_parquet
from svae_core.own_data.tables import Table
from svae_core.own_data.text import Tell, read_text
from svae_core.records import RequestError

# First bytes of other common formats, with advice.
_OTHERS = {
    b"\x1f\x8b": "is compressed by gzip; unpack it first",
    b"BZh": "is compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "is compressed by xz; unpack it first",
    b"\x80\x02": "is a pickle, which could run code and is never loaded; save it as NPY or CSV",
    b"\x80\x03": "is a pickle, which could run code and is never loaded; save it as NPY or CSV",
    b"\x80\x04": "is a pickle, which could run code and is never loaded; save it as NPY or CSV",
    b"\x80\x05": "is a pickle, which could run code and is never loaded; save it as NPY or CSV",
    b"\x89HDF": "is HDF5; save the array of points as NPY",
    b"\xd0\xcf\x11\xe0": "is an old spreadsheet; save it as CSV",
    b"%PDF": "is a PDF; save the table as CSV",
    b"\x89PNG": "is one image; put images into a ZIP",
    b"\xff\xd8\xff": "is one image; put images into a ZIP",
}


def read_table(path: Path, name: str, folder: Path, tell: Tell = lambda share: None) -> Table:
    """The table of a file, written into a folder that exists; RequestError, one sentence."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        return _read_by_format(start, path, name, folder, tell)
    except RequestError as error:
        raise RequestError(f"{name}: {error}") from error
    except OSError as error:
        raise refused_by_disk(name, error) from error
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


def _read_by_format(start: bytes, path: Path, name: str, folder: Path, tell: Tell) -> Table:
    """The table, by the reader of the format that the first bytes indicate."""
    if start.startswith(b"\x93NUMPY"):
        return read_npy(path, name, folder, tell)
    if start.startswith(b"PAR1"):
        return read_parquet(path, name, folder, tell)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        reader = read_npz if _holds_arrays(path) else read_images
        return reader(path, name, folder, tell)
    for magic, what in _OTHERS.items():
        if start.startswith(magic):
            raise RequestError(f"The file {what}.")
    return read_text(path, name, folder, tell)


def _holds_arrays(path: Path) -> bool:
    with archive.opened(path) as (_, members):
        return bool(members) and all(_is_array(item) for item in members)


def _is_array(item: zipfile.ZipInfo) -> bool:
    return item.filename.endswith(".npy")
