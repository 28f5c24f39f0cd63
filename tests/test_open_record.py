"""The open record: what is written is read again, replays are judged, hostile files are refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from svae_core.__main__ import main
from svae_core.records import Frame, RequestError
from svae_core.runs.open_record import (
    LONGEST,
    MOST_RUNS,
    MOST_VALUES,
    Record,
    check_number,
    frame_hash,
    from_bytes,
    made_here,
    others,
    replayed,
    said,
    to_bytes,
)
from svae_core.training.frame_steps import MOST_FRAMES

KEPT = Path(__file__).parents[1] / "assets" / "records"


@pytest.fixture(scope="module")
def kept() -> Record:
    return from_bytes((KEPT / "wine.json").read_bytes())


def test_what_is_written_is_read_again(kept: Record) -> None:
    assert from_bytes(to_bytes(kept)) == kept
    assert sum(path.stat().st_size for path in KEPT.iterdir()) <= 100_000
    for path in KEPT.iterdir():
        methods = {run.settings.method for run in from_bytes(path.read_bytes()).runs}
        assert {"baseline", "spherical"} < methods


def test_a_replay_is_equal_close_or_differs_and_says_by_how_much(kept: Record) -> None:
    run = kept.runs[0]
    found = replayed(run, run)
    assert found.equal and found.close and "equal, bit for bit" in said(found)
    certificate = run.score.certificate
    assert certificate is not None

    def again(frames: tuple[str, ...] = run.frames, **changed: Any) -> Any:
        other = dataclasses.replace(certificate, **changed)
        score = dataclasses.replace(run.score, certificate=other)
        return replayed(run, dataclasses.replace(run, score=score, frames=frames))

    late = again(
        (*run.frames[:3], *(16 * "0" for _ in run.frames[3:])), loss=1.01 * certificate.loss
    )
    assert not late.equal and late.close and late.first_difference == run.steps[3]
    assert f"close: frames from step {run.steps[3]} on, loss most, by 1 %" in said(late)
    far = again(loss=1.5 * certificate.loss, verdict="certified")
    assert not far.close and "differs: numbers of the certificate, loss most, by 50 %" in said(far)
    assert "here certified" in said(far)
    assert "the data are others" in said(again(fingerprint="0" * 16))
    assert not again(mutual_information=float("nan")).close
    # Scores that no replay of equal frames can have measured, however good loss and verdict look.
    better = again(floors=dataclasses.replace(certificate.floors, proved=9.0))
    assert not better.equal and not better.close
    assert "its scores are others: certificate floors proved." in said(better)
    bare = dataclasses.replace(certificate, forecast=None)
    older = dataclasses.replace(run, score=dataclasses.replace(run.score, certificate=bare))
    assert replayed(older, run).equal  # what was not measured then was not claimed
    turned = again(verdict="not certified")
    assert not turned.equal and not turned.close and "here not certified" in said(turned)
    here = made_here()
    assert others(here, here) == ""
    assert others(dataclasses.replace(here, python="3.8"), here).startswith("Python 3.8 there")


def test_a_hash_sees_every_number_and_no_wording() -> None:
    flat = np.zeros((2, 3), np.float32)
    frame = Frame(
        *("spherical", 1, 0, 9, 0.5, 1.0, 0.1, 0.9, 0.2, flat[0], flat[0] > 0, 0.0),
        *(flat, flat, flat, "a sentence"),
    )
    assert frame_hash(frame) == frame_hash(dataclasses.replace(frame, sentence="another"))
    for item in dataclasses.fields(Frame):
        value = getattr(frame, item.name)
        if isinstance(value, np.ndarray):
            new = value.copy()
            new.flat[-1] = True if value.dtype == bool else np.nextafter(value.flat[-1], 1)
        else:
            new = (
                value + 1
                if isinstance(value, int)
                else np.nextafter(value, 2)
                if isinstance(value, float)
                else value + "x"
            )
        other = dataclasses.replace(frame, **{item.name: new})
        assert (frame_hash(other) == frame_hash(frame)) == (item.name == "sentence"), item.name


def _set(*place: Any) -> Callable[[Any], None]:
    """A change of one value in the JSON of a record: keys, then the value."""
    *keys, last, value = place

    def change(plain: Any) -> None:
        for key in keys:
            plain = plain[key]
        plain[last] = value

    return change


_RUN = ("runs", 0)
HOSTILE: dict[str, Callable[[Any], None]] = {
    "schema": _set("svae_record", 99),
    "no schema": _set("svae_record", "1"),
    "true": _set("svae_record", True),
    "old schema": _set("svae_record", 0),
    "terminal": _set("made", "system", "\x1b[31mLinux"),
    "line break": _set(*_RUN, "score", "certificate", "sentence", "a\nb"),
    "verdict": _set(*_RUN, "score", "certificate", "verdict", "marvellous"),
    "no runs": _set("runs", []),
    "runs": _set("runs", {"a": 1}),
    "many runs": lambda plain: plain.update(runs=plain["runs"] * 200),
    "method": _set(*_RUN, "settings", "method", "os.system"),
    "data set": _set(*_RUN, "settings", "dataset", "../../etc/passwd"),
    "own file": _set(*_RUN, "settings", "dataset", "file"),
    "option": _set(*_RUN, "settings", "method_options", {"__class__": 1}),
    "epochs": _set(*_RUN, "settings", "epochs", 10**12),
    "unknown setting": _set(*_RUN, "settings", "code", "import os"),
    "arch": _set(*_RUN, "settings", "arch", "../x"),
    "settings": _set(*_RUN, "settings", [1]),
    "no certificate": _set(*_RUN, "score", "certificate", None),
    "refused": _set(*_RUN, "score", "refused", "x" * 10**4),
    "another's": _set(*_RUN, "score", "certificate", "method", "geco"),
    "sentence": _set(*_RUN, "score", "certificate", "sentence", "x" * 10**4),
    "loss": _set(*_RUN, "score", "certificate", "loss", "small"),
    "hash": _set(*_RUN, "frames", 0, "<script>"),
    "steps": _set(*_RUN, "steps", 0, -1),
    "order": lambda plain: plain["runs"][0]["steps"].reverse(),
    "fewer frames": lambda plain: plain["runs"][0]["frames"].pop(),
    "versions": _set("made", "versions", {"torch": "9" * 1000}),
    "made": _set("made", None),
    "deep": lambda plain: plain.update(title=json.loads("[" * 40 + "]" * 40)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_record_is_refused_in_a_sentence(name: str) -> None:
    plain = json.loads((KEPT / "wine.json").read_bytes())
    HOSTILE[name](plain)
    with pytest.raises(RequestError, match=r"; .*\.$") as refused:  # what, and how to mend it
        from_bytes(json.dumps(plain).encode())
    assert "--" not in str(refused.value), "in words of the file, and none of a command"
    assert len(str(refused.value)) < 400 and "\n" not in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\x00" * 100, b" " * (LONGEST + 1)])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(RequestError, match="no record of a comparison"):
        from_bytes(data)


def test_what_was_trained_for_hours_can_be_read_again(kept: Record) -> None:
    """The most runs with the most frames fit, and more are refused before they are trained."""
    run = kept.runs[0]
    steps = tuple(range(10**7, 10**7 + MOST_FRAMES))
    longest = dataclasses.replace(run, steps=steps, frames=("0123456789abcdef",) * len(steps))
    data = to_bytes(dataclasses.replace(kept, runs=(longest,) * 3))
    assert len(data) / 3 * MOST_RUNS < LONGEST
    assert (data.count(b",") + data.count(b"[")) / 3 * MOST_RUNS < MOST_VALUES
    check_number((run.settings,) * MOST_RUNS)
    with pytest.raises(RequestError, match="make several"):
        check_number((run.settings,) * (MOST_RUNS + 1))


def test_a_file_of_something_else_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "thesis.json"
    path.write_text("{}")
    assert main(["record", "make", str(path), "--dataset", "wine", "--epochs", "1"]) == 2
    assert "something other than a record" in capsys.readouterr().err and path.read_text() == "{}"


def test_words_of_strangers_are_harmless(kept: Record) -> None:
    plain = json.loads(to_bytes(kept))
    plain["title"] = "<img src=x>" + "a" * 10**4
    plain["runs"][0]["score"]["certificate"]["dataset"] = "[x](http://x)|y"
    found = from_bytes(json.dumps(plain).encode())
    first = found.runs[0].score.certificate
    assert first is not None
    assert not set("<>[]|") & set(found.title + first.dataset) and len(found.title) < 200


@pytest.mark.slow
def test_made_replayed_and_tabulated_by_the_command(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    quick = [
        "--dataset",
        "wine",
        "--clusters",
        "3",
        "--epochs",
        "2",
        "--hidden",
        "8",
        "--seeds",
        "2",
    ]
    assert main(["record", "make", str(path), "--title", "mine", *quick, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 4
    assert main(["record", "replay", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["equal"] and [len(one["runs"]) for one in answer["records"]] == [4]

    plain = json.loads(path.read_bytes())
    plain["runs"][1]["score"]["certificate"]["loss"] *= 1.3
    path.write_text(json.dumps(plain))
    assert main(["record", "replay", str(path)]) == 1
    assert "wine, baseline, seed 1: differs" in capsys.readouterr().out

    assert main(["record", "table", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "### mine" in table and "Spherical VAE" in table and "hidden 8" in table
