"""Files as a hostile judge makes them: nothing that could be the data is dropped in silence."""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.digit_files import write_xlsx

from svae_core.own_data.choice import Choice
from svae_core.own_data.formats import matrix_market
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
    from scipy import io as scipy_io

    square = POINTS[:4] + {"symmetric": 1, "skew-symmetric": -1}.get(symmetry, 0) * POINTS[:4].T
    scipy_io.mmwrite(tmp_path / "m.mtx", square, symmetry=symmetry)
    assert data_of(tmp_path / "m.mtx").points == pytest.approx(square, abs=1e-6)


@pytest.mark.parametrize("form", ["array", "coordinate"])
@pytest.mark.parametrize(("comment", "more"), [("", "\n0.5"), ("", " ?"), ("%\0\n", "")])
def test_a_matrix_market_file_that_is_not_what_it_declares(
    form: str, comment: str, more: str, tmp_path: Path
) -> None:
    """More numbers than declared, a last word that is no number, a comment that is no text."""
    from scipy import io as scipy_io
    from scipy import sparse

    matrix = POINTS if form == "array" else sparse.coo_matrix(POINTS)
    scipy_io.mmwrite(tmp_path / "m.mtx", matrix)
    first, _, rest = (tmp_path / "m.mtx").read_text().rstrip("\n").partition("\n")
    (tmp_path / "m.mtx").write_text(f"{first}\n{comment}{rest}{more}")
    with pytest.raises(RequestError, match="is damaged"):
        table_of(tmp_path / "m.mtx")


@pytest.mark.parametrize("form", ["array", "coordinate"])
@pytest.mark.parametrize("kind", ["integer", "unsigned-integer", "real"])
def test_a_matrix_market_file_of_integers_that_has_decimals(
    form: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Corrected counts, and 100000 as R writes it, under a header that says integer."""
    monkeypatch.setattr(matrix_market, "BLOCK_BYTES", 5)
    words = [["1e+05", "2.75"], ["3", ".5"], ["4.", "0"]]
    columns = [f"{r + 1} {c + 1} {words[r][c]}" for c in range(2) for r in range(3)]
    lines = [line.split()[-1] for line in columns] if form == "array" else columns
    size = "3 2" if form == "array" else "3 2 6"
    head = f"%%MatrixMarket matrix {form} {kind} general"
    (tmp_path / "m.mtx").write_text("\n".join([head, "% counts", size, *lines]))
    right = np.array([[float(word) for word in row] for row in words])
    assert data_of(tmp_path / "m.mtx").points == pytest.approx(right)


@pytest.mark.parametrize("word", ["0,5", "1d3", "0x1p3", "1.5f", "1.234.567", "2020-01-02", "1e"])
def test_a_matrix_market_file_with_a_word_that_only_begins_as_a_number(
    word: str, tmp_path: Path
) -> None:
    head = "%%MatrixMarket matrix coordinate real general\n2 2 3\n1 1 1\n"
    (tmp_path / "m.mtx").write_text(f"{head}1 2 {word}\n2 2 -inf\n")
    with pytest.raises(RequestError, match=f"“{re.escape(word)}” is no number; give a whole copy"):
        table_of(tmp_path / "m.mtx")


@pytest.mark.parametrize(
    "word", [b"5.53\xff\x01W.\x02A", b"\x01\x02", b"\xc2\x85.\xc2\x85", b"\xff\xfe"]
)
def test_bytes_that_are_no_text_are_said_in_one_sentence(word: bytes, tmp_path: Path) -> None:
    head = b"%%MatrixMarket matrix coordinate real general\n2 2 3\n1 1 1\n"
    (tmp_path / "m.mtx").write_bytes(head + b"1 2 " + word + b"\n2 2 1\n")
    with pytest.raises(RequestError, match="” is no number; give a whole copy") as refused:
        table_of(tmp_path / "m.mtx")
    assert ". " not in str(refused.value)


@pytest.mark.parametrize("kind", ["integer", "INTEGER", "numeric", "real [-9, 9]"])
def test_an_attribute_of_integers_that_has_decimals(kind: str, tmp_path: Path) -> None:
    """Weka reads integer as numeric; liac-arff cuts the decimals off."""
    attributes = "".join(f"@attribute 'x {i}' {kind}\n" for i in range(4))
    rows = "".join(",".join(map(str, row)) + "\n" for row in POINTS)
    (tmp_path / "m.arff").write_text(f"@relation r\n{attributes}@data\n{rows}")
    assert data_of(tmp_path / "m.arff").points == pytest.approx(POINTS, abs=1e-6)
    sparse = "".join(f"{{0 {row[0]}, 2 {row[2]}}}\n" for row in POINTS)
    (tmp_path / "s.arff").write_text(f"@relation r\n{attributes}@data\n{sparse}")
    assert data_of(tmp_path / "s.arff").points[:, 0] == pytest.approx(POINTS[:, 0], abs=1e-6)


@pytest.mark.slow
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


# --------------------------------------------------- what is right for each, or why it is refused

CODES = np.arange(N) % 3
WORDS = np.array(["setosa", "versicolor", "virginica"])[CODES]
PICTURES = RNG.integers(0, 255, (N, 6, 5, 3), np.uint8)


def rows(head: str, line: Callable[[int], str]) -> str:
    return "\n".join([head, *map(line, range(N))]) + "\n"


def french(i: int) -> str:
    people = f"{12_345 + 998 * i:,}".replace(",", "\u202f")
    return f"ville {i};{people};{i + 0.5} %".replace(".", ",")


TEXTS = {
    "french.csv": rows("ville;habitants;taux", french),
    "accounts.csv": rows(
        "account,amount,x",
        lambda i: f'{i % 4},"{"(" * (i % 2)}{1_000 + 7.25 * i:,.2f}{")" * (i % 2)}",{POINTS[i, 0]}',
    ),
    "marks.tsv": rows("gene\tx\tprice", lambda i: f"G{i}\t{POINTS[i, 0]}\t$1,{100 + i}.50"),
    "years.csv": rows("country,1990,1991,1992", lambda i: f"c{i},{i * 7},{i * i},{50 - i}"),
    "shuffled.csv": rows("PassengerId,fare", lambda i: f"{(i * 7) % N + 1},{POINTS[i, 0]}"),
    "lists.csv": rows("id,text,v", lambda i: f'{i},hello {i},"{POINTS[i].tolist()}"'),
    "numpy.csv": rows("id,v,topic", lambda i: f'{i},"{POINTS[i]}",t{i % 3}'),
    "whole.json": json.dumps([{"id": i, "v": POINTS[i].tolist()} for i in range(N)], indent=2),
    "lists.json": json.dumps(POINTS.tolist()),
    "day.arff": "@RELATION d\n@ATTRIBUTE 'the day' DATE 'yyyy-MM-dd'\n@ATTRIBUTE t REAL\n"
    "@ATTRIBUTE play {yes,no}\n@DATA\n"
    + "".join(
        f"'2020-01-{1 + i % 28:02}',{POINTS[i, 0]},{'yes' if i % 2 else 'no'}\n" for i in range(N)
    ),
    "several.svm": "".join(f"{i % 3},{(i + 1) % 3} 1:{POINTS[i, 0]} 3:1\n" for i in range(N)),
    "old.pickle": pickle.dumps(POINTS.tolist(), 0).decode("ascii"),
}


def matlab(**arrays: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        from scipy import io as scipy_io

        scipy_io.savemat(path, arrays)

    return write


def version_4(path: Path) -> None:
    from scipy import io as scipy_io

    scipy_io.savemat(path, {"meas": POINTS}, format="4")


def npz(**arrays: Any) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **arrays)


def hdf5(**arrays: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import h5py

        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array

    return write


def parquet(**columns: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet as out

        out.write_table(pa.table(columns), path)

    return write


def png(picture: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def text(name: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(TEXTS[name], encoding="utf-8") and None


def excel(head: list[list[object]], line: Callable[[int], list[object]]) -> Callable[[Path], None]:
    """A sheet of these rows behind one that only says what it is about."""

    def write(path: Path) -> None:
        about: dict[str, list[list[object]]] = {"README": [["About"], ["made by"], ["me"]]}
        write_xlsx(path, [*head, *map(line, range(N))], about)

    return write


def lzf(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=POINTS, compression="lzf")


TABLE = np.array([(i, *POINTS[i, :2]) for i in range(N)], [("id", "i4"), ("x", "f8"), ("y", "f8")])
BYTES = [png(picture) for picture in PICTURES]
ALL = ("0", "1", "2")
#: By name: the writer, numbers of a point, classes, and words of a note.
RIGHT: dict[str, tuple[Callable[[Path], None], int, tuple[str, ...], str]] = {
    "french.csv": (text("french.csv"), 2, (), "In habitants, numbers are written"),
    "accounts.csv": (text("accounts.csv"), 3, (), "parentheses around negative ones"),
    "years.csv": (text("years.csv"), 3, (), "names in the first row"),
    "shuffled.csv": (text("shuffled.csv"), 2, (), "number of the rows: PassengerId"),
    "day.arff": (text("day.arff"), 1, ("no", "yes"), "dates or times: the day"),
    "several.svm": (text("several.svm"), 1, ("0, 1", "0, 2", "1, 2"), "several labels"),
    "columns.mat": (matlab(X=POINTS.T, Y=CODES), N, (), "Y has as many values as X has columns"),
    "fisher.mat": (
        matlab(meas=POINTS, species=WORDS.astype(object)[:, None]),
        *(4, ("setosa", "versicolor", "virginica"), "Points are the matrix meas"),
    ),
    "usps.mat": (matlab(fea=POINTS, gnd=CODES[:, None]), 4, ALL, "matrix fea"),
    "faces.mat": (
        matlab(faces=PICTURES[..., 0].transpose(1, 2, 0), y=CODES),
        *(30, ALL, "last axis counts the pictures"),
    ),
    "svhn.mat": (
        matlab(X=PICTURES.transpose(1, 2, 3, 0), y=CODES[:, None]),
        *(30, ALL, "last axis counts the pictures"),
    ),
    "old.mat": (version_4, 4, (), "matrix meas"),
    "test_too.npz": (npz(X=POINTS, y=CODES, X_test=POINTS[:9]), 4, ALL, "Points are the array X."),
    "train.npz": (
        npz(train_data=POINTS, train_labels=CODES, test_data=POINTS),
        4,
        ALL,
        "test_data",
    ),
    "one_hot.npz": (npz(points=POINTS, labels=np.eye(3)[CODES]), 4, ALL, "0 and 1 for each class"),
    "one_hot.h5": (hdf5(x=POINTS, y=np.eye(3)[CODES]), 4, ALL, "0 and 1 for each class"),
    "table_too.h5": (hdf5(x=POINTS, about=TABLE), 4, (), "about (a table of several types)"),
    "lzf.h5": (lzf, 4, (), "data set x"),
    "sheets.xlsx": (
        excel([["id", "a", "b", "sort"]], lambda i: [f"s{i}", *POINTS[i, :2], "uv"[i % 2]]),
        *(2, ("u", "v"), "Other sheets were left out: README"),
    ),
    "title.xlsx": (
        excel([["Of 2023"], ["mass", "length"], ["kg", "mm"]], lambda i: list(POINTS[i, :2])),
        *(2, (), "units, perhaps"),
    ),
    "marks.xlsx": (
        excel([["gene", "x", "price"]], lambda i: [f"G{i}", f"{POINTS[i, 0]}", f"$1,{100 + i}.50"]),
        *(2, (), "thousands and currency"),
    ),
    "marks.tsv": (text("marks.tsv"), 2, (), "thousands and currency"),
    "formula.xlsx": (
        excel([["a", "b", "sum"]], lambda i: [*POINTS[i, :2], None]),
        *(2, (), "formulas that were never calculated are: sum"),
    ),
    "bytes.parquet": (parquet(image=BYTES, label=CODES), 30, ALL, "pictures in the column image"),
    "two_labels.parquet": (
        parquet(v=POINTS.tolist(), fine_label=CODES, coarse_label=CODES % 2),
        *(4, ALL, "left out: coarse_label"),
    ),
    "short_list.parquet": (
        parquet(**{f"m{i}": POINTS[:, i % 4] + i for i in range(6)}, emb=POINTS.tolist()),
        *(6, (), "may be chosen: emb"),
    ),
}
REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "lists.csv": (text("lists.csv"), "column 'v' holds lists of numbers as text"),
    "numpy.csv": (text("numpy.csv"), "column 'v' holds lists of numbers as text"),
    "whole.json": (text("whole.json"), "is JSON; in Python: pandas.DataFrame"),
    "lists.json": (text("lists.json"), "is JSON; in Python: pandas.DataFrame"),
    "old.pickle": (text("old.pickle"), "is a pickle"),
    "compound.h5": (hdf5(about=TABLE), r"about \(a table of several types\)"),
    "raw.parquet": (
        parquet(v=[point.tobytes() for point in POINTS], label=CODES),
        "column 'v' of the Parquet file holds bytes that are no picture",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_files_are_read_as_is_right_for_them(name: str, tmp_path: Path) -> None:
    write, width, classes, note = RIGHT[name]
    write(tmp_path / name)
    data = data_of(tmp_path / name)
    assert data.points.shape == (len(data.points), width)
    assert len(data.points) == (4 if name == "columns.mat" else N)
    assert data.label_names == classes
    assert any(note in said for said in data.notes), data.notes


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_be_the_data_and_cannot_be_read_is_refused_by_name(
    name: str, tmp_path: Path
) -> None:
    write, why = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(RequestError, match=why):
        table_of(tmp_path / name)


def test_numbers_in_parentheses_are_negative(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TEXTS["accounts.csv"])
    amounts = table_of(tmp_path / "a.csv").number("amount")
    assert amounts.tolist() == [(-1) ** i * (1_000 + 7.25 * i) for i in range(N)]


def test_the_columns_of_a_matrix_with_as_many_labels_get_them_when_turned(tmp_path: Path) -> None:
    matlab(X=POINTS.T, Y=CODES)(tmp_path / "m.mat")
    data = shape(table_of(tmp_path / "m.mat", "turned"), Choice(), 0)
    assert data.points.shape == (N, 4) and data.label_names == ALL


def test_lists_beside_more_columns_may_be_chosen(tmp_path: Path) -> None:
    RIGHT["short_list.parquet"][0](tmp_path / "s.parquet")
    assert table_of(tmp_path / "s.parquet").arrays == ("emb", "all plain columns")
    chosen = shape(table_of(tmp_path / "s.parquet", array="emb"), Choice(), 0)
    assert chosen.points == pytest.approx(POINTS, abs=1e-6)
    plain = table_of(tmp_path / "s.parquet", array="all plain columns")
    assert shape(plain, Choice(), 0).points.shape == (N, 6)
