"""Comparison of methods: trained on the same data with the same nets, seeds and epochs, and scored.

    for batch in plan(runs):                     # runs of one method, trained as one batch
        while not batch.done:
            batch = advance(batch, seconds=1.0)  # pure and picklable: one slice
        batch.scores                             # one Score per run

A batch holds runs of one method only, so that its training time is that of the method.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from dataclasses import dataclass

from svae_core.config.settings import MEMBER_FIELDS, settings_key
from svae_core.records import RequestError, Settings, State
from svae_core.studies.scores import Score

#: Fields that all runs of a batch have in common.
_COMMON_FIELDS = (
    *(item.name for item in dataclasses.fields(Settings) if item.name not in MEMBER_FIELDS),
    *("method", "method_options"),
)


@dataclass(frozen=True, eq=False)
class ComparisonBatch:
    """Runs of one method that train as one batch, and their progress."""

    runs: tuple[Settings, ...]
    state: State | None = None
    progress: float = 0.0  # fraction of the steps done
    seconds: float = 0.0  # training time so far
    rows: tuple[Score, ...] = ()

    @property
    def completed_runs(self) -> float:
        """The number of completed runs; runs in training count by their progress."""
        return len(self.runs) if self.done else self.progress * max(0.5, len(self.runs) - 1)

    @property
    def done(self) -> bool:
        """Whether every run has a score."""
        return len(self.rows) == len(self.runs)

    def advance(self, seconds: float) -> ComparisonBatch:
        """Train for about `seconds` or, once all epochs are done, score the next run."""
        from svae_core.studies.compute_scores import score
        from svae_core.training import loop

        if self.done:
            return self
        started = time.perf_counter()
        state, progress = loop.slice_of(self.runs, self.state, seconds)
        spent = self.seconds + time.perf_counter() - started
        batch = dataclasses.replace(self, state=state, seconds=spent, progress=progress)
        if progress < 1.0:
            return batch
        solo = loop.member(state, len(batch.rows))
        (certificate,) = loop.certify(solo)
        scored = score(solo, certificate, spent / len(batch.runs))
        batch = dataclasses.replace(batch, rows=(*batch.rows, scored))
        return dataclasses.replace(batch, state=None) if batch.done else batch


@dataclass(frozen=True)
class Comparison:
    """Runs of several methods as a study."""

    runs: tuple[Settings, ...]

    @property
    def total(self) -> int:
        """The number of runs."""
        return len(self.runs)

    def plan(self) -> tuple[ComparisonBatch, ...]:
        """All runs in batches of one method."""
        return plan(self.runs)


def plan(runs: Iterable[Settings]) -> tuple[ComparisonBatch, ...]:
    """All runs in batches; refused runs come first, with scores that hold the reason."""
    from svae_core.training.batch_context import check_run
    from svae_core.training.loop import chunk_size

    groups: dict[str, list[Settings]] = {}
    refused: list[Score] = []
    for settings in runs:
        try:
            check_run(settings)
        except RequestError as error:
            refused.append(Score(settings, refused=str(error)))
            continue
        groups.setdefault(settings_key(settings, _COMMON_FIELDS), []).append(settings)
    batches = [ComparisonBatch((score.settings,), progress=1.0, rows=(score,)) for score in refused]
    for alike in groups.values():
        size = chunk_size(alike[0])
        batches += [
            ComparisonBatch(tuple(alike[at : at + size])) for at in range(0, len(alike), size)
        ]
    return tuple(batches)
