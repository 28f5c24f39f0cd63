"""The look before training: uses, shares, histograms, suspicions and classes, from any table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from svae_core.__main__ import main
from svae_core.own_data import look as module
from svae_core.own_data.choice import Choice
from svae_core.own_data.look import CONSTANT, Look, look_at
from svae_core.own_data.numerals import spelt
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import row_names
from svae_core.own_data.tables import Table

N = 90
RNG = np.random.default_rng(8)
A, B = RNG.normal(2, 1, N).round(3), RNG.normal(0, 20, N).round(3)
ROWS = [
    f"p{i},{1_600_000_000 + 60 * i},{a},{b},{a},5,{'uvw'[i % 3]}"
    for i, (a, b) in enumerate(zip(A, B, strict=True))
]
TEXT = "name,when,a,b,again,same,species\n" + "\n".join(ROWS) + "\n"


@pytest.fixture
def table(tmp_path: Path) -> Table:
    path, folder = tmp_path / "d.csv", tmp_path / "table"
    path.write_text(TEXT)
    folder.mkdir()
    return read_table(path, "d.csv", folder)


def uses(look: Look) -> dict[str, str]:
    return {column.name: column.use for column in look.columns}


def test_each_column_says_what_it_is_used_for(table: Table) -> None:
    look = look_at(table, Choice(names="", without="b"))
    found = uses(look)
    assert found["a"] == "trained on" and found["species"] == "label"
    assert found["same"] == CONSTANT and found["b"] == "left out"
    assert found["name"] == "left out: row name"
    assert look.label == "species" and dict(look.classes) == {"u": 30, "v": 30, "w": 30}
    assert uses(look_at(table, Choice(names="name")))["name"] == "names"


def test_shares_are_those_of_the_points_that_are_trained_on(table: Table) -> None:
    chosen = {"without": "when,again"}
    standard = look_at(table, Choice(**chosen))
    shares = {column.name: column.share for column in standard.columns}
    assert (shares["a"], shares["b"]) == (pytest.approx(0.5), pytest.approx(0.5))
    assert np.isnan(shares["species"])
    plain = look_at(table, Choice(standardise="no", **chosen))
    shares = {column.name: column.share for column in plain.columns}
    assert shares["b"] == pytest.approx(B.var() / (A.var() + B.var()), rel=1e-5)
    assert plain.deviations == pytest.approx((A.std(), B.std()), rel=1e-5)
    assert [item.kind for item in plain.suspicions] == ["dominant"]


def test_suspicions_name_their_columns(table: Table) -> None:
    found = {item.kind: item for item in look_at(table, Choice()).suspicions}
    assert found["time"].columns == ("when",) and found["equal"].columns == ("again",)


def test_histograms_count_every_value_once(table: Table) -> None:
    for column in look_at(table, Choice()).columns:
        if column.holds == "numbers":
            assert sum(column.histogram) == N
    low = next(column for column in look_at(table, Choice()).columns if column.name == "a")
    counts, _ = np.histogram(A, 12)
    assert low.histogram == tuple(counts.tolist())


def test_what_cannot_be_shaped_is_looked_at_all_the_same(table: Table) -> None:
    look = look_at(table, Choice(logs="b"))
    assert "no logarithm" in look.refusal and len(look.columns) == 7
    assert look.suspicions == () and look.width == 0


def test_a_large_table_is_looked_at_in_part(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = look_at(table, Choice())
    monkeypatch.setattr(module, "SAMPLE", 30)
    monkeypatch.setattr(module, "_NUMBERS", 30 * 5)  # columns of numbers
    part = look_at(table, Choice())
    assert (whole.looked_at, part.looked_at, part.rows) == (N, 30, N)
    assert uses(part) == uses(whole)


def test_pictures_are_shown_as_they_are_trained_on(tmp_path: Path, table: Table) -> None:
    pictures = RNG.integers(0, 256, (20, 4, 3), np.uint8)
    np.save(tmp_path / "p.npy", pictures)
    place = tmp_path / "pictures"
    place.mkdir()
    look = look_at(read_table(tmp_path / "p.npy", "p.npy", place), Choice())
    assert look.pictures is not None and look.pictures.shape == (12, 4, 3)
    first = pictures[:12].astype(float)
    assert look.pictures == pytest.approx((first - first.min()) / np.ptp(first), abs=1e-6)
    assert look_at(table, Choice()).pictures is None


@pytest.mark.slow
def test_the_command_line_has_the_same_look(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.csv").write_text(TEXT)
    assert main(["data", str(tmp_path / "d.csv"), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    columns = {column["name"]: column for column in about["columns"]}
    assert columns["same"]["use"] == CONSTANT and columns["a"]["share"] == pytest.approx(0.25)
    assert any("time stamp" in warning for warning in about["warnings"])
    assert about["classes"] == {"u": 30, "v": 30, "w": 30}


@pytest.mark.slow
def test_a_wide_sparse_table_is_looked_at_without_all_of_it(
    tmp_path: Path, write_counts: Callable[[Path], None]
) -> None:
    path, place = tmp_path / "wide.npz", tmp_path / "wide"
    write_counts(path)
    place.mkdir()
    table = read_table(path, "wide.npz", place)
    assert "--file.counts variable" in look_at(table, Choice()).refusal
    look = look_at(table, Choice(counts="variable"))
    assert look.width == 2_000 and len(look.columns) == 500 and not look.refusal


@pytest.fixture
def write_counts() -> Callable[[Path], None]:
    from scipy import sparse

    counts = sparse.random(60, 6_000, 0.05, "csr", random_state=0)
    counts.data = np.ceil(counts.data * 5)
    return lambda path: sparse.save_npz(path, counts)


@pytest.mark.parametrize(
    ("value", "written"),
    [(1074583.0, "1074583"), (-2.5, "-2.5"), (0.1 + 0.2, "0.3"), (1e30, "1e+30"), (3e-7, "3e-07")],
)
def test_numbers_of_a_file_are_written_out(value: float, written: str) -> None:
    assert spelt(value) == written


def test_numbers_that_name_rows_keep_their_digits(tmp_path: Path) -> None:
    path, folder = tmp_path / "ids.csv", tmp_path / "ids"
    rows = [f"{10743250 + n},{n % 7},{n % 5}" for n in range(30)]
    path.write_text("\n".join(["id,a,b", *rows]), encoding="utf-8")
    folder.mkdir()
    table = read_table(path, "ids.csv", folder)
    assert "e+" not in str(table.examples)
    names = row_names(table, Choice(names="id"), None)
    assert names is not None and list(names[:2]) == ["10743250", "10743251"]


@pytest.mark.slow
def test_the_command_line_prints_names_and_no_empty_line(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.csv").write_text(TEXT)
    assert main(["data", str(tmp_path / "d.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "classes    u (30), v (30), w (30)" in lines
    assert not any(line.startswith("array") or line.endswith(" ") for line in lines)
