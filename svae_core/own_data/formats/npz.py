"""NPZ: several arrays of NumPy in a ZIP, or one sparse matrix of SciPy.

The points are the array whose name says so, else the one with most numbers; never one that is named
as a label. Names of Keras (x_train, y_train), MedMNIST (train_images, train_labels) and dSprites
(imgs, latents_classes) are known.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from svae_core.own_data import archive
from svae_core.own_data.array_in_file import NamedArray
from svae_core.own_data.array_to_table import with_note, write_matrix
from svae_core.own_data.candidates import choose
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Format, Source, npy, renamed
from svae_core.own_data.labels_from_arrays import vectors_among, write_vectors
from svae_core.own_data.limits import CELLS, LETTERS
from svae_core.own_data.named_arrays import completed
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.npy_header import (
    HEADER_BYTES,
    PARSER_ERRORS,
    checked_header,
    read_header,
    refuse_objects,
)
from svae_core.own_data.sparse import CompressedRows, check_compressed
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_SPARSE = {"format", "shape", "data"}
#: Kinds of types that may be points: numbers, and bfloat16, which NumPy shows as bare bytes.
_NUMBERS = "fiubV"
_OBJECTS = (
    "holds pickled Python objects, which could run code and are never loaded; save it as an array "
    "of numbers or, for labels, of text"
)


@dataclass(frozen=True)
class _Member:
    """One array in the archive: what its header declares."""

    item: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def objects(self) -> bool:
        return bool(self.dtype.hasobject)


def recognised(path: Path, start: bytes) -> bool:
    """A ZIP of NPY files only."""
    if not start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return False
    with archive.opened(path) as (_, members):
        return bool(members) and all(item.filename.endswith(".npy") for item in members)


def read(source: Source) -> Table:
    """The table of an NPZ file: its points, and its labels if there are as many."""
    with archive.opened(source.path) as (packed, items):
        members = {item.filename.removesuffix(".npy"): _member(packed, item) for item in items}
        if members.keys() >= _SPARSE and _sparse_format(packed, members) is not None:
            return _read_sparse(source, packed, members)
        if source.labels and (vectors := vectors_among(_readable(members))):
            loaded = {key: _array(packed, members[key], *members[key].shape[:1]) for key in vectors}
            return write_vectors(source, FORMAT.name, loaded, _readable(members))
        points = _points_among(members, source.array)
        npy.check_numbers(members[points].dtype)
        unpacked = source.folder / "unpacked.npy"
        refusal = "The array in the NPZ file is too large to read; give a sample."
        archive.unpack(packed, members[points].item, unpacked, 8 * CELLS + HEADER_BYTES, refusal)
        table = npy.read(renamed(source, unpacked))
        table = with_note(_as_npz(table), f"Points are the array {cleaned(points)}.")
        numbers = {key: m.shape for key, m in members.items() if m.dtype.kind in _NUMBERS}
        texts = {key: m.shape for key, m in members.items() if m.dtype.kind in "US"}

        def labels(key: str) -> np.ndarray:
            return _array(packed, members[key], table.rows)

        table = completed(table, source, points, numbers, labels, texts)
    objects = [cleaned(key) for key, member in members.items() if member.objects]
    if objects:
        table = with_note(
            table,
            "Arrays of Python objects were not loaded, since that could run code: "
            f"{some(objects)}.",
        )
    return table


@contextmanager
def arrays(source: Source) -> Iterator[Mapping[str, NamedArray]]:
    """All arrays by name, each unpacked when it is loaded."""
    with archive.opened(source.path) as (packed, items):
        members = {item.filename.removesuffix(".npy"): _member(packed, item) for item in items}
        if members.keys() >= _SPARSE and _sparse_format(packed, members) is not None:
            raise RequestError(
                "The NPZ file stands for one sparse matrix of SciPy; save it dense, by .toarray(), "
                "beside the model's other arrays, with numpy.savez."
            )
        yield {
            key: NamedArray(
                member.shape,
                member.dtype,
                partial(_unpacked, packed, member, source.folder / f"unpacked-{number}.npy"),
                _OBJECTS if member.objects else "",
            )
            for number, (key, member) in enumerate(members.items())
        }


def _unpacked(packed: zipfile.ZipFile, member: _Member, target: Path) -> np.ndarray:
    """An array of the archive, mapped where it is unpacked; no larger than its header says."""
    declared = math.prod(member.shape) * member.dtype.itemsize + HEADER_BYTES
    archive.unpack(packed, member.item, target, declared, "The NPZ file holds more than declared.")
    with target.open("rb") as file:
        checked_header(file, target.stat().st_size)
    try:
        return np.load(target, mmap_mode="r" if member.shape else None, allow_pickle=False)
    except PARSER_ERRORS as error:
        raise damaged("NPZ file", "an array in it cannot be read") from error
    finally:
        # What is mapped needs no name; on Windows the file stays until the folder goes.
        with suppress(PermissionError):
            target.unlink()


def _readable(members: dict[str, _Member]) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that can be loaded."""
    return {key: member.shape for key, member in members.items() if not member.objects}


def _as_npz(table: Table) -> Table:
    import dataclasses

    return dataclasses.replace(table, form=FORMAT.name)


def _member(packed: zipfile.ZipFile, item: zipfile.ZipInfo) -> _Member:
    with packed.open(item) as file:
        shape, dtype = read_header(file)  # type: ignore[arg-type]
    return _Member(item, shape, dtype)


def _points_among(members: dict[str, _Member], wanted: str) -> str:
    """The array that holds the points; RequestError where none of them can be it."""
    if not members:
        raise RequestError("The NPZ file holds no array.")
    asked = [members[wanted]] if wanted in members else list(members.values())
    if all(member.objects for member in asked):
        refuse_objects(asked[0].dtype)
    able = {key: m.shape for key, m in members.items() if m.dtype.kind in _NUMBERS or key == wanted}
    return choose(able, wanted, "NPZ file")


def _array(packed: zipfile.ZipFile, member: _Member, rows: int) -> np.ndarray:
    """A small array, loaded: labels, or a part of a sparse matrix."""
    width = math.prod(member.shape[1:]) if len(member.shape) > 1 else 1
    limit = max(8, 4 * LETTERS) * max(1, rows) * max(1, width) + HEADER_BYTES
    raw = archive.content(packed, member.item, min(limit, 8 * CELLS))
    try:
        return np.load(io.BytesIO(raw), allow_pickle=False)
    except PARSER_ERRORS as error:
        raise damaged("NPZ file", "its labels cannot be read") from error


# ----------------------------------------------------------------- scipy.sparse.save_npz


def _sparse_format(packed: zipfile.ZipFile, members: dict[str, _Member]) -> str | None:
    """csr, csc, coo, bsr, … of a matrix that scipy.sparse.save_npz wrote; else None."""
    member = members["format"]
    if member.shape != () or member.dtype.kind not in "SU":
        return None
    value = _array(packed, member, 1).item()
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _read_sparse(source: Source, packed: zipfile.ZipFile, members: dict[str, _Member]) -> Table:
    """The matrix that the file stands for, made dense in blocks of rows."""
    from scipy import sparse

    kind = _sparse_format(packed, members)
    stored = math.prod(members["data"].shape)
    if stored > CELLS:
        raise RequestError("The sparse matrix in the NPZ file is too large to read; give a sample.")
    arrays = {
        key: _array(packed, member, math.prod(member.shape)) for key, member in members.items()
    }
    shape = tuple(int(length) for length in arrays["shape"].reshape(-1))
    try:
        if len(shape) != 2 or min(shape) < 1:
            raise ValueError("no matrix")
        if kind in ("csr", "csc", "bsr"):
            check_compressed(arrays["indptr"], arrays["indices"], shape, kind == "csc")
            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            make = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "bsr": sparse.bsr_matrix}
            matrix = make[kind](parts, shape=shape)
            matrix.check_format(full_check=True)  # of blocks, whose indices count blocks
        elif kind == "coo":
            matrix = sparse.coo_matrix((arrays["data"], (arrays["row"], arrays["col"])), shape)
        else:
            raise RequestError(
                f"The sparse matrix is stored as {cleaned(kind)}; save it as csr, csc, coo or bsr."
            )
        rows = CompressedRows.of(matrix.tocsr())
    except (ValueError, KeyError, IndexError, OverflowError, TypeError) as error:
        if isinstance(error, RequestError):
            raise
        raise damaged("sparse matrix in the NPZ file") from error
    note = (
        f"Read as the sparse matrix ({kind}) that the file stands for, {stored:,} numbers stored."
    )
    return write_matrix(source, rows, FORMAT.name, (note,))


FORMAT = Format("NPZ", (".npz",), recognised, read, arrays=arrays)
