"""Damaged files of every format: taken or refused in one sentence, never anything else."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.damage import DAMAGES, damaged
from support.digit_files import ARRAYS, PICTURES, TABLES

from svae_core.own_data import kept
from svae_core.own_data.choice import Choice
from svae_core.own_data.reading import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.records import RequestError

FORMATS = TABLES | ARRAYS | PICTURES


@cache
def intact(name: str) -> bytes:
    path = Path(tempfile.mkdtemp()) / name
    FORMATS[name](path)
    return path.read_bytes()


#: HDF5 and SciPy may end the process on damaged bytes, which is why files are read apart.
APART = ("d.h5", "v73.mat", "v5.mat")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in APART])
def test_damaged_files_are_taken_or_refused(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    for number in range(DAMAGES):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(damaged(intact(name), chance))
        folder = tmp_path / f"table-{number}"
        folder.mkdir()
        check(lambda: shape(read_table(path, path.name, folder), Choice(), 0).points, tmp_path)  # noqa: B023


@pytest.mark.slow
@pytest.mark.parametrize("name", APART)
def test_damaged_files_are_read_apart(name: str, home: Path, tmp_path: Path) -> None:
    chance = random.Random(name)
    for number in range(DAMAGES):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(damaged(intact(name), chance))
        check(lambda: shape(kept.find(kept.deposit(path)), Choice(), 0).points, tmp_path)  # noqa: B023


def check(points: Callable[[], np.ndarray], secret: Path) -> None:
    """Finite points, or one sentence without a path of this machine."""
    try:
        assert np.isfinite(points()).all()
    except RequestError as refusal:
        sentence = str(refusal)
        assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence, sentence
        assert str(secret) not in sentence
