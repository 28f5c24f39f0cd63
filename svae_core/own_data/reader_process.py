"""The subprocess that reads a user file, with limited memory and a watchdog.

    python -m svae_core.own_data.reader_process PATH NAME FOLDER [ARRAY [HOW]]

It writes lines of JSON: {"share": 0.4} as progress, {"refused": "…"} if the file cannot be used.
A parser that crashes or hangs on a malformed file does not affect the calling process.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from svae_core.own_data.formats import Progress
from svae_core.own_data.limits import READER_BYTES, READER_SECONDS, READER_SILENCE
from svae_core.own_data.read_by_format import read_table
from svae_core.records import RequestError

#: The word of `how` for several arrays of one file, see array_bundle.
ARRAYS = "arrays"
_EVERY = 0.2  # seconds between two progress lines
# How a process ends that has used up its seconds of a processor; Windows has no such limit.
_OUT_OF_TIME = {-getattr(signal, "SIGXCPU", 0)} - {0}


def read_apart(
    path: Path,
    name: str,
    folder: Path,
    tell: Progress,
    array: str = "",
    how: str = "",
) -> None:
    """Read a file into a folder, in a process of its own; RequestError as in `read_table`."""
    arguments = [str(path.resolve()), name, str(folder.resolve()), array, how]
    child = _started(arguments)
    watch = _Watch(child)
    refused = None
    try:
        assert child.stdout is not None
        for line in child.stdout:
            watch.heard()
            said = json.loads(line)
            refused = said.get("refused", refused)
            if "share" in said:
                tell(said["share"])
    finally:
        watch.stop()
        child.kill()
        child.stdout.close() if child.stdout else None
        status = child.wait()
    if refused is not None:
        raise RequestError(refused)
    if watch.silent or status in _OUT_OF_TIME:
        raise RequestError(f"{name}: Reading it came to no end; give a smaller or a plainer file.")
    if status != 0:
        raise RequestError(
            f"{name}: Reading it failed within {READER_BYTES >> 20} MB of memory; it is damaged or "
            "too large."
        )


def _started(arguments: list[str]) -> subprocess.Popen[str]:
    """This module as a process, which writes a line of JSON at a time."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", __name__, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        text=True,
        encoding="utf-8",
    )


class _Watch:
    """Kills a process that has written no line for too long."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.silent = False
        self._child = child
        self._heard = time.monotonic()
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def heard(self) -> None:
        self._heard = time.monotonic()

    def stop(self) -> None:
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(1.0):
            if time.monotonic() - self._heard > READER_SILENCE:
                self.silent = True
                self._child.kill()
                return


def _limit_memory() -> None:
    """Limit this process to READER_BYTES of memory, if the operating system supports it."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (READER_BYTES, READER_BYTES))


def _limit_time() -> None:
    """Let this process compute for READER_SECONDS from now on, if the system supports it."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):
            _, most = resource.getrlimit(resource.RLIMIT_CPU)
            until = math.ceil(time.process_time()) + READER_SECONDS
            resource.setrlimit(resource.RLIMIT_CPU, (until, most))


def _main(path: str, name: str, folder: str, array: str = "", how: str = "") -> None:
    _limit_memory()
    _limit_time()
    last = 0.0

    def tell(share: float) -> None:
        nonlocal last
        if time.monotonic() - last > _EVERY:
            last = time.monotonic()
            _limit_time()
            print(json.dumps({"share": share}), flush=True)

    try:
        if how == ARRAYS:  # a model's arrays, not points to train on
            from svae_core.own_data.array_bundle import write_arrays

            write_arrays(Path(path), name, Path(folder), tell, array)
        else:
            read_table(Path(path), name, Path(folder), tell, array, how)
    except RequestError as error:
        print(json.dumps({"refused": str(error)}), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
