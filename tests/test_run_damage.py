"""Saved runs that are damaged, foreign, newer or old."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from support.saved_runs import PAIR, WINE, assert_same, part_of, tiny

from svae_core.__main__ import main
from svae_core.config.settings import settings_to_dict
from svae_core.records import Budget, RequestError, to_json
from svae_core.runs.folder import RunWriter, SavedRun, load
from svae_core.runs.manifest import ABOUT, SCHEMA, About, read_about
from svae_core.runs.store import look
from svae_core.runs.transfer import pack, unpack
from svae_core.training.frame_steps import EVEN
from svae_core.training.loop import advance, begin, certify

ROOT = Path(__file__).resolve().parents[1]


def cut_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Every file of a run, cut at every tenth byte in turn, and whole again afterwards."""
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for cut in range(0, len(whole), 10):
            path.write_bytes(whole[:cut])
            yield path.name, cut
        path.write_bytes(whole)


@pytest.mark.slow
def test_files_cut_at_every_tenth_byte_are_listed_as_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer = RunWriter(folder)
    writer.write(part_of(tiny(), 1, 0))
    writer.write(tiny())
    cuts = 0
    for name, cut in cut_files(folder):
        cuts += 1
        entry = look(folder)
        assert entry.about is None and "damaged" in entry.trouble, (name, cut)
        assert name in entry.trouble, (name, cut)
        with pytest.raises(RequestError, match="damaged"):
            load(folder)
    assert cuts > 500
    assert look(folder).trouble == "" and len(load(folder).moments) == 3


@pytest.mark.slow
def test_a_changed_byte_anywhere_is_noticed(tmp_path: Path) -> None:
    """Frames, state and certificates have digests; run.json, which has none, is said to be JSON."""
    folder = tmp_path / "run"
    RunWriter(folder).write(tiny())
    for path in folder.glob("*-*"):
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 50)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(RequestError, match="damaged"):
                load(folder)
        path.write_bytes(whole)
    load(folder)


@pytest.mark.slow
@given(st.data())
def test_no_run_json_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands in place of one of its values, it is read, or refused in one sentence."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    RunWriter(folder).write(SavedRun(About(PAIR), begin(PAIR)))
    plain = json.loads((folder / ABOUT).read_text())
    name = data.draw(st.sampled_from(sorted(plain)))
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
    plain[name] = data.draw(values)
    (folder / ABOUT).write_text(json.dumps(plain))
    entry = look(folder)
    assert (entry.about is None) == bool(entry.trouble)
    try:
        load(folder)
    except RequestError as error:
        assert str(folder) in str(error)


@pytest.mark.parametrize("content", ["[]", "{}", "[" * 100_000, '"text"', "{" + " " * 2**23 + "}"])
def test_foreign_json_is_no_run(tmp_path: Path, content: str) -> None:
    (tmp_path / ABOUT).write_text(content)
    with pytest.raises(RequestError, match="damaged"):
        load(tmp_path)


def test_what_is_not_a_run_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(RequestError, match=f"not a saved run: it has no {ABOUT}"):
            load(folder)


def test_a_newer_run_is_refused_rather_than_misread(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    RunWriter(folder).write(SavedRun(About(PAIR), begin(PAIR)))
    plain = json.loads((folder / ABOUT).read_text())
    (folder / ABOUT).write_text(json.dumps(plain | {"schema": SCHEMA + 1, "novelty": {}}))
    with pytest.raises(RequestError, match="newer version"):
        load(folder)
    assert "newer version" in look(folder).trouble


@pytest.mark.parametrize(
    ("field", "said"), [("method", "method 'of_mine'"), ("dataset", "data set 'of_mine'")]
)
def test_a_run_whose_plug_in_is_not_here_is_named_and_can_be_copied(
    field: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    RunWriter(folder).write(tiny())
    plain = json.loads((folder / ABOUT).read_text())
    plain["members"][-1] |= {field: "of_mine", f"{field}_options": {}}
    (folder / ABOUT).write_text(json.dumps(plain))
    sentence = (
        rf"^The run in {folder} was made with the {said}, which is not here; put that plug-in"
    )
    with pytest.raises(RequestError, match=sentence):
        load(folder)
    for words in (["certify", str(folder)], ["runs", "resume", str(folder)]):
        assert main(words) == 2
        assert f"The run in {folder} was made with the {said}" in capsys.readouterr().err
    assert main(["runs", "show", str(folder)]) == 0
    assert unpack(pack(folder), tmp_path / "home").is_dir()


def test_only_files_of_a_run_are_read(tmp_path: Path) -> None:
    """run.json may come from anyone; a path in it must not lead out of the folder."""
    folder = tmp_path / "run"
    RunWriter(folder).write(SavedRun(About(PAIR), begin(PAIR)))
    plain = json.loads((folder / ABOUT).read_text())
    plain["files"][0]["name"] = "../secret"
    (folder / ABOUT).write_text(json.dumps(plain))
    with pytest.raises(RequestError, match="no file of a run"):
        read_about(folder)


# ------------------------------------------------------------------------------ old runs


@pytest.mark.slow
def test_runs_of_schema_1_are_still_read(tmp_path: Path) -> None:
    """Written here as that version wrote them."""
    state = advance(begin((WINE,)), Budget(steps=3)).state
    arrays = {
        name: np.ascontiguousarray(getattr(state, name))
        for name in ("parameters", "first_moment", "second_moment")
    }
    save_file(arrays | {"step": np.array([3])}, tmp_path / "state.safetensors")
    about = {"schema": 1, "settings": settings_to_dict(WINE)}
    (tmp_path / "settings.json").write_text(json.dumps(about))
    (certificate,) = certify(state)
    (tmp_path / "certificate.json").write_text(json.dumps(to_json(certificate)))
    found = load(tmp_path)
    assert found.about.members == (WINE,) and found.about.verdicts == (certificate.verdict,)
    assert found.state.engine == "torch"  # the only one that there was
    assert found.state.frame_rule == EVEN  # as frames were spaced then
    assert_same(found.state, state, ("memory", "engine", "frame_rule"))
    for name in ("state.safetensors", "settings.json", "certificate.json"):
        whole = (tmp_path / name).read_bytes()
        for cut in range(0, len(whole), max(1, len(whole) // 10)):
            (tmp_path / name).write_bytes(whole[:cut])
            with pytest.raises(RequestError, match="damaged"):
                load(tmp_path)
        (tmp_path / name).write_bytes(whole)


_EIGHT_AT_ONCE = """
import sys, threading
from svae_core.records import from_json
from svae_core.runs.manifest import About

sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
found = []

def read():
    together.wait()
    found.append(from_json(About, {"members": [{"dataset": "wine"}], "title": "Wine"}).title)

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(4))
def test_threads_that_read_the_first_runs_of_a_process_together_all_read_them(attempt: int) -> None:
    """As a server's do that has just been started: it once ended there without a word."""
    call = [sys.executable, "-c", _EIGHT_AT_ONCE]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["Wine"] * 8, (done.returncode, done.stderr)
