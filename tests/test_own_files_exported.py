"""Files as R, spreadsheets, instruments and archives export them: numbers, names and questions."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.own_tables import is_one_sentence, read_bytes, table_of

from svae_core.own_data.choice import Choice
from svae_core.own_data.table_to_points import select, shape
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

N = 40
POINTS = np.random.default_rng(11).normal(size=(N, 3)).round(3)
CLASSES = np.arange(N) % 3


def lines(head: str, row: Callable[[int], str]) -> str:
    return "\n".join([head, *map(row, range(N))]) + "\n"


def numbers(table: Table) -> np.ndarray:
    """The columns of numbers that have no role, as the file has them."""
    names = [item.name for item in table.columns if item.kind == "number" and not item.role]
    return np.stack([table.number(name) for name in names], axis=1)


def notes_of(table: Table) -> str:
    return " ".join(shape(table, Choice(), 0).notes)


# ------------------------------------------------------------ numbers that look like text


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda x: f"{x}".replace("-", "\u2212"), ""),
        (lambda x: f"{x}".replace("-", "\u2013"), ""),
        (lambda x: f"{abs(x)}-" if x < 0 else f"{x}", "the minus sign behind negative ones"),
        (lambda x: f"{x:.6E}".replace("E", "D"), "D in front of exponents"),
        (lambda x: f"{x} kg", "the unit “kg”"),
        (lambda x: f"{x}m/s²", "the unit “m/s²”"),
        (lambda x: f"{x} °C", "the unit “°C”"),
        (lambda x: f"{x}".replace(".", ","), ""),
        (lambda x: f"({abs(x)})" if x < 0 else f"{x}", "parentheses around negative ones"),
    ],
)
def test_numbers_are_numbers_however_they_are_written(
    write: Callable[[float], str], said: str, tmp_path: Path
) -> None:
    """To the bit; the second column is plain, so that the file speaks for decimal points."""
    text = lines("a;b", lambda i: f"{write(POINTS[i, 0])};{POINTS[i, 1]}")
    table = read_bytes(tmp_path, text)
    np.testing.assert_array_equal(numbers(table), POINTS[:, :2])
    assert said in " ".join(table.notes)


def test_lakhs_and_crores_are_thousands(tmp_path: Path) -> None:
    table = read_bytes(tmp_path, lines("a;x", lambda i: f"{1 + i % 3},{10 + i},{100 + i};{i}.5"))
    wanted = [(1 + i % 3) * 100_000 + (10 + i) * 1_000 + 100 + i for i in range(N)]
    assert table.number("a").tolist() == wanted


def test_thousands_that_are_not_sure_are_left_alone(tmp_path: Path) -> None:
    """2,857 in a file of decimal points may be 2857 or a little less than three."""
    table = read_bytes(tmp_path, lines("a;x;y", lambda i: f"{i % 8 + 1},{100 + i};{i}.5;{i % 7}.5"))
    assert table.column("a").role == "numbers as text"
    assert "numbers are written as text" in notes_of(table) and "plain numbers: a." in notes_of(
        table
    )


@pytest.mark.parametrize("word", ["nd", "#DIV/0!", "BDL", "*", "#NULL!", "Inf", "-inf"])
def test_a_word_in_a_quarter_of_the_cells_does_not_make_measurements_text(
    word: str, tmp_path: Path
) -> None:
    def row(i: int) -> str:
        return f"{word if i % 4 == 0 else POINTS[i, 0]},{'?x' if i == 1 else POINTS[i, 1]}"

    table = read_bytes(tmp_path, lines("a,b", row))
    known = np.arange(N) % 4 != 0
    np.testing.assert_array_equal(table.number("a")[known], POINTS[known, 0])
    assert table.column("a").missing == N // 4


def test_codes_of_which_some_are_numbers_stay_categories(tmp_path: Path) -> None:
    table = read_bytes(
        tmp_path,
        lines("x,chromosome", lambda i: f"{POINTS[i, 0]},{'XY'[i % 2] if i % 3 else i % 5}"),
    )
    assert table.column("chromosome").kind == "category"


def test_numbers_as_text_in_parquet_are_refused_and_never_coded(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    texts = {name: [str(x) for x in POINTS[:, i]] for i, name in enumerate("ab")}
    parquet.write_table(pa.table({**texts, "n": POINTS[:, 2]}), tmp_path / "t.parquet")
    with pytest.raises(
        RequestError, match=r"column 'a' holds numbers written as text .*to_numeric"
    ):
        table_of(tmp_path / "t.parquet")
    texts.pop("b")
    parquet.write_table(
        pa.table({**texts, "n": POINTS[:, 2], "m": CLASSES}), tmp_path / "one.parquet"
    )
    assert "numbers are written as text" in notes_of(table_of(tmp_path / "one.parquet"))


# ------------------------------------------------------------ where names and remarks stand


def test_years_behind_several_names_are_a_header(tmp_path: Path) -> None:
    """As the World Bank has it, with a comma at the end of each line."""
    table = read_bytes(
        tmp_path, lines("country,code,1990,1991,1992,", lambda i: f"c{i},C{i},{i},{i * i},{7 * i},")
    )
    assert [column.name for column in table.columns[:5]] == [
        "country",
        "code",
        "1990",
        "1991",
        "1992",
    ]
    assert table.rows == N


@pytest.mark.parametrize("corner", ["", '"" '])
def test_tables_of_r_are_read(corner: str, tmp_path: Path) -> None:
    """write.table with its defaults: blanks, quotes, and no heading for the row names."""
    text = lines(
        f'{corner}"a" "b" "the class"',
        lambda i: f'"{(i * 7) % N + 3}" {POINTS[i, 0]} {POINTS[i, 1]} "iris {CLASSES[i]}"',
    )
    table = read_bytes(tmp_path, text, "r.txt")
    np.testing.assert_array_equal(numbers(table), POINTS[:, :2])
    assert table.columns[0].role == "row number" and table.columns[-1].name == "the class"
    assert shape(table, Choice(), 0).label_names == ("iris 0", "iris 1", "iris 2")


def test_the_index_of_a_shuffled_data_frame_is_left_out(tmp_path: Path) -> None:
    table = read_bytes(
        tmp_path, lines(",a,b", lambda i: f"{(i * 7) % 61},{POINTS[i, 0]},{POINTS[i, 1]}")
    )
    assert table.columns[0].role == "row number"


def test_one_column_without_a_name_is_not_called_a_row_name(tmp_path: Path) -> None:
    table = read_bytes(tmp_path, "\n".join(map(str, POINTS[:, 0])))
    assert [column.name for column in table.columns] == ["column 1"]


def test_remarks_with_as_many_cells_as_the_table_are_not_its_names(tmp_path: Path) -> None:
    head = "# made by me, and you, them\n#\na,b,c"
    table = read_bytes(tmp_path, lines(head, lambda i: ",".join(map(str, POINTS[i]))))
    assert [column.name for column in table.columns] == ["a", "b", "c"]
    assert "Lines before the table were left out: 2." in table.notes
    np.testing.assert_array_equal(numbers(table), POINTS)
    saved = io.BytesIO()
    np.savetxt(saved, POINTS, "%.3f", ",", header="a,b,c")
    names = [column.name for column in read_bytes(tmp_path, saved.getvalue(), "s.csv").columns]
    assert names == ["a", "b", "c"], "of numpy.savetxt, which writes them as a remark"


def test_a_series_matrix_of_geo_is_read_and_asks_which_are_the_points(tmp_path: Path) -> None:
    samples = ["GSM1", "GSM2", "GSM3"]
    head = ['!Series_title\t"A, study"', '!Sample_title\t"c 1"\t"c 2"\t"t 1"']
    head += ['!Sample_channel_count\t"1"\t"1"\t"1"', "!series_matrix_table_begin"]
    head += ['"ID_REF"\t' + "\t".join(f'"{name}"' for name in samples)]
    body = lines("\n".join(head), lambda i: f'"{i}_at"\t' + "\t".join(map(str, POINTS[i])))
    table = read_bytes(tmp_path, body + "!series_matrix_table_end\n", "GSE1_series_matrix.txt")
    np.testing.assert_array_equal(numbers(table), POINTS)
    assert table.of_kind("number") == tuple(samples)
    assert "Lines before the table were left out: 4." in table.notes
    assert "which are the points: the 40 rows, as taken now, or the 3 columns?" in notes_of(table)


@pytest.mark.parametrize("head", ["Gene symbol\tc1\tc2\tc3", "NAME\tDescription\tc1\tc2\tc3"])
def test_genes_in_rows_ask_which_are_the_points(head: str, tmp_path: Path) -> None:
    before = "#1.2\n40\t3\n" if head.startswith("NAME") else ""
    names = "g{0}\td{0}" if before else "g{0}"
    text = lines(before + head, lambda i: names.format(i) + "\t" + "\t".join(map(str, POINTS[i])))
    assert table_of_text(tmp_path, text).rows_or_columns.startswith("The rows are named as genes")


def table_of_text(folder: Path, text: str) -> Table:
    return read_bytes(folder, text, "genes.txt")


ORANGE = {
    "three rows": "a\tkind\tname\tsize\tb\nc\tdiscrete\ts\tcontinuous\tc\n\tclass\tmeta\tmeta\t",
    "letters": "C#a\tcD#kind\tmS#name\tmC#size\tC#b",
}


@pytest.mark.parametrize("head", ORANGE)
def test_the_header_of_orange_says_what_is_the_class(head: str, tmp_path: Path) -> None:
    text = lines(
        ORANGE[head],
        lambda i: f"{POINTS[i, 0]}\t{'uvw'[CLASSES[i]]}\tn{i}\t{i % 7}\t{POINTS[i, 1]}",
    )
    table = read_bytes(tmp_path, text, "t.tab")
    data = shape(table, Choice(standardise="no"), 0)
    np.testing.assert_array_equal(data.points, POINTS[:, :2].astype(np.float32))
    assert data.label_names == ("u", "v", "w") and data.feature_names == ("a", "b")
    assert data.row_names is not None and data.row_names[3] == "n3"


# ------------------------------------------------------------ what is no feature


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("Outcome", lambda i: i % 2, "Outcome has 2 different whole numbers, as classes have"),
        ("last", lambda i: i % 3, "last has 3 different whole numbers, as classes have"),
        ("fold", lambda i: i % 5, "Named as a part or a weight of the rows is: fold"),
        ("sample_weight", lambda i: i / 7, "Named as a part or a weight of the rows is"),
        ("tweet_id", lambda i: 2**60 + 37 * i, "Looks like an id, a number of the rows: tweet_id"),
        (
            "answer",
            lambda i: 99 if i == 3 else i % 5,
            "99 lies far from all other values in answer",
        ),
        ("split", lambda i: ("train", "test")[i % 2], "divides the rows into parts"),
    ],
)
def test_what_is_perhaps_no_feature_is_asked_about(
    name: str, value: Callable[[int], Any], said: str, tmp_path: Path
) -> None:
    text = lines(f"a,b,c,{name}", lambda i: ",".join(map(str, (*POINTS[i], value(i)))))
    table = read_bytes(tmp_path, text)
    assert said in notes_of(table)
    assert shape(table, Choice(), 0).labels is None
    plain = read_bytes(tmp_path, lines("a,b,c", lambda i: ",".join(map(str, POINTS[i]))))
    assert "classes" not in notes_of(plain) and "Looks like" not in notes_of(plain)


def test_classes_with_a_column_each_are_asked_about(tmp_path: Path) -> None:
    one_hot = np.eye(3, dtype=int)[CLASSES]
    text = lines(
        "a,u,v,w,b", lambda i: ",".join(map(str, (POINTS[i, 0], *one_hot[i], POINTS[i, 1])))
    )
    assert "u, v, w hold 0 and 1, a single 1 in each row" in notes_of(read_bytes(tmp_path, text))


@pytest.mark.parametrize("how", ["sum", "mean"])
def test_a_row_of_totals_is_named(how: str, tmp_path: Path) -> None:
    values = np.abs(POINTS[:12] * 10).round(1)
    last = getattr(values, how)(axis=0).round(2)
    text = "r,a,b,c\n" + "".join(f"r{i},{a},{b},{c}\n" for i, (a, b, c) in enumerate(values))
    table = read_bytes(tmp_path, text + "\nall," + ",".join(map(str, last)) + "\nSource: us,,,\n")
    assert f"Row 13 holds the {how}s of all rows above" in notes_of(table)
    assert "holds the" not in notes_of(read_bytes(tmp_path, text))


def test_names_are_never_all_that_is_trained_on(tmp_path: Path) -> None:
    table = read_bytes(tmp_path, lines("place,at", lambda i: f"p{i},{i}°{i}'N"))
    with pytest.raises(RequestError, match="no column left to train on") as refused:
        select(table, Choice(), 0)
    assert is_one_sentence(str(refused.value))


# ------------------------------------------------------------ archives and binary files


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def png(mode: str, seed: int = 0) -> bytes:
    from PIL import Image

    levels = np.random.default_rng(seed).integers(0, 255, (4, 4, len(mode)), np.uint8)
    out = io.BytesIO()
    Image.fromarray(levels if len(mode) > 1 else levels[..., 0]).save(out, "PNG")
    return out.getvalue()


def test_nothing_in_a_zip_of_images_is_dropped_in_silence(tmp_path: Path) -> None:
    images = {f"{part}/{kind}/1.png": png("L", ord(part)) for part in "st" for kind in "uv"}
    rest = {"labels.csv": b"a,b\n", "Thumbs.db": b"", "s/u/2.tiff": b"II"}
    table = table_of(packed(tmp_path / "i.zip", images | rest))
    assert "Other files in the ZIP were left out: labels.csv, s/u/2.tiff." in table.notes
    assert "Folders of the same name were taken together: those in s, t." in table.notes
    clear = table_of(packed(tmp_path / "a.zip", {f"{i}.png": png("RGBA", i) for i in range(3)}))
    assert "How transparent pixels are was left out." in clear.notes


def test_a_zip_of_a_table_says_what_it_holds_and_how_it_is_given(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no image .* but data\.csv; unpack it") as refused:
        table_of(packed(tmp_path / "d.csv.zip", {"data.csv": b"a,b\n1,2\n"}))
    assert is_one_sentence(str(refused.value))


def test_feather_of_version_1_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "m.feather").write_bytes(b"FEA1\0\0\0\0")
    with pytest.raises(RequestError, match=r"Feather of version 1; in Python: .*to_feather"):
        table_of(tmp_path / "m.feather")


def test_a_loom_file_asks_which_are_the_points(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "c.loom", "w") as file:
        file["matrix"], file["layers/spliced"] = POINTS, POINTS + 1
        file["row_attrs/Gene"], file["col_attrs/CellID"] = [b"g"] * N, [b"c"] * 3
    table = table_of(tmp_path / "c.loom")
    np.testing.assert_array_equal(numbers(table), POINTS)
    assert table.rows_or_columns == "In a loom file the columns are the cells"


def test_scales_and_missing_values_that_netcdf_declares_are_said(tmp_path: Path) -> None:
    import h5py

    stored = (POINTS * 100).astype("i2")
    stored[3, 1] = -32767
    with h5py.File(tmp_path / "t.nc", "w") as file:
        item = file.create_dataset("t2m", data=stored)
        item.attrs.update({"scale_factor": 0.01, "_FillValue": np.int16(-32767)})
    notes = " ".join(table_of(tmp_path / "t.nc").notes)
    assert "scale_factor 0.01 were not applied" in notes and "-32767 stands for missing" in notes


def test_a_cell_array_alone_is_refused_by_name(tmp_path: Path) -> None:
    from scipy import io as scipy_io

    scipy_io.savemat(tmp_path / "c.mat", {"c": np.array([[1.0], "two"], dtype=object)})
    with pytest.raises(RequestError, match=r"but c \(cell array\); save"):
        table_of(tmp_path / "c.mat")
