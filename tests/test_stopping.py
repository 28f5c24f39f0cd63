"""Ctrl-C and kill −9 at any moment: nothing finished is lost, and what goes on ends the same.

A moment is the n-th time that a process touches its files, drawn at random: the process ends itself
there, so that no clock decides what is tested, and writes are hit more often than any clock would.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.effort import effort
from support.stopped_command import Child, in_steps

from svae_core.__main__ import main
from svae_core.records import to_json
from svae_core.runs import folder as on_disk
from svae_core.runs import recorder, store, tensors
from svae_core.studies import jsonl

ROOT = Path(__file__).resolve().parents[1]
TOY = ["--dataset", "wine", "--clusters", "3", "--latent-dim", "2", "--hidden", "8"]
TRAIN = ["train", *TOY, "--epochs", "8", "--save", "--json"]
COMPARE = ["compare", *TOY, "--epochs", "5", "--seeds", "2", "--save", "--json"]
SWEEP = ["sweep", *TOY, "--epochs", "3", "--sigma2", "0.1", "1", "10", "--seeds", "2", "--json"]
ATTACK = ["attack", "--runs", "4", "--seed", "3", "--json"]
#: How many moments each command is stopped at; `make soak` takes twenty.
MOMENTS = effort(1, 20)
#: What differs between two runs that are the same.
OWN = ("seconds", "cpu_seconds", "time_ratio", "samples_per_second", "run")


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    in_steps(monkeypatch.setattr)


@dataclass(frozen=True)
class Whole:
    """What a command gives that nobody stops."""

    answer: Any
    runs: list[bytes]  # all there is of each saved run
    touched: int  # how often it touched its files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], Whole]:
    found: dict[str, Whole] = {}

    def of(arguments: list[str]) -> Whole:
        if arguments[0] not in found:
            place = tmp_path_factory.mktemp("whole") / "place"
            place.mkdir()
            child = Child(place, _out(arguments, str(place)))
            assert child.run() == 0
            runs = _saved(place)
            answer = _plain(json.loads(child.said("out")))
            found[arguments[0]] = Whole(answer, runs, int(child.said("touched")))
        return found[arguments[0]]

    return of


def _out(arguments: list[str], place: str) -> list[str]:
    wants_file = arguments[0] in ("sweep", "attack")
    return [*arguments, "--out", f"{place}/rows.jsonl"] if wants_file else arguments


def _saved(place: Path) -> list[bytes]:
    """State, frames and certificates of every run, in an order that does not hang on names."""
    found = []
    for entry in store.saved_runs(place):
        run = on_disk.load(entry.folder)
        files = {"run.json", *(file.name for file in run.about.files)}
        assert {path.name for path in entry.folder.iterdir()} == files, "something is left over"
        assert run.about.status == "finished" and run.about.step == run.about.steps
        assert run.layouts[0][0].step == 0 and run.layouts[-1][0].step == run.about.steps
        signed = json.dumps(to_json(run.certificates)).encode()
        found.append(
            tensors.pack_state(run.state, run.moments[-1:])
            + tensors.pack_frames(run.moments, run.layouts)
            + signed
        )
    return sorted(found)


def _plain(answer: Any) -> Any:
    """An answer without times and places."""
    if isinstance(answer, dict):
        return {name: _plain(value) for name, value in answer.items() if name not in OWN}
    return [_plain(value) for value in answer] if isinstance(answer, list) else answer


def _rows(place: Path) -> list[dict[str, Any]]:
    path = place / "rows.jsonl"
    return jsonl.read_rows(path, "{") if path.exists() else []


def stopped_and_resumed(whole: Whole, arguments: list[str], place: Path, rng: random.Random) -> Any:
    """The answer of a command that is ended once or more on its way."""
    place.mkdir()
    command = arguments = _out(arguments, str(place))
    for _ in range(rng.choice((1, 1, 2, 3))):
        number = rng.choice((signal.SIGKILL, signal.SIGINT))
        before = _rows(place)
        child = Child(place, command, rng.randint(1, whole.touched), number)
        status = child.run()
        assert _rows(place)[: len(before)] == before
        unfinished = [entry for entry in store.saved_runs(place) if recorder.is_unfinished(entry)]
        assert all(entry.about is not None for entry in store.saved_runs(place))
        if number == signal.SIGINT and status:
            assert status == 130
            # Ended between its last write and its answer, a run is finished: resumed, it answers.
            _assert_says_how_to_go_on(child, unfinished or store.saved_runs(place))
        assert status in (0, 130, -signal.SIGKILL)
        if status == 0 and not unfinished:
            return json.loads(child.said("out"))
        command = arguments
        if entries := unfinished or ("--save" in arguments and store.saved_runs(place)):
            command = ["runs", "resume", rng.choice(entries).folder.name, "--json"]
        if entries and not unfinished:  # it was ended between its last write and its answer
            assert len(entries) == len(whole.runs)
            if len(entries) > 1:
                return None
    child = Child(place, command)
    assert child.run() == 0, child.said("err")
    return json.loads(child.said("out"))


def _assert_says_how_to_go_on(child: Child, entries: list[store.Entry]) -> None:
    said = child.said("err")
    assert said.count("\n") == 1 and "Traceback" not in said
    if "--out" in child.arguments:
        assert "the same command goes on" in said or said == "svae_core: stopped.\n"
    elif "runs resume" in said:
        name = shlex.split(said)[-1]
        assert name in {entry.folder.name for entry in entries}
        told = json.loads(child.said("out"))
        assert told["resume"] in said and told["complete"] is False
    else:
        assert "nothing was trained" in said or said == "svae_core: stopped.\n"


def check_many(whole: Whole, arguments: list[str], tmp_path: Path, moments: range) -> None:
    for number in moments:
        place = tmp_path / f"place-{number}"
        rng = random.Random(f"{arguments[0]} {number}")
        answer = stopped_and_resumed(whole, arguments, place, rng)
        assert answer is None or _plain(answer) == whole.answer, number
        assert _saved(place) == whole.runs, number
        keys = [json.dumps(row.get("outcome", row).get("settings", row)) for row in _rows(place)]
        assert len(keys) == len(set(keys)), f"{number}: a row is doubled"


COMMANDS = [TRAIN, COMPARE, SWEEP, ATTACK]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: words[0])
def test_what_is_stopped_goes_on_to_the_same_end(
    arguments: list[str], whole: Callable[[list[str]], Whole], tmp_path: Path
) -> None:
    check_many(whole(arguments), arguments, tmp_path, range(MOMENTS))


# ------------------------------------------------------------------------ the real program


def started(*arguments: str, home: Path, **streams: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "svae_core", *arguments],
        cwd=ROOT,
        env=os.environ | {"SVAE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **streams,
    )


@contextlib.contextmanager
def in_training(*arguments: str, home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has trained and saved some steps."""
    process = started(*arguments, home=home)
    try:
        while not any(entry.about and entry.about.step for entry in store.saved_runs(home)):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


LONG = [*TRAIN[:-3], "100000", "--save", "--json"]


@pytest.mark.slow
def test_the_command_that_ctrl_c_names_goes_on(home: Path) -> None:
    with in_training(*LONG[:-3], "12000", "--save", "--json", home=home) as process:
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate()
    assert process.returncode == 130 and complaint.count("\n") == 1
    told = json.loads(said)
    assert complaint.endswith(f"go on with: {told['resume']}\n") and told["steps"] == 24000
    program, *arguments = shlex.split(told["resume"])
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments, "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["run"] == told["run"]


@pytest.mark.slow
def test_a_run_whose_process_died_is_listed_as_unfinished(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed() -> dict[str, Any]:
        assert main(["runs", "list", "--json"]) == 0
        (run,) = json.loads(capsys.readouterr().out)["runs"]
        assert isinstance(run, dict)
        return run

    with in_training(*LONG, home=home) as process:
        assert listed()["status"] == "training" and listed()["resume"] is None
        name = Path(listed()["folder"]).name
        assert main(["runs", "resume", name]) == 2
        assert "is being trained by another process" in capsys.readouterr().err
        process.kill()
        process.wait()
        assert listed()["status"] == "unfinished"
        assert listed()["resume"] == f"python -m svae_core runs resume {name}"
        assert main(["runs", "list"]) == 0
        assert f"go on with python -m svae_core runs resume {name}" in capsys.readouterr().out


@pytest.mark.slow
def test_three_sweeps_on_one_file_lose_and_double_nothing(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    command = [*SWEEP, "--out", str(out), "--epochs", "20"]
    first = started(*command, home=tmp_path)
    while not (out.exists() and jsonl.read_rows(out, "{")):
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # so that it is at work however long the others take
    others = [started(*command, home=tmp_path) for _ in range(2)]
    for other in others:
        said, complaint = other.communicate()
        assert other.returncode == 2 and said == ""
        assert "is being written by another process" in complaint and complaint.count("\n") == 1
    first.kill()
    first.communicate()
    kept = jsonl.read_rows(out, "{")
    three = [started(*command, home=tmp_path) for _ in range(3)]
    ends = [process.communicate() and process.returncode for process in three]
    assert set(ends) <= {0, 2} and 0 in ends
    rows = jsonl.read_rows(out, "{")
    assert rows[: len(kept)] == kept and len(rows) == 12
    assert len({json.dumps(row["outcome"]["settings"]) for row in rows}) == 12
