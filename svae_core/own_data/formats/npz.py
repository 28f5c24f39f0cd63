"""NPZ: several arrays of NumPy in a ZIP, or one sparse matrix of SciPy.

The points are the array whose name says so, else the one with most numbers; never one that is named
as a label. Names of Keras (x_train, y_train), MedMNIST (train_images, train_labels) and dSprites
(imgs, latents_classes) are known.
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from svae_core.own_data import archive
from svae_core.own_data.array_to_table import (
    with_arrays,
    with_labels,
    with_note,
    with_question,
    write_matrix,
)
from svae_core.own_data.candidates import LABELS, POINTS, offered, question_of
from svae_core.own_data.formats import Format, Source, npy, renamed
from svae_core.own_data.labels_from_arrays import vectors_among, write_vectors
from svae_core.own_data.limits import CELLS, LETTERS
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.npy_header import HEADER_BYTES, PARSER_ERRORS, read_header, refuse_objects
from svae_core.own_data.sparse import CompressedRows, check_compressed
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

#: Names of points, and for each the names of the labels that belong to it; others below.
_SPLITS = {
    "x_train": ("y_train",),
    "train_images": ("train_labels",),
    "train_x": ("train_y",),
    "train_data": ("train_labels", "train_y"),
    "imgs": ("latents_classes",),
}
#: The same of test sets, taken where there are no other points.
_TESTS = {"x_test": ("y_test",), "test_images": ("test_labels",), "test_data": ("test_labels",)}
_LABELS = (*LABELS, "arr_1")
#: Parts of a name by which an array is never the points.
_NO_POINTS = ("label", "target", "class", "latents", "index", "ids")
_SPARSE = {"format", "shape", "data"}


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
        refuse_objects(members[points].dtype)
        npy.check_numbers(members[points].dtype)
        unpacked = source.folder / "unpacked.npy"
        with packed.open(members[points].item) as inner, unpacked.open("wb") as target:
            _copy(inner, target, 8 * CELLS + HEADER_BYTES)
        table = npy.read(renamed(source, unpacked))
        table = with_note(_as_npz(table), f"Points are the array {cleaned(points)}.")
        labels = _labels_for(points, members, table.rows)
        if labels:
            table = with_labels(table, _array(packed, members[labels], table.rows), "label")
    table = with_arrays(table, offered(_readable(members)), points)
    if not source.turned and (why := question_of(_readable(members), points)):
        table = with_question(table, why)
    return _say_what_was_left_out(table, members, points, labels)


def _readable(members: dict[str, _Member]) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that can be loaded."""
    return {key: member.shape for key, member in members.items() if not member.objects}


def _as_npz(table: Table) -> Table:
    import dataclasses

    return dataclasses.replace(table, form=FORMAT.name)


def _say_what_was_left_out(
    table: Table, members: dict[str, _Member], points: str, labels: str
) -> Table:
    others = [key for key in members if key not in (points, labels)]
    objects = [cleaned(key) for key in others if members[key].objects]
    rest = [cleaned(key) for key in others if not members[key].objects]
    if objects:
        table = with_note(
            table,
            "Arrays of Python objects were not loaded, since that could run code: "
            f"{some(objects)}.",
        )
    if rest:
        table = with_note(table, f"Other arrays were left out: {some(rest)}.")
    return table


def _member(packed: zipfile.ZipFile, item: zipfile.ZipInfo) -> _Member:
    with packed.open(item) as file:
        shape, dtype = read_header(file)  # type: ignore[arg-type]
    return _Member(item, shape, dtype)


def _points_among(members: dict[str, _Member], wanted: str) -> str:
    """The array that holds the points; RequestError where none of them can be it."""
    if not members:
        raise RequestError("The NPZ file holds no array.")
    if wanted:
        if wanted not in members:
            names = some([cleaned(key) for key in members])
            raise RequestError(f"The NPZ file holds no array {cleaned(wanted)!r}; it has: {names}.")
        return wanted
    if all(member.objects for member in members.values()):
        refuse_objects(next(iter(members.values())).dtype)
    known = {key: member for key, member in members.items() if not member.objects}
    wide = {key: member for key, member in known.items() if len(member.shape) >= 2} or known
    lower = {key.lower(): key for key in wide}
    for name in (*_SPLITS, *POINTS, *_TESTS):
        if name in lower:
            return lower[name]
    candidates = {
        key: math.prod(member.shape)
        for key, member in wide.items()
        if not _names_no_points(key) and member.dtype.kind in "fiubV"
    }
    if not candidates:
        names = some([cleaned(key) for key in members])
        raise RequestError(
            f"The NPZ file holds {names}, and none of them looks like points; name the array with "
            "the points “points”."
        )
    largest = sorted(candidates, key=lambda key: candidates[key])[-2:]
    if len(largest) == 2 and candidates[largest[0]] == candidates[largest[1]]:
        names = some([cleaned(key) for key in candidates])
        raise RequestError(
            f"The NPZ file holds several arrays ({names}); name the one with the points “points”."
        )
    return largest[-1]


def _names_no_points(key: str) -> bool:
    lower = key.lower()
    return lower in _LABELS or any(part in lower for part in _NO_POINTS)


def _labels_for(points: str, members: dict[str, _Member], table_rows: int) -> str:
    """The name of the labels that belong to the points, or nothing."""
    rows = (table_rows,)
    lower = {key.lower(): key for key in members}
    for name in {**_SPLITS, **_TESTS}.get(points.lower(), _LABELS):
        if name not in lower or lower[name] == points:
            continue
        member = members[lower[name]]
        fits = member.shape[:1] == rows and len(member.shape) <= 2 and not member.objects
        if fits and member.dtype.kind in "iubUSf":
            return lower[name]
    return ""


def _array(packed: zipfile.ZipFile, member: _Member, rows: int) -> np.ndarray:
    """A small array, loaded: labels, or a part of a sparse matrix."""
    width = math.prod(member.shape[1:]) if len(member.shape) > 1 else 1
    limit = max(8, 4 * LETTERS) * max(1, rows) * max(1, width) + HEADER_BYTES
    raw = archive.content(packed, member.item, min(limit, 8 * CELLS))
    try:
        return np.load(io.BytesIO(raw), allow_pickle=False)
    except PARSER_ERRORS as error:
        raise RequestError("The labels in the NPZ file are damaged.") from error


def _copy(inner: Any, target: BinaryIO, limit: int) -> None:
    """Copy, but no more than the limit, whatever the archive claims."""
    while block := inner.read(2**20):
        limit -= len(block)
        if limit < 0:
            raise RequestError("The array in the NPZ file is too large to read; give a sample.")
        target.write(block)


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
        raise RequestError("The sparse matrix in the NPZ file is damaged.") from error
    note = (
        f"Read as the sparse matrix ({kind}) that the file stands for, {stored:,} numbers stored."
    )
    return write_matrix(source, rows, FORMAT.name, (note,))


FORMAT = Format("NPZ", (".npz",), recognised, read)
