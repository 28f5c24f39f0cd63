"""Files of this field: each is read right, with what was assumed said, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.digit_files import ARRAYS, DIGITS, PICTURES, PIXELS, TABLES, feather, parquet
from support.own_cases import CASES, RIGHT

from svae_core.certificate.information_floors import covariance_spectrum
from svae_core.geometry.kmeans import cluster
from svae_core.geometry.shell import ShellMap
from svae_core.own_data.choice import Choice
from svae_core.own_data.formats import Format, formats, listed, of_arrays, recognise
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.own_data.tables import Table
from svae_core.records import Dataset, RequestError


def table_of(path: Path, folder: Path, array: str = "") -> Table:
    place = folder / f"table-{path.name}"
    place.mkdir()
    return read_table(path, path.name, place, array=array)


def data_of(path: Path, folder: Path, choice: Choice = Choice()) -> Dataset:  # noqa: B008
    return shape(table_of(path, folder), choice, 0)


def shell_numbers(points: np.ndarray, clusters: int = 10) -> tuple[float, float]:
    """W and T of points on the default shell."""
    found = cluster(_shelled(points), clusters, 0)
    return found.within, found.total


def _shelled(points: np.ndarray) -> np.ndarray:
    return ShellMap(0.8, 1.2, "linear").fit(points).transform(points)


# ------------------------------------------------------------------- what failed before


def test_every_case_has_its_right_values() -> None:
    assert {path.name for path in CASES.iterdir()} == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_that_failed_is_read_right(name: str, tmp_path: Path) -> None:
    n, d, total, words = RIGHT[name]
    data = data_of(CASES / name, tmp_path)
    assert data.points.shape == (n, d)
    for word in words:
        assert any(word in note for note in data.notes), (word, data.notes)
    if np.isfinite(total):
        assert shell_numbers(data.points)[1] == pytest.approx(total, abs=1e-3)


def test_the_lists_of_a_column_keep_their_clusters(tmp_path: Path) -> None:
    within, total = shell_numbers(data_of(CASES / "emb_list.parquet", tmp_path).points)
    assert (within, total) == (pytest.approx(0.256, abs=5e-4), pytest.approx(0.978, abs=5e-4))


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [
        (("2,038", "0,031", "0,192"), 0.031, 2.038),  # a zero in front: no thousands
        (("2,038", "1,031", "7,5"), 1.031, 7.5),
        (("2,038", "1,031", "136"), 136, 2038),
        (("2.038", "1.031", "136"), 1.031, 136),
        (("2.038", "1.031.500", "136"), 136, 1031500),
        (("2,038.5", "1,031", "136"), 136, 2038.5),
    ],
)
def test_groups_of_three_digits_are_decimals_or_thousands(
    tmp_path: Path, cells: tuple[str, ...], low: float, high: float
) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("a;b\n" + "".join(f"{cell};{i}\n" for i, cell in enumerate(cells * 20)))
    column = table_of(path, tmp_path).column("a")
    assert (column.low, column.high) == (low, high)


def test_a_file_of_decimal_commas_has_no_thousands_in_any_column(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("a;b\n" + "".join(f"{i},25;{c}\n" for i, c in enumerate(["2,857", "136"] * 9)))
    column = table_of(path, tmp_path).column("b")
    assert (column.low, column.high) == (2.857, 136.0)


def test_thousands_are_numbers(tmp_path: Path) -> None:
    income = table_of(CASES / "us_thousands.tsv", tmp_path).column("income")
    assert (income.low, income.high) == (113, 136_394)


def test_nominal_values_stay_as_written(tmp_path: Path) -> None:
    table = table_of(CASES / "iris_nominal_wide.arff", tmp_path)
    assert [column.name for column in table.columns] == ["a", "b", "c"]
    assert set(table.column("b").categories) == {"1", "2", "3"}
    assert set(table.column("c").categories) == {"x", "y", "z"}


def test_offsets_change_nothing(tmp_path: Path) -> None:
    near = data_of(CASES / "off0.npy", tmp_path).points
    far = data_of(CASES / "off1e8.npy", tmp_path).points
    assert shell_numbers(far) == pytest.approx(shell_numbers(near), rel=1e-3)


# --------------------------------------------------- the same digits in every format


RAW = shell_numbers(PIXELS)
STANDARD = PIXELS[:, PIXELS.std(axis=0) > 0]
STANDARDISED = shell_numbers((STANDARD - STANDARD.mean(axis=0)) / STANDARD.std(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TABLES, *ARRAYS, *PICTURES])
def test_the_same_digits_in_every_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write: Callable[[Path], None] = (TABLES | ARRAYS | PICTURES)[name]
    write(path)
    table = table_of(path, tmp_path)
    as_they_are = shape(table, Choice(standardise="no"), 0)
    assert len(as_they_are.points) == 1_797
    found = shell_numbers(as_they_are.points)
    assert found == pytest.approx(RAW, rel=2e-3 if name in PICTURES else 5e-5)
    level = covariance_spectrum(_shelled(as_they_are.points))[0]
    expected = covariance_spectrum(_shelled(PIXELS))[0]
    assert level == pytest.approx(expected, rel=2e-3 if name in PICTURES else 5e-5)
    by_default = shell_numbers(shape(table, Choice(), 0).points)
    assert by_default == pytest.approx(STANDARDISED if name in TABLES else found, rel=5e-5)
    if name not in ("d.npy", "d.idx.gz"):
        assert as_they_are.labels is not None
        names = np.array(as_they_are.label_names)[as_they_are.labels]
        given = [re.sub(r"\D", "", text) for text in names]
        order = np.argsort([f"{label}/{i:04}" for i, label in enumerate(DIGITS.target)])
        expected_labels = DIGITS.target[order] if name == "d.zip" else DIGITS.target
        assert given == [str(label) for label in expected_labels]


# ------------------------------------------------------------------- formats as such


def test_a_format_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feather under another name: one file adds it, and it gives Parquet's W."""
    import svae_core.own_data.formats as package

    code = (Path(package.__file__).parent / "feather.py").read_text(encoding="utf-8")
    code = code.replace('"Feather", (".feather", ".arrow")', '"Plume", (".plume",)')
    code = code.replace('b"ARROW1"', 'b"PLUME1"').replace("source.path", "_plain(source.path)")
    code += (
        "\n\ndef _plain(path):\n"
        "    plain = path.with_suffix('.plain')\n"
        "    plain.write_bytes(b'ARROW1' + path.read_bytes()[6:])\n"
        "    return plain\n"
    )
    (tmp_path / "plume.py").write_text(code, encoding="utf-8")
    before = formats()
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    assert "Plume" in listed() and set(before) < set(formats())
    feather(tmp_path / "plain.feather")
    content = (tmp_path / "plain.feather").read_bytes()
    (tmp_path / "d.plume").write_bytes(b"PLUME1" + content[6:])
    parquet(tmp_path / "d.parquet")
    points = [data_of(tmp_path / name, tmp_path).points for name in ("d.plume", "d.parquet")]
    np.testing.assert_array_equal(*points)


def test_formats_say_what_they_are() -> None:
    names = [item.name for item in formats()]
    assert len(set(names)) == len(names)
    for item in formats():
        assert isinstance(item, Format) and all(end.startswith(".") for end in item.endings)
    assert listed(of_arrays()) == "HDF5, MATLAB, NPZ or safetensors"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n{"a": 2}\n', "is JSON"),
        (b"\x80\x04\x95\0\0\0\0", "is a pickle"),
        (b"RDX3\nX\n", "is R's own format"),
        (b"$FL2@(#) SPSS", "is an SPSS file"),
        (b"BZh91AY", "bunzip2"),
    ],
)
def test_other_formats_are_refused_by_name_with_the_way_to_convert(
    content: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=re.escape(words)):
        recognise(path).read(_source(path, tmp_path))


def _source(path: Path, folder: Path):  # type: ignore[no-untyped-def]
    from svae_core.own_data.formats import Source

    return Source(path, path.name, folder)


def test_bfloat16_is_read_whatever_else_is_imported(tmp_path: Path) -> None:
    """NumPy has no such type: NPY stores it as two bytes, and safetensors cannot give it."""
    import torch
    from safetensors.torch import save_file

    numbers = torch.arange(24, dtype=torch.bfloat16).reshape(8, 3)
    save_file({"points": numbers}, tmp_path / "b.safetensors")
    np.save(tmp_path / "b.npy", numbers.view(torch.int16).numpy().view("V2"))
    for name in ("b.safetensors", "b.npy"):
        found = data_of(tmp_path / name, tmp_path).points
        np.testing.assert_array_equal(found, np.arange(24).reshape(8, 3))
