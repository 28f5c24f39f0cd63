"""Several arrays by name of a file that is not trusted, written as files of plain numbers.

The reader's process does this, see arrays_apart: headers are checked, objects never loaded. Which
formats hold arrays by name, and how each is read, their files in `formats` say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.array_in_file import NamedArray
from svae_core.own_data.array_layout import from_bfloat16
from svae_core.own_data.array_to_table import blocks_of, text_of_label
from svae_core.own_data.formats import Format, Progress, Source, listed, of_arrays, recognise
from svae_core.own_data.limits import CELLS
from svae_core.own_data.names import cleaned, outermost, own_name, said
from svae_core.own_data.read_by_format import opened
from svae_core.records import RequestError

#: The file that names the arrays: the file of each that was written, and what others there are.
INDEX = "arrays.json"
_MOST = 64  # arrays that are read
_NAMED = 1_000  # others that are named


def write_arrays(path: Path, name: str, folder: Path, tell: Progress, only: str = "") -> None:
    """Write the arrays as NPY files of plain numbers, and a list of their names.

    `only`: names that mean the same with commas between, and semicolons between different ones.
    Arrays of other names are listed and not read, nor those in groups where the same lies further
    out: they may be anything.
    """
    with opened(Source(path, name, folder, tell)) as source:
        form = recognise(source.path)
        if form.arrays is None:
            raise _no_arrays(form)
        with form.arrays(source) as held:
            _write(held, source, _wanted(held, only) if only else list(held))


def _no_arrays(form: Format) -> RequestError:
    # Any text is taken for a table, which says nothing of the file.
    kind = f", but {form.name}" if form.rank < 2 else ""
    return RequestError(
        f"This is no file of arrays with names{kind}; a model is examined by its arrays in one "
        f"file of {listed(of_arrays())}, as numpy.savez writes it, and data without a model are "
        "given as a data set."
    )


def _wanted(held: Iterable[str], only: str) -> list[str]:
    """The arrays of these names, of each the outermost."""
    wanted = []
    for names in only.split(";"):
        wanted += outermost(key for key in held if own_name(key) in names.split(","))
    return wanted


def _write(held: Mapping[str, NamedArray], source: Source, wanted: list[str]) -> None:
    if len(wanted) > _MOST:
        raise RequestError(f"It holds {len(wanted)} arrays, but at most {_MOST} can be read.")
    files: dict[Any, str] = {}
    index, left = {}, CELLS
    for number, key in enumerate(wanted):
        one = held[key]
        known = key if one.same is None else one.same
        if known in files:
            index[key] = files[known]
            continue
        left -= math.prod(one.shape)
        if left < 0:
            raise RequestError(
                f"Its arrays hold more than {CELLS:,} numbers, too many to read together; give a "
                "sample of the points."
            )
        index[key] = files[known] = f"{number}.npy"  # key is whole: one that is cut is another one
        _write_plain(one, source.folder / index[key], said(key))
        source.progress((number + 1) / len(wanted))
    others = [key for key in held if key not in index and held[key].same not in files][:_NAMED]
    about = json.dumps({"arrays": index, "others": others})
    (source.folder / INDEX).write_text(about, encoding="utf-8")


def _write_plain(one: NamedArray, target: Path, name: str) -> None:
    """An array of numbers or short text, copied block by block into a file of our own making."""
    if one.texts and math.prod(one.shape) == max(one.shape, default=0):
        words = np.asarray(one.load()).reshape(-1)
        np.save(target, np.array([cleaned(text_of_label(word)) for word in words.tolist()], str))
        return
    if not one.numbers:
        what = "a table of text" if one.texts else cleaned(one.dtype.name)
        refusal = one.refusal or f"holds {what}, but must hold numbers; save it as such"
        raise RequestError(f"The array {name} {refusal}.")
    small = one.dtype.kind in "fV" and one.dtype.itemsize <= 4
    plain = np.dtype(np.float32 if small else np.float64)
    if one.dtype.kind in "iub":  # classes may be numbers that no float tells apart
        plain = one.dtype.newbyteorder("=")
    if not one.shape or 0 in one.shape:
        # Beside a 0 the other sizes may be such as no array of NumPy has.
        known = math.prod(filter(None, one.shape)) <= CELLS
        empty = np.empty(one.shape if known else 0)
        found = np.asarray(one.load()[()]) if not one.shape else empty
        np.save(target, _plain(found).astype(plain))
        return
    copy = np.lib.format.open_memmap(target, "w+", plain, one.shape)
    array = one.load()
    for rows in blocks_of(one.shape[0], math.prod(one.shape[1:])):
        copy[rows] = _plain(array[rows])
    copy.flush()


def _plain(block: Any) -> np.ndarray:
    """A block of numbers as NumPy knows them."""
    block = np.asarray(block)
    return from_bfloat16(block) if block.dtype.kind == "V" else block
