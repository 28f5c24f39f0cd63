"""Each file of ours that is damaged is refused by what it is, why, and how to mend it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.saved_runs import PAIR, tiny

from svae_core import SphericalVAE
from svae_core.config.writable import unreadable
from svae_core.own_data.damage import reason_of
from svae_core.records import RequestError
from svae_core.runs import transfer
from svae_core.runs.comparison_folders import ComparisonFolders, comparison_of
from svae_core.runs.folder import RunWriter, load
from svae_core.runs.manifest import ABOUT
from svae_core.runs.open_record import from_bytes
from svae_core.runs.store import look
from svae_core.studies import jsonl
from svae_core.studies.attack import Attack

#: One sentence, which ends in how to mend it.
MENDED = re.compile(
    r"[^\n;]+; (restore|give|update|name|train|export|compare|fit|open|correct)[^\n;]*\."
)
Change = Callable[[Path], object]


def said_of(read: Callable[[], object]) -> str:
    with pytest.raises(RequestError) as refused:
        read()
    told = str(refused.value)
    assert MENDED.fullmatch(told), told
    assert "Error" not in told and "object" not in told.replace("JSON object", ""), told
    return told


def file_of(folder: Path, kind: str) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.name.startswith(kind))


def listed_anew(folder: Path) -> None:
    """Sizes and digests as the files now are: what is wrong with them is found by reading."""
    about = json.loads((folder / ABOUT).read_text())
    for entry in about["files"]:
        data = (folder / entry["name"]).read_bytes()
        entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / ABOUT).write_text(json.dumps(about))


def stating(**values: Any) -> Change:
    def change(folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text())
        (folder / ABOUT).write_text(json.dumps(about | values))

    return change


def member(**values: Any) -> Change:
    def change(folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text())
        about["members"][0] |= values
        (folder / ABOUT).write_text(json.dumps(about))

    return change


def content(kind: str, data: bytes) -> Change:
    return lambda folder: file_of(folder, kind).write_bytes(data)


def anew(kind: str, data: bytes) -> Change:
    def change(folder: Path) -> None:
        file_of(folder, kind).write_bytes(data)
        listed_anew(folder)

    return change


DAMAGES: dict[str, tuple[Change, str]] = {
    "no list": (lambda folder: (folder / ABOUT).unlink(), "is not a saved run: it has no run.json"),
    "no JSON": (content("run", b"{"), "damaged (run.json: it is no JSON"),
    "no schema": (content("run", b"{}"), "damaged (run.json: schema is missing)"),
    "newer": (stating(schema=99), "by a newer version"),
    "steps": (stating(step="x"), "damaged (run.json: something in it is missing, impossible"),
    "setting": (member(foo=1), "settings that are not known here (Unknown setting 'foo')"),
    "nets": (member(arch="foo"), "settings that are not known here (arch is 'foo', but must be"),
    "rule": (member(penalty_rule=7), "not known here (The penalty rule is 7"),
    "frames gone": (lambda folder: file_of(folder, "frames").unlink(), "safetensors is missing)"),
    "frames cut": (content("frames", b"x"), "safetensors has 1 bytes, but"),
    "frames": (anew("frames", b"junk" * 9), "safetensors: its words are too long)"),
    "state": (anew("state", b""), "safetensors: it is cut short, or no such file)"),
    "certificates": (anew("certificates", b"{"), ".json: it is no JSON"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    RunWriter(tmp_path / "run").write(tiny())
    return tmp_path / "run"


@pytest.mark.parametrize("name", DAMAGES)
def test_a_run(name: str, folder: Path) -> None:
    change, told = DAMAGES[name]
    change(folder)
    found = said_of(lambda: load(folder))
    assert told in found and str(folder) in found
    if trouble := look(folder).trouble:
        assert told in trouble and MENDED.fullmatch(trouble)


def test_a_changed_file_and_one_that_may_not_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = file_of(folder, "state")
    state.write_bytes(state.read_bytes()[:-1] + b"\x77")
    assert "was changed since it was written" in said_of(lambda: load(folder))

    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    told = said_of(lambda: load(folder))
    assert "cannot be read: Permission denied" in told and "damaged" not in told


def test_an_exported_run(folder: Path, tmp_path: Path) -> None:
    packed = transfer.pack(folder)
    home = tmp_path / "home"
    for data, told in (
        (b"no ZIP", "This file is no exported run, or a damaged one (it is no ZIP"),
        (packed[:-30], "or a damaged one (it is no ZIP, is cut off"),
        (packed[:99] + b"x" * 40 + packed[139:], "This file is no exported run, or a damaged one"),
    ):
        assert told in said_of(lambda data=data: transfer.unpack(data, home))  # type: ignore[misc]
    file_of(folder, "state").unlink()
    listed = json.loads((folder / ABOUT).read_text())
    listed["files"] = [one for one in listed["files"] if not one["name"].startswith("state")]
    (folder / ABOUT).write_text(json.dumps(listed))
    shutil.make_archive(str(tmp_path / "without"), "zip", folder)
    without = (tmp_path / "without.zip").read_bytes()
    told = said_of(lambda: transfer.unpack(without, home))
    assert told.startswith("The run in this file is damaged (it has no state); give a whole copy")


def test_a_comparison(folder: Path) -> None:
    about = ComparisonFolders(PAIR).batch(PAIR)
    assert comparison_of(about, folder) is not None
    for page in ({"runs": []}, {**about.page["comparison"], "created": "x"}):
        wrong = replace(about, page={"comparison": page})
        assert "The comparison that the run" in said_of(lambda: comparison_of(wrong, folder))  # noqa: B023


def test_records() -> None:
    for data, told in (
        (b"{", "This is no record of a comparison, or a damaged one (it is no JSON"),
        (b'{"svae_record": 99}', "This record is of a newer version"),
        (b'{"svae_record": 1}', "or a damaged one (runs is missing)"),
    ):
        assert told in said_of(lambda data=data: from_bytes(data))  # type: ignore[misc]


def test_results_of_a_search(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    good = {"outcome": "held", "explanation": "", "certificate": None}
    for row in (
        {"batch": [1], "attempts": []},
        {"batch": 0, "attempts": 3},
        {"batch": 0, "attempts": [{"outcome": "?"}]},
        {"batch": 0, "attempts": [good | {"certificate": {"kl": "x"}}]},
    ):
        out.unlink(missing_ok=True)
        jsonl.append(out, [{"seed": 0, **row}])
        told = said_of(lambda: Attack(8).resume(str(out)))
        assert told.startswith(f"--out {out} is damaged: it holds an attempt that cannot be read")


@pytest.mark.slow
def test_a_fitted_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = SphericalVAE(epochs=1, clusters=2, random_state=0).fit(rng.normal(size=(40, 3)))
    (tmp_path / "empty").mkdir()
    told = said_of(lambda: SphericalVAE.load(tmp_path / "empty"))
    assert "holds no saved SphericalVAE: it has no estimator.safetensors" in told
    for kind, data in (("estimator", b"x"), ("state", b"x"), ("run", b"{")):
        shutil.rmtree(tmp_path / "m", ignore_errors=True)
        model.save(tmp_path / "m")
        file_of(tmp_path / "m", kind).write_bytes(data)
        told = said_of(lambda: SphericalVAE.load(tmp_path / "m"))
        assert told.startswith(f"The SphericalVAE in {tmp_path / 'm'} is damaged ({kind}")


def test_weights_of_an_exported_module(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from svae_core.integrations.plain_model import load as load_weights

    path = tmp_path / "model.pt"
    torch.save({"about": {}, "weights": {}}, path)
    whole = path.read_bytes()
    for data in (b"", b"no weights", whole[: len(whole) // 2], whole):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"^\S+model\.pt is damaged, or .*; give a whole copy"):
            load_weights(path)
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "none.pt")


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    missing = FileNotFoundError(2, "No such file or directory")
    assert "there is no such file; correct" in str(unreadable("x.zip", tmp_path / "x", missing))
    assert "it is a folder; name a file" in str(unreadable("x", tmp_path, PermissionError(13, "")))


def test_reasons_are_in_our_own_words() -> None:
    assert reason_of(KeyError("members")) == "members is missing"
    assert reason_of(ValueError("it is no\n JSON.")) == "it is no JSON"
    assert reason_of(TypeError("'int' object is not iterable")).startswith("something in it")
    assert reason_of(OSError(28, "No space left on device")) == "No space left on device"
