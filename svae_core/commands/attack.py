"""Search for a counter-example: a collapsed run inside the band."""

from __future__ import annotations

import argparse
import sys

from svae_core.commands import print_json
from svae_core.commands._training import one_thread
from svae_core.records import RequestError


def add_options(command: argparse.ArgumentParser) -> None:
    """The number of runs, the seed of the search, and the file for its results."""
    command.add_argument("--runs", type=int, default=64, help="number of runs to try")
    command.add_argument("--seed", type=int, default=0, help="seed of the search")
    command.add_argument(
        "--out", metavar="FILE.jsonl", help="append attempts to this file and resume from it"
    )


def run(request: argparse.Namespace) -> None:
    """Print the outcomes of the runs, with the reasons for ending outside the band."""
    from tqdm import tqdm

    from svae_core.runs import folder as runs
    from svae_core.studies import attack

    if request.runs < 1:
        raise RequestError(f"--runs is {request.runs}, but must be at least 1.")
    if request.seed < 0:
        raise RequestError(f"--seed is {request.seed}, but must be at least 0.")
    one_thread()
    ended = attack.recorded(request.out, request.seed)
    plan = attack.plan(request.runs, request.seed)
    with tqdm(total=request.runs, unit="run", file=sys.stderr, disable=None, leave=False) as bar:
        for index, members in enumerate(plan):
            # A shorter search may have recorded only part of this batch.
            if len(ended.get(index, ())) < len(members):
                attempts = attack.attempt(members)
                for item in attempts:
                    if item.outcome == attack.BROKEN:
                        signed = (item.certificate,) if item.certificate else ()
                        folder = runs.save(attack.retrain(item.settings), signed)
                        print(f"COUNTER-EXAMPLE saved in {folder}", file=sys.stderr)
                ended[index] = attack.record(request.out, request.seed, index, attempts)
            bar.update(len(members))
    batches = [ended[index][: len(members)] for index, members in enumerate(plan)]
    answer = attack.summary(batches, request.seed)
    if request.json:
        print_json(answer)
        return
    print(attack.markdown(answer))
