"""HDF5 files that are not trusted: their data sets by name, read without following any link out.

External links, virtual data sets and external storage may name any file of the server; references
and filters from plug-ins may run code. They are never followed: such a member is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.archive import is_of_disk
from svae_core.own_data.array_to_table import text_of_label
from svae_core.own_data.damage import damaged
from svae_core.own_data.limits import CELLS
from svae_core.own_data.names import cleaned, some
from svae_core.own_data.sparse import CompressedRows, Part, check_compressed, check_real
from svae_core.records import RequestError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MEMBERS = 10_000  # of a tree that is looked through
#: Filters that the library itself brings: deflate, shuffle, fletcher32, szip, nbit, scaleoffset;
#: and lzf, which h5py has built in.
_FILTERS = frozenset({*range(1, 7), 32_000})
_PARTS = frozenset({"data", "indices", "indptr"})
_MATLAB_ROWS, _MATLAB_PARTS = "MATLAB_sparse", frozenset({"data", "ir", "jc"})
ELSEWHERE = (
    "lies in another file or needs a filter from a plug-in; save it anew, with compression='gzip'"
)
NOWHERE = "is a link that leads out of the file or nowhere; save the array itself by this name"
_STEPS = 100  # of the way of a link, which may go through others, and in circles
#: What MATLAB's text is called, which it keeps as the numbers of its letters.
CHAR = "letters (char)"
_DAMAGE = (OSError, ValueError, TypeError, KeyError, RuntimeError, IndexError, OverflowError)


def is_hdf5(start: bytes) -> bool:
    """The signature at the beginning, or after a user block of 512, 1024 or 2048 bytes."""
    return any(start[at : at + 8] == _SIGNATURE for at in (0, 512, 1024, 2048))


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, open for reading; RequestError for whatever is wrong with it, in use too."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except _DAMAGE as error:
        if isinstance(error, RequestError) or is_of_disk(error):
            raise
        raise damaged("HDF5 file") from error


@dataclass
class Groups:
    """The data sets of a file by their paths."""

    items: dict[str, Any] = field(default_factory=dict)
    sparse: dict[str, Any] = field(default_factory=dict)  # groups that are one matrix each
    empty: list[str] = field(default_factory=list)  # without numbers, which may have no shape
    refused: list[str] = field(default_factory=list)
    #: What soft links lead to; None: see NOWHERE.
    links: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, file: Any) -> Groups:
        """All data sets that lie in the file itself."""
        found = cls()
        found._walk(file, "", 0, set())
        return found

    def _walk(self, group: Any, prefix: str, depth: int, seen: set[Any]) -> None:
        import h5py

        for name in group:
            path = f"{prefix}{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                self.refused.append(path)
                continue
            if name.startswith("#"):
                continue  # MATLAB's own bookkeeping
            members = len(self.items) + len(self.refused) + len(self.links)
            if members > _MEMBERS or depth > 20:
                raise RequestError(
                    "The HDF5 file holds far too many data sets; give a plainer one."
                )
            if isinstance(link, h5py.SoftLink):  # another name for what is found under its own
                self.links[path] = _end_of(group, link.path)
                continue
            item = group[name]
            if isinstance(item, h5py.Group):
                if item.id in seen:
                    continue
                seen.add(item.id)
                if sparse_shape(item):
                    self.sparse[path] = item
                    continue
                self._walk(item, f"{path}/", depth + 1, seen)
            elif isinstance(item, h5py.Dataset):
                if reads_elsewhere(item):
                    self.refused.append(path)
                elif item.shape is None or item.attrs.get("MATLAB_empty", 0):
                    self.empty.append(path)  # MATLAB keeps the sizes of an empty matrix instead
                else:
                    self.items[path] = item

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the data sets of real numbers, and of sparse matrices.

        Those of MATLAB are on their side, as HDF5 shows its other matrices too.
        """
        dense = {
            key: item.shape
            for key, item in self.items.items()
            if item.shape and item.dtype.kind in "fiub" and math.prod(item.shape) > 0
            if not _holds_letters(item)
        }
        return dense | {
            key: sparse_shape(group)[:: -1 if _MATLAB_ROWS in group.attrs else 1]
            for key, group in self.sparse.items()
        }

    @property
    def text_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the data sets of text."""
        return {key: item.shape for key, item in self.items.items() if item.shape and is_text(item)}

    @property
    def others(self) -> list[str]:
        """Data sets that are neither numbers nor text, and what they are."""
        return [
            f"{cleaned(key)} ({what})"
            for key, item in self.items.items()
            if item.shape and (what := what_else(item))
        ]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not opened, in a sentence."""
        notes: tuple[str, ...] = ()
        if self.refused:
            names = some([cleaned(name) for name in self.refused])
            notes += (
                f"Data sets that lie in other files or need filters from plug-ins were not opened: "
                f"{names}.",
            )
        if self.others:
            notes += (f"What is neither numbers nor text was left out: {some(self.others)}.",)
        return notes


def is_text(item: Any) -> bool:
    """Whether a data set holds text."""
    import h5py

    return bool(h5py.check_string_dtype(item.dtype) or item.dtype.kind == "S")


def what_else(item: Any) -> str:
    """What a data set holds that is neither numbers nor text; "" for those."""
    if _holds_letters(item):
        return CHAR
    if item.dtype.kind in "fiub" or is_text(item):
        return ""
    names = {"O": "cells or references", "V": "a table of several types"}
    return names.get(item.dtype.kind, cleaned(item.dtype.name))


def _end_of(group: Any, path: str) -> Any:
    """What a soft link in a group leads to within the file; None where it leads out or nowhere.

    It is followed name by name: HDF5 itself would follow an external link on its way.
    """
    import h5py

    at, ahead = group, [path]
    for _ in range(_STEPS):
        name, _, rest = ahead.pop().partition("/")
        ahead += filter(None, [rest.lstrip("/")])
        if name == "":  # the path starts at the root
            at = group["/"]
        elif name == ".":
            pass
        elif not isinstance(at, h5py.Group):
            return None
        else:
            link = at.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                ahead.append(link.path)
            elif isinstance(link, h5py.HardLink):
                at = at[name]
            else:
                return None
        if not ahead:
            return None if isinstance(at, h5py.Dataset) and reads_elsewhere(at) else at
    return None


def _holds_letters(item: Any) -> bool:
    """Whether the whole numbers are letters of a text, as MATLAB keeps it."""
    return item.attrs.get("MATLAB_class", b"") in (b"char", "char")


def lies_inside(group: Any, name: str) -> bool:
    """Whether a member of a group is of this file for sure: links may lead into any other.

    A soft link may go through an external one.
    """
    import h5py

    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def check_links(file: Any) -> None:
    """RequestError where a link of a file leads out of it; nothing is opened for this."""
    import h5py

    def outside(name: bytes, link: Any) -> bytes | None:
        return name if link.type == h5py.h5l.TYPE_EXTERNAL else None

    found = file.id.links.visit(outside, info=True)
    if found is not None:
        name = cleaned(found.decode("utf-8", "replace"))
        raise RequestError(f"The data set {name} {ELSEWHERE}.")


def reads_elsewhere(item: Any) -> bool:
    """Whether reading a data set would open other files, or run a filter from a plug-in."""
    plist = item.id.get_create_plist()
    if item.is_virtual or item.external:
        return True
    filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
    return any(number not in _FILTERS for number in filters)


def array_of(item: Any) -> Any:
    """A data set of numbers, given in blocks of rows; its declared size is checked first."""
    if math.prod(item.shape) > CELLS:
        raise RequestError(
            f"The data set {cleaned(item.name)} holds {math.prod(item.shape):,} numbers, but at "
            f"most {CELLS:,} can be read; give a sample."
        )
    return item


@dataclass(frozen=True)
class StreamedRows:
    """A matrix [n, d] in compressed rows of an HDF5 file, of which only blocks are in memory."""

    group: Any
    pointers: np.ndarray
    shape: tuple[int, int]

    @property
    def stored(self) -> int:
        """How many numbers it holds."""
        return int(self.pointers[-1])

    def part(self, rows: slice) -> Part:
        """Rows in compressed form; RequestError where indices lie outside the shape."""
        from scipy import sparse

        pointers = self.pointers[rows.start : rows.stop + 1]
        inside = slice(int(pointers[0]), int(pointers[-1]))
        values, columns = self.group["data"][inside], self.group["indices"][inside]
        check_compressed(
            pointers - pointers[0], columns, (rows.stop - rows.start, *self.shape[1:]), False
        )
        block = sparse.csr_matrix(
            (values, columns, pointers - pointers[0]), (rows.stop - rows.start, self.shape[1])
        )
        block.sum_duplicates()
        return block.data, block.indices, np.diff(block.indptr)


def sparse_of(
    group: Any, shape: tuple[int, ...], by_columns: bool
) -> CompressedRows | StreamedRows:
    """A matrix that a group holds as data, indices and indptr (compressed rows or columns)."""
    from scipy import sparse

    for name in ("data", "indices", "indptr"):
        item = group[name]
        if reads_elsewhere(item):
            raise RequestError(f"The data set {cleaned(item.name)} {ELSEWHERE}.")
        if item.ndim != 1 or item.shape[0] > CELLS:
            raise RequestError("The sparse matrix in the file is too large to read; give a sample.")
    if len(shape) != 2 or min(shape) < 1:
        raise damaged("sparse matrix in the file", "it has no shape")
    if not by_columns:
        pointers = np.asarray(group["indptr"][:]).astype(np.int64)
        stored = min(group["data"].shape[0], group["indices"].shape[0])
        ends = np.diff(pointers).min(initial=0) >= 0 and len(pointers) == shape[0] + 1
        if not ends or pointers[0] != 0 or pointers[-1] != stored:
            raise RequestError(
                "The sparse matrix is damaged: its pointers do not fit its shape; save it anew."
            )
        check_real(group["data"].dtype)
        return StreamedRows(group, pointers, (shape[0], shape[1]))
    parts = {name: np.asarray(group[name][:]) for name in ("data", "indices", "indptr")}
    check_compressed(parts["indptr"], parts["indices"], shape, by_columns=True)
    matrix = sparse.csc_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
    return CompressedRows.of(matrix.tocsr())


def sparse_shape(group: Any) -> tuple[int, ...]:
    """Rows and columns of the sparse matrix that a group is; empty where it is none.

    MATLAB's has compressed columns and says how many rows; AnnData's and h5sparse's say both.
    """
    rows = group.attrs.get(_MATLAB_ROWS)
    if rows is not None:
        whole = _holds_vectors(group, _MATLAB_PARTS)
        return (int(rows), int(group["jc"].shape[0]) - 1) if whole else ()
    shape = np.ravel(group.attrs.get("shape", group.attrs.get("h5sparse_shape", ())))
    whole = len(shape) == 2 and shape.dtype.kind in "iu" and _holds_vectors(group, _PARTS)
    return tuple(int(length) for length in shape) if whole else ()


def _holds_vectors(group: Any, names: frozenset[str]) -> bool:
    import h5py

    inside = names <= set(group) and all(lies_inside(group, name) for name in names)
    parts = [group[name] for name in names] if inside else []
    return inside and all(isinstance(part, h5py.Dataset) and part.shape for part in parts)


def sparse_in(group: Any) -> CompressedRows | StreamedRows:
    """The sparse matrix that a group is."""
    shape = sparse_shape(group)
    if _MATLAB_ROWS in group.attrs:
        parts = {"data": group["data"], "indices": group["ir"], "indptr": group["jc"]}
        return sparse_of(parts, shape, by_columns=True)
    kind = group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "csr"))
    return sparse_of(group, shape, "csc" in str(kind))


def texts_of(item: Any) -> np.ndarray:
    """A data set of text as an array of strings, at most four times the letters that are kept."""
    flat = np.asarray(item[()]).reshape(-1)
    return np.array([text_of_label(value) for value in flat.tolist()])
