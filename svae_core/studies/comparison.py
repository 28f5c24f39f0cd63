"""Comparison of methods: trained on the same data with the same nets, seeds and epochs, and scored.

    for batch in plan(runs):                     # runs of one method, trained as one batch
        while not batch.done:
            batch = advance(batch, seconds=1.0)  # pure and picklable: one slice
        batch.scores                             # one Score per run

A batch holds runs of one method only, so that its training time is that of the method.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from svae_core.config.settings import SHARED_FIELDS, settings_key
from svae_core.records import RequestError, Settings, State
from svae_core.studies.job import TrainedPart
from svae_core.studies.scores import Score, Timing

#: Fields that all runs of a batch have in common.
_COMMON_FIELDS = (*SHARED_FIELDS, "method", "method_options")


@final
@dataclass(frozen=True, eq=False)
class ComparisonBatch(TrainedPart):
    """Runs of one method that train as one batch, with a score each."""

    def measure(self, solo: State) -> tuple[Score, ...]:
        """The score of a run."""
        from svae_core.studies.compute_scores import score
        from svae_core.training import loop

        (certificate,) = loop.certify(solo)
        timing = Timing(self.seconds, self.cpu_seconds, self.runs, self.engine)
        return (score(solo, certificate, timing),)


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
    batches = [ComparisonBatch((score.settings,), (score,)) for score in refused]
    for alike in groups.values():
        size = chunk_size(alike[0])
        batches += [
            ComparisonBatch(tuple(alike[at : at + size])) for at in range(0, len(alike), size)
        ]
    return tuple(batches)
