"""How commands make a study: in slices on all cores or a cluster, kept in a file to resume."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from svae_core.commands._cluster import in_slices
from svae_core.commands._stopping import Stop
from svae_core.commands._training import one_thread
from svae_core.studies import jsonl
from svae_core.studies.job import KeptStudy

if TYPE_CHECKING:
    from svae_core.compute.engine import Engine

#: Seconds of a slice of training. A stopped command loses only the parts in progress.
_SLICE_SECONDS = 0.5


def make(
    study: KeptStudy[Any],
    out: str | None,
    engine: Engine,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """Make what is missing of a study in its file `out`, if any; whether it is complete now.

    `check` is called before any work, once the file is ours.
    Ctrl-C ends it early, with one sentence on how to go on, and the file keeps what was made.
    """
    from tqdm import tqdm

    one_thread()
    with jsonl.writing(out), Stop() as stop:
        check()
        study.resume(out)
        try:
            parts = study.plan()
            taken: dict[int, int] = {}  # the number of rows taken of each part
            with tqdm(
                **{"total": study.total, "initial": study.ended, "unit": "run"},
                **{"file": sys.stderr, "disable": None, "leave": False},
            ) as bar:
                for number, part in in_slices(parts, len(parts), engine, _SLICE_SECONDS):
                    new = part.rows[taken.get(number, 0) :]
                    taken[number] = len(part.rows)
                    if new:
                        with stop.writing():
                            lines = study.take(part, new)
                            if out is not None:
                                jsonl.append(out, lines)
                    bar.update(study.ended - bar.n)
        except KeyboardInterrupt:
            kept = f"they are kept in {out}; the same command goes on" if out else ""
            told = f"{study.ended} of {study.total} runs ({kept or '--out FILE keeps them'})"
            print(f"svae_core: stopped after {told}.", file=sys.stderr)
            return False
    return True
