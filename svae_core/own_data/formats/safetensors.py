"""safetensors: named arrays in one file; the points are one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import write_matrix
from svae_core.own_data.candidates import choose
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.labels_from_arrays import vectors_among, write_vectors
from svae_core.own_data.named_arrays import completed
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_HEADER_LIMIT = 2**24
_REAL = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}


def recognised(path: Path, start: bytes) -> bool:
    """Eight bytes of length, then JSON."""
    length = int.from_bytes(start[:8], "little")
    return start[8:10] in (b'{"', b"{}", b"{ ") and 2 <= length <= path.stat().st_size - 8


def read(source: Source) -> Table:
    """The table of a safetensors file: its points, and its labels if there are as many."""
    from safetensors import SafetensorError, safe_open

    with source.path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > _HEADER_LIMIT:
            raise RequestError("The safetensors file declares a header that is too large to read.")
    try:
        with safe_open(source.path, framework="np") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            shapes = {
                key: tuple(part.get_shape())
                for key, part in slices.items()
                if part.get_dtype() in _REAL
            }
            if source.labels and (vectors := vectors_among(shapes)):
                loaded = {key: slices[key][:] for key in vectors}
                return write_vectors(source, FORMAT.name, loaded, shapes)
            name = choose(shapes, source.array, "safetensors file")
            rows = _Rows(source.path, name, slices[name])
            table = write_matrix(source, rows, FORMAT.name, (f"Points are the array {name}.",))
            return completed(table, source, name, shapes, lambda key: slices[key][:])
    except SafetensorError as error:
        raise damaged("safetensors file") from error


class _Rows:
    """Blocks of rows of one array; bfloat16 as two bytes each, since NumPy has no such type."""

    def __init__(self, path: Path, name: str, part: Any) -> None:
        self.shape = tuple(part.get_shape())
        self._part = part
        if part.get_dtype() == "BF16":
            self._part = np.memmap(
                path, "V2", "r", offset=_start_of(path, name), shape=self.shape or (1,)
            )

    def __getitem__(self, rows: slice) -> Any:
        return self._part[rows]


def _start_of(path: Path, name: str) -> int:
    """Where the bytes of an array begin; the library has checked that they lie in the file."""
    import json

    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return 8 + length + int(header[name]["data_offsets"][0])


FORMAT = Format("safetensors", (".safetensors",), recognised, read)
