"""Trained and certified runs as rows of numbers, kept in a file from which a benchmark resumes.

    rows(runs, keep, minutes) -> {settings: row}

A row says what the certificate measured, and how long a step took beside one of the conventional
VAE: of the same engine, with as many runs in a batch, a twentieth of its steps just before and as
many just after. Time is processor time of the training thread.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.config.settings import settings_key
from svae_core.problem import prepared_data
from svae_core.records import Budget, Certificate, Settings, State
from svae_core.studies import comparison
from svae_core.training.loop import advance, begin, certify, member, step_count

#: Draws of a certificate where each answer is written step by step; others choose for themselves.
DRAWS_OF_SEQUENCES = 32

Row = dict[str, Any]


def rows(
    runs: Iterable[Settings], keep: Path | None = None, minutes: float = math.inf
) -> dict[Settings, Row]:
    """A row for each run, as far as `minutes` reach; rows in the file are not made again."""
    runs = list(dict.fromkeys(runs))
    known = {row["key"]: row for row in _lines(keep)}
    deadline = time.monotonic() + 60 * minutes
    batches = comparison.plan(each for each in runs if settings_key(each) not in known)
    for number, batch in enumerate(batches):
        if time.monotonic() > deadline:
            break
        new = [_refused(score) for score in batch.rows] or _trained(batch.members)
        known |= {row["key"]: row for row in new}
        if keep:
            with keep.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in new)
        first = batch.members[0]
        note = f"{number + 1}/{len(batches)} {first.dataset} {first.sigma2:g} {first.method}"
        print(note, file=sys.stderr, flush=True)
    return {each: known[settings_key(each)] for each in runs if settings_key(each) in known}


def _lines(keep: Path | None) -> list[Row]:
    if keep is None or not keep.exists():
        return []
    return [json.loads(line) for line in keep.read_text(encoding="utf-8").splitlines()]


def _refused(score: Any) -> Row:
    return {"key": settings_key(score.settings), "refused": score.refused}


def _trained(members: tuple[Settings, ...]) -> list[Row]:
    """The rows of runs that train as one batch."""
    state = begin(members)
    before = _conventional(state)
    found = advance(state, Budget(frames=False))
    own = found.cpu_seconds / step_count(state) / len(members)
    usual = (before + _conventional(state)) / 2
    told = []
    for index, settings in enumerate(members):
        draws = DRAWS_OF_SEQUENCES if settings.arch in AUTOREGRESSIVE else None
        solo = member(found.state, index)
        (certificate,) = certify(solo, draws, own_floors=False, sharp=False)
        row = {"key": settings_key(settings), "refused": "", "engine": found.state.engine}
        row |= {"together": len(members), "step_ms": 1e3 * own, "usual_ms": 1e3 * usual}
        row["load"] = os.getloadavg()[0]
        told.append(row | _measured(settings, certificate))
    return told


def _conventional(state: State) -> float:
    """Processor seconds of a step and run of conventional VAEs, by the state's engine."""
    members = tuple(
        replace(each, method="baseline", method_options=(), word_dropout=0.0)
        for each in state.settings
    )
    first = advance(replace(begin(members), engine=state.engine), Budget(steps=1, frames=False))
    steps = max(10, step_count(state) // 20)
    spent = advance(first.state, Budget(steps=steps, frames=False)).cpu_seconds
    return spent / steps / len(members)


def _measured(settings: Settings, found: Certificate) -> Row:
    region = prepared_data(settings).region
    row: Row = {"verdict": found.verdict, "loss": found.loss, "margin": found.loss_margin}
    row |= {"delta": found.delta, "within": region.within, "kl": found.kl}
    row |= {"information": found.mutual_information, "floor": found.floors.proved}
    if found.sequences is not None:
        row |= {"brier": found.sequences.brier, "wrong": found.sequences.wrong}
        row |= {"length": found.sequences.length}
    return row
