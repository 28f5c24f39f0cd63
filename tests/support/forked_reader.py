"""Reads many files in a process that is forked when the libraries are loaded.

A reader as the app starts it takes seconds to load them, and a fork of so large a process some
tenths of one. So one fork reads file after file, each with the reader's memory limit, a time limit,
and an ear for every file that is opened; a file that ends it ends nothing but it, since the next is
read by another fork.

    with Reader(folder) as reader:  outcome = reader.read(content, "name.h5")
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

#: Seconds that a file may take: of a processor, and by the clock, which others use up too.
_SECONDS, _WAIT = 30, 300
_LEAKED = 100  # megabytes from which a fork is not used again, so that each file finds room
_LIBRARIES = (
    *("h5py", "scipy.io", "scipy.sparse", "pyarrow.parquet", "pyarrow.feather", "pyarrow.csv"),
    *("PIL.Image", "arff", "safetensors.numpy", "python_calamine", "sklearn.datasets"),
    *("svae_core.own_data.read_by_format", "svae_core.own_data.table_to_points"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    kind: str  # taken | refused | ended (the process died: said as damaged) | broken (a traceback)
    said: str  # the sentence, or the traceback's last line
    seconds: float  # of a processor
    megabytes: float  # beyond what the libraries take, at most so far in this process
    opened: tuple[str, ...]  # files that are neither the given one, nor its table, nor a library's


class Reader:
    """A process that forks a reader, and another whenever a file has ended that one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def __enter__(self) -> Self:
        root = Path(__file__).parents[2]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = f"{root}:{root / 'tests'}"
        self._child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "support.forked_reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=root,
        )
        return self

    def __exit__(self, *_: object) -> None:
        _pipe(self._child.stdin).close()
        self._child.wait()
        _pipe(self._child.stdout).close()

    def read(self, content: bytes, name: str, how: str = "") -> Outcome:
        """Read and shape a file of these bytes."""
        self._number += 1
        place = self._folder / str(self._number)
        (place / "table").mkdir(parents=True)
        (place / name).write_bytes(content)
        request = {"path": str(place / name), "folder": str(place / "table"), "how": how}
        pipe = _pipe(self._child.stdin)
        pipe.write(json.dumps(request) + "\n")
        pipe.flush()
        answer = json.loads(_pipe(self._child.stdout).readline())
        shutil.rmtree(place)
        return Outcome(**{**answer, "opened": tuple(answer["opened"])})


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _serve() -> None:
    import importlib

    for library in _LIBRARIES:
        importlib.import_module(library)
    fork: _Fork | None = None
    for line in sys.stdin:
        fork = fork or _Fork()
        answer = fork.ask(line) or {"kind": "ended", "said": "", "opened": []}
        if answer["kind"] == "ended" or answer["megabytes"] > _LEAKED:
            answer |= fork.end()
            fork = None
        print(json.dumps(answer), flush=True)


class _Fork:
    """A reader: told of a file by a line, it says by a line what became of it."""

    def __init__(self) -> None:
        asked, self._told = os.pipe()
        self._said, answered = os.pipe()
        self._known = 0.0  # seconds that the files before took
        self._pid = os.fork()
        if self._pid == 0:
            # So that it ends when its parent lets go of it, or is gone.
            os.close(self._told)
            os.close(self._said)
            _answer_all(asked, answered)
        os.close(asked)
        os.close(answered)
        self._answers = os.fdopen(self._said, "rb")

    def ask(self, line: str) -> dict[str, Any] | None:
        """What became of a file; None where the process ended."""
        os.write(self._told, line.encode())
        said = self._answers.readline()
        if not said:
            return None
        answer: dict[str, Any] = json.loads(said)
        answer["seconds"], self._known = answer["seconds"] - self._known, answer["seconds"]
        return answer

    def end(self) -> dict[str, float]:
        """What the process took: megabytes in all, and seconds since its last answer."""
        os.close(self._told)
        self._answers.close()
        _, _, usage = os.wait4(self._pid, 0)
        return {"megabytes": usage.ru_maxrss / 1024, "seconds": _seconds(usage) - self._known}


def _seconds(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _answer_all(asked: int, answered: int) -> None:
    """In the fork: read files until there are no more, and end."""
    from svae_core.own_data.limits import READER_BYTES

    resource.setrlimit(resource.RLIMIT_DATA, (READER_BYTES, READER_BYTES))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    opened: list[str] = []
    allowed: tuple[str, ...] = ()

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and len(opened) < 5:
            path = os.path.abspath(arguments[0])
            if not path.startswith(allowed):
                opened.append(path)

    sys.addaudithook(hear)
    with os.fdopen(asked, "rb") as lines:
        for line in lines:
            request = json.loads(line)
            place = str(Path(request["path"]).parent)
            allowed = (place, sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]))
            allowed += ("/usr", "/lib", "/proc", "/dev")
            opened.clear()
            signal.alarm(_WAIT)
            signal.setitimer(signal.ITIMER_PROF, _SECONDS)
            kind, said = _read(request)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            usage = resource.getrusage(resource.RUSAGE_SELF)
            answer = {"kind": kind, "said": said, "opened": list(opened)}
            answer |= {"megabytes": (usage.ru_maxrss - before) / 1024, "seconds": _seconds(usage)}
            os.write(answered, json.dumps(answer).encode() + b"\n")
    os._exit(0)


def _read(request: dict[str, Any]) -> tuple[str, str]:
    import numpy as np

    from svae_core.own_data.array_bundle import write_arrays
    from svae_core.own_data.choice import Choice
    from svae_core.own_data.read_by_format import read_table
    from svae_core.own_data.reader_process import ARRAYS
    from svae_core.own_data.table_to_points import shape
    from svae_core.records import RequestError

    path = Path(request["path"])
    try:
        if request["how"] == ARRAYS:
            write_arrays(path, path.name, Path(request["folder"]), lambda share: None)
            return "taken", ""
        table = read_table(path, path.name, Path(request["folder"]), how=request["how"])
        points = shape(table, Choice(), 0).points
        if not np.isfinite(points).all():
            return "broken", "points that are not finite"
        return "taken", ""
    except RequestError as error:
        return "refused", str(error)
    except BaseException as error:
        return "broken", f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    _serve()
