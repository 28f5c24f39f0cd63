"""A search for a counter-example, as a page follows it."""

from __future__ import annotations

from typing import Any

from pages.visitor.series import Series
from svae_core.compute.engine import Engine
from svae_core.records import Settings
from svae_core.studies import attack


class Search:
    """`runs` runs drawn from `seed`, in batches."""

    def __init__(self, runs: int, seed: int, engine: Engine) -> None:
        self.runs = runs
        self.seed = seed
        self.series: Series[tuple[Settings, ...]] = Series(
            total=runs,
            plan=lambda: engine.attack_plan(runs, seed),
            call=engine.attempt,
            over=lambda _attempts: True,
            runs=len,
        )

    @property
    def attempts(self) -> tuple[attack.Attempt, ...]:
        """All runs that have ended, in the order of the plan."""
        return tuple(item for batch in self.series.ended for item in batch)

    def summary(self) -> dict[str, Any]:
        """Counts of how the runs ended so far."""
        batches = [
            attack.record(None, self.seed, index, batch)
            for index, batch in enumerate(self.series.ended)
        ]
        return attack.summary(batches, self.seed)

    def broken(self) -> tuple[attack.Attempt, ...]:
        """Counter-examples."""
        return tuple(item for item in self.attempts if item.outcome == attack.BROKEN)
