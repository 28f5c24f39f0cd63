"""Commands in processes that are forked when other people's libraries are loaded.

Most of a short command's seconds pass while PyTorch and scikit-learn are loaded. One process loads
them, and forks for each command; the fork imports our own code as any process does, has the
arguments, folder, environment and standard streams of its caller, and ends with the command's
status.

    with commands_in(folder):  subprocess.run(["bash", …], env={"PATH": folder})
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: None of ours.
_LIBRARIES = ("torch", "numba", "scipy.stats", "sklearn.cluster", "sklearn.datasets")
#: What stands for `python` in a shell: hands all it has to the process, waits, ends alike.
_CLIENT = """
import array, json, os, socket, sys
asking = socket.socket(socket.AF_UNIX)
asking.connect(sys.argv[1])
about = dict(words=sys.argv[2:], folder=os.getcwd(), environment=dict(os.environ))
about = json.dumps(about).encode()
streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
asking.sendmsg([len(about).to_bytes(4, "big")], streams)
asking.sendall(about)
status = asking.recv(1)
sys.exit(status[0] if status else "The command's process was lost.")
"""


@contextlib.contextmanager
def commands_in(folder: Path) -> Iterator[None]:
    """Make `python` and `svae` in a folder, to stand first in PATH; they work until the end."""
    address, client = str(folder / "socket"), folder / "client.py"
    client.write_text(_CLIENT, encoding="utf-8")
    calls = f'"{sys.executable}" -IS "{client}" "{address}"'
    for name, words in (("svae", " -m svae_core"), ("python", "")):
        shim = folder / name
        shim.write_text(f'#!/bin/sh\nexec {calls}{words} "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        process = subprocess.Popen(
            [sys.executable, "-m", "support.forked_commands", str(listening.fileno())],
            env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
            pass_fds=[listening.fileno()],
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _serve(listening: socket.socket) -> list[str]:
    """Fork for each command. Returns in forks alone, with the words of their command."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules["pandas"] = None  # importing it fails; scikit-learn would take it along
    for library in _LIBRARIES:
        importlib.import_module(library)
    del modules["pandas"]
    gc.freeze()  # a fork's collector would write to, and so copy, all that stands there
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever has ended need not be waited for
    while True:
        asking, _ = listening.accept()
        if os.fork() == 0:
            break
        asking.close()
    listening.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    about, streams = _received(asking)
    command = os.fork()
    if command != 0:
        _, status = os.waitpid(command, 0)
        status = os.waitstatus_to_exitcode(status)
        asking.sendall(bytes([status if status >= 0 else 128 - status]))
        os._exit(0)
    asking.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(about["environment"])
    os.chdir(about["folder"])
    words: list[str] = about["words"]
    return words


def _received(asking: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What a shim sends: itself as JSON, after its length, and its three streams."""
    streams = array.array("i")
    head, ancillary, _, _ = asking.recvmsg(4, socket.CMSG_SPACE(3 * streams.itemsize))
    for _, _, content in ancillary:
        streams.frombytes(content)
    with asking.makefile("rb") as rest:
        about = json.loads(rest.read(int.from_bytes(head, "big")))
    return about, list(streams)


def _run(words: list[str]) -> None:
    """As `python WORDS` does: a module or a text."""
    path = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:] = [os.getcwd(), *path, *(one for one in sys.path if one != str(ROOT / "tests"))]
    for name in [name for name in sys.modules if name.partition(".")[0] == "support"]:
        del sys.modules[name]
    match words:
        case ["-m", module, *_]:
            sys.argv = words[1:]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *_]:
            sys.argv = ["-c", *words[2:]]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        case _:
            raise SystemExit(f"Only python -m and python -c are known here, not {words}.")


def _status(words: list[str]) -> int:
    """Run a command to its end, with what it left to be done there."""
    status: object = 0
    try:
        _run(words)
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    if isinstance(status, str):
        print(status, file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    # Taking apart all that was loaded would take longer than most commands.
    os._exit(_status(asked))
