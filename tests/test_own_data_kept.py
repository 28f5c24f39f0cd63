"""Files of one's own are kept under keys that open what they are of; commands take them."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.own_tables import MIXED, given, is_one_sentence, load

from svae_core import problem
from svae_core.__main__ import main
from svae_core.own_data import kept as store
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.tables import Table
from svae_core.records import RequestError
from svae_core.training import batch_context

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process for each file takes half a second; that it works has tests of its own."""
    monkeypatch.setattr(store, "read_apart", read_table)


# ------------------------------------------------------------------------- command line


@pytest.mark.slow
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
    assert answer("region", "--dataset", str(path))["clusters"] == 2, "as many as the label has"
    known = ("--dataset", "file", "--file.key", answer("data", str(path))["key"])
    assert answer("region", *known)["clusters"] == 10, "what an old link or run says stays"
    trained = answer("train", *common, "--epochs", "2", "--save")
    assert trained["dataset"] == "my_data.csv" and len(trained["fingerprint"]) == 16
    again = answer("certify", trained["run"])
    assert again["fingerprint"] == trained["fingerprint"]
    about = answer("data", str(path))
    assert about["label"] == "sort" and about["rows"] == 40
    assert answer("data", "--kept")["kept"][0]["key"] == about["key"]
    answer("data", "--forget", about["key"])
    problem._on_shell.cache_clear()  # as in a new process
    batch_context._cached_context.cache_clear()
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
    monkeypatch.setattr(store, "read_apart", read_table)
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == "" and sentence in error and error.count("\n") == 1


# --------------------------------------------------------------------------------- keys


@pytest.mark.usefixtures("_in_this_process")
def test_a_file_gets_the_same_key_again_and_another_file_another(tmp_path: Path) -> None:
    key = store.deposit(given(tmp_path))
    assert store.deposit(given(tmp_path), "other name.csv") == key
    assert store.deposit(given(tmp_path, MIXED + "3,5;b;7;red\n")) != key
    assert load(key).fingerprint == load(key).fingerprint


@pytest.mark.usefixtures("_in_this_process")
def test_a_key_cannot_be_guessed_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = store.deposit(given(tmp_path))
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "another"))
    theirs = store.deposit(given(tmp_path))
    assert mine[:16] == theirs[:16] and mine != theirs


@pytest.mark.parametrize("key", ["", "../../etc", "0" * 16 + "-" + "0" * 24, "x" * 3_000])
def test_what_is_not_here_is_said_in_one_sentence(key: str) -> None:
    with pytest.raises(RequestError, match=r"No file is given|are not here") as refusal:
        load(key)
    assert is_one_sentence(str(refusal.value))


@pytest.mark.usefixtures("_in_this_process")
def test_the_file_of_a_link_from_elsewhere_can_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.deposit(given(tmp_path))
    before = load(key).fingerprint
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "another"))
    with pytest.raises(RequestError, match="are not here"):
        load(key)
    with pytest.raises(RequestError, match="not the file"):
        store.deposit(given(tmp_path, MIXED + "9;a;7;red\n"), key=key)
    assert store.deposit(given(tmp_path), key=key) == key
    assert load(key).fingerprint == before


@pytest.mark.usefixtures("_in_this_process")
def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    key = store.deposit(given(tmp_path))
    assert [kept for kept, _ in store.kept()] == [key]
    store.forget(key)
    assert list(store.kept()) == []


def _made_by_earlier_reader(folder: Path, **otherwise: Any) -> None:
    """As the readers kept it before their version was recorded."""
    about = json.loads((folder / "about.json").read_text())
    del about["reader"]
    (folder / "about.json").write_text(json.dumps(about | otherwise))


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize("asked", [False, True])
def test_a_file_that_an_earlier_reader_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(store, "READER", 0)
        old = store.deposit(given(tmp_path))
    _made_by_earlier_reader(tmp_path / "home" / "data" / old, scale=7.0)
    said = store.find(old).notes[-1]
    assert "earlier version" in said and "give the file again" in said
    new = store.deposit(given(tmp_path), key=old if asked else "")
    assert new != old and store.find(new).scale == 1.0 and said not in store.find(new).notes
    assert store.find(old).scale == 7.0, "runs of earlier keep the data that they were trained on"
    assert store.deposit(given(tmp_path), key=new) == new


@pytest.mark.usefixtures("_in_this_process")
def test_old_tables_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT_BYTES", 1)
    first = store.deposit(given(tmp_path))
    second = store.deposit(given(tmp_path, MIXED + "3,5;b;7;red\n"))
    assert [key for key, _ in store.kept()] == [second] != [first]


@pytest.mark.usefixtures("_in_this_process")
def test_a_refused_file_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is empty"):
        store.deposit(given(tmp_path, ""))
    place = tmp_path / "home" / "data"
    assert [path.name for path in place.iterdir()] == ["secret"]
    assert place.stat().st_mode & 0o077 == 0 and (place / "secret").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("_in_this_process")
def test_a_file_system_without_hard_links_keeps_data_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    key = store.deposit(given(tmp_path))
    assert store.deposit(given(tmp_path)) == key, "the secret stays the same"
    assert _names_in(tmp_path / "home" / "data") == sorted([key, "secret"])


@pytest.mark.usefixtures("_in_this_process")
def test_a_float32_array_stays_on_disk(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", points)
    key = store.deposit(tmp_path / "a.npy", copy=False)
    found = load(key)
    assert isinstance(found.points, np.memmap) and np.array_equal(found.points, points)
    np.save(tmp_path / "a.npy", points[:10])
    with pytest.raises(RequestError, match="has changed since"):
        store.find(key).numbers()


# --------------------------------------------- several processes at once, and damaged tables


def _meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Another process does something just when this one has read a file."""

    def reading(*arguments: Any) -> None:
        read_table(*arguments)
        monkeypatch.setattr(store, "read_apart", read_table)
        happens()

    monkeypatch.setattr(store, "read_apart", reading)


def _names_in(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_two_processes_may_keep_the_same_file_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = given(tmp_path)
    exists = Path.exists
    # As if the other had been quicker by so little that this one still saw nothing there.
    monkeypatch.setattr(
        Path, "exists", lambda self: not store._KEY.fullmatch(self.name) and exists(self)
    )
    _meanwhile(monkeypatch, lambda: store.deposit(path))
    key = store.deposit(path)
    assert load(key).points.shape[0] == 3
    assert _names_in(tmp_path / "home" / "data") == sorted([key, "secret"])


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "about.json").unlink(),  # half removed
        lambda folder: (folder / "about.json").write_text("{"),
        lambda folder: (folder / "numbers.bin").unlink(),
        lambda folder: (folder / "numbers.bin").write_bytes(b""),
        lambda folder: (folder / "codes.bin").write_bytes(b"\0" * 5),
    ],
)
def test_a_damaged_table_is_mended_by_the_same_file(
    tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    key = store.deposit(given(tmp_path))
    before = load(key).fingerprint
    damage(store.find(key).folder)
    with pytest.raises(RequestError, match=r"are not here|are damaged|cannot be read") as refusal:
        load(key)
    assert is_one_sentence(str(refusal.value))
    assert store.deposit(given(tmp_path)) == key
    assert load(key).fingerprint == before
    assert _names_in(tmp_path / "home" / "data") == sorted([key, "secret"])


@pytest.mark.usefixtures("_in_this_process")
def test_an_array_that_was_only_touched_can_be_given_again(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(50, 3)))
    key = store.deposit(tmp_path / "a.npy", copy=False)
    os.utime(tmp_path / "a.npy", (1, 1))
    with pytest.raises(RequestError, match="give it once more"):
        store.find(key).numbers()
    assert store.deposit(tmp_path / "a.npy", copy=False) == key
    assert len(store.find(key).numbers()) == 50


@pytest.mark.usefixtures("_in_this_process")
def test_a_damaged_table_can_be_forgotten(tmp_path: Path) -> None:
    key = store.deposit(given(tmp_path))
    (store.find(key).folder / "about.json").write_text("{")
    with pytest.raises(RequestError, match=f"under the key {key} are damaged"):
        list(store.kept())
    store.forget(key)
    assert list(store.kept()) == []


@pytest.mark.usefixtures("_in_this_process")
def test_what_is_only_listed_is_not_kept_for_longer(tmp_path: Path) -> None:
    key = store.deposit(given(tmp_path))
    folder = store.find(key).folder
    os.utime(folder, (1, 1))
    assert [kept for kept, _ in store.kept()] == [key]
    assert folder.stat().st_mtime == 1
    store.find(key)
    assert folder.stat().st_mtime > 1


@pytest.mark.usefixtures("_in_this_process")
def test_a_table_removed_while_it_is_looked_for_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.deposit(given(tmp_path))
    other = store.deposit(given(tmp_path, MIXED + "3,5;b;7;red\n"))
    table = store.find(key)
    real = store.read_about

    def removed(folder: Path) -> Table:
        if folder.name == key:
            shutil.rmtree(folder, ignore_errors=True)
        return real(folder)

    monkeypatch.setattr(store, "read_about", removed)
    assert [kept for kept, _ in store.kept()] == [other]
    with pytest.raises(RequestError, match="are not here"):
        store.find(key)
    for look in (table.numbers, lambda: table.codes("colour")):
        with pytest.raises(RequestError, match="cannot be read any more") as refusal:
            look()
        assert is_one_sentence(str(refusal.value))


@pytest.mark.usefixtures("_in_this_process")
def test_cleaning_up_does_not_mind_another_that_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders vanish between being listed and being looked at."""
    store.deposit(given(tmp_path))
    place = tmp_path / "home" / "data"
    gone = f"{'0' * 16}-{'0' * 24}"
    real_list, real_glob = Path.iterdir, Path.glob
    monkeypatch.setattr(
        Path,
        "iterdir",
        lambda self: iter([*real_list(self), *([self / gone] if self == place else [])]),
    )
    monkeypatch.setattr(
        Path, "glob", lambda self, what: iter([*real_glob(self, what), self / f".{gone}.abcdef"])
    )
    key = store.deposit(given(tmp_path, MIXED + "3,5;b;7;red\n"))
    assert store.find(key).rows == 5


@pytest.mark.usefixtures("_in_this_process")
def test_what_was_found_just_now_is_not_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.deposit(given(tmp_path))
    os.utime(store.find(first).folder, (1, 1))
    real = store._size

    def found_meanwhile(folder: Path) -> int:
        if folder.name == first:
            store.find(first)
        return real(folder)

    monkeypatch.setattr(store, "_size", found_meanwhile)
    second = store.deposit(given(tmp_path, MIXED + "3,5;b;7;red\n"))
    assert sorted(key for key, _ in store.kept()) == sorted([first, second])


@pytest.mark.usefixtures("_in_this_process")
def test_a_full_disk_is_said_when_data_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.shutil, "copyfile", full)
    np.save(tmp_path / "a.npy", np.eye(5))
    with pytest.raises(RequestError, match=r"^a\.npy .* disk"):
        store.deposit(tmp_path / "a.npy")
    assert _names_in(tmp_path / "home" / "data") == ["secret"]
