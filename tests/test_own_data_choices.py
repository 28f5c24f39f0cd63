"""What a visitor chooses about a table: columns, rows, logarithms, gaps, names, counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import io, sparse

from svae_core.own_data import preprocessing
from svae_core.own_data.choice import Choice
from svae_core.own_data.look import look_at
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

Made = Callable[..., Table]
RNG = np.random.default_rng(5)
VALUES = RNG.lognormal(size=(60, 3)).round(4)
TEXT = "name,a,b,c\n" + "".join(
    f"p{i},{x},{y},{-999 if i % 9 == 0 else z}\n" for i, (x, y, z) in enumerate(VALUES)
)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Reads a file that `write` makes."""

    def make(name: str, write: Callable[[Path], object], how: str = "") -> Table:
        path, folder = tmp_path / name, tmp_path / f"table-{name}-{how}"
        write(path)
        folder.mkdir()
        return read_table(path, name, folder, how=how)

    return make


@pytest.fixture
def table(made: Made) -> Table:
    return made("d.csv", lambda path: path.write_text(TEXT))


def said(table: Table, choice: Choice, words: str) -> bool:
    return any(words in note for note in shape(table, choice, 0).notes)


def test_a_column_and_a_row_are_left_out_by_name_and_number(table: Table) -> None:
    choice = Choice(without="b", without_rows="2,60", standardise="no")
    data = shape(table, choice, 0)
    assert data.feature_names == ("a", "c") and data.points.shape == (58, 2)
    assert data.points[1, 0] == np.float32(VALUES[2, 0])
    assert said(table, choice, "Left out, as chosen: b.")
    assert said(table, choice, "Rows left out, as chosen: 2, 60.")
    with pytest.raises(RequestError, match="has no column 'x'"):
        shape(table, Choice(without="x"), 0)
    for wrong in ("0", "two", "-1"):
        with pytest.raises(RequestError, match=r"--file\.without-rows"):
            shape(table, Choice(without_rows=wrong), 0)


def test_a_sentinel_counts_as_missing_and_is_suspected_no_more(table: Table) -> None:
    assert said(table, Choice(), "-999 lies far from all other values in c")
    data = shape(table, Choice(absent="-999"), 0)
    assert len(data.points) == 60 - 7
    assert not any("lies far" in note for note in data.notes)
    filled = shape(table, Choice(absent="-999", missing="mean", standardise="no"), 0)
    known = np.delete(VALUES[:, 2], np.arange(0, 60, 9))
    assert filled.points[0, 2] == pytest.approx(known.mean(), rel=1e-6)
    with pytest.raises(RequestError, match=r"--file\.absent"):
        shape(table, Choice(absent="minus one"), 0)


def test_logarithms_are_taken_of_columns_that_have_them(table: Table) -> None:
    data = shape(table, Choice(logs="a", standardise="no"), 0)
    assert data.points[:, 0] == pytest.approx(np.log(VALUES[:, 0]), abs=1e-6)
    assert data.points[:, 1] == pytest.approx(VALUES[:, 1], rel=1e-6)
    with pytest.raises(RequestError, match="Column 'c' holds negative numbers"):
        shape(table, Choice(logs="all"), 0)


def test_the_names_of_the_points_are_kept_beside_them(table: Table) -> None:
    names = shape(table, Choice(without_rows="1"), 0).row_names
    assert names is not None and names.tolist() == [f"p{i}" for i in range(1, 60)]
    chosen = shape(table, Choice(names="a"), 0)
    assert chosen.feature_names == ("b", "c")
    assert chosen.row_names is not None and float(chosen.row_names[3]) == VALUES[3, 0]


# ------------------------------------------------------------------------------ counts

COUNTS = RNG.poisson(RNG.gamma(0.4, 2.0, size=5_000) * RNG.gamma(2.0, 1.0, size=(80, 1)))
CELLS = [f"AAACCTGAG{i:03}-1" for i in range(80)]
BARCODES = ["".join("ACGT"[i >> shift & 3] for shift in range(0, 16, 2)) + "-1" for i in range(80)]


def normalised(counts: np.ndarray) -> np.ndarray:
    return np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))


def write_h5ad(path: Path, kind: str = "csr") -> None:
    matrix = sparse.csr_matrix(COUNTS) if kind == "csr" else sparse.csc_matrix(COUNTS)
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        group = file.create_group("X")
        group.attrs["encoding-type"] = f"{kind}_matrix"
        group.attrs["shape"] = COUNTS.shape
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        genes = [f"gene {i}" for i in range(COUNTS.shape[1])]
        for frame, names in (("obs", CELLS), ("var", genes)):
            place = file.create_group(frame)
            place.attrs["_index"] = "_index"
            place["_index"] = names


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_counts_of_many_genes_stay_sparse_until_they_are_shaped(made: Made, kind: str) -> None:
    table = made("a.h5ad", lambda path: write_h5ad(path, kind))
    assert table.sparse and table.counts and len(table.columns) == 5_000
    assert table.row_names() == CELLS
    with pytest.raises(RequestError, match=r"5,000 features.*--file\.counts variable"):
        shape(table, Choice(), 0)
    data = shape(table, Choice(counts="variable"), 0)
    right = normalised(COUNTS)
    best = np.sort(np.argsort(-right.var(axis=0), kind="stable")[:2_000])
    assert data.feature_names == tuple(f"gene {i}" for i in best)
    assert data.points == pytest.approx(right[:, best], rel=1e-5, abs=1e-6)
    assert any("2,000 most variable of 5,000" in note for note in data.notes)
    assert any("library size" in note for note in data.notes)


def test_dense_counts_are_normalised_alike(made: Made) -> None:
    few = COUNTS[:, COUNTS.sum(axis=0) > 0][:, :30]
    few = few[few.sum(axis=1) > 0]
    dense = made("d.npy", lambda path: np.save(path, few.astype(np.float32)))
    thin = made("s.mtx", lambda path: io.mmwrite(path, sparse.coo_matrix(few)))
    choice = Choice(counts="log")
    points = shape(dense, choice, 0).points
    assert points == pytest.approx(normalised(few), rel=1e-5, abs=1e-6)
    assert np.array_equal(shape(thin, choice, 0).points, points)
    with pytest.raises(RequestError, match="no counts of cells"):
        shape(made("n.npy", lambda path: np.save(path, -few)), choice, 0)


def test_a_matrix_of_genes_and_cells_is_turned_by_choice(made: Made) -> None:
    few = sparse.coo_matrix(COUNTS[:, :40].T)  # genes × cells
    as_it_is = made("g.mtx", lambda path: io.mmwrite(path, few))
    assert as_it_is.rows == 40
    asked = [item for item in look_at(as_it_is, Choice()).suspicions if item.kind == "orientation"]
    assert "the 40 rows, as taken now, or the 80 columns?" in asked[0].sentence
    turned = made("g.mtx", lambda path: io.mmwrite(path, few), how="turned")
    assert turned.rows == 80 and not turned.rows_or_columns
    assert np.array_equal(np.asarray(turned.numbers()[:]), COUNTS[:, :40])
    dense = made("g.npy", lambda path: np.save(path, few.toarray()), how="turned")
    assert np.array_equal(np.asarray(dense.numbers()), COUNTS[:, :40])


def test_barcodes_of_as_many_columns_point_to_turning(made: Made) -> None:
    few = sparse.coo_matrix(COUNTS[:, :40].T)
    cells = made("b.tsv", lambda path: path.write_text("\n".join(CELLS)), how="labels")
    table = made("g.mtx", lambda path: io.mmwrite(path, few))
    with pytest.raises(RequestError, match=r"as many as g\.mtx has columns.*--file\.turned"):
        shape(table, Choice(), 0, cells)


def test_rows_and_columns_of_a_stored_sparse_matrix_are_those_of_the_dense_one(
    made: Made,
) -> None:
    stored = made("a.h5ad", write_h5ad).numbers()
    for key in (slice(3, 20), slice(None, None, 7), np.array([5, 2, 5])):
        assert np.array_equal(stored[key], COUNTS[key])
    assert np.array_equal(stored[:, 17], COUNTS[:, 17])
    assert np.array_equal(stored[np.array([4, 1]), np.array([9, 3])], COUNTS[[4, 1]][:, [9, 3]])


def test_indices_beyond_the_shape_are_refused(made: Made) -> None:
    def damaged(path: Path) -> None:
        write_h5ad(path)
        with h5py.File(path, "r+") as file:
            file["X/indices"][7] = 5_000

    with pytest.raises(RequestError, match="indices do not fit its shape"):
        made("a.h5ad", damaged)


def test_many_points_lie_in_a_file_without_a_name_and_are_the_same(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = shape(table, Choice(), 0).points
    before = sorted(table.folder.iterdir())
    monkeypatch.setattr(preprocessing, "_MANY", 1)
    mapped = shape(table, Choice(), 0).points
    assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
    assert np.array_equal(mapped, in_memory)
    assert sorted(table.folder.iterdir()) == before


def test_columns_named_as_cells_are_said_to_be_perhaps_the_points(made: Made) -> None:
    def on_its_side(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.attrs["encoding-type"] = "anndata"
            file["X"] = COUNTS[:, :40].T.astype(np.float32)
            for frame, names in (("obs", [f"gene {i}" for i in range(40)]), ("var", BARCODES)):
                place = file.create_group(frame)
                place.attrs["_index"] = "_index"
                place["_index"] = names

    asked = made("t.h5ad", on_its_side)
    said = "columns are named as cells are"
    assert any(said in note for note in shape(asked, Choice(), 0).notes)
    turned = made("t.h5ad", on_its_side, how="turned")
    assert turned.rows == 80 and not turned.rows_or_columns
    assert not made("a.h5ad", write_h5ad).rows_or_columns


def _h5(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


SAVED: dict[str, Callable[[Path, dict[str, np.ndarray]], object]] = {
    "a.npz": lambda path, arrays: np.savez(path, **arrays),
    "a.h5": _h5,
    "a.mat": io.savemat,
    "a.safetensors": lambda path, arrays: save_file(arrays, path),
}


@pytest.mark.parametrize("name", SAVED)
def test_named_arrays_mean_the_same_in_every_format(made: Made, name: str) -> None:
    """Keras's names, the larger test set beside them, and a matrix that may be on its side."""
    classes = np.arange(60) % 3
    pairs = {"x_train": VALUES, "y_train": classes, "x_test": np.ones((80, 3))}
    table = made(name, lambda path: SAVED[name](path, pairs))
    assert (table.array, table.rows) == ("x_train", 60)
    assert set(table.arrays) == {"x_train", "x_test"}
    assert table.of_kind("category") == ("label",)
    assert any("left out: x_test (80 × 3)." in note for note in table.notes)
    turned = {"x": np.ascontiguousarray(VALUES.T), "y": classes}
    asked = made(f"b{name}", lambda path: SAVED[name](path, turned))
    assert asked.rows_or_columns == "y has as many values as x has columns"
