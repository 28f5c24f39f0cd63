"""Files as a hostile judge makes them: nothing that could be the data is dropped in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svae_core.own_data.choice import Choice
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.own_data.tables import Table
from svae_core.records import Dataset, RequestError

RNG = np.random.default_rng(5)
N = 30
POINTS = RNG.normal(size=(N, 4)).round(4)


def table_of(path: Path, how: str = "", array: str = "") -> Table:
    folder = path.with_name(f"table of {path.name} {how} {array}")
    folder.mkdir()
    return read_table(path, path.name, folder, how=how, array=array)


def data_of(path: Path, choice: Choice = Choice(standardise="no")) -> Dataset:  # noqa: B008
    return shape(table_of(path), choice, 0)


@pytest.mark.parametrize("symmetry", ["general", "symmetric", "skew-symmetric"])
def test_a_dense_matrix_market_file_of_any_symmetry(symmetry: str, tmp_path: Path) -> None:
    from scipy import io

    square = POINTS[:4] + {"symmetric": 1, "skew-symmetric": -1}.get(symmetry, 0) * POINTS[:4].T
    io.mmwrite(tmp_path / "m.mtx", square, symmetry=symmetry)
    assert data_of(tmp_path / "m.mtx").points == pytest.approx(square, abs=1e-6)


@pytest.mark.parametrize("more", [b"\n0.5", b" ?"])
def test_more_numbers_than_a_dense_matrix_market_file_declares(more: bytes, tmp_path: Path) -> None:
    from scipy import io

    io.mmwrite(tmp_path / "m.mtx", POINTS)
    content = (tmp_path / "m.mtx").read_bytes().rstrip(b"\n")
    (tmp_path / "m.mtx").write_bytes(content + more)
    with pytest.raises(RequestError, match="damaged or cut off"):
        table_of(tmp_path / "m.mtx")
