"""Ctrl-C: a write in progress is completed first, and one sentence says how to resume.

Lost workers end a command in the same way, with another exit status.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from svae_core.compute.dask_cluster import ClusterLost
from svae_core.compute.scheduler import WorkerLost

#: What ends work that can go on: Ctrl-C, and workers that are gone.
CUT_SHORT = (KeyboardInterrupt, WorkerLost)
#: Exit status of a command that was stopped by Ctrl-C, as a shell gives it, or by lost workers.
INTERRUPTED, UNFINISHED = 130, 1


class Stopped(Exception):
    """Work that was cut short, with a sentence for the user and the JSON object of --json.

    `status`: the exit status of the command.
    """

    def __init__(
        self, cause: BaseException, then: str, answer: dict[str, Any] | None = None
    ) -> None:
        """`then`: what is kept and how to go on, after the words that say what has happened."""
        super().__init__(f"{what_happened(cause)}{then}")
        self.answer = answer
        self.status = status_of(cause)


def what_happened(cause: BaseException) -> str:
    """The beginning of the sentence about work that was cut short."""
    if not isinstance(cause, WorkerLost):
        return "stopped"
    why = cause.why if isinstance(cause, ClusterLost) else str(cause).rstrip(".")
    return f"{why}; stopped"


def status_of(cause: BaseException) -> int:
    """The exit status of a command that this has cut short."""
    return UNFINISHED if isinstance(cause, WorkerLost) else INTERRUPTED


class Stop:
    """A context in which Ctrl-C raises KeyboardInterrupt, but not within `writing`."""

    def __init__(self) -> None:
        self.asked = False
        self._writing = False
        self._before: Any = None

    def __enter__(self) -> Stop:
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # started in the background
        if threading.current_thread() is threading.main_thread() and not ignored:
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.asked:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Delay Ctrl-C until a write is complete."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        self.check()

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if not self._writing:
            raise KeyboardInterrupt


def resume_command(folder: Path, *more: str) -> str:
    """The command that resumes a saved run, quoted as this system's shell reads it."""
    from svae_core.config.home import home

    name = folder.name if folder.parent == home() else str(folder)
    words = ["python", "-m", "svae_core", "runs", "resume", name, *more]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
