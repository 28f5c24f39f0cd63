"""Several arrays of an NPZ file that is not trusted, as files of plain numbers.

The reader's process does this, see arrays_apart: headers are checked, objects never loaded.
"""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path

import numpy as np

from svae_core.own_data import archive
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Progress
from svae_core.own_data.limits import CELLS
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.npy_header import PARSER_ERRORS, checked_header
from svae_core.records import RequestError

#: The file that names the arrays.
INDEX = "arrays.json"
_MOST = 64  # arrays in a file
_BLOCK = 2**20
_TOO_LARGE = "The arrays are too large to read together; give a sample."


def write_arrays(path: Path, name: str, folder: Path, tell: Progress, only: str = "") -> None:
    """Write the arrays as NPY files of plain numbers, and a list of their names."""
    try:
        with path.open("rb") as file:
            if not file.read(4).startswith(b"PK"):
                raise RequestError(
                    "This is no NPZ file. A model is examined by its arrays in one file, as "
                    "numpy.savez writes it; data without a model are given as a data set."
                )
        with archive.opened(path) as (packed, items):
            _write(packed, items, folder, tell, set(only.split(",")) - {""})
    except RequestError as error:
        raise RequestError(f"{name}: {error}") from error
    except (OSError, MemoryError) as error:
        raise RequestError(f"{name}: Reading it failed ({cleaned(error)}).") from error


def _write(
    packed: zipfile.ZipFile,
    items: list[zipfile.ZipInfo],
    folder: Path,
    tell: Progress,
    only: set[str],
) -> None:
    arrays = {item.filename.removesuffix(".npy"): item for item in items}
    if not arrays or len(arrays) > _MOST or not all(i.filename.endswith(".npy") for i in items):
        raise RequestError(
            f"The ZIP must hold NPY arrays alone, {_MOST} at most; save them with numpy.savez."
        )
    wanted = {key: item for key, item in arrays.items() if not only or key.lower() in only}
    if not wanted:
        names = some([cleaned(key) for key in arrays])
        raise RequestError(f"None of the arrays ({names}) has a name that is known here.")
    index, left = {}, 8 * CELLS
    for number, (key, item) in enumerate(wanted.items()):
        unpacked = folder / f"{number}.packed"
        left -= archive.unpack(packed, item, unpacked, left, _TOO_LARGE)
        _write_plain(unpacked, folder / f"{number}.npy", cleaned(key))
        unpacked.unlink()
        index[f"{number}.npy"] = cleaned(key)
        tell((number + 1) / len(wanted))
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _write_plain(source: Path, target: Path, name: str) -> None:
    """An array of numbers or short text, copied block by block into a file of our own making."""
    with source.open("rb") as file:
        shape, dtype, _ = checked_header(file, source.stat().st_size)
    number = not dtype.names and dtype.kind in "fiub"
    if not number and not (dtype.kind in "US" and len(shape) == 1):
        raise RequestError(f"The array {name} holds {cleaned(dtype.name)}, but must hold numbers.")
    try:
        found = np.load(source, mmap_mode="r" if shape and 0 not in shape else None)
        if number:
            plain = np.dtype(
                np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64
            )
        else:
            found = np.array([cleaned(word) for word in found.tolist()])
            plain = found.dtype
        copy = np.lib.format.open_memmap(target, "w+", plain, found.shape)
        if found.ndim == 0:
            copy[...] = found
        rows = max(1, _BLOCK // max(1, math.prod(found.shape[1:])))
        for at in range(0, len(found) if found.ndim else 0, rows):
            copy[at : at + rows] = found[at : at + rows]
        copy.flush()
    except PARSER_ERRORS as error:
        raise damaged(f"array {name}") from error
