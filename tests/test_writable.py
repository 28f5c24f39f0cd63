"""Where results cannot be written is said before the work; locks end with their process."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svae_core.__main__ import main
from svae_core.commands import _training
from svae_core.config.locks import lock, locked
from svae_core.records import Advance, Budget, RequestError, Settings
from svae_core.runs import recorder as recording
from svae_core.runs import transfer
from svae_core.runs.comparison_folders import ComparisonFolders, comparison_of
from svae_core.runs.folder import RunWriter, SavedRun, load, save
from svae_core.runs.manifest import About
from svae_core.runs.recorder import Recorder
from svae_core.studies import attack, jsonl
from svae_core.training import loop

ROOT = Path(__file__).resolve().parents[1]
WINE = Settings(dataset="wine", clusters=3, epochs=2, latent_dim=2, hidden=8, device="cpu")
TOY = ["--dataset", "wine", "--clusters", "3", "--epochs", "2", "--latent-dim", "2"]

#: Every option that names a file to write, without the file.
FILES = [
    ["sweep", *TOY, "--out"],
    ["attack", "--runs", "1", "--out"],
    ["compare", *TOY, "--csv"],
    ["compare", *TOY, "--latex"],
    ["compare", *TOY, "--markdown"],
    ["certify", *TOY, "--page"],
    ["certify", "RUN", "--page"],
    ["export", "RUN", "--to"],
    ["export", "RUN", "--what", "reconstructions", "--to"],
    ["export", "RUN", "--what", "weights", "--to"],
    ["runs", "export", "RUN"],
    ["runs", "resume", "RUN", "--csv"],
]
#: Every command that saves runs.
FOLDERS = [
    ["train", *TOY, "--save"],
    ["compare", *TOY, "--save"],
    ["certify", *TOY, "--save"],
    ["attack", "--runs", "1"],
    ["runs", "resume", "RUN"],
]


def named(arguments: list[str]) -> str:
    return " ".join(word for word in arguments if word not in TOY)


@pytest.fixture
def no_work(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a saved run; from now on no command may begin its work."""
    state = loop.begin((WINE,))
    name = save(state, (), (loop.first_frames(state),)).name
    for room, work in (
        (loop, "begin"),
        (loop, "advance"),
        (loop, "certify"),
        (loop, "models"),
        (attack, "plan"),
        (transfer, "pack"),
        (transfer, "history"),
    ):
        monkeypatch.setattr(room, work, lambda *_, work=work: pytest.fail(f"{work} was called"))
    return name


def _suffix(arguments: list[str]) -> str:
    if arguments[0] == "export":
        return ".safetensors" if "weights" in arguments else ".csv"
    return ".csv" if arguments[0] == "runs" else ".txt"


def _refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    said, complaint = capsys.readouterr()
    assert said == "" and complaint.count("\n") == 1 and "Traceback" not in complaint
    return complaint


@contextlib.contextmanager
def no_file_may_grow() -> Iterator[None]:
    """As on a full disk, for the superuser as well: the system refuses every byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("arguments", FILES, ids=named)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    arguments: list[str], no_work: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [no_work if word == "RUN" else word for word in arguments]
    suffix = _suffix(arguments)
    nowhere, folder = tmp_path / "nowhere" / f"a{suffix}", tmp_path / f"folder{suffix}"
    folder.mkdir()
    complaint = _refused([*words, str(nowhere)], capsys)
    assert f"there is no folder {nowhere.parent}" in complaint
    assert "it is a folder; name a file in it" in _refused([*words, str(folder)], capsys)
    full = tmp_path / f"full{suffix}"
    with no_file_may_grow():
        complaint = _refused([*words, str(full)], capsys)
    assert "cannot be written: File too large" in complaint
    assert not full.exists() and not nowhere.parent.exists()


@pytest.mark.parametrize("arguments", FOLDERS, ids=named)
def test_runs_that_cannot_be_saved_are_refused_before_the_work(
    arguments: list[str],
    no_work: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [no_work if word == "RUN" else word for word in arguments]
    with no_file_may_grow():
        assert "cannot be saved in" in _refused(words, capsys)
    if "RUN" not in arguments:
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("SVAE_HOME", str(tmp_path / "file" / "home"))
        assert "choose another folder with SVAE_HOME" in _refused(words, capsys)


def test_what_is_in_a_file_stays_when_it_is_asked_for(tmp_path: Path) -> None:
    from svae_core.config.writable import check_file

    there, other = tmp_path / "there.csv", tmp_path / "other.csv"
    there.write_text("kept")
    check_file(there, "--csv")
    check_file(other, "--csv")
    check_file("/dev/null", "--csv")
    assert there.read_text() == "kept" and list(tmp_path.iterdir()) == [there]


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_no_training(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said once; what comes of it is printed all the same, and how to have it saved too."""
    monkeypatch.setattr(recording, "EVERY", 0.0)
    monkeypatch.setattr(_training, "_SLICE", 0.0)
    write = RunWriter.write
    left = [3]

    def full(self: RunWriter, run: SavedRun, last: bool = False) -> About:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, run, last)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "write", full)
        assert main(["train", *TOY, "--save", "--json"]) == 2
    said, complaint = capsys.readouterr()
    lines = complaint.splitlines()
    assert len(lines) == 2 and "training goes on" in lines[0]
    told = json.loads(said)
    (folder,) = home.iterdir()
    assert told["run"] is None and lines[1].endswith(f"runs resume {folder.name}")
    assert load(folder).state.step == 2  # the first state and two slices were written
    assert main(["runs", "resume", folder.name, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for name in ("seconds", "samples_per_second", "run"):
        told.pop(name), again.pop(name)
    assert again == told


def test_no_more_than_two_seconds_of_training_are_not_on_disk(tmp_path: Path) -> None:
    """Whatever the slices take: measured in seconds that are told, not by the clock."""
    state = loop.begin((WINE,))
    first = (loop.first_frames(state),)
    about = About((WINE,), page=recording.timing_from(0), steps=4)
    recorder = Recorder.begin(SavedRun(about, state, first), tmp_path / "run")
    rng = np.random.default_rng(0)
    for _ in range(50):
        advance = Advance(loop.advance(recorder.run.state, Budget(steps=0)).state, ())
        recorder.add(advance, float(rng.uniform(0, _training._SLICE + 0.05)))
        kept = recording.training_seconds(load(tmp_path / "run").about)
        assert recorder.seconds - kept < recording.EVERY
    assert recording.EVERY + _training._SLICE < 2
    recorder.close()


def test_data_that_changed_are_said_before_a_run_goes_on(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = loop.begin((WINE,))
    about = About((WINE,), fingerprint="another", status="training")
    RunWriter(home / "run").write(SavedRun(about, state, (loop.first_frames(state),)))
    assert "have changed since it was trained" in _refused(["runs", "resume", "run"], capsys)
    held = lock(home / "run")
    assert held is not None
    held.release()


def test_a_comparison_that_makes_no_sense_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = loop.begin((WINE,))
    moments = (loop.first_frames(state),)
    for number, page in enumerate(
        ({"comparison": 3}, {"comparison": {"id": "x", "created": -1.0, "runs": []}})
    ):
        folder = home / f"run{number}"
        RunWriter(folder).write(SavedRun(About((WINE,), page=page), state, moments))
        said = _refused(["runs", "resume", folder.name], capsys)
        assert "cannot be read" in said or "is damaged" in said


@pytest.mark.slow
def test_a_large_comparison_is_read_back_from_any_batch(tmp_path: Path) -> None:
    """1,500 runs: what is kept with each batch stays below what a page may hold."""
    members = [
        replace(WINE, method=m, sigma2=s) for m in ("baseline", "spherical") for s in (1, 2, 3)
    ]
    runs = tuple(replace(one, seed=seed) for one in members for seed in range(250))
    folders = ComparisonFolders(runs, place=tmp_path)
    folders.check()
    about = folders.batch(runs[:2])
    state = loop.begin((WINE,))
    RunWriter(tmp_path / "run").write(
        SavedRun(replace(about, members=(WINE,)), state, (loop.first_frames(state),))
    )
    found = comparison_of(replace(load(tmp_path / "run").about, members=runs[:2]), tmp_path)
    assert found == folders and found.batch(runs[:2]).id == about.id


def test_a_comparison_too_large_to_be_saved_is_refused_before_the_work() -> None:
    runs = tuple(replace(WINE, sigma2=1 + number / 1000) for number in range(1000))
    with pytest.raises(RequestError, match="1,000 runs is too large"):
        ComparisonFolders(runs).check()


# ------------------------------------------------------------------------------------ locks


def _holder(path: Path) -> subprocess.Popen[str]:
    """A process that holds a lock until it is ended."""
    code = (
        "import sys; from pathlib import Path; from svae_core.config.locks import lock\n"
        "held = lock(Path(sys.argv[1]), create=True); print(held is not None, flush=True)\n"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "True\n"
    return process


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    process = _holder(path)
    assert lock(path) is None and locked(path)
    with pytest.raises(RequestError, match="being written by another process"), jsonl.writing(path):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not locked(path)
    with jsonl.writing(path):
        assert lock(path) is None
        jsonl.append(path, [{"a": 1}])
    assert jsonl.read_rows(path, "{") == [{"a": 1}]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_one_holder_at_a_time(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "it"
    with pytest.raises(FileNotFoundError):
        lock(path)
    assert not locked(path)
    make(path)
    held = lock(path)
    assert held is not None and lock(path) is None and locked(path)
    held.release()
    held.release()
    again = lock(path)
    assert again is not None
    again.release()


def test_a_lock_on_what_was_removed_keeps_nobody_out(tmp_path: Path) -> None:
    """Who opens a file just before it is removed must not take it for the file that follows."""
    path = tmp_path / "it"
    with jsonl.writing(path):
        pass
    assert not path.exists()  # it got no row
    held = lock(path, create=True)
    path.unlink()
    other = lock(path, create=True)
    assert held is not None and other is not None and lock(path) is None
    held.release()
    other.release()


def test_a_file_that_took_half_a_batch_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with jsonl.writing(path):
        jsonl.append(path, [{"a": 1}])
        os.truncate(path, path.stat().st_size - 3)  # killed while it wrote
        jsonl.append(path, [{"a": 2}, {"a": 3}])
        with (
            no_file_may_grow(),
            pytest.raises(RequestError, match="make room"),
        ):
            jsonl.append(path, [{"a": 4}])
    assert jsonl.read_rows(path, "{") == [{"a": 2}, {"a": 3}]


@pytest.mark.slow
def test_a_run_that_ended_is_answered_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By `runs resume`, with the same words; nothing is trained."""
    assert main(["train", *TOY, "--save", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    before = {path: path.read_bytes() for path in Path(told["run"]).iterdir()}
    assert main(["runs", "resume", Path(told["run"]).name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told
    assert {path: path.read_bytes() for path in Path(told["run"]).iterdir()} == before


@pytest.mark.slow
def test_a_run_of_several_members_goes_on_as_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the app keeps them."""
    members = (replace(WINE, method="baseline"), WINE)
    state = loop.begin(members)
    about = About(members, page={"playing": True}, status="playing")
    RunWriter(home / "pair").write(SavedRun(about, state, (loop.first_frames(state),)))
    assert main(["runs", "resume", "pair", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["method"] for one in told["certificates"]] == ["baseline", "spherical"]
    found = load(home / "pair")
    whole = loop.advance(state)
    assert found.state.parameters.tobytes() == whole.state.parameters.tobytes()
    assert len(found.moments) == 1 + len(whole.moments) and found.about.page["playing"] is True
