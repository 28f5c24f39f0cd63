"""Files of one's own: read right, or refused in one sentence; keys open what they are of."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import Specimen, corpus, npy, packed, picture
from hypothesis import given
from hypothesis import strategies as st

from svae_core import problem, workbench
from svae_core.__main__ import main
from svae_core.datasets import load_dataset
from svae_core.own_data import bounds, reader, shaping, store
from svae_core.own_data.names import distinct, file_name, inert, plain
from svae_core.own_data.reading import read
from svae_core.own_data.shaping import Choice, label_of, names_of, shape, text_of
from svae_core.own_data.table import Table
from svae_core.records import Dataset, RequestError, Settings

SPECIMENS = corpus()
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process for each file takes half a second; that it works has tests of its own."""
    monkeypatch.setattr(store, "read_apart", read)


@pytest.fixture
def table_of(tmp_path: Path) -> Callable[..., Table]:
    """Reads bytes, in this process."""

    def reading(content: bytes | str, name: str = "some.csv") -> Table:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path, name, folder)

    return reading


def is_one_sentence(message: str) -> bool:
    return message.endswith(".") and "\n" not in message and ". " not in message


# ------------------------------------------------------------------------------ hostile


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda specimen: specimen.name)
def test_a_hostile_file_is_taken_or_refused_in_one_sentence(
    specimen: Specimen, tmp_path: Path
) -> None:
    path = tmp_path / "given"
    path.write_bytes(specimen.content)
    name = file_name(specimen.name)
    folder = tmp_path / "table"
    folder.mkdir()
    if specimen.refusal:
        with pytest.raises(RequestError, match=specimen.refusal) as refusal:
            shape(read(path, name, folder), Choice(), 0)
        assert is_one_sentence(str(refusal.value)), refusal.value
        assert not re.search("[<>`*]", str(refusal.value))
        return
    data = shape(read(path, name, folder), Choice(), 0)
    assert data.points.dtype == np.float32
    assert np.isfinite(data.points).all()
    assert len(data.points) >= 2
    for text in (data.title, *data.feature_names, *data.label_names, *data.notes):
        assert not re.search(r"[<>`*$\[\]]", text)


def test_names_lead_nowhere_and_mean_nothing_to_markdown() -> None:
    assert file_name("../../etc/passwd") == "passwd"
    assert file_name("C:\\temp\\a b<script>.csv") == "a_b_script_.csv"
    assert file_name("..") == "data"
    assert plain("<b>[x](http://y)</b> $\\alpha$\n") == "b x (http //y) /b alpha"
    assert len(plain("x" * 500)) == bounds.LETTERS
    assert distinct(["a", "a", "", "auto", "<"], "column") == (
        *("a", "a 2", "column 3", "auto 2", "column 5"),
    )
    assert [inert(text) for text in ("=1+1", "-x", "plain")] == ["'=1+1", "'-x", "plain"]


@given(st.lists(st.text(max_size=20), max_size=8))
def test_distinct_names_are_distinct_and_plain(names: list[str]) -> None:
    found = distinct(names, "column")
    assert len(set(found)) == len(found) == len(names)
    assert all(found) and not {"auto", "none"} & set(found)


@given(st.lists(st.text(min_size=1, max_size=9).map(plain).filter(bool), min_size=1, max_size=6))
def test_a_list_of_names_comes_back(names: list[str]) -> None:
    assert names_of(text_of(names)) == tuple(names)


def test_a_reader_that_is_silent_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "a.csv")  # nobody writes into it, so reading never comes to an end
    monkeypatch.setattr(reader, "READER_SILENCE", 0.5)
    with pytest.raises(RequestError, match=r"^a\.csv: Reading it came to no end") as refusal:
        reader.read_apart(tmp_path / "a.csv", "a.csv", tmp_path, lambda share: None)
    assert is_one_sentence(str(refusal.value).removeprefix("a.csv: "))


def test_a_reader_that_dies_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(RequestError, match="failed within 768 MB") as refusal:
        reader.read_apart(_given(tmp_path), "some.csv", tmp_path, lambda share: None)
    assert is_one_sentence(str(refusal.value))


def test_a_reader_has_no_more_memory_than_it_may(tmp_path: Path) -> None:
    """In a process of its own: what takes more than the limit fails there, and nowhere else."""
    code = (
        "from svae_core.own_data import reader; reader._limit_memory()\n"
        "try: bytearray(reader.READER_BYTES)\nexcept MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "refused"


def test_a_reader_reads_and_tells(tmp_path: Path) -> None:
    told: list[float] = []
    key = store.deposit(_given(tmp_path), tell=told.append)
    assert store.find(key).rows == 4
    assert told and all(0 <= share <= 1 for share in told)
    path = tmp_path / "other.npy"
    path.write_bytes(npy(np.array([{}], object), pickled=True))
    with pytest.raises(RequestError, match=r"^other\.npy: .*pickled"):
        store.deposit(path)


# ------------------------------------------------------------------------- read as meant


MIXED = "length;kind;fixed;colour\n0,5;a;7;red\nNA;b;7;blue\n1,5;c;7;red\n2,5;a;7;blue\n"


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
        table = read(path, "a.csv", Path(folder))
        assert np.array(table.numbers()) == pytest.approx(np.array(rows), abs=1e-6)


def test_a_column_that_turns_into_text_far_down_is_text_from_the_start(
    table_of: Callable[..., Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svae_core.own_data.text.BLOCK_BYTES", 4_096)
    rows = [f"{i % 5},{i * 0.37 % 1:.4f}" for i in range(3_000)]
    rows[2_500] = "five,0.5"
    table = table_of("\n".join(rows))
    first = table.columns[0]
    assert first.kind == "category" and first.categories == ("0", "1", "2", "3", "4", "five")
    assert table.rows == 3_000
    assert np.bincount(table.codes("column 1")).tolist() == [599, 600, 600, 600, 600, 1]


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
    monkeypatch.setattr(shaping, "NUMBERS", 60)
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


@pytest.mark.usefixtures("_in_this_process")
def test_a_float32_array_stays_on_disk(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", points)
    key = store.deposit(tmp_path / "a.npy", copy=False)
    found = _load(key)
    assert isinstance(found.points, np.memmap) and np.array_equal(found.points, points)
    np.save(tmp_path / "a.npy", points[:10])
    with pytest.raises(RequestError, match="has changed since"):
        store.find(key).numbers()


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


# ------------------------------------------------------------------------- command line


def test_commands_take_a_file_for_a_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{i * 0.37 % 1:.3f},{i * 0.71 % 1:.3f},{i % 2},{'uv'[i % 2]}" for i in range(40)]
    path = tmp_path / "my data.csv"
    path.write_text("\n".join(["a,b,c,sort", *rows]))

    def answer(*arguments: str) -> dict[str, Any]:
        assert main([*arguments, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    common = ("--dataset", str(path), "--clusters", "3")
    first = answer("region", *common)
    assert (first["dataset"], first["n"], first["ambient_dim"]) == ("my_data.csv", 40, 3)
    narrow = answer("region", *common, "--file.features", "a,b", "--file.label", "none")
    assert narrow["ambient_dim"] == 2
    trained = answer("train", *common, "--epochs", "2", "--save")
    assert trained["dataset"] == "my_data.csv" and len(trained["fingerprint"]) == 16
    again = answer("certify", trained["run"])
    assert again["fingerprint"] == trained["fingerprint"]
    about = answer("data", str(path))
    assert about["label"] == "sort" and about["rows"] == 40
    assert answer("data", "--kept")["kept"][0]["key"] == about["key"]
    answer("data", "--forget", about["key"])
    problem._on_shell.cache_clear()  # as in a new process
    workbench._make_workbench.cache_clear()
    assert main(["certify", trained["run"]]) == 2
    assert "give the same file again" in capsys.readouterr().err
    answer("data", str(path), "--key", about["key"])
    assert answer("certify", trained["run"])["fingerprint"] == trained["fingerprint"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["region", "--dataset", "nowhere.csv"], "No such file"),
        (["region", "--dataset", "tests/benchmarks"], "is no file"),
        (["region", "--dataset", "file"], "No file is given yet"),
        (["region", "--dataset", "LICENSE"], "LICENSE"),
        (["data"], "Name a FILE"),
        (["data", "--forget", "x"], "are not here"),
        (["data", "README.md", "--key", "x"], "no key of data"),
    ],
)
def test_a_wrong_request_for_data_is_refused(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(store, "read_apart", read)
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == "" and sentence in error and error.count("\n") == 1


# --------------------------------------------------------------------------------- keys


def _load(key: str) -> Dataset:
    return load_dataset(Settings(dataset="file", dataset_options=(("key", key),)))


def _given(tmp_path: Path, content: str = MIXED) -> Path:
    path = tmp_path / "some.csv"
    path.write_text(content)
    return path


@pytest.mark.usefixtures("_in_this_process")
def test_a_file_gets_the_same_key_again_and_another_file_another(tmp_path: Path) -> None:
    key = store.deposit(_given(tmp_path))
    assert store.deposit(_given(tmp_path), "other name.csv") == key
    assert store.deposit(_given(tmp_path, MIXED + "3,5;b;7;red\n")) != key
    assert _load(key).fingerprint == _load(key).fingerprint


@pytest.mark.usefixtures("_in_this_process")
def test_a_key_cannot_be_guessed_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = store.deposit(_given(tmp_path))
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "another"))
    theirs = store.deposit(_given(tmp_path))
    assert mine[:16] == theirs[:16] and mine != theirs


@pytest.mark.parametrize("key", ["", "../../etc", "0" * 16 + "-" + "0" * 24, "x" * 3_000])
def test_what_is_not_here_is_said_in_one_sentence(key: str) -> None:
    with pytest.raises(RequestError, match=r"No file is given|are not here") as refusal:
        _load(key)
    assert is_one_sentence(str(refusal.value))


@pytest.mark.usefixtures("_in_this_process")
def test_the_file_of_a_link_from_elsewhere_can_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.deposit(_given(tmp_path))
    before = _load(key).fingerprint
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "another"))
    with pytest.raises(RequestError, match="are not here"):
        _load(key)
    with pytest.raises(RequestError, match="not the file"):
        store.deposit(_given(tmp_path, MIXED + "9;a;7;red\n"), key=key)
    assert store.deposit(_given(tmp_path), key=key) == key
    assert _load(key).fingerprint == before


@pytest.mark.usefixtures("_in_this_process")
def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    key = store.deposit(_given(tmp_path))
    assert [kept for kept, _ in store.kept()] == [key]
    store.forget(key)
    assert list(store.kept()) == []


@pytest.mark.usefixtures("_in_this_process")
def test_old_tables_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT_BYTES", 1)
    first = store.deposit(_given(tmp_path))
    second = store.deposit(_given(tmp_path, MIXED + "3,5;b;7;red\n"))
    assert [key for key, _ in store.kept()] == [second] != [first]


@pytest.mark.usefixtures("_in_this_process")
def test_a_refused_file_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is empty"):
        store.deposit(_given(tmp_path, ""))
    place = tmp_path / "home" / "data"
    assert [path.name for path in place.iterdir()] == ["secret"]
    assert place.stat().st_mode & 0o077 == 0 and (place / "secret").stat().st_mode & 0o077 == 0
