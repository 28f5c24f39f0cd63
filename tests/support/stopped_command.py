"""A command in a process of its own that is ended at a moment: at the n-th touch of its files.

No clock decides what is tested, and writes are hit more often than any clock would.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svae_core.__main__ import main
from svae_core.commands import _cluster, _studying, _training
from svae_core.runs import recorder
from svae_core.studies import attack

TOUCHED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "os.listdir"}


@dataclass(frozen=True)
class Child:
    """A process that runs a command in a folder and is ended there at a moment, or not (0)."""

    place: Path
    arguments: list[str]
    moment: int = 0
    signal: int = signal.SIGKILL

    def run(self) -> int:
        """Its exit status; what it said is in files beside the folder."""
        context = multiprocessing.get_context("forkserver")  # torch is imported once for all
        context.set_forkserver_preload(
            ["svae_core.training.loop", "svae_core.studies.compute_scores"]
        )
        process = context.Process(target=_in_child, args=(self,))
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    def said(self, name: str) -> str:
        """out | err | touched"""
        return self.place.with_suffix(f".{name}").read_text("utf-8")


def _in_child(child: Child) -> None:
    in_steps(setattr)
    os.environ["SVAE_HOME"] = str(child.place)
    seen = 0

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in TOUCHED and str(arguments[0]).startswith(str(child.place)):
            seen += 1
            if seen == child.moment:
                os.kill(os.getpid(), child.signal)

    with (
        child.place.with_suffix(".out").open("w", encoding="utf-8") as out,
        child.place.with_suffix(".err").open("w", encoding="utf-8") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        sys.addaudithook(touched)
        status = main(child.arguments)
    child.place.with_suffix(".touched").write_text(str(seen))
    os._exit(status)


def in_steps(change: Callable[[Any, str, Any], object]) -> None:
    """Slices of one step here, each written; attacks of a few steps and a few runs."""
    change(_cluster, "_ALONE", math.inf)
    change(_training, "_SLICE", 0.0)
    change(_studying, "_SLICE_SECONDS", 0.0)
    change(recorder, "EVERY", 0.0)
    change(attack, "_STEPS", 20)
    change(attack, "BATCH", 2)
