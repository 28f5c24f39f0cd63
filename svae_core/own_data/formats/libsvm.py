"""LIBSVM: a label and index:value pairs a line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from svae_core.own_data.array_to_table import with_labels, with_note, write_matrix
from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.limits import CATEGORIES
from svae_core.own_data.numerals import spelt
from svae_core.own_data.sparse import CompressedRows
from svae_core.own_data.tables import Table

_LINE = re.compile(
    rb"[+-]?[\d.]+([eE][+-]?\d+)?(,[+-]?[\d.]+)*([ \t]+(qid:\d+|\d+:[^\s:]+))+[ \t]*(#.*)?\r?"
)


def recognised(_path: Path, start: bytes) -> bool:
    """All of the first lines are a number and index:value pairs."""
    lines = [line for line in start.split(b"\n") if line.strip() and not line.startswith(b"#")]
    lines = lines[:-1] if len(lines) > 1 and not start.endswith(b"\n") else lines
    return bool(lines) and all(_LINE.fullmatch(line) for line in lines[:20])


def read(source: Source) -> Table:
    """The table of a LIBSVM file; its labels are kept out of training."""
    from sklearn.datasets import load_svmlight_file

    with source.path.open("rb") as file:
        several = any(b"," in line.split(b" ", 1)[0] for line in file.readlines(2**20))
    try:
        matrix, labels = load_svmlight_file(str(source.path), zero_based=True, multilabel=several)
    except (ValueError, IndexError, OverflowError, TypeError) as error:
        raise damaged("LIBSVM file", "it has lines of another kind") from error
    # One-based files have no feature 0: an empty column would be left otherwise.
    one_based = bool(matrix.shape[1] > 1 and matrix.indices.min(initial=1) > 0)
    matrix = matrix[:, 1:] if one_based else matrix
    note = f"Read as LIBSVM, features counted from {1 if one_based else 0}."
    table = write_matrix(
        source, CompressedRows.of(matrix.tocsr()), FORMAT.name, (note,), tabular=FORMAT.table
    )
    if several:
        sets = np.array([", ".join(spelt(label) for label in sorted(row)) for row in labels])
        table = with_note(table, "Lines have several labels, which are one class together.")
        return with_labels(table, sets)
    whole = bool(np.isfinite(labels).all() and (labels == np.rint(labels)).all())
    if whole and len(np.unique(labels)) <= CATEGORIES:
        return with_labels(table, labels.astype(np.int64))
    return with_note(table, "The target of each line is a number with a fraction; it was left out.")


FORMAT = Format("LIBSVM", (".svm", ".svmlight", ".libsvm"), recognised, read, table=True)
