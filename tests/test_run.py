"""Runs on disk: what is loaded is what was saved, and damage is said in one sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from svae_core.__main__ import main
from svae_core.records import Budget, RequestError, Settings
from svae_core.run import SCHEMA, load, save
from svae_core.training import advance, begin, certify, member

WINE = Settings(dataset="wine", clusters=3, epochs=3, latent_dim=2, hidden=8, device="cpu")


@pytest.fixture
def saved(tmp_path):
    state = advance(begin((WINE,)), Budget(steps=3)).state
    return state, save(state, certify(state)[0], tmp_path / "a run")


def test_a_loaded_run_goes_on_as_if_nothing_had_happened(saved):
    state, folder = saved
    found = load(folder)
    assert found.settings == WINE and found.state.step == 3
    assert found.certificate["verdict"]
    np.testing.assert_array_equal(
        advance(found.state).state.parameters, advance(state).state.parameters
    )


def test_a_member_is_saved_by_itself(tmp_path):
    members = (WINE, replace(WINE, method="baseline"))
    together = advance(begin(members)).state
    folder = save(member(together, 1), None, tmp_path / "one")
    alone = advance(begin(members[1:])).state
    np.testing.assert_array_equal(load(folder).state.parameters, alone.parameters)


def test_damage_is_named(saved, tmp_path):
    _, folder = saved
    with pytest.raises(RequestError, match="not a saved run"):
        load(tmp_path / "nowhere")
    for name in ("state.safetensors", "settings.json"):
        whole = (folder / name).read_bytes()
        for cut in range(0, len(whole), max(1, len(whole) // 10)):
            (folder / name).write_bytes(whole[:cut])
            with pytest.raises(RequestError, match="damaged"):
                load(folder)
        (folder / name).write_bytes(whole)
    about = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps(about | {"schema": SCHEMA + 1}))
    with pytest.raises(RequestError, match="newer version"):
        load(folder)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    state = begin((WINE,))
    with pytest.raises(RequestError, match="cannot be saved"):
        save(state, None, tmp_path / "file" / "run")
    assert not list(tmp_path.glob(".*part"))


def test_train_save_and_certify_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))
    quick = ["--dataset", "wine", "--clusters", "3", "--epochs", "3", "--latent-dim", "2"]
    assert main(["train", *quick, "--save", "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    page = tmp_path / "certificate.html"
    assert main(["certify", trained["run"], "--page", str(page), "--json"]) == 0
    certified = json.loads(capsys.readouterr().out)
    assert certified["loss"] == trained["loss"] and certified["sentence"] == trained["sentence"]
    assert certified["sentence"].split(",")[0] in page.read_text()
    assert main(["certify", str(tmp_path)]) == 2
    assert "not a saved run" in capsys.readouterr().err
