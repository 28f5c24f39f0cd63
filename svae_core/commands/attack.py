"""Search for a counter-example: a collapsed run inside the band."""

from __future__ import annotations

import argparse
import hashlib
import sys
from typing import TYPE_CHECKING

from svae_core.commands import print_json
from svae_core.commands._cluster import add_scheduler, engine_of
from svae_core.commands._studying import make
from svae_core.config.writable import check_folder
from svae_core.records import RequestError
from svae_core.studies.grid import MOST_RUNS

if TYPE_CHECKING:
    from svae_core.studies.attack import Attempt


def add_options(command: argparse.ArgumentParser) -> None:
    """The number of runs, the seed of the search, and the file for its results."""
    command.add_argument("--runs", type=int, default=64, help="number of runs to try")
    command.add_argument("--seed", type=int, default=0, help="seed of the search")
    command.add_argument(
        "--out", metavar="FILE.jsonl", help="append attempts to this file and resume from it"
    )
    add_scheduler(command)


def run(request: argparse.Namespace) -> int:
    """Print the outcomes of the runs, with the reasons for ending outside the band.

    Exit status 130 if interrupted, 1 if workers were lost.
    """
    from svae_core.runs.folder import home
    from svae_core.studies import attack

    if not 1 <= request.runs <= MOST_RUNS:
        raise RequestError(f"--runs is {request.runs}, but must be from 1 to {MOST_RUNS:,}.")
    if request.seed < 0:
        raise RequestError(f"--seed is {request.seed}, but must be at least 0.")
    search = attack.Attack(request.runs, request.seed, found=_save)
    with engine_of(request) as engine:
        status = make(search, request.out, engine, lambda: check_folder(home(), "Counter-examples"))
    answer = {"complete": status == 0, **attack.summary(search.rows, request.seed)}
    if request.json:
        print_json(answer)
    else:
        print(attack.markdown(answer))
    return status


def _save(broken: Attempt) -> None:
    """Save a counter-example before it is recorded; a resumed search saves it only once."""
    from svae_core.config.settings import settings_key
    from svae_core.runs import folder as runs
    from svae_core.studies import attack

    digest = hashlib.sha256(settings_key(broken.settings).encode()).hexdigest()[:16]
    folder = runs.home() / f"counter-example-{digest}"
    if not folder.exists():
        signed = (broken.certificate,) if broken.certificate else ()
        runs.save(attack.retrain(broken.settings), signed, folder=folder)
    print(f"COUNTER-EXAMPLE saved in {folder}", file=sys.stderr)
