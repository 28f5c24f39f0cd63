"""A run as one file: the same run elsewhere, and whatever else is in such a file is refused."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.saved_runs import assert_same_run, put

from svae_core.own_data import archive
from svae_core.records import RequestError, to_json
from svae_core.runs import folder, store, transfer
from svae_core.runs.folder import RunWriter, load
from svae_core.runs.manifest import ABOUT, read_about


def test_an_exported_run_is_the_same_run_elsewhere(tmp_path: Path) -> None:
    here = put(tmp_path / "here", owner="somebody", page={"parent": "secret", "lesson": "x"})
    store.rename(here, "σ² = 4")
    data = transfer.pack(here)
    about = read_about(here)
    assert about.id.encode() not in data and b"somebody" not in data and b"secret" not in data
    taken = transfer.unpack(data, tmp_path / "there", owner="me")
    assert_same_run(load(taken), load(here))
    assert store.look(taken).name == "σ² = 4"
    read = read_about(taken)
    assert read.owner == "me" and read.id not in ("", about.id) and read.page == {"lesson": "x"}
    assert transfer.unpack(data, tmp_path / "there") != taken, "twice makes two"


def test_a_run_that_is_saved_again_while_it_is_read_is_exported_as_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that run.json listed a moment ago are gone: the next list is read, and no failure."""
    found = put(tmp_path / "here")
    run = load(found)
    writer, again = RunWriter(found, run), iter((True, True))

    def saved_again_after(read: Any) -> Any:
        def about(of: Any) -> Any:
            told = read(of)
            if next(again, False):
                writer.write(run)
            return told

        return about

    monkeypatch.setattr(transfer, "about_to_json", saved_again_after(transfer.about_to_json))
    taken = transfer.unpack(transfer.pack(found), tmp_path / "there")
    assert next(again, "used up") == "used up"
    assert_same_run(load(taken), load(found))
    again = iter((True, True))
    monkeypatch.setattr(folder, "read_about", saved_again_after(read_about))
    assert to_json(folder.certificates_in(found)) == to_json(run.certificates)
    assert run.certificates and next(again, "used up") == "used up"


def _zip(**files: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return whole.getvalue()


def _by_lzma() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_LZMA) as file:
        file.writestr(ABOUT, b"{}")
    return whole.getvalue()


def _twice(name: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        file.writestr(name, b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr(name, b"{}")
    return whole.getvalue()


def _lying() -> bytes:
    """Says that it unpacks to 4 bytes, and unpacks to a megabyte."""
    data = _zip(**{ABOUT: b"\0" * 2**20})
    return data.replace((2**20).to_bytes(4, "little"), (4).to_bytes(4, "little"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: b"", "no exported run"),
        (lambda: b"PK\x03\x04 and so on", "no exported run"),
        (lambda: _zip(**{ABOUT: b"{}", "../../evil.py": b"x"}), "holds '../../evil.py'"),
        (lambda: _zip(**{ABOUT: b"{}", "/etc/passwd": b"x"}), "holds '/etc/passwd'"),
        (lambda: _zip(**{ABOUT: b"{}", "sub/": b""}), "holds 'sub/'"),
        (lambda: _zip(**{ABOUT: b"{}", "state.pkl": b"x"}), r"holds 'state\.pkl'"),
        (lambda: _zip(**{"name.txt": b"x"}), "needs exactly one"),
        (lambda: _twice(ABOUT), "needs exactly one"),
        (lambda: _zip(**{ABOUT: b"\0" * 2**27}), "would unpack to 134 MB"),
        (_lying, "no exported run"),
        (_by_lzma, "compression"),
        (lambda: _zip(**{ABOUT: b"{}"}), "damaged"),
        (lambda: _zip(**{ABOUT: b"[1"}), "damaged"),
    ],
)
def test_files_from_anywhere_are_refused_in_one_sentence(
    tmp_path: Path, make: Callable[[], bytes], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence) as refused:
        transfer.unpack(make(), tmp_path / "home")
    assert str(tmp_path) not in str(refused.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["home"]


@pytest.mark.parametrize("damage", archive.DAMAGE, ids=lambda damage: damage.__name__)
def test_whatever_zipfile_raises_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: type[Exception]
) -> None:
    """A run's file and a file of data are read alike: one list of exceptions serves both."""
    data = transfer.pack(put(tmp_path / "here"))
    (tmp_path / "a.zip").write_bytes(data)

    def raising(*_: object) -> None:
        raise damage("odd bytes")

    monkeypatch.setattr(zipfile.ZipFile, "infolist", raising)
    said = "(odd bytes|what is packed in it makes no sense)"
    with pytest.raises(RequestError, match=rf"no exported run, or a damaged one \({said}\)"):
        transfer.unpack(data, tmp_path / "there")
    with (
        pytest.raises(RequestError, match=rf"The ZIP is damaged or cut off: {said};"),
        archive.opened(tmp_path / "a.zip"),
    ):
        pass


def test_a_parcel_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = transfer.pack(put(tmp_path / "here"))
    for cut in range(0, len(data), 97):
        with pytest.raises(RequestError):
            transfer.unpack(data[:cut], tmp_path / "there")
    assert not list((tmp_path / "there").iterdir())


def test_a_run_of_another_may_not_be_larger_than_allowed(tmp_path: Path) -> None:
    data = transfer.pack(put(tmp_path / "here"))
    with pytest.raises(RequestError, match="would unpack"):
        transfer.unpack(data, tmp_path / "there", largest=1000)


def test_the_history_is_a_table(tmp_path: Path) -> None:
    saved = load(put(tmp_path))
    rows = list(csv.DictReader(io.StringIO(transfer.history(saved))))
    assert len(rows) == 2 * len(saved.moments)
    frame, row = saved.moments[1][1], rows[3]
    assert (int(row["step"]), int(row["member"]), row["method"]) == (frame.step, 1, "spherical")
    assert float(row["loss"]) == frame.loss and float(row["kl_1"]) == frame.kl_per_dim[0]
