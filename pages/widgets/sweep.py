"""A grid of runs, as a page follows it."""

from __future__ import annotations

from pages.visitor.series import Series
from svae_core.compute.engine import Engine
from svae_core.studies.cells import Cell, Outcome, Theory, cells
from svae_core.studies.grid import Grid
from svae_core.studies.sweep import Work

#: Longer than the time between two looks, so that the worker never waits for the next one.
_SLICE_SECONDS = 1.5


class Sweep:
    """The runs of a grid, in chunks that are trained in slices."""

    def __init__(self, grid: Grid, engine: Engine) -> None:
        self.grid = grid
        self.series: Series[Work] = Series(
            total=len(grid.runs),
            plan=lambda: engine.sweep_plan(grid),
            call=lambda work: engine.sweep(work, _SLICE_SECONDS),
            over=lambda work: work.done,
            runs=lambda work: work.completed_runs,
        )

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All runs that have ended."""
        return tuple(item for work in self.series.ended for item in work.outcomes)

    def cells(self, theory: Theory) -> tuple[Cell, ...]:
        """The map so far."""
        return cells(self.grid, self.outcomes, theory)
