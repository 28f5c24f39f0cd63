"""Files of one's own: whatever a file holds, it is taken, or refused in one sentence."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as each
from hypothesis import strategies as st
from support.hostile_files import Specimen, corpus, npy
from support.own_tables import given, is_one_sentence

from svae_core.own_data import archive, kept, limits, reader_process
from svae_core.own_data.choice import Choice, names_of, text_of
from svae_core.own_data.names import cleaned, distinct, file_name, inert
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.records import RequestError

SPECIMENS = corpus()
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))


# ------------------------------------------------------------------------------ hostile


@pytest.mark.slow
@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda specimen: specimen.name)
def test_a_hostile_file_is_taken_or_refused_in_one_sentence(
    specimen: Specimen, tmp_path: Path
) -> None:
    path = tmp_path / "given"
    path.write_bytes(specimen.content)
    name = file_name(specimen.name)
    folder = tmp_path / "table"
    folder.mkdir()
    if specimen.refusal:
        with pytest.raises(RequestError, match=specimen.refusal) as refusal:
            shape(read_table(path, name, folder), Choice(), 0)
        assert is_one_sentence(str(refusal.value)), refusal.value
        assert not re.search("[<>`*]", str(refusal.value))
        return
    data = shape(read_table(path, name, folder), Choice(), 0)
    assert data.points.dtype == np.float32
    assert np.isfinite(data.points).all()
    assert len(data.points) >= 2
    for text in (data.title, *data.feature_names, *data.label_names, *data.notes):
        assert not re.search(r"[<>`*$\[\]]", text)


def test_names_lead_nowhere_and_mean_nothing_to_markdown() -> None:
    assert file_name("../../etc/passwd") == "passwd"
    assert file_name("C:\\temp\\a b<script>.csv") == "a_b_script_.csv"
    assert file_name("..") == "data"
    assert cleaned("<b>[x](http://y)</b> $\\alpha$\n") == "b x (http //y) /b alpha"
    assert len(cleaned("x" * 500)) == limits.LETTERS
    assert distinct(["a", "a", "", "auto", "<"], "column") == (
        *("a", "a 2", "column 3", "auto 2", "column 5"),
    )
    assert [inert(text) for text in ("=1+1", "-x", "plain")] == ["'=1+1", "'-x", "plain"]


@pytest.mark.slow
@each(st.lists(st.text(max_size=20), max_size=8))
def test_distinct_names_are_distinct_and_plain(names: list[str]) -> None:
    found = distinct(names, "column")
    assert len(set(found)) == len(found) == len(names)
    assert all(found) and not {"auto", "none"} & set(found)


@each(st.lists(st.text(min_size=1, max_size=9).map(cleaned).filter(bool), min_size=1, max_size=6))
def test_a_list_of_names_comes_back(names: list[str]) -> None:
    assert names_of(text_of(names)) == tuple(names)


@pytest.mark.slow
def test_a_reader_that_is_silent_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "a.csv")  # nobody writes into it, so reading never comes to an end
    monkeypatch.setattr(reader_process, "READER_SILENCE", 0.5)
    with pytest.raises(RequestError, match=r"^a\.csv: Reading it came to no end") as refusal:
        reader_process.read_apart(tmp_path / "a.csv", "a.csv", tmp_path, lambda share: None)
    assert is_one_sentence(str(refusal.value).removeprefix("a.csv: "))


@pytest.mark.slow
def test_a_reader_that_computes_without_progress_is_ended(tmp_path: Path) -> None:
    """By the seconds of a processor that it takes: those of the clock say how busy others are."""
    code = (
        "from svae_core.own_data import reader_process as reader\n"
        "reader.READER_SECONDS = 1\n"
        "reader._limit_time()\n"
        "while True: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT)
    assert done.returncode in reader_process._OUT_OF_TIME


def test_a_reader_that_dies_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(RequestError, match="failed within 768 MB") as refusal:
        reader_process.read_apart(given(tmp_path), "some.csv", tmp_path, lambda share: None)
    assert is_one_sentence(str(refusal.value))


def test_a_reader_has_no_more_memory_than_it_may(tmp_path: Path) -> None:
    """In a process of its own: what takes more than the limit fails there, and nowhere else."""
    code = (
        "from svae_core.own_data import reader_process; reader_process._limit_memory()\n"
        "try: bytearray(reader_process.READER_BYTES)\nexcept MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "refused"


@pytest.mark.slow
def test_a_reader_reads_and_tells(tmp_path: Path) -> None:
    told: list[float] = []
    key = kept.deposit(given(tmp_path), tell=told.append)
    assert kept.find(key).rows == 4
    assert told and all(0 <= share <= 1 for share in told)
    path = tmp_path / "other.npy"
    path.write_bytes(npy(np.array([{}], object), pickled=True))
    with pytest.raises(RequestError, match=r"^other\.npy: .*pickled"):
        kept.deposit(path)


# ----------------------------------------------------------------------- disks that refuse


def _onto_a_full_disk(folder: Path) -> None:
    """Whatever a reader writes there goes to Linux's device that is always full."""
    for written in ("numbers.bin", "codes.bin", "unpacked.npy"):
        (folder / written).symlink_to("/dev/full")


@pytest.mark.parametrize(
    "name", ["plain.csv", "formulas.csv", "plain.npz", "plain.zip", "plain.parquet"]
)
def test_a_full_disk_is_not_told_as_damage(name: str, tmp_path: Path) -> None:
    (specimen,) = (one for one in SPECIMENS if one.name == name)
    (tmp_path / name).write_bytes(specimen.content)
    (tmp_path / "table").mkdir()
    _onto_a_full_disk(tmp_path / "table")
    with pytest.raises(RequestError, match=f"^{name} cannot be kept, since the disk is full") as no:
        read_table(tmp_path / name, name, tmp_path / "table")
    assert is_one_sentence(str(no.value))


def test_a_disk_that_fails_is_said_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (specimen,) = (one for one in SPECIMENS if one.name == "plain.zip")
    (tmp_path / "a.zip").write_bytes(specimen.content)

    def failing(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(archive, "content", failing)
    with pytest.raises(RequestError, match=r"^a\.zip cannot be kept or read: Input/output error\."):
        read_table(tmp_path / "a.zip", "a.zip", tmp_path)
