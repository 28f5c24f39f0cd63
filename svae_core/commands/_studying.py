"""How commands make a study: in slices on all cores or a cluster, kept in a file to resume."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from svae_core.commands._cluster import in_slices
from svae_core.commands._stopping import CUT_SHORT, Stop, status_of, what_happened
from svae_core.commands._training import one_thread
from svae_core.studies import jsonl
from svae_core.studies.job import KeptStudy

if TYPE_CHECKING:
    from svae_core.compute.engine import Engine

#: Seconds of a slice of training. A stopped command loses only the parts in progress.
_SLICE_SECONDS = 0.5
#: Runs that are sure to take longer than workers take to start.
_MANY = 64


def make(
    study: KeptStudy[Any],
    out: str | None,
    engine: Engine,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Make what is missing of a study in its file `out`, if any; the exit status, 0 if complete.

    `check` is called before any work, once the file is ours.
    Ctrl-C or lost workers end it early, with one sentence on how to go on, and the file keeps what
    was made.
    """
    with jsonl.writing(out), Stop() as stop:
        check()
        study.resume(out)
        try:
            if study.total - study.ended >= _MANY and engine.size:
                engine.start_training()  # while this process imports and plans
            one_thread()
            _make_parts(study, out, engine, stop)
        except CUT_SHORT as cause:
            kept = f"they are kept in {out}; the same command goes on" if out else ""
            told = f"{study.ended} of {study.total} runs ({kept or '--out FILE keeps them'})"
            print(f"svae_core: {what_happened(cause)} after {told}.", file=sys.stderr)
            return status_of(cause)
    return 0


def _make_parts(study: KeptStudy[Any], out: str | None, engine: Engine, stop: Stop) -> None:
    """Make the parts that are planned, and keep the rows of each slice; with a progress bar."""
    from tqdm import tqdm

    parts = study.plan()
    taken: dict[int, int] = {}  # the number of rows taken of each part
    shown: dict[str, Any] = {"file": sys.stderr, "disable": None, "leave": False}
    with tqdm(total=study.total, initial=study.ended, unit="run", **shown) as bar:
        for number, part in in_slices(parts, len(parts), engine, _SLICE_SECONDS):
            new = part.rows[taken.get(number, 0) :]
            taken[number] = len(part.rows)
            if new:
                with stop.writing():
                    lines = study.take(part, new)
                    if out is not None:
                        jsonl.append(out, lines)
            bar.update(study.ended - bar.n)
