"""A remark names the step at which the frames show it; a death has one step everywhere."""

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
from pages.wire import messages, replay_file
from pages.wire.messages import FrameRequest
from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.commentary import Remark
from svae_core.compute import tasks
from svae_core.config.settings import change
from svae_core.records import Moment, Settings
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
    if number % 4 == 3:
        members = tuple(change(one, 45, "beta", 0.05) for one in members)
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
        if remark["model"] == model and remark["kind"] in ("died", "unborn"):
            found[remark["dimension"]] = int(re.search(r"step (\d+)$", remark["sentence"])[1])  # type: ignore[index]
        elif remark["model"] == model and remark["kind"] == "woke":
            found.pop(remark["dimension"])
    return found


def _by_the_frames(moments: list[Moment], model: int) -> dict[int, int]:
    """The same by the rule itself, from the KL in every frame; nothing is out before a tenth."""
    frames = [moment[model] for moment in moments]
    first = next(frame.step for frame in frames if frame.step >= 0.1 * frame.steps)
    found: dict[int, int] = {}
    for frame in frames:
        for dimension, kl in enumerate(frame.kl_per_dim, start=1):
            if dimension not in found and kl < COLLAPSED_KL:
                found[dimension] = frame.step
            elif dimension in found and kl >= (1 + (frame.step > first)) * COLLAPSED_KL:
                found.pop(dimension)
        if frame.step == first:  # what never lived is told only now
            found = {dimension: step or first for dimension, step in found.items()}
    return found


def _is_shown(moments: list[Moment], remark: Remark) -> bool:
    """Whether the frame of the remark's step shows what it says, and the one before did not."""
    at = next(n for n, moment in enumerate(moments) if moment[0].step == remark.step)
    model = max(0, remark.model)
    earlier, now = (moments[n][model] for n in (max(0, at - 1), at))
    kl, before = (frame.kl_per_dim[remark.dimension - 1] for frame in (now, earlier))
    inside = now.lo <= now.loss <= now.hi
    dead = bool(now.kl_per_dim.max() < 2 * COLLAPSED_KL)
    shown = {
        "died": kl < COLLAPSED_KL <= before,
        "woke": before < 2 * COLLAPSED_KL <= kl,
        "unborn": all(m[model].kl_per_dim[remark.dimension - 1] < COLLAPSED_KL for m in moments[:1])
        and kl < COLLAPSED_KL,
        "entered": inside and not earlier.lo <= earlier.loss <= earlier.hi,
        "left": not inside and earlier.lo <= earlier.loss <= earlier.hi,
        "collapsed": dead and bool((now.kl_per_dim < COLLAPSED_KL).any()),
        "recovered": not dead and bool(earlier.kl_per_dim.max() < 2 * COLLAPSED_KL),
    }
    return bool(shown[remark.kind]) and remark.sentence.rstrip(")").endswith(f"step {remark.step}")


def _exported(live: LiveRun) -> list[dict[str, Any]]:
    """The remarks in the file that a viewer exports."""
    code = {"stage.css": b"", "index.js": b""}
    page = replay_file.page(view_of(live), code, b"")
    packed = re.search(r'id="run">([^<]*)<', page)
    assert packed
    header, _ = replay_file.unpack(base64.b64decode(packed[1]))
    return [line for one in header["moments"] for line in one["remarks"]["lines"]]


@pytest.mark.slow
def test_remarks_lifeline_replay_and_frames_name_the_same_step_in_20_runs() -> None:
    assert shutil.which("node"), "the browser's code is run by node"
    runs = [_run(number) for number in range(RUNS)]
    told = [
        messages.moment(view_of(live), 0, FrameRequest(0))[0]["remarks"]["lines"] for live in runs
    ]
    node = subprocess.run(
        ["node", "--input-type=module", "-e", _LIFELINES],
        input=json.dumps(told),
        capture_output=True,
        check=True,
        text=True,
    )
    lifelines = json.loads(node.stdout)
    died, kinds = 0, set()
    for number, live in enumerate(runs):
        told_of = [remark for remark in live.remarks if remark.kind not in ("start", "change")]
        assert all(_is_shown(list(live.moments), remark) for remark in told_of)
        kinds |= {remark.kind for remark in told_of}
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
    assert {"died", "unborn", "woke", "entered", "left", "collapsed"} <= kinds
