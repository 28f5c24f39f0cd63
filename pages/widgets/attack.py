"""The search for a counter-example, as a job that a page follows."""

from __future__ import annotations

from typing import Any

from pages.visitor.shared_job import Job
from svae_core.compute.engine import Engine
from svae_core.records import Settings
from svae_core.studies import attack


class AttackJob:
    """`runs` runs drawn from `seed`, trained in batches."""

    def __init__(self, runs: int, seed: int, engine: Engine) -> None:
        self.runs = runs
        self.seed = seed
        self.job: Job[tuple[Settings, ...]] = Job(
            total=runs,
            plan=lambda: engine.attack_plan(runs, seed),
            call=engine.attempt,
            is_done=lambda _attempts: True,
            runs=len,
        )

    @property
    def attempts(self) -> tuple[attack.Attempt, ...]:
        """All runs that have ended, in the order of the plan."""
        return tuple(item for batch in self.job.ended for item in batch)

    def summary(self) -> dict[str, Any]:
        """Counts of the outcomes so far."""
        batches = [
            attack.record(None, self.seed, index, batch)
            for index, batch in enumerate(self.job.ended)
        ]
        return attack.summary(batches, self.seed)

    def broken(self) -> tuple[attack.Attempt, ...]:
        """The counter-examples: runs inside their band that have collapsed."""
        return tuple(item for item in self.attempts if item.outcome == attack.BROKEN)
