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


def test_a_table_of_genes_and_cells_asks_and_is_turned(tmp_path: Path) -> None:
    """As GEO has them: a row for each gene, and a column for each cell, named by its barcode."""
    cells = ["".join("ACGT"[i // 4**k % 4] for k in range(8)) + "-1" for i in range(12)]
    counts = RNG.poisson(0.4, (5_000, 12))
    lines = ["gene\t" + "\t".join(cells)]
    lines += [f"GENE{i}\t" + "\t".join(map(str, row)) for i, row in enumerate(counts.tolist())]
    (tmp_path / "geo.tsv").write_text("\n".join(lines))
    table = table_of(tmp_path / "geo.tsv")
    notes = shape(table, Choice(), 0).notes
    assert any("the 5,000 rows, as taken now, or the 12 columns?" in note for note in notes)
    turned = table_of(tmp_path / "geo.tsv", "turned")
    assert turned.rows == 12 and turned.row_names() == cells and not turned.tabular
    assert [column.name for column in turned.columns[:2]] == ["GENE0", "GENE1"]
    assert np.array_equal(np.asarray(turned.numbers()[:]), counts.T)
    data = shape(turned, Choice(counts="variable"), 0)
    assert data.points.shape == (12, 2_000) and data.row_names is not None


def test_dense_counts_of_all_genes_are_read_and_shaped_as_counts(tmp_path: Path) -> None:
    """An .h5ad whose X is dense has more genes than a table may have columns."""
    import h5py

    counts = RNG.poisson(0.3, (20, 5_000)).astype(np.float32)
    with h5py.File(tmp_path / "dense.h5ad", "w") as file:
        file.attrs["encoding-type"] = "anndata"
        file["X"] = counts
        for frame, length in (("obs", 20), ("var", 5_000)):
            place = file.create_group(frame)
            place.attrs["_index"] = "_index"
            place["_index"] = [f"{frame} {i}" for i in range(length)]
    table = table_of(tmp_path / "dense.h5ad")
    assert table.counts and np.array_equal(np.asarray(table.numbers()[:]), counts)
    with pytest.raises(RequestError, match="2,000 most variable"):
        shape(table, Choice(), 0)
    assert shape(table, Choice(counts="variable"), 0).points.shape == (20, 2_000)
