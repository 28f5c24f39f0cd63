"""Reads many files, each in a process of its own that is forked when the libraries are loaded.

A reader as the app starts it takes half a second to begin; forked ones take some milliseconds, so
that thousands of damaged files can be tried. Each has the reader's memory limit, a time limit, and
an ear for every file that is opened.

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
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

_SECONDS = 30
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
    seconds: float
    megabytes: float  # beyond what the libraries take
    opened: tuple[str, ...]  # files that are neither the given one, nor its table, nor a library's


class Reader:
    """A process that forks a reader for each file."""

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
    for line in sys.stdin:
        request = json.loads(line)
        start = time.monotonic()
        ear, mouth = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ear)
            _answer(request, mouth)
        os.close(mouth)
        with os.fdopen(ear, "rb") as file:
            said = file.read()
        _, _, usage = os.wait4(child, 0)
        answer: dict[str, Any] = {"kind": "ended", "said": "", "opened": [], "before": 0}
        if said:
            answer = json.loads(said)
        answer["seconds"] = time.monotonic() - start
        answer["megabytes"] = max(0.0, (usage.ru_maxrss - answer.pop("before")) / 1024)
        print(json.dumps(answer), flush=True)


def _answer(request: dict[str, Any], mouth: int) -> None:
    """In the fork: read, write what became of it into the pipe, and end."""
    from svae_core.own_data.limits import READER_BYTES

    resource.setrlimit(resource.RLIMIT_DATA, (READER_BYTES, READER_BYTES))
    signal.alarm(_SECONDS)
    opened: list[str] = []
    allowed = (request["path"], request["folder"], str(Path(request["path"]).parent), sys.prefix)
    allowed += (sys.base_prefix, str(Path(__file__).parents[2]), "/usr", "/lib", "/proc", "/dev")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and len(opened) < 5:
            path = os.path.abspath(arguments[0])
            if not path.startswith(allowed):
                opened.append(path)

    sys.addaudithook(hear)
    kind, said = _read(request)
    answer = {"kind": kind, "said": said, "opened": opened, "before": before}
    os.write(mouth, json.dumps(answer).encode())
    os._exit(0)


def _read(request: dict[str, Any]) -> tuple[str, str]:
    import numpy as np

    from svae_core.own_data.choice import Choice
    from svae_core.own_data.read_by_format import read_table
    from svae_core.own_data.table_to_points import shape
    from svae_core.records import RequestError

    path = Path(request["path"])
    try:
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
