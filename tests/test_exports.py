"""Embeddings, reconstructions and weights: what is written is what the model says."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from svae_core.__main__ import main
from svae_core.latent import exports
from svae_core.latent.exports import Sheet
from svae_core.records import Budget, Settings, State
from svae_core.runs import folder
from svae_core.training import loop
from svae_core.training.evaluate import Model, encode

ROOT = Path(__file__).resolve().parents[1]
PAIR = tuple(
    Settings(dataset="wine", clusters=3, latent_dim=3, epochs=20, method=method)
    for method in ("baseline", "spherical")
)


@pytest.fixture(scope="module")
def state() -> State:
    return loop.advance(loop.begin(PAIR), Budget(frames=False)).state


@pytest.fixture
def saved(state: State, tmp_path: Path) -> Path:
    return folder.save(state, loop.certify(state, 8), folder=tmp_path / "run")


def model_of(state: State, index: int = 1) -> Model:
    return loop.models(state)[index]


def export(*arguments: str) -> int:
    return main(["export", *arguments, "--json"])


@pytest.mark.slow
def test_a_loaded_run_predicts_the_same_in_a_new_process(
    state: State, saved: Path, tmp_path: Path
) -> None:
    asked = [
        ["embeddings", "spherical"],
        ["embeddings", "baseline"],
        ["reconstructions", "spherical"],
    ]
    requests = [
        [
            *("export", str(saved), "--what", what, "--method", method, "--json"),
            *("--to", str(tmp_path / f"{what}-{method}.npz")),
        ]
        for what, method in asked
    ]
    code = f"from svae_core.__main__ import main\nfor one in {requests!r}: assert main(one) == 0"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [[answer["what"], answer["method"]] for answer in answers] == asked
    for what, method in asked:
        mine = getattr(exports, what)(model_of(state, int(method == "spherical")))
        with np.load(tmp_path / f"{what}-{method}.npz", allow_pickle=False) as theirs:
            assert np.array_equal(theirs["points"], mine.values)
            assert tuple(theirs["names"]) == mine.names
            assert tuple(theirs["labels"]) == mine.labels


def test_every_format_gives_back_the_same_numbers(state: State, tmp_path: Path) -> None:
    from pyarrow import parquet

    sheet = exports.embeddings(model_of(state))
    for suffix in (".csv", ".parquet"):
        exports.write(sheet, tmp_path / f"a{suffix}")
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["point", "label", *sheet.names]
    values = np.array([[float(cell) for cell in row[2:]] for row in rows], np.float32)
    assert np.array_equal(values, sheet.values)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == head
    assert np.array_equal(np.stack([table[name] for name in sheet.names], axis=1), sheet.values)
    assert [row[1] for row in rows] == table["label"].to_pylist() == list(sheet.labels)


def test_a_spreadsheet_runs_nothing(tmp_path: Path) -> None:
    values = np.array([[-1.5], [2.0]], np.float32)
    exports.write(Sheet(("=1+1",), values, ("@SUM(A1)", "-x")), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["point", "label", "'=1+1"], ["1", "'@SUM(A1)", "-1.5"], ["2", "'-x", "2"]]


def test_weights_are_all_that_the_networks_need(
    state: State, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "weights.safetensors"
    assert export(str(saved), "--what", "weights", "--to", str(to)) == 0
    with safe_open(to, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        settings = json.loads(file.metadata()["settings"])
    assert settings["method"] == "spherical"
    model = model_of(state)
    values = model.prepared.shell.points
    layers = sorted(name for name in arrays if name.startswith("encoder") and "weight" in name)
    for number, name in enumerate(layers, 1):
        values = values @ arrays[name] + arrays[name.replace("weight", "bias")]
        values = np.tanh(values) if number < len(layers) else values
    means = encode(model, model.prepared.shell.points).mean
    assert values[:, :3] == pytest.approx(means, abs=1e-5)


def test_reconstructions_are_in_the_units_of_the_data(state: State) -> None:
    model = model_of(state)
    sheet = exports.reconstructions(model)
    assert sheet.names == model.prepared.dataset.feature_names
    data = model.prepared.dataset.points
    off = ((sheet.values - data) ** 2).sum() / ((data - data.mean(axis=0)) ** 2).sum()
    assert off < 1.3  # sampled; another scale or order would be far off


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "a.txt"], "go to .csv, .parquet or .npz"),
        (["--to", "a.safetensors"], "go to .csv, .parquet or .npz"),
        (["--what", "weights", "--to", "a.csv"], "go to .safetensors"),
        (["--to", "a.csv", "--method", "iwae"], "but the run has: baseline, spherical"),
        (["--to", "nowhere/a.csv"], "cannot be written"),
    ],
)
def test_a_wrong_request_is_refused(
    saved: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(str(saved), *arguments) == 2
    out, error = capsys.readouterr()
    assert out == "" and sentence in error and error.count("\n") == 1


def test_a_run_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SVAE_HOME", str(tmp_path))
    assert export("nonsense", "--to", "a.csv") == 2
    assert capsys.readouterr().err.count("\n") == 1
