"""The command `sweep`: answers, going on, stopping, wrong requests."""

import json
import signal
import subprocess
import sys
import time

import pytest
from support.grids import BANDS, OPENING, ROOT, grid

from svae_core.__main__ import main
from svae_core.studies import jsonl, sweep
from svae_core.studies.phase_cells import MEASURES

ARGUMENTS = [
    *("sweep", "--dataset", "wine", "--clusters", "3", "--latent-dim", "2", "--epochs", "4"),
    *("--sigma2", "0.05:5:3", "--band", "0,0.25", "0,0.5", "--seeds", "2", "--json"),
]


def answer(capsys, *more, status=0):
    assert main([*ARGUMENTS, *more]) == status
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


@pytest.mark.slow
def test_the_command_answers_in_full(capsys):
    found = answer(capsys)
    assert set(found) == {"complete", "grid", "cells", "theory"} and found["complete"]
    assert found["grid"]["runs"] == 24 and found["grid"]["axes"]["sigma2"] == [0.05, 0.5, 5.0]
    assert found["grid"]["draws"] == 93 and found["grid"]["settings"]["dataset"] == "wine"
    assert len(found["cells"]) == 12
    for cell in found["cells"]:
        assert cell["seeds"] == [0, 1] and cell["refused"] is None
        assert sum(cell["verdicts"].values()) == pytest.approx(1)
        for name in MEASURES:
            assert set(cell[name]) == {"mean", "low", "high", "deviation"}
        assert cell["gauge"] == pytest.approx(
            cell["beta"] * cell["sigma2"] / found["theory"]["lambda_max"]
        )
    assert {(c["method"], tuple(c["band"]), c["sigma2"]) for c in found["cells"]} == {
        (m, b, s) for m in ("baseline", "spherical") for b in BANDS for s in (0.05, 0.5, 5.0)
    }


@pytest.mark.slow
def test_the_command_goes_on_where_it_stopped(capsys, tmp_path, monkeypatch):
    out = tmp_path / "runs.jsonl"
    whole = answer(capsys, "--out", str(out))
    lines = out.read_text().splitlines(keepends=True)
    assert len(lines) == 24
    out.write_text("".join(lines[:10]) + lines[10][:50])  # killed in the middle of a line
    trained = []
    advance = sweep.Chunk.advance
    monkeypatch.setattr(
        sweep.Chunk, "advance", lambda chunk, s: trained.append(chunk) or advance(chunk, s)
    )
    assert answer(capsys, "--out", str(out)) == whole
    assert sum({chunk.members: chunk.runs for chunk in trained}.values()) == 14
    assert len(sweep.recorded(str(out), grid(hidden=64, device="auto"))) == 24
    monkeypatch.setattr(sweep.Chunk, "advance", lambda *_: pytest.fail("nothing is left to train"))
    assert answer(capsys, "--out", str(out)) == whole
    fewer = answer(capsys, "--out", str(out), "--sigma2", "0.5", "--seeds", "1")
    assert len(fewer["cells"]) == 4  # a part of the grid is read from the same file


@pytest.mark.slow
def test_a_stopped_command_keeps_what_is_done(capsys, tmp_path, monkeypatch):
    out = tmp_path / "runs.jsonl"
    advance, calls = sweep.Chunk.advance, []

    def stopped_late(chunk, seconds):
        calls.append(chunk)
        if len({chunk.members for chunk in calls}) == 3:
            raise KeyboardInterrupt
        return advance(chunk, seconds)

    monkeypatch.setattr(sweep.Chunk, "advance", stopped_late)
    found = answer(capsys, "--out", str(out), status=130)
    assert not found["complete"]
    done = sum(len(cell["seeds"]) for cell in found["cells"])
    assert 0 < done < 24 and len(jsonl.read_rows(out, OPENING)) == done


@pytest.mark.slow
def test_ctrl_c_leaves_a_file_to_go_on_from(tmp_path):
    """The real thing: a signal to a process in the middle of its work."""
    out = tmp_path / "runs.jsonl"
    # Minutes of work, so that it is never over before a signal that comes late.
    command = [*ARGUMENTS, "--out", str(out), "--epochs", "50", "--seeds", "60"]
    process = subprocess.Popen(
        [sys.executable, "-m", "svae_core", *command],
        **{"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
    )
    while not jsonl.read_rows(out, OPENING):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, complaint = process.communicate()
    assert process.returncode == 130 and "the same command goes on" in complaint
    found = json.loads(said)
    rows = jsonl.read_rows(out, OPENING)
    assert not found["complete"] and 0 < len(rows) < 720
    assert len(rows) == sum(len(cell["seeds"]) for cell in found["cells"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("--sigma2 0:1:3", "--sigma2"),
        ("--band 0.5", "--band"),
        ("--methods nosuch", "nosuch"),
        ("--seeds 0", "--seeds"),
        ("--seeds 1 1", "twice"),
        ("--arch cubic", "--arch"),
        ("--clusters 500", "178 points"),
        ("--out README.md", "something else"),
        ("--out nosuch/folder/x.jsonl", "cannot be written"),
    ],
)
def test_wrong_requests_get_one_sentence(more, says, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main([*ARGUMENTS, *more.split()]) == 2
    streams = capsys.readouterr()
    assert streams.out == "" and says in streams.err and streams.err.count("\n") == 1


def test_a_file_of_something_else_is_left_alone(tmp_path, capsys):
    out = tmp_path / "other.jsonl"
    out.write_text('{"seed": 1, "batch": 0}\n')
    assert main([*ARGUMENTS, "--out", str(out)]) == 2
    assert "something else" in capsys.readouterr().err
    assert out.read_text() == '{"seed": 1, "batch": 0}\n'
