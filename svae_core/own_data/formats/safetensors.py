"""safetensors: named arrays in one file; the points are one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.array_in_file import NamedArray
from svae_core.own_data.array_to_table import write_matrix
from svae_core.own_data.candidates import choose
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.labels_from_arrays import vectors_among, write_vectors
from svae_core.own_data.named_arrays import completed
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_HEADER_LIMIT = 2**24
#: Types of real numbers, as NumPy has them.
_REAL = {
    **{f"{kind}{8 * size}": f"{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
    **{"F64": "f8", "F32": "f4", "F16": "f2", "BF16": "V2", "BOOL": "b1"},
}


def recognised(path: Path, start: bytes) -> bool:
    """Eight bytes of length, then JSON."""
    length = int.from_bytes(start[:8], "little")
    return start[8:10] in (b'{"', b"{}", b"{ ") and 2 <= length <= path.stat().st_size - 8


def read(source: Source) -> Table:
    """The table of a safetensors file: its points, and its labels if there are as many."""
    with _opened(source.path) as slices:
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


@contextmanager
def arrays(source: Source) -> Iterator[Mapping[str, NamedArray]]:
    """All arrays by name."""
    with _opened(source.path) as slices:
        yield {key: _array(source.path, key, part) for key, part in slices.items()}


def _array(path: Path, name: str, part: Any) -> NamedArray:
    kind = part.get_dtype()
    refusal = "" if kind in _REAL else f"holds {kind}, but must hold real numbers; save it as F32"
    load = partial(_Rows, path, name, part)
    return NamedArray(tuple(part.get_shape()), np.dtype(_REAL.get(kind, "f8")), load, refusal)


@contextmanager
def _opened(path: Path) -> Iterator[dict[str, Any]]:
    """The arrays by name, none of them read; RequestError for whatever is wrong with the file."""
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > _HEADER_LIMIT:
            raise RequestError("The safetensors file declares a header that is too large to read.")
    try:
        with safe_open(path, framework="np") as file:
            yield {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
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

    def __getitem__(self, rows: Any) -> Any:
        return self._part[rows]


def _start_of(path: Path, name: str) -> int:
    """Where the bytes of an array begin; the library has checked that they lie in the file."""
    import json

    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return 8 + length + int(header[name]["data_offsets"][0])


FORMAT = Format("safetensors", (".safetensors",), recognised, read, arrays=arrays)
