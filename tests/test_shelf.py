"""The shelf of saved runs: listed whatever lies there, and not lost by accident."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.saved_runs import assert_same_run, put, tiny

from svae_core.__main__ import main
from svae_core.records import Budget, RequestError, Settings
from svae_core.runs import folder as runs
from svae_core.runs import store
from svae_core.runs.folder import RunWriter, load
from svae_core.runs.manifest import ABOUT, SCHEMA
from svae_core.training import loop

# ------------------------------------------------------------------------------ the list


def test_the_list_shows_all_and_breaks_at_nothing(tmp_path: Path) -> None:
    good = put(tmp_path, id="good")
    newer = put(tmp_path, id="newer")
    plain = json.loads((newer / ABOUT).read_text())
    (newer / ABOUT).write_text(json.dumps(plain | {"schema": SCHEMA + 1}))
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ABOUT).mkdir()
    (tmp_path / "a file").write_text("")
    (tmp_path / "broken link").symlink_to(tmp_path / "nowhere")
    found = {entry.folder.name: entry for entry in store.saved_runs(tmp_path)}
    assert found.keys() == {good.name, newer.name, "holiday", "odd"}
    assert found[good.name].about is not None and not found[good.name].trouble
    assert found[good.name].size == sum(path.stat().st_size for path in good.iterdir())
    assert "newer version" in found[newer.name].trouble
    assert "saved run" in found["holiday"].trouble
    assert "damaged" in found["odd"].trouble


def test_a_folder_is_named_by_slashes_where_the_system_has_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = put(tmp_path)
    monkeypatch.setattr(os, "sep", "\\")  # as on Windows, which takes both
    assert store.find(tmp_path / "nowhere", str(one)).folder == one


def test_nothing_saved_is_an_empty_list(tmp_path: Path) -> None:
    assert store.saved_runs(tmp_path / "nowhere") == [] and store.usage(tmp_path / "nowhere") == 0
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be read"):
        store.saved_runs(tmp_path / "file")


@pytest.mark.slow
def test_a_run_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    """Another process writes it again and again; it is listed and read whole every time."""
    run, folder = tiny(), tmp_path / "run"
    writer = RunWriter(folder)
    writer.write(run)
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.02):  # fifty times as often as the app does
            writer.write(run)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(100):
            assert store.look(folder).trouble == ""
            assert_same_run(load(folder), run)
    finally:
        done.set()
        thread.join()


def test_a_run_is_found_by_its_id_which_its_folder_does_not_tell(tmp_path: Path) -> None:
    folders = [put(tmp_path, id=f"unguessable-{number}") for number in range(3)]
    assert store.by_id(tmp_path, "unguessable-1") == folders[1]
    assert store.by_id(tmp_path, "unguessable-9") is None
    assert not any("unguessable" in folder.name for folder in folders)
    os.rename(folders[1], folders[1].with_name(f"x-{folders[2].name[-16:]}"))
    assert store.by_id(tmp_path, "unguessable-2") == folders[2], "a folder's name proves nothing"


def test_runs_are_found_by_what_people_type(tmp_path: Path) -> None:
    one, other = put(tmp_path, id="a", created=1.0), put(tmp_path, id="b", created=1e9)
    store.rename(one, "the best one")
    assert store.find(tmp_path, "the best one").folder == one
    assert store.find(tmp_path, other.name[:12]).folder == other
    assert store.find(tmp_path, str(one)).folder == one
    with pytest.raises(RequestError, match="no run 'nothing'"):
        store.find(tmp_path, "nothing")
    store.rename(other, "the best two")
    with pytest.raises(RequestError, match="fits 2 runs"):
        store.find(tmp_path, "the best")


# ------------------------------------------------------------- names, deleting, cleaning up


def test_names_are_kept_beside_the_run(tmp_path: Path) -> None:
    folder = put(tmp_path)
    assert store.look(folder).name == ""
    assert store.rename(folder, "  β = 4 \n collapses ") == "β = 4 collapses"
    assert store.look(folder).name == "β = 4 collapses"
    with pytest.raises(RequestError, match="at least one letter"):
        store.rename(folder, " \n")
    (folder / store.NAME).write_bytes(b"\xff\xfe half a name")
    assert store.look(folder).about is not None, "a damaged name damages no run"
    with pytest.raises(RequestError, match="cannot be renamed"):
        store.rename(tmp_path / "nowhere", "name")


def test_what_is_deleted_can_be_taken_back(tmp_path: Path) -> None:
    kept, gone, later = (put(tmp_path, id=str(n), created=float(n)) for n in range(3))
    whole = load(gone)
    os.utime(store.delete(gone), (1, 1))
    store.delete(later)
    assert [entry.folder for entry in store.saved_runs(tmp_path)] == [kept]
    assert [entry.folder.name for entry in store.trash(tmp_path)] == [later.name, gone.name]
    assert store.undo(tmp_path) == later and store.undo(tmp_path, gone.name) == gone
    assert_same_run(load(gone), whole)
    with pytest.raises(RequestError, match="nothing in the trash"):
        store.undo(tmp_path)


def test_taking_back_overwrites_nothing(tmp_path: Path) -> None:
    folder = put(tmp_path, id="a", created=1.0)
    store.delete(folder)
    put(tmp_path, id="a", created=1.0)
    with pytest.raises(RequestError, match="there already"):
        store.undo(tmp_path)


def test_cleaning_up_removes_what_was_deleted_and_nothing_else(tmp_path: Path) -> None:
    kept, old, new = (put(tmp_path, id=str(n), created=float(n)) for n in range(3))
    os.utime(store.delete(old), (1, 1))
    store.delete(new)
    half, fresh = tmp_path / ".x.part", kept / ".frames.part"
    half.mkdir()
    os.utime(half, (1, 1))
    fresh.write_bytes(b"somebody is writing this now")
    size = store.look(store.trash(tmp_path)[1].folder).size
    assert store.clean(tmp_path, older=3600) == size
    assert [entry.folder.name for entry in store.trash(tmp_path)] == [new.name]
    assert not half.exists() and fresh.exists()
    store.clean(tmp_path)
    assert not store.trash(tmp_path) and kept.exists()
    assert store.usage(tmp_path) == store.look(kept).size


def test_cleaning_up_does_not_mind_another_that_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders vanish between being listed, looked at and removed."""
    deleted = store.delete(put(tmp_path, id="a"))
    half = tmp_path / ".x.part"
    half.mkdir()
    (half / "frames").write_bytes(b"x")
    os.utime(half, (1, 1))
    real_list, real_remove = Path.iterdir, shutil.rmtree

    def listed(folder: Path) -> Iterator[Path]:
        yield from real_list(folder)
        if folder == tmp_path:
            yield from (folder / ".gone.part", folder / "gone")

    def removed_twice(path: Path, *arguments: Any, **options: Any) -> None:
        real_remove(path)  # by the other, just before
        real_remove(path, *arguments, **options)

    monkeypatch.setattr(Path, "iterdir", listed)
    monkeypatch.setattr(shutil, "rmtree", removed_twice)
    assert store.clean(tmp_path) > 0
    assert not deleted.exists() and not half.exists()


def test_what_cannot_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.delete(put(tmp_path))

    def refused(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(RequestError, match=r"cannot be removed: Permission denied\."):
        store.clean(tmp_path)


# -------------------------------------------------------------------------- command line


@pytest.fixture
def ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """The JSON of a command of `runs`, or the sentence that refuses it."""
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))

    def asked(*words: str) -> Any:
        status = main([*words, "--json"])
        out, err = capsys.readouterr()
        assert (status == 2) == bool(err), err
        return json.loads(out) if status == 0 else err

    return asked


@pytest.mark.slow
def test_train_save_certify_and_look_after_runs(ask: Callable[..., Any], tmp_path: Path) -> None:
    quick = ["--dataset", "wine", "--clusters", "3", "--epochs", "3", "--latent-dim", "2"]
    assert ask("runs")["runs"] == []
    trained = ask("train", *quick, "--save")
    page = tmp_path / "certificate.html"
    certified = ask("certify", trained["run"], "--page", str(page))
    assert certified["loss"] == trained["loss"] and certified["sentence"] == trained["sentence"]
    assert certified["sentence"].split(",")[0] in page.read_text()
    compared = ask("compare", *quick, "--save")
    assert len({run["run"] for run in compared["runs"]} | {trained["run"]}) == 3

    listed = ask("runs", "list")
    assert listed["home"] == str(tmp_path / "home") and len(listed["runs"]) == 3
    assert {run["folder"] for run in listed["runs"]} >= {trained["run"]}
    assert listed["bytes"] == sum(run["bytes"] for run in listed["runs"])
    name = Path(trained["run"]).name
    assert ask("runs", "rename", name, "first")["name"] == "first"
    shown = ask("runs", "show", "first")
    assert shown["moments"] == shown["steps"] + 1 == 7  # a moment at every step of a short run
    assert shown["certificates"][0]["sentence"] == trained["sentence"]
    assert shown["members"][0]["dataset"] == "wine" and "id" not in shown

    parcel_file = str(tmp_path / "first.zip")
    assert ask("runs", "export", "first", parcel_file)["bytes"] > 1000
    assert ask("runs", "export", "first", str(tmp_path / "first.csv"))["bytes"] > 100
    ask("runs", "delete", "first")
    assert len(ask("runs")["runs"]) == 2 and len(ask("runs")["deleted"]) == 1
    assert ask("runs", "undo")["folder"] == trained["run"]
    ask("runs", "delete", "first")
    assert ask("runs", "clean")["bytes"] > 1000
    assert ask("runs", "import", parcel_file)["folder"] != trained["run"]
    assert ask("runs", "show", "first")["certificates"] == shown["certificates"]


def test_wrong_requests_get_one_sentence(ask: Callable[..., Any], tmp_path: Path) -> None:
    assert "needs a run" in ask("runs", "show")
    assert "needs a file" in ask("runs", "import")
    assert "cannot be read" in ask("runs", "import", str(tmp_path / "nothing.zip"))
    assert "nothing in the trash" in ask("runs", "undo")
    assert "invalid choice" in ask("runs", "explode")
    assert "saved run" in ask("certify", str(tmp_path))
    folder = put(tmp_path / "home")
    assert "should end in" in ask("runs", "export", folder.name, "run.txt")
    assert "at least one letter" in ask("runs", "rename", folder.name)
    shutil.rmtree(folder)
    folder.mkdir()
    assert "saved run" in ask("runs", "show", folder.name)
    assert main(["runs"]) == 0, "a foreign folder is listed like any other"


@pytest.mark.slow
def test_all_models_of_a_saved_run_are_certified_as_far_as_they_were_trained(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    few = Settings(dataset="wine", clusters=3, epochs=4, latent_dim=2)
    members = (dataclasses.replace(few, method="baseline"), few)
    state = loop.advance(loop.begin(members), Budget(steps=5, frames=False)).state
    certificates = loop.certify(state)
    assert {certificate.epochs for certificate in certificates} == {2}  # and half of the third
    folder = str(runs.save(state, certificates, folder=tmp_path / "pair"))
    both = ask("certify", folder)["certificates"]
    assert [one["method"] for one in both] == ["baseline", "spherical"]
    assert [one["loss"] for one in both] == [one.loss for one in certificates]
    page = ["--page", str(tmp_path / "page.html")]
    assert "pick by --model" in ask("certify", folder, *page)
    assert ask("certify", folder, *page, "--model", "baseline")["loss"] == certificates[0].loss
    assert "geco" in ask("certify", folder, "--model", "geco")

    other = tuple(dataclasses.replace(one, fingerprint="0" * 64) for one in certificates)
    folder = str(runs.save(state, other, folder=tmp_path / "other"))
    assert "have changed since" in ask("certify", folder)
    assert "have changed since" in ask("export", folder, "--to", str(tmp_path / "points.csv"))
