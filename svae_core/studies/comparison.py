"""Methods side by side: trained on the same data with the same nets, seeds and budget, and scored.

    for bout in bouts(runs):                  # runs of one method, trained as one batch
        while not bout.done:
            bout = go_on(bout, seconds=1.0)   # pure and picklable: a slice of it
    bout.scores                               # one Score a run

A batch holds one method only, so that its time is that method's.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from dataclasses import dataclass

from svae_core.config.settings import MEMBER_FIELDS, settings_key
from svae_core.records import Budget, RequestError, Settings, State
from svae_core.studies.scores import Score

_ALIKE = (
    *(item.name for item in dataclasses.fields(Settings) if item.name not in MEMBER_FIELDS),
    *("method", "method_options"),
)


@dataclass(frozen=True, eq=False)
class Bout:
    """Runs of one method that train as one batch, and how far they are."""

    runs: tuple[Settings, ...]
    state: State | None = None
    progress: float = 0.0  # of their steps
    seconds: float = 0.0  # of training so far
    scores: tuple[Score, ...] = ()

    @property
    def completed_runs(self) -> float:
        """How many runs are settled; those in training count by their share."""
        return len(self.runs) if self.done else self.progress * max(0.5, len(self.runs) - 1)

    @property
    def done(self) -> bool:
        """Whether every run is scored."""
        return len(self.scores) == len(self.runs)


def bouts(runs: Iterable[Settings]) -> tuple[Bout, ...]:
    """All runs in batches, first those that cannot be, which are scored by saying why."""
    from svae_core.training.context import check_run
    from svae_core.training.loop import chunk_size

    groups: dict[str, list[Settings]] = {}
    refused: list[Score] = []
    for settings in runs:
        try:
            check_run(settings)
        except RequestError as error:
            refused.append(Score(settings, refused=str(error)))
            continue
        groups.setdefault(settings_key(settings, _ALIKE), []).append(settings)
    batches = [Bout((score.settings,), progress=1.0, scores=(score,)) for score in refused]
    for alike in groups.values():
        size = chunk_size(alike[0])
        batches += [Bout(tuple(alike[at : at + size])) for at in range(0, len(alike), size)]
    return tuple(batches)


def go_on(bout: Bout, seconds: float) -> Bout:
    """Train for about so long or, when all epochs are done, score the next run."""
    from svae_core.studies.measure import score
    from svae_core.training import context, loop

    if bout.done:
        return bout
    state = bout.state or loop.begin(bout.runs)
    started = time.perf_counter()
    state = loop.advance(state, Budget(seconds=seconds, frames=False)).state
    spent = bout.seconds + time.perf_counter() - started
    steps = context.total_steps(bout.runs[0], loop.point_count(state))
    bout = dataclasses.replace(bout, state=state, seconds=spent, progress=state.step / steps)
    if state.step < steps:
        return bout
    solo = loop.member(state, len(bout.scores))
    (certificate,) = loop.certify(solo)
    scored = score(solo, certificate, spent / len(bout.runs))
    bout = dataclasses.replace(bout, scores=(*bout.scores, scored))
    return dataclasses.replace(bout, state=None) if bout.done else bout
