"""Two files: data and labels, joined by name or by order, or refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.io import savemat

from svae_core.__main__ import main
from svae_core.own_data import kept
from svae_core.own_data.choice import Choice
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.own_data.tables import Table
from svae_core.records import Dataset, RequestError

N = 40
POINTS = np.random.default_rng(3).normal(size=(N, 4)).round(3)
KINDS = [f"kind {i % 3}" for i in range(N)]
NAMES = [f"cell-{i:03}" for i in range(N)]
Made = Callable[..., Table]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Reads a file of this text, or of these bytes."""

    def make(name: str, content: str | bytes, labels: bool = False) -> Table:
        path, folder = tmp_path / name, tmp_path / f"table-{name}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        folder.mkdir()
        return read_table(path, name, folder, how="labels" if labels else "")

    return make


def rows(*columns: list[object]) -> str:
    return "\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True)) + "\n"


def data_csv(names: bool = True) -> str:
    head = ["cell"] if names else []
    columns = [[*head, *NAMES]] if names else []
    heads = [f"x{i}" for i in range(4)]
    return rows(*columns, *[[heads[i], *POINTS[:, i]] for i in range(4)])


def classes(data: Dataset) -> list[str]:
    assert data.labels is not None
    return [data.label_names[code] for code in data.labels]


def noted(data: Dataset, words: str) -> bool:
    return any(words in note for note in data.notes)


def test_rows_are_joined_by_their_names_whatever_their_order(made: Made) -> None:
    order = np.random.default_rng(0).permutation(N)
    second = rows(
        ["barcode", *[NAMES[i] for i in order]],
        ["score", *range(N)],
        ["cell_type", *[KINDS[i] for i in order]],
    )
    data = shape(made("d.csv", data_csv()), Choice(), 0, made("m.csv", second, labels=True))
    assert classes(data) == KINDS
    assert data.points.shape == (N, 4)
    assert noted(data, "joined by name (cell, and barcode there): 40 of 40 rows")


def test_rows_without_a_partner_have_no_label_and_are_counted(made: Made) -> None:
    second = rows(["barcode", *NAMES[5:], "other"], ["kind", *KINDS[5:], "kind 0"])
    data = shape(made("d.csv", data_csv()), Choice(), 0, made("m.csv", second, labels=True))
    assert classes(data) == ["(missing)"] * 5 + KINDS[5:]
    assert noted(data, "35 of 40 rows are in it, out of 36 there")


@pytest.mark.parametrize("header", ["", "label\n", "topic\n"])
def test_one_word_a_line_is_joined_by_order_with_or_without_a_header(
    made: Made, header: str
) -> None:
    second = made("labels.txt", header + "\n".join(KINDS) + "\n", labels=True)
    data = shape(made("d.csv", data_csv(names=False)), Choice(), 0, second)
    assert classes(data) == KINDS
    assert noted(data, "joined by order: 40 rows in both")


def test_whole_numbers_and_words_of_numpy_are_labels(made: Made, tmp_path: Path) -> None:
    data = made("d.csv", data_csv(names=False))
    np.save(tmp_path / "n.npy", np.arange(N) % 3)
    np.save(tmp_path / "w.npy", np.array(KINDS))
    numbers = made("y.npy", (tmp_path / "n.npy").read_bytes(), labels=True)
    words = made("words.npy", (tmp_path / "w.npy").read_bytes(), labels=True)
    assert classes(shape(data, Choice(), 0, numbers)) == [str(i % 3) for i in range(N)]
    assert classes(shape(data, Choice(), 0, words)) == KINDS


def test_the_two_files_of_mnist_belong_together(made: Made) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (N, 3, 3), np.uint8)
    images = bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes()
    digits = bytes([0, 0, 8, 1]) + np.array([N], ">u4").tobytes() + bytes(i % 3 for i in range(N))
    second = made("train-labels-idx1-ubyte", digits, labels=True)
    data = shape(made("train-images-idx3-ubyte", images), Choice(), 0, second)
    assert classes(data) == [str(i % 3) for i in range(N)]


def test_numbers_agree_by_chance_and_join_only_under_one_name(made: Made) -> None:
    ids = [i + 3 for i in range(N)]
    data = made("d.csv", rows(["id", *ids], *[[f"x{i}", *POINTS[:, i]] for i in range(3)]))
    same = made("same.csv", rows(["id", *ids[::-1]], ["kind", *KINDS[::-1]]), labels=True)
    other = made("other.csv", rows(["age", *ids[::-1]], ["kind", *KINDS]), labels=True)
    assert classes(shape(data, Choice(features="x0,x1,x2"), 0, same)) == KINDS
    assert noted(shape(data, Choice(features="x0,x1,x2"), 0, same), "by name (id")
    assert noted(shape(data, Choice(features="x0,x1,x2"), 0, other), "by order")


def _npz(path: Path, vectors: dict[str, np.ndarray]) -> None:
    np.savez(path, **vectors, other=np.eye(7))


def _hdf5(path: Path, vectors: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        file["other"] = np.eye(7)
        for name, vector in vectors.items():
            words = vector.dtype.kind == "U"
            file[f"about/{name}"] = vector.astype(object) if words else vector


def _matlab(path: Path, vectors: dict[str, np.ndarray]) -> None:
    from scipy import io

    cells = {name: v.astype(object) if v.dtype.kind == "U" else v for name, v in vectors.items()}
    io.savemat(path, {**cells, "other": np.eye(7)})


def _safetensors(path: Path, vectors: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    numbers = {name: vector for name, vector in vectors.items() if vector.dtype.kind != "U"}
    save_file({**numbers, "other": np.eye(7)}, path)


@pytest.mark.parametrize("write", [_npz, _hdf5, _matlab, _safetensors])
def test_vectors_of_an_array_file_are_columns_joined_by_order(
    write: Callable[..., None], made: Made, tmp_path: Path
) -> None:
    path = tmp_path / f"y.{'npz' if write is _npz else 'bin'}"
    write(path, {"labels": np.arange(N) % 3, "batch": np.arange(N) % 5})
    second = made("second", path.read_bytes(), labels=True)
    assert {column.name for column in second.columns} == {"labels", "batch"}
    assert any("other (7 × 7)" in note for note in second.notes)
    data = made("d.csv", data_csv(names=False))
    joined = shape(data, Choice(), 0, second)
    assert classes(joined) == [str(i % 3) for i in range(N)]
    assert noted(joined, "joined by order: 40 rows in both")
    batches = shape(data, Choice(label="batch"), 0, second)
    assert classes(batches) == [str(i % 5) for i in range(N)]
    write(path, {"labels": np.arange(N - 1) % 3})
    with pytest.raises(RequestError, match=r"has 40 rows and short has 39"):
        shape(data, Choice(), 0, made("short", path.read_bytes(), labels=True))


@pytest.mark.parametrize("write", [_npz, _hdf5, _matlab, _safetensors])
def test_classes_are_as_exact_as_their_file(
    write: Callable[..., None], made: Made, tmp_path: Path
) -> None:
    path = tmp_path / f"y.{'npz' if write is _npz else 'bin'}"
    write(path, {"labels": 2**60 + np.arange(N) % 3})
    second = made("second", path.read_bytes(), labels=True)
    joined = shape(made("d.csv", data_csv(names=False)), Choice(), 0, second)
    assert classes(joined) == [str(2**60 + i % 3) for i in range(N)]


def test_classes_beside_lists_and_in_cells_are_exact(made: Made, tmp_path: Path) -> None:
    ids = 2**60 + np.arange(N) % 3
    table = pa.table({"x": list(POINTS), "label": ids})
    parquet.write_table(table, tmp_path / "lists.parquet")
    lists = made("lists", (tmp_path / "lists.parquet").read_bytes())
    assert classes(shape(lists, Choice(), 0)) == ids.astype(str).tolist()
    kinds = np.array([*(np.arange(N) % 3.0)], object)
    savemat(tmp_path / "cells.mat", {"x": POINTS, "label": kinds})
    cells = made("cells.mat", (tmp_path / "cells.mat").read_bytes())
    assert classes(shape(cells, Choice(), 0)) == [str(i % 3) for i in range(N)]


def test_a_label_whose_numbers_are_rounded_is_refused(made: Made) -> None:
    ids = [2**60 + i % 3 for i in range(N)]
    data = made("d.csv", rows(["x", *POINTS[:, 0]], ["y0", *POINTS[:, 1]], ["label", *ids]))
    assert shape(data, Choice(), 0).labels is None
    with pytest.raises(RequestError, match=r"2⁵³ and more: .*; save it as text"):
        shape(data, Choice(label="label"), 0)


@pytest.mark.parametrize("write", [_npz, _hdf5, _matlab])
def test_vectors_of_an_array_file_are_joined_by_name(
    write: Callable[..., None], made: Made, tmp_path: Path
) -> None:
    path = tmp_path / f"y.{'npz' if write is _npz else 'bin'}"
    write(path, {"cell": np.array(NAMES[::-1]), "kind": np.array(KINDS[::-1])})
    joined = shape(
        made("d.csv", data_csv()), Choice(), 0, made("second", path.read_bytes(), labels=True)
    )
    assert classes(joined) == KINDS
    assert noted(joined, "joined by name (cell, and cell there): 40 of 40 rows")


def test_counts_that_differ_are_said_with_both_numbers(made: Made) -> None:
    second = made("m.csv", rows(["kind", *KINDS[5:]], ["w", *range(N - 5)]), labels=True)
    with pytest.raises(RequestError, match=r"d\.csv has 40 rows and m\.csv has 35"):
        shape(made("d.csv", data_csv()), Choice(), 0, second)


def test_barcodes_of_an_h5ad_find_their_metadata(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        file["X"] = POINTS
        for frame, names in (("obs", NAMES), ("var", [f"gene {i}" for i in range(4)])):
            group = file.create_group(frame)
            group.attrs["_index"] = "_index"
            group["_index"] = names
    second = rows(["barcode", *NAMES[::-1]], ["cell_type", *KINDS[::-1]])
    data = shape(made("b.h5ad", path.read_bytes()), Choice(), 0, made("m.csv", second, True))
    assert classes(data) == KINDS


def test_a_label_of_the_data_itself_is_kept_out_too(made: Made) -> None:
    text = rows(["x", *POINTS[:, 0]], ["z", *POINTS[:, 1]], ["label", *[i % 4 for i in range(N)]])
    second = made("m.txt", "\n".join(KINDS), labels=True)
    data = shape(made("d.csv", text), Choice(), 0, second)
    assert data.feature_names == ("x", "z") and classes(data) == KINDS
    assert noted(data, "label of the data itself looks like a label")
    mine = shape(made("d2.csv", text), Choice(label="none"), 0, second)
    assert mine.labels is None and len(mine.feature_names) == 3


@pytest.mark.slow
def test_the_command_line_takes_the_second_file_by_its_path(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.csv").write_text(data_csv())
    (tmp_path / "m.csv").write_text(rows(["barcode", *NAMES], ["kind", *KINDS]))
    data, second = str(tmp_path / "d.csv"), str(tmp_path / "m.csv")
    status = main(["data", data, "--labels", second, "--json"])
    assert status == 0, capsys.readouterr().err
    about = json.loads(capsys.readouterr().out)
    assert about["label"] == "kind" and kept.find(about["labels_key"]).rows == N
    ask = ["region", "--dataset", data, "--clusters", "3", "--json"]
    assert main([*ask, "--file.labels", second]) == 0
    by_path = json.loads(capsys.readouterr().out)
    assert any("40 of 40 rows" in note for note in by_path["notes"])
    assert main([*ask, "--file.labels", about["labels_key"]]) == 0
    assert json.loads(capsys.readouterr().out) == by_path
    assert main([*ask, "--file.labels", "nowhere.csv"]) == 2
