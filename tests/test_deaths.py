"""A dimension's death has one step: in remark, lifeline, replay and frames."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from support.live_runs import trainings

from pages.live import registry
from pages.live.history import History
from pages.live.run import LiveRun
from pages.live.run_view import view_of
from pages.wire import message_fields, replay_file
from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.compute import tasks
from svae_core.records import Moment, Settings, to_json
from svae_core.training import loop

RUNS = 20
# Weights on the KL at which dimensions hover about the threshold before they die.
_BASE = Settings(
    **{"dataset": "clusters", "n_points": 150, "clusters": 3, "batch_size": 50},
    **{"latent_dim": 5, "epochs": 30, "arch": "mlp", "hidden": 16, "learning_rate": 5e-3},
)
_LIFELINES = """
import { deaths } from "./assets/stage/views/lifelines.js";
const runs = JSON.parse(await new Response(process.stdin).text());
console.log(JSON.stringify(runs.map((remarks) => [0, 1].map((m) => deaths(remarks, m)))));
"""


def _run(number: int) -> LiveRun:
    """A live run that has been trained to its end, without certificates."""
    members = registry.pair(
        dataclasses.replace(_BASE, seed=number, beta=(0.3, 1.0, 2.0, 4.0)[number % 4])
    )
    live = LiveRun(members, trainings())
    state = loop.begin(members)
    history = live.shared.history
    history.add((loop.first_frames(state), *loop.advance(state).moments), members)
    live.count = len(history.moments)
    live.prepared = tasks.prepared_data(members[-1])
    return live


def _deaths(remarks: list[dict[str, Any]], model: int) -> dict[int, int]:
    """By dimension, the step of the last remark on its death that none on its waking follows."""
    found: dict[int, int] = {}
    for remark in remarks:
        if remark["model"] == model and remark["kind"] == "died":
            found[remark["dimension"]] = int(re.search(r"step (\d+)$", remark["sentence"])[1])  # type: ignore[index]
        elif remark["model"] == model and remark["kind"] == "woke":
            found.pop(remark["dimension"])
    return found


def _by_the_frames(moments: list[Moment], model: int) -> dict[int, int]:
    """The same by the rule itself, from the KL in every frame after a tenth of the run."""
    found: dict[int, int] = {}
    for moment in moments:
        frame = moment[model]
        if frame.step < 0.1 * frame.steps:
            continue
        for dimension, kl in enumerate(frame.kl_per_dim, start=1):
            if dimension not in found and kl < COLLAPSED_KL:
                found[dimension] = frame.step
            elif dimension in found and kl >= 2 * COLLAPSED_KL:
                found.pop(dimension)
    return found


def _exported(live: LiveRun) -> list[dict[str, Any]]:
    """The remarks in the file that a viewer exports."""
    code = {"stage.css": b"", "index.js": b""}
    page = replay_file.page(view_of(live), code, "")
    packed = re.search(r'id="run">([^<]*)<', page)
    assert packed
    header, _ = replay_file.unpack(base64.b64decode(packed[1]))
    return [line for one in header["moments"] for line in one["remarks"]["lines"]]


@pytest.mark.slow
def test_remark_lifeline_replay_and_frames_name_the_same_step_in_20_runs() -> None:
    assert shutil.which("node"), "the browser's code is run by node"
    runs = [_run(number) for number in range(RUNS)]
    told = [
        to_json(message_fields.time_fields(view_of(live), 0, False)["remarks"])["lines"]
        for live in runs
    ]
    node = subprocess.run(
        ["node", "--input-type=module", "-e", _LIFELINES],
        input=json.dumps(told),
        capture_output=True,
        check=True,
        text=True,
    )
    lifelines = json.loads(node.stdout)
    died = 0
    for number, live in enumerate(runs):
        again = History()
        again.add(tuple(live.moments), live.members)
        assert tuple(again.remarks) == live.remarks
        assert _exported(live) == told[number]
        for model in (0, 1):
            drawn = {one["dimension"] + 1: one["step"] for one in lifelines[number][model]}
            expected = _by_the_frames(live.moments, model)
            assert drawn == _deaths(told[number], model) == expected
            died += len(expected)
    assert died >= RUNS, "too few dimensions died for this to say much"
