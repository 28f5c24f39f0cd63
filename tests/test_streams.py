"""What the program prints is UTF-8 under any locale, and a reader that is gone ends it quietly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOY = ["--dataset", "wine", "--clusters", "3", "--epochs", "1", "--latent-dim", "2"]
COMMANDS = [["methods", "--json"], ["region", *TOY[:4], "--json"], ["train", *TOY], ["--help"]]
LOCALES = [
    {"PYTHONIOENCODING": "cp1252"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
]


def program(*arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "svae_core", *arguments],
        cwd=ROOT,
        env=os.environ | more,
        capture_output=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: words[0])
def test_output_is_utf_8_under_any_locale(arguments: list[str]) -> None:
    usual = program(*arguments, PYTHONIOENCODING="utf-8")
    assert usual.returncode == 0 and usual.stderr == b""
    assert not usual.stdout.decode("utf-8").isascii() or arguments == ["--help"]
    # The second is the harsher; commands that train take seconds to start.
    for variables in LOCALES if arguments[0] in ("methods", "--help") else LOCALES[-1:]:
        done = program(*arguments, **variables)
        assert (done.returncode, done.stderr, done.stdout) == (0, b"", usual.stdout)


@pytest.mark.slow
def test_errors_are_utf_8_and_name_any_file(tmp_path: Path) -> None:
    name = str(tmp_path / "σ²") + os.fsdecode(b"\xff.csv")  # its last part is no UTF-8
    done = program("data", name, PYTHONIOENCODING="cp1252", LC_ALL="C.UTF-8")
    said = done.stderr.decode("utf-8")
    assert done.returncode == 2 and "σ²" in said and said.count("\n") == 1
    listed = program("datasets", "--json", PYTHONIOENCODING="cp1252")
    assert json.loads(listed.stdout.decode("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["methods", "--json"], 141), (["train", "--help"], 0)],  # of help argparse tells nobody
)
def test_a_reader_that_is_gone_ends_it_quietly(arguments: list[str], status: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "svae_core", *arguments],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (status, b"")


#: A program on Windows, where a write to such a pipe is an invalid argument.
_ON_WINDOWS = """
import errno, sys
sys.platform = "win32"
from svae_core import __main__ as program
def refused():
    raise OSError(errno.EINVAL, "Invalid argument")
program.main = refused
sys.exit(program.entry())
"""


def test_windows_says_otherwise_that_a_reader_is_gone() -> None:
    done = subprocess.run([sys.executable, "-c", _ON_WINDOWS], cwd=ROOT, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.slow
def test_an_answer_that_cannot_be_written_is_said() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "svae_core", "methods", "--json"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "svae_core: The answer cannot be written: No space left on device.\n"
    )
