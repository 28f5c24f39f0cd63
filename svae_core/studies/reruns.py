"""Counterfactual reruns of one run: the same data and seed, with one thing changed in each.

    for part in Reruns(runs).plan():
        while not part.done:
            part = part.advance(seconds=1.0)  # pure and picklable: one slice
        part.rows                             # one Reran per run

Which things are changed, and what follows from the results, is in `clinic.suspects`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from svae_core.config.settings import SHARED_FIELDS, settings_key
from svae_core.records import Certificate, RequestError, Settings, State
from svae_core.studies.job import TrainedPart


@dataclass(frozen=True)
class Rerun:
    """One run to be made: the name of what is changed, and its settings."""

    name: str
    settings: Settings


@dataclass(frozen=True)
class Reran:
    """A run that was made and certified, or the reason why it is impossible."""

    name: str
    settings: Settings
    certificate: Certificate | None = None
    refused: str = ""


@final
@dataclass(frozen=True, eq=False)
class RerunBatch(TrainedPart):
    """Reruns that train as one batch."""

    names: tuple[str, ...] = ()  # of the members

    def measure(self, solo: State) -> tuple[Reran, ...]:
        """A rerun with its certificate, without the floors of its own answers."""
        from svae_core.training import loop

        (certificate,) = loop.certify(solo, own_floors=False)
        return (Reran(self.names[self.measured], self.members[self.measured], certificate),)


class Reruns:
    """Reruns as a study, which keeps its results while a command makes it."""

    def __init__(self, runs: tuple[Rerun, ...]) -> None:
        self.runs = runs
        self.total = len(runs)
        self.rows: list[Reran] = []

    def plan(self) -> tuple[RerunBatch, ...]:
        """All runs in batches; impossible ones come first, with the reason."""
        from svae_core.training.batch_context import check_run
        from svae_core.training.loop import chunk_size

        groups: dict[str, list[Rerun]] = {}
        refused: list[Reran] = []
        for run in self.runs:
            try:
                check_run(run.settings)
            except RequestError as error:
                refused.append(Reran(run.name, run.settings, refused=str(error)))
                continue
            groups.setdefault(settings_key(run.settings, SHARED_FIELDS), []).append(run)
        batches = [RerunBatch((one.settings,), (one,)) for one in refused]
        for alike in groups.values():
            size = chunk_size(alike[0].settings)
            for at in range(0, len(alike), size):
                some = alike[at : at + size]
                members = tuple(run.settings for run in some)
                batches.append(RerunBatch(members, names=tuple(run.name for run in some)))
        return tuple(batches)

    def resume(self, out: str | None) -> None:
        """Nothing to take over: reruns are not kept in a file."""

    def take(self, _part: RerunBatch, rows: tuple[Reran, ...]) -> list[dict[str, Any]]:
        """Take over new results."""
        self.rows += rows
        return []

    @property
    def ended(self) -> int:
        """The number of runs that were made."""
        return len(self.rows)
