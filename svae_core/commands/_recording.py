"""Runs trained for the open record: their scores, and a hash of each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from svae_core.commands._stopping import CUT_SHORT, Stop, Stopped
from svae_core.commands._training import Batch, one_thread, train
from svae_core.records import Moment, RequestError, Settings
from svae_core.runs.open_record import RecordedRun, frame_hash
from svae_core.studies import comparison
from svae_core.studies.job import TrainedPart

if TYPE_CHECKING:
    from svae_core.compute.engine import Engine


class _RecordedBatch(Batch):
    """A batch that hashes its moments as they come; nothing is saved."""

    def __init__(self, part: TrainedPart) -> None:
        super().__init__(replace(part, frames=True))
        self.hashes: dict[int, list[str]] = {}  # by step, one for each member

    def begin(self) -> TrainedPart:
        """The part before its first step, whose frame is hashed too."""
        from svae_core.training import loop

        state = loop.begin(self.part.members)
        self._hash((loop.first_frames(state),))
        self.part = replace(self.part, state=state)
        return self.part

    def take(self, part: TrainedPart) -> None:
        """Take over a slice, and hash its moments."""
        if part is not self.part:
            self._hash(part.moments)
        super().take(part)

    def _hash(self, moments: Sequence[Moment]) -> None:
        for moment in moments:
            self.hashes[moment[0].step] = list(map(frame_hash, moment))

    def runs(self) -> list[RecordedRun]:
        """All members, at the end."""
        steps = tuple(sorted(self.hashes))
        return [
            RecordedRun(
                settings=settings,
                score=score,
                engine=self.part.engine,
                steps=steps,
                frames=tuple(self.hashes[step][index] for step in steps),
            )
            for index, (settings, score) in enumerate(
                zip(self.part.members, self.part.rows, strict=True)
            )
        ]


def recorded(runs: tuple[Settings, ...], engine: Engine) -> tuple[RecordedRun, ...]:
    """Train and score all runs, in this order; RequestError where one is refused."""
    one_thread()
    planned = comparison.plan(runs)
    for part in planned:
        if part.done:
            raise RequestError(part.rows[0].refused)
    batches = list(map(_RecordedBatch, planned))
    with Stop() as stop:
        try:
            train(batches, stop, engine)
        except CUT_SHORT as cause:
            raise Stopped(cause, "; nothing was recorded.") from None
    found = {run.settings: run for batch in batches for run in batch.runs()}
    return tuple(found[settings] for settings in runs)
