"""kill -9 at random moments of what changes saved runs and data, and servers beside sweeps.

What trains (train, compare, sweep, attack) is stopped in tests/test_stopping.py, which `make soak`
repeats at twenty moments each; here are rename, delete, undo, import and upload, and two servers
with three sweeps on one home. `make school` runs this.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.effort import effort
from support.stopped_command import Child

from svae_core.runs import folder as on_disk
from svae_core.runs import store, tensors
from svae_core.studies import jsonl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from students import Student, server

ROOT = Path(__file__).resolve().parents[2]
#: How many moments each command is killed at.
MOMENTS = effort(10, 50)
TRAIN = [
    "train",
    "--dataset",
    "wine",
    "--clusters",
    "3",
    "--hidden",
    "8",
    "--epochs",
    "3",
    "--save",
]
#: Commands, with what they are given in place of RUN, FILE and TABLE.
CHANGES = {
    "rename": ["runs", "rename", "RUN", "a new name"],
    "delete": ["runs", "delete", "RUN"],
    "undo": ["runs", "undo"],
    "import": ["runs", "import", "FILE"],
    "upload": ["data", "TABLE"],
}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two runs, one of them deleted, an exported run and a table."""
    folder = tmp_path_factory.mktemp("furnished")
    home = folder / "home"
    home.mkdir()
    for seed in ("1", "2"):
        assert Child(home, [*TRAIN, "--seed", seed]).run() == 0
    first = store.saved_runs(home)[0].folder.name
    archive = str(folder / "exported.zip")
    assert Child(home, ["runs", "export", first, archive]).run() == 0
    rows = "\n".join(f"{i},{i * i % 7},{i % 3}" for i in range(60))
    (folder / "table.csv").write_text(f"a,b,c\n{rows}\n")
    assert Child(home, ["runs", "delete", first]).run() == 0
    return folder


def weights(home: Path) -> list[bytes]:
    """All whole runs, deleted ones too: what they hold, whatever they are called."""
    found = []
    for entry in (*store.saved_runs(home), *store.trash(home)):
        run = on_disk.load(entry.folder)
        found.append(tensors.pack_state(run.state, run.moments[-1:]))
    return sorted(found)


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_that_is_killed_loses_no_run(what: str, furnished: Path, tmp_path: Path) -> None:
    """Every run is there afterwards, whole, and the same command then ends as if it was the first.

    An import may be there twice: the first came before the kill.
    """
    before = weights(furnished / "home")
    whole = _changed(what, furnished, tmp_path / "whole", 0)
    assert whole.run() == 0, whole.said("err")
    touched = int(whole.said("touched"))
    for number in range(MOMENTS):
        rng = random.Random(f"{what} {number}")
        place = tmp_path / f"place-{number}"
        child = _changed(what, furnished, place, rng.randint(1, touched))
        assert child.run() in (0, -signal.SIGKILL), child.said("err")
        kept = weights(place)
        assert set(kept) == set(before) and len(kept) <= len(before) + (what == "import"), number
        again = Child(place, _command(what, place, furnished))
        status = again.run()
        done = what in ("delete", "undo") and status == 2  # there is nothing left to do
        assert status == 0 or done, again.said("err")
        assert set(weights(place)) == set(before), number
        shutil.rmtree(place)


def _changed(what: str, furnished: Path, place: Path, moment: int) -> Child:
    shutil.copytree(furnished / "home", place)
    return Child(place, _command(what, place, furnished), moment)


def _command(what: str, place: Path, furnished: Path) -> list[str]:
    runs = store.saved_runs(place) or store.trash(place)
    names = {
        "RUN": runs[0].folder.name,
        "FILE": str(furnished / "exported.zip"),
        "TABLE": str(furnished / "table.csv"),
    }
    return [names.get(word, word) for word in CHANGES[what]]


def test_two_servers_and_three_sweeps_share_one_home(tmp_path: Path) -> None:
    """One sweep at a time writes to the file; servers die; no row is lost or doubled, no run."""
    home, out = tmp_path / "home", tmp_path / "rows.jsonl"
    grid = "--dataset wine --clusters 3 --hidden 8 --epochs 40 --sigma2 0.1:1:8 --seeds 2"
    command = [sys.executable, "-m", "svae_core", "sweep", *grid.split(), "--out", str(out)]
    with (
        server(SVAE_HOME=str(home)) as (first, one),
        server(SVAE_HOME=str(home)) as (second, other),
    ):
        sweeps = [
            subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for _ in range(3)
        ]
        students = [
            Student(address, f"dataset=wine&clusters=3&epochs=100000&seed={seed}", seed)
            for seed, address in enumerate((first, second, first, second))
        ]
        asyncio.run(_until_all_train(students))
        sweeps[0].kill()
        for process in (one, other):
            process.kill()
    for sweep in sweeps:
        sweep.wait()
    kept = jsonl.read_rows(str(out), "{") if out.exists() else []
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
    rows = jsonl.read_rows(str(out), "{")
    assert rows[: len(kept)] == kept and len(rows) == 32
    assert len({json.dumps(row["outcome"]["settings"]) for row in rows}) == 32
    found = {entry.about.id: entry for entry in store.saved_runs(home) if entry.about}
    for student in students:
        run = student.query.rpartition("run=")[2]
        assert run in found and on_disk.load(found[run].folder).moments, "a run is lost"


async def _until_all_train(students: list[Student]) -> None:
    until = time.monotonic() + 600
    going = [asyncio.create_task(student.attend(until)) for student in students]
    while not all(student.moments > 2 for student in students):
        assert not any(student.errors for student in students)
        await asyncio.sleep(0.2)
    await asyncio.sleep(6)  # saved every two seconds
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)
