"""Search for a counter-example: a collapsed run inside the band."""

from __future__ import annotations

import argparse
import hashlib
import sys
from typing import TYPE_CHECKING, Any

from svae_core.commands import print_json
from svae_core.commands._stopping import Stop
from svae_core.commands._training import one_thread
from svae_core.config.writable import check_folder
from svae_core.records import RequestError, Settings

if TYPE_CHECKING:
    from svae_core.studies.attack import Attempt


def add_options(command: argparse.ArgumentParser) -> None:
    """The number of runs, the seed of the search, and the file for its results."""
    command.add_argument("--runs", type=int, default=64, help="number of runs to try")
    command.add_argument("--seed", type=int, default=0, help="seed of the search")
    command.add_argument(
        "--out", metavar="FILE.jsonl", help="append attempts to this file and resume from it"
    )


def run(request: argparse.Namespace) -> int:
    """Print the outcomes of the runs, with the reasons for ending outside the band.

    Exit status 130 if interrupted.
    """
    from svae_core.runs.folder import home
    from svae_core.studies import attack, jsonl

    if request.runs < 1:
        raise RequestError(f"--runs is {request.runs}, but must be at least 1.")
    if request.seed < 0:
        raise RequestError(f"--seed is {request.seed}, but must be at least 0.")
    one_thread()
    plan: tuple[tuple[Settings, ...], ...] = ()
    complete = True
    with jsonl.writing(request.out), Stop() as stop:
        check_folder(home(), "Counter-examples")
        ended = attack.recorded(request.out, request.seed)
        try:
            plan = attack.plan(request.runs, request.seed)
            _search(plan, ended, request, stop)
        except KeyboardInterrupt:
            complete = False
    batches = [ended[index][: len(members)] for index, members in enumerate(plan) if index in ended]
    answer = {"complete": complete, **attack.summary(batches, request.seed)}
    if not complete:
        print(_stopped(answer["runs"], request), file=sys.stderr)
    if request.json:
        print_json(answer)
    else:
        print(attack.markdown(answer))
    return 0 if complete else 130


def _search(
    plan: tuple[tuple[Settings, ...], ...],
    ended: dict[int, list[Any]],
    request: argparse.Namespace,
    stop: Stop,
) -> None:
    """Run the batches that are missing in `ended`; adds them there and to the file."""
    from tqdm import tqdm

    from svae_core.studies import attack

    with tqdm(total=request.runs, unit="run", file=sys.stderr, disable=None, leave=False) as bar:
        for index, members in enumerate(plan):
            # A shorter search may have recorded only part of this batch.
            if len(ended.get(index, ())) < len(members):
                attempts = attack.attempt(members)
                for item in attempts:
                    if item.outcome == attack.BROKEN:
                        _save(item)
                with stop.writing():
                    ended[index] = attack.record(request.out, request.seed, index, attempts)
            stop.check()
            bar.update(len(members))


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


def _stopped(done: int, request: argparse.Namespace) -> str:
    out = request.out
    kept = f"they are kept in {out}; the same command goes on" if out else "--out FILE keeps them"
    return f"svae_core: stopped after {done} of {request.runs} runs ({kept})."
