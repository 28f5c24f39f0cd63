"""Make assets/recorded_run.gz, the run on the Start page: a living model dies when σ² is raised.

    PYTHONPATH=. python tests/benchmarks/record_start_run.py

Not a benchmark; it is here because it also makes a shipped file from a real run: that of the lesson
"Kill it", with σ² moved past λ_max where the lesson waits for it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from pages.classroom.lessons import LESSONS
from pages.live.history import History
from pages.live.run_source import RunRequest
from pages.live.run_view import RunView
from pages.live.setting_changes import apply_changes, changeable_at
from pages.live.time_remaining import Speed
from pages.wire import replay_file
from svae_core.compute.scheduler import QueuePosition
from svae_core.problem import prepare, prepared_data, sharpened
from svae_core.records import Moment, PreparedData
from svae_core.training import loop

_POINTS, _FRAMES, _SIGMA2 = 240, 106, 0.2
_TARGET = Path(__file__).parents[2] / "assets" / "recorded_run.gz"


def main() -> None:
    lesson = LESSONS["kill"]
    members = lesson.members(lesson.settings)
    state = loop.begin(members)
    first = loop.first_frames(state)
    turn = lesson.pace.turn_step(first[0].steps)
    members = apply_changes(members, turn, {"sigma2": _SIGMA2})
    result = loop.advance(dataclasses.replace(state, settings=members))
    history = History()
    history.add((first, *result.moments), members)
    prepared = prepared_data(members[-1])
    pick = np.random.default_rng(0).permutation(len(prepared.view_index))[:_POINTS]
    chosen = _thinned([moment[0].step for moment in history.moments], turn)
    view = RunView(
        members=members,
        request=RunRequest(members),
        branching=None,
        tree=(),
        generation=0,
        version=1,
        status="finished",
        error=None,
        prediction=None,
        turn="",
        begun=True,
        prepared=_fewer(prepared, pick),
        moments=tuple(_only(history.moments[index], pick) for index in chosen),
        layouts=(),
        remarks=tuple(history.remarks),
        newest=None,
        floors=tuple(sharpened(prepare(settings)).floors for settings in members),
        sharpened=True,
        certificates=loop.certify(result.state),
        changeable_now=changeable_at(members[-1], first[0].steps),
        queue_position=QueuePosition(0, 1),
        speed=Speed(),
    )
    _TARGET.write_bytes(replay_file.packed(view))
    for certificate in view.certificates:
        print(certificate.sentence)
    print(f"{_TARGET.name}: {_TARGET.stat().st_size / 1e3:.0f} kB")


def _thinned(steps: list[int], turn: int) -> list[int]:
    """Indices of few moments, denser at the start and after the change, where most happens."""
    before = [index for index, step in enumerate(steps) if step <= turn]
    after = [index for index, step in enumerate(steps) if step > turn]
    chosen = {
        part[round((len(part) - 1) * share**1.6)]
        for part, count in ((before, _FRAMES // 3), (after, 2 * _FRAMES // 3))
        for share in np.linspace(0, 1, count)
    }
    return sorted(chosen)


def _only(moment: Moment, pick: np.ndarray) -> Moment:
    return tuple(
        dataclasses.replace(frame, shell_view=frame.shell_view[pick], samples=frame.samples[:4])
        for frame in moment
    )


def _fewer(prepared: PreparedData, pick: np.ndarray) -> PreparedData:
    """The same data with only these of the viewed points."""
    labels = prepared.clusters.labels[prepared.view_index][pick]
    return dataclasses.replace(
        prepared,
        view_index=prepared.view_index[pick],
        view_points=prepared.view_points[pick],
        clusters=dataclasses.replace(prepared.clusters, labels=labels),
    )


if __name__ == "__main__":
    main()
