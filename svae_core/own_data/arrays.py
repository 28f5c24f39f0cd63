"""NPY and NPZ files: headers are validated against the file's size, and nothing is unpickled.

An NPY file stays where it is and is mapped from disk. The array of points in an NPZ is unpacked
into such a file; an array of labels of equal length becomes a column.
"""

from __future__ import annotations

import dataclasses
import sys
import tokenize
import warnings
import zipfile
from pathlib import Path

import numpy as np

from svae_core.own_data import archive
from svae_core.own_data.limits import CATEGORIES, CELLS, LETTERS
from svae_core.own_data.names import cleaned, distinct, some
from svae_core.own_data.tables import (
    CODES,
    Column,
    Table,
    check_cells,
    check_width,
    stamp_of,
    write_about,
)
from svae_core.own_data.text import Tell
from svae_core.records import RequestError

_HEADER_BYTES = 10_000  # numpy's own limit for untrusted headers
_POINTS = ("points", "x", "data", "features", "images", "arr_0")
_LABELS = ("labels", "label", "y", "target", "targets", "classes", "arr_1")
_BLOCK_CELLS = 2**20
_EXAMPLES = 8


def read_npy(path: Path, name: str, folder: Path, tell: Tell) -> Table:
    """The table of an NPY file: [n, d], [n], or images [n, height, width]."""
    with path.open("rb") as file:
        shape, dtype, _ = checked_header(file, path.stat().st_size)
    rows, width, image_shape = _as_table(shape)
    inside = path.parent == folder
    notes = [f"Read as an array {' × '.join(map(str, shape))} of {dtype.name}."]
    scale = 1.0
    if image_shape and dtype == np.uint8:
        scale = 255.0
        notes.append("Grey values from 0 to 255 are divided by 255.")
    array = np.load(path, mmap_mode="r", allow_pickle=False).reshape(rows, width)
    table = Table(
        folder=folder,
        name=name,
        form="NPY",
        rows=rows,
        columns=_measured(array, "pixel" if image_shape else "column", tell),
        numbers_file=path.name if inside else str(path.resolve()),
        numbers_dtype=dtype.str,
        notes=tuple(notes),
        examples=tuple(tuple(f"{value:g}" for value in row) for row in array[:_EXAMPLES].tolist()),
        image_shape=image_shape,
        scale=scale,
        stamp="" if inside else stamp_of(path),
    )
    write_about(table)
    return table


def read_npz(path: Path, name: str, folder: Path, tell: Tell) -> Table:
    """The table of an NPZ file: its array of points, and labels if there are equally many."""
    with archive.opened(path) as (packed, members):
        headers = {}
        for item in members:
            with packed.open(item) as file:
                headers[item.filename.removesuffix(".npy")] = item, _header(file)
        points = _points_among({key: shape for key, (_, (shape, _)) in headers.items()})
        item = headers[points][0]
        _as_table(headers[points][1][0])
        unpacked = folder / "unpacked.npy"
        with packed.open(item) as source, unpacked.open("wb") as target:
            _copy(source, target, 8 * CELLS + _HEADER_BYTES)
        table = read_npy(unpacked, name, folder, tell)
        note = f"Points are the array {cleaned(points)}."
        labels = [
            key
            for key, (_, (shape, dtype)) in headers.items()
            if key.lower() in _LABELS and shape == (table.rows,) and dtype.kind in "iubUS"
        ]
        table = dataclasses.replace(table, form="NPZ", notes=(*table.notes, note))
        if labels:
            table = _with_labels(table, packed, headers[labels[0]][0])
        others = [cleaned(key) for key in headers if key not in (points, *labels[:1])]
        if others:
            note = f"Other arrays were left out: {some(others)}."
            table = dataclasses.replace(table, notes=(*table.notes, note))
    write_about(table)
    return table


def checked_header(file, size: int) -> tuple[tuple[int, ...], np.dtype, int]:  # type: ignore[no-untyped-def]
    """Shape, type and offset of the numbers; RequestError if the file holds fewer than declared."""
    shape, dtype = _header(file)
    start = file.tell()
    claimed = dtype.itemsize
    for length in shape:  # Python's integers do not overflow
        claimed *= length
    if claimed > size - start:
        raise RequestError(
            f"The array claims to be {' × '.join(map(str, shape[:4]))} numbers, {claimed:,} bytes, "
            f"but the file holds only {size - start:,}; it is cut off or made up."
        )
    return shape, dtype, start


def _header(file) -> tuple[tuple[int, ...], np.dtype]:  # type: ignore[no-untyped-def]
    """Shape and type by the header; RequestError if it is no plain array of numbers."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise RequestError("The NPY file has a format that is not known here; save it anew.")
        read = np.lib.format.read_array_header_1_0
        if version == (2, 0):
            read = np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # headers of Python 2 would warn at every read
            shape, _, dtype = read(file, max_header_size=_HEADER_BYTES)
    except (*_PARSER_ERRORS,) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            "The NPY file is damaged or very old: its header makes no sense."
        ) from error
    if dtype.hasobject:
        raise RequestError(
            "The array holds pickled Python objects, which could run code and are never loaded; "
            "save it as numbers, with allow_pickle=False."
        )
    if any(length < 0 for length in shape):
        raise RequestError("The NPY file is damaged: its header makes no sense.")
    return tuple(int(length) for length in shape), dtype


# Exceptions that numpy's header parser is known to raise on malformed bytes.
_PARSER_ERRORS = (
    *(ValueError, TypeError, SyntaxError, KeyError, OverflowError, EOFError, RecursionError),
    *(
        UserWarning,
        DeprecationWarning,
        MemoryError,
        tokenize.TokenError,
        AttributeError,
        IndexError,
    ),
)


def _as_table(shape: tuple[int, ...]) -> tuple[int, int, tuple[int, int] | None]:
    """Rows, columns and, for three axes, the shape of one image."""
    if len(shape) not in (1, 2, 3) or 0 in shape:
        raise RequestError(
            f"The array has the shape {' × '.join(map(str, shape[:6])) or '()'}, but must be rows "
            "× columns or, for grey images, number × height × width."
        )
    width = 1
    for length in shape[1:]:
        width *= length
    check_width(width)
    check_cells(shape[0], width)
    return shape[0], width, (shape[1], shape[2]) if len(shape) == 3 else None


def _measured(array: np.ndarray, word: str, tell: Tell) -> tuple[Column, ...]:
    """A `Column` for each column, with missing values and range."""
    if array.dtype.kind not in "fiub":
        raise RequestError(
            f"The array holds {cleaned(array.dtype.name)}, but must hold real numbers."
        )
    rows, width = array.shape
    missing = np.zeros(width, np.int64)
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    step = max(1, _BLOCK_CELLS // width)
    for start in range(0, rows, step):
        with np.errstate(
            invalid="ignore"
        ):  # NaN payloads warn on conversion; they count as missing
            block = np.asarray(array[start : start + step], np.float64)
        finite = np.isfinite(block)
        missing += len(block) - np.count_nonzero(finite, axis=0)
        low = np.minimum(low, np.where(finite, block, np.inf).min(axis=0))
        high = np.maximum(high, np.where(finite, block, -np.inf).max(axis=0))
        tell(min(1.0, (start + step) / rows))
    low, high = np.where(low <= high, low, 0.0), np.where(low <= high, high, 0.0)
    return tuple(
        Column(f"{word} {i + 1}", "number", int(missing[i]), float(low[i]), float(high[i]))
        for i in range(width)
    )


def _points_among(shapes: dict[str, tuple[int, ...]]) -> str:
    """The name of the array of points: a known name, or the only array with rows and columns."""
    if not shapes:
        raise RequestError("The NPZ file holds no array.")
    wide = {key: shape for key, shape in shapes.items() if len(shape) in (2, 3)} or shapes
    for name in _POINTS:
        for key in wide:
            if key.lower() == name:
                return key
    if len(wide) > 1:
        names = ", ".join(cleaned(key) for key in list(wide)[:6])
        raise RequestError(
            f"The NPZ file holds several arrays ({names}); name the one with the points “points”."
        )
    return next(iter(wide))


def _copy(source, target, limit: int) -> None:  # type: ignore[no-untyped-def]
    """Copy at most `limit` bytes, whatever size the archive declares."""
    while block := source.read(2**20):
        limit -= len(block)
        if limit < 0:
            raise RequestError("The array in the NPZ file is too large to read; give a sample.")
        target.write(block)


def _with_labels(table: Table, packed: zipfile.ZipFile, item: zipfile.ZipInfo) -> Table:
    """The table with a column `label`, unless it has too many different values."""
    import io

    raw = archive.content(packed, item, 4 * LETTERS * table.rows + _HEADER_BYTES)
    try:
        labels = np.load(io.BytesIO(raw), allow_pickle=False)
    except (*_PARSER_ERRORS,) as error:
        raise RequestError("The labels in the NPZ file are damaged.") from error
    if labels.dtype.itemsize == 0:
        return _without_labels(table, "words without a letter")
    if labels.dtype.kind == "U":
        letters = np.ascontiguousarray(labels).view(f"{labels.dtype.str[0]}u4")
        if letters.max() > sys.maxunicode:
            raise RequestError("The labels in the NPZ file are damaged.")
    values, codes = np.unique(labels, return_inverse=True)
    if len(values) > CATEGORIES:
        return _without_labels(table, f"more than {CATEGORIES:,} different values")
    (table.folder / CODES).write_bytes(codes.astype("<i4").tobytes())
    names = distinct(
        (v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values.tolist()), "value"
    )
    column = Column("label", "category", 0, categories=names)
    examples = tuple((*row, names[code]) for row, code in zip(table.examples, codes, strict=False))
    return dataclasses.replace(table, columns=(*table.columns, column), examples=examples)


def _without_labels(table: Table, what: str) -> Table:
    note = f"The labels were left out, since they hold {what}."
    return dataclasses.replace(table, notes=(*table.notes, note))
