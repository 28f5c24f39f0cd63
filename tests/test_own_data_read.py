"""Files of one's own are read and shaped as they are meant, and what was done to them is said."""

from __future__ import annotations

import functools
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_files import npy, npy_claiming, packed, picture
from support.own_tables import MIXED, is_one_sentence, read_bytes

from svae_core.own_data import preprocessing, table_to_points
from svae_core.own_data.choice import Choice
from svae_core.own_data.labels import label_of
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.own_data.tables import Table
from svae_core.records import RequestError


@pytest.fixture
def table_of(tmp_path: Path) -> Callable[..., Table]:
    """Reads bytes, in this process."""
    return functools.partial(read_bytes, tmp_path)


def test_a_table_of_everything(table_of: Callable[..., Table]) -> None:
    table = table_of(MIXED)
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds == {
        "length": "number",
        "kind": "category",
        "fixed": "number",
        "colour": "category",
    }
    assert (table.column("length").low, table.column("length").high) == (0.5, 2.5)
    assert "semicolons" in table.notes[0] and "decimal comma" in table.notes[0]
    data = shape(table, Choice(label="colour"), 0)
    assert data.feature_names == ("length", "kind = a", "kind = c")  # b went with the missing row
    assert data.label_names == ("blue", "red") and list(data.labels) == [1, 1, 0]
    assert "1 of 4 rows were dropped" in " ".join(data.notes)
    assert "Constant columns were dropped: kind = b, fixed" in " ".join(data.notes)


def test_missing_values_can_be_filled_in(table_of: Callable[..., Table]) -> None:
    data = shape(table_of(MIXED), Choice(label="none", missing="mean", standardise="no"), 0)
    assert data.points[:, 0] == pytest.approx([0.5, 1.5, 1.5, 2.5])
    assert "1 missing or not finite values were replaced" in " ".join(data.notes)
    assert data.feature_names[-1] == "colour = blue" and data.labels is None


def test_columns_of_a_table_are_standardised_and_arrays_are_not(
    table_of: Callable[..., Table],
) -> None:
    points = np.random.default_rng(0).normal(3, 5, size=(50, 3))
    text = "\n".join(",".join(f"{value:.6f}" for value in row) for row in points)
    of_text = shape(table_of(text), Choice(), 0).points.astype(float)
    assert of_text.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)
    assert of_text.std(axis=0) == pytest.approx(np.ones(3), abs=1e-6)
    of_array = shape(table_of(npy(points), "a.npy"), Choice(), 0).points
    assert np.array_equal(of_array, points.astype(np.float32))


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=30, unique=True
    ),
    st.sampled_from(",;\t|"),
    st.booleans(),
)
def test_numbers_written_by_any_habit_come_back(
    rows: list[tuple[float, float]], delimiter: str, comma: bool
) -> None:
    texts = [[f"{value:.6f}" for value in row] for row in rows]
    if comma and delimiter != ",":
        texts = [[cell.replace(".", ",") for cell in row] for row in texts]
    content = "\n".join(delimiter.join(row) for row in texts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text(content)
        table = read_table(path, "a.csv", Path(folder))
        assert np.array(table.numbers()) == pytest.approx(np.array(rows), abs=1e-6)


def test_a_column_that_turns_into_text_far_down_is_text_from_the_start(
    table_of: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svae_core.own_data.formats.delimited_text.BLOCK_BYTES", 4_096)
    rows = [f"{i % 5},{i * 0.37 % 1:.4f}" for i in range(3_000)]
    for row in range(2_500, 2_700):
        rows[row] = "five,0.5"
    table = table_of("\n".join(rows))
    first = table.columns[0]
    assert first.kind == "category" and first.categories == ("0", "1", "2", "3", "4", "five")
    assert table.rows == 3_000
    assert np.bincount(table.codes("column 1")).tolist() == [560, 560, 560, 560, 560, 200]


def test_the_label_that_looks_like_one_is_taken(table_of: Callable[..., Table]) -> None:
    def guess(text: str) -> str | None:
        found = label_of(table_of(text), Choice())
        return found.name if found else None

    body = "\n".join(f"{i % 3},x{i % 2},y{i % 2}" for i in range(10))
    assert guess("a,b,c\n" + body) == "c"
    assert guess("a,Species,c\n" + body) == "Species"
    assert guess("\n".join(f"{i % 3},{i % 7}" for i in range(10))) is None


def test_a_sample_is_drawn_where_there_is_too_much(
    table_of: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_to_points, "NUMBERS", 60)
    table = table_of(npy(np.random.default_rng(0).normal(size=(50, 3))), "a.npy")
    first, again, other = (shape(table, Choice(), seed) for seed in (0, 0, 1))
    assert len(first.points) == 20
    assert np.array_equal(first.points, again.points)
    assert not np.array_equal(first.points, other.points)
    assert "random sample of 20 of 50 rows" in " ".join(first.notes)


def test_images_keep_their_shape_and_folders_are_labels(table_of: Callable[..., Table]) -> None:
    members = {f"{'cat' if i % 2 else 'dog'}/{i:02}.png": picture(6, 5, i) for i in range(12)}
    data = shape(table_of(packed(members), "a.zip"), Choice(), 0)
    assert data.image_shape == (5, 6) and data.points.shape == (12, 30)
    assert data.label_names == ("cat", "dog")
    assert data.points.min() >= 0 and data.points.max() <= 1
    from PIL import Image

    first = np.asarray(Image.open(io.BytesIO(members["cat/01.png"])), np.float32) / 255
    assert data.points[0] == pytest.approx(first.reshape(-1))


def _deep(values: np.ndarray) -> bytes:
    """A PNG of these 16-bit grey values."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(out, "PNG")
    return out.getvalue()


def test_images_of_16_bits_keep_their_range(table_of: Callable[..., Table]) -> None:
    values = np.array([[0, 100, 4_095], [30_000, 257, 65_535]])
    members = {"a.png": _deep(values), "b.png": _deep(values[::-1])}
    table = table_of(packed(members), "a.zip")
    data = shape(table, Choice(), 0)
    assert data.points[0] == pytest.approx(values.reshape(-1) / 65_535)
    assert table.columns[5].high == 65_535 and "in 65,536 steps" in table.notes[0]


@pytest.mark.parametrize("first", ["deep", "plain"])
def test_images_of_16_and_of_8_bits_are_brought_to_the_first_ones(
    table_of: Callable[..., Table], first: str
) -> None:
    members = {"deep": _deep(np.full((5, 6), 51 * 257)), "plain": picture(6, 5)}
    second = "plain" if first == "deep" else "deep"
    content = packed({"a.png": members[first], "b.png": members[second]})
    points = shape(table_of(content, "a.zip"), Choice(), 0).points
    assert points[0 if first == "deep" else 1] == pytest.approx(np.full(30, 51 / 255))
    assert points.max() > 0.9


def test_images_of_16_bits_are_shrunk_by_their_means(
    table_of: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svae_core.own_data.formats.image_zip.COLUMNS", 2)
    values = np.array([[1_000, 3_000, 50_000, 60_000], [2_000, 2_000, 50_000, 60_000]])
    table = table_of(packed({"a.png": _deep(values), "b.png": _deep(values)}), "a.zip")
    assert np.array(table.numbers())[0] == pytest.approx([2_000, 55_000])


def test_a_missing_one_of_two_categories_is_the_more_frequent(
    table_of: Callable[..., Table],
) -> None:
    table = table_of("sex,n\nf,1\nm,2\nm,3\n,4\nm,5\n")
    data = shape(table, Choice(label="none", missing="mean", standardise="no"), 0)
    assert data.feature_names[0] == "sex = m"
    assert data.points[:, 0].tolist() == [0, 1, 1, 1, 1]
    assert "in sex: a number" in " ".join(data.notes)
    assert "one of two categories by the more frequent" in " ".join(data.notes)
    others = table_of("kind,n\nf,1\nm,2\nm,3\n,4\nx,5\n")
    data = shape(others, Choice(label="none", missing="mean", standardise="no"), 0)
    assert data.points[3, :3].tolist() == [0, 0, 0], "of three it is none"


def test_the_more_frequent_category_is_counted_among_the_rows_used(
    table_of: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of("sex,n\nf,1\nf,2\nm,3\n,4\nm,5\nf,6\n")
    choice = Choice(label="none", missing="mean")
    features, _ = table_to_points._features(table, choice, ())
    source = preprocessing._Source(table, features, np.array([2, 3, 4]), preprocessing.Treatment())
    assert next(source.blocks())[1][:, 0].tolist() == [1, 1, 1]


def test_labels_that_are_left_out_are_said(table_of: Callable[..., Table]) -> None:
    points = np.random.default_rng(0).normal(size=(1_001, 2))
    members = {"x": points, "y": np.arange(1_001), "weights": points[:, 0]}
    table = table_of(packed({f"{name}.npy": npy(a) for name, a in members.items()}), "a.npz")
    assert table.of_kind("category") == ()
    assert "they hold more than 1,000 different values" in " ".join(table.notes)
    assert "Other arrays were left out: weights (1001)." in table.notes
    nothing = npy_claiming("{'descr': '<U0', 'fortran_order': False, 'shape': (1001,)}\n")
    table = table_of(packed({"x.npy": npy(points), "y.npy": nothing}), "a.npz")
    assert "The labels were left out, since they hold words without a letter." in table.notes


@pytest.mark.parametrize(
    ("values", "names", "labels"),
    [
        (("1", "inf", "-inf", "nan"), ("1", "(missing)"), [0, 1, 1, 1]),
        (
            ("1", "1234567890123", "1234567890124", "1"),
            ("1", "1234567890123", "1234567890124"),
            [0, 1, 2, 0],
        ),
    ],
)
def test_numbers_as_labels(
    table_of: Callable[..., Table], values: tuple[str, ...], names: tuple[str, ...], labels: Any
) -> None:
    rows = "\n".join(f"{i},{value}" for i, value in enumerate(values))
    data = shape(table_of(f"n,sort\n{rows}\n"), Choice(label="sort"), 0)
    assert data.label_names == names
    assert data.labels is not None and data.labels.tolist() == labels


def test_a_column_named_twice_counts_once(table_of: Callable[..., Table]) -> None:
    data = shape(table_of("a,b\n1,2\n3,5\n4,4\n"), Choice(features="b, a, b"), 0)
    assert data.feature_names == ("b", "a")


def test_a_number_is_no_label_for_being_called_like_a_category(
    table_of: Callable[..., Table],
) -> None:
    table = table_of("kind,n,Kind\na,1,0.5\nb,2,0.7\na,3,0.1\n")
    assert label_of(table, Choice()) is None


@pytest.mark.parametrize(
    ("above", "left_out"),
    [
        ("My measurements\n", 1),
        ("My measurements,,\n", 1),
        ("My measurements,,\n\nin the lab,,\n", 2),
        ("", 0),
        ("\n\n", 0),
    ],
)
def test_a_title_above_the_table_is_left_out(
    table_of: Callable[..., Table], above: str, left_out: int
) -> None:
    for body in ("a,b,c\n1,NA,3\n4,5,6\n7,8,\n", "a,b\n1,2\n4,5\n7,8\n"):
        width = body.index("\n") // 2 + 1
        table = table_of(above.replace(",,", "," * (width - 1)) + body)
        assert [column.name for column in table.columns] == ["a", "b", "c"][:width]
        assert {column.kind for column in table.columns} == {"number"} and table.rows == 3
        assert (f"left out: {left_out}." in table.notes[-1]) == (left_out > 0)


@pytest.mark.parametrize(
    "text",
    [
        '"x"\n"r1",1\n"r2",2\n',  # as R writes it: row names without a heading of their own
        "x,y\nr1,NA,NA\nr2,1,2\n",
        ",x\nr1,NA\nr2,1\n",
        ",x\nr1,red\nr2,blue\nr3,7\n",
    ],
)
def test_row_names_are_no_title(table_of: Callable[..., Table], text: str) -> None:
    table = table_of(text)
    assert table.columns[1].name == "x" and table.rows == text.count("\n") - 1


@pytest.mark.parametrize("letter", ["\x0c", "\x1c", "\x85", "\u2028"])
def test_only_ends_of_lines_end_lines(table_of: Callable[..., Table], letter: str) -> None:
    table = table_of(f"a{letter}x,b{letter}y\n1,2\n3,4\n5,6\n")
    assert [column.name for column in table.columns] == ["a x", "b y"] and table.rows == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_letters_are_read(table_of: Callable[..., Table], encoding: str) -> None:
    table = table_of("größe,b\n1,2\n3,4\n".encode(encoding))
    assert table.of_kind("number") == ("größe", "b")


@pytest.mark.slow
def test_the_last_of_a_few_long_lines_counts(table_of: Callable[..., Table]) -> None:
    """Only in a sample it may be cut off, and this file is read whole."""
    names = ",".join(f"{i}".rjust(200, "n") for i in range(3_000))
    numbers = ",".join(f"{i}".rjust(200, "0") for i in range(3_000))
    table = table_of(f"{names}\n{numbers}")
    assert table.rows == 1 and len(table.of_kind("number")) == 3_000
    assert "names in the first row" in table.notes[0]


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (Choice(features="nonsense"), "has no column 'nonsense'"),
        (Choice(label="nonsense"), "has no column 'nonsense'"),
        (Choice(features="fixed"), "are equal"),
        (Choice(features="colour", label="colour"), "no column left"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    table_of: Callable[..., Table], choice: Choice, sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence) as refusal:
        shape(table_of(MIXED), choice, 0)
    assert is_one_sentence(str(refusal.value))
