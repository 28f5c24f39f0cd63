"""The runs of a phase diagram, as a job that a page follows."""

from __future__ import annotations

from pages.visitor.shared_job import Job
from svae_core.compute.engine import Engine
from svae_core.studies.grid import Grid
from svae_core.studies.phase_cells import Cell, Outcome, Theory, cells
from svae_core.studies.sweep import ChunkProgress

#: Longer than the time between two polls, so that the worker never waits for the next one.
_SLICE_SECONDS = 1.5


class SweepJob:
    """The runs of a grid, in chunks that are trained in slices."""

    def __init__(self, grid: Grid, engine: Engine) -> None:
        self.grid = grid
        self.job: Job[ChunkProgress] = Job(
            total=len(grid.runs),
            plan=lambda: engine.sweep_plan(grid),
            call=lambda chunk: engine.sweep(chunk, _SLICE_SECONDS),
            is_done=lambda chunk: chunk.done,
            runs=lambda chunk: chunk.completed_runs,
        )

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes of all runs that have ended."""
        return tuple(item for chunk in self.job.ended for item in chunk.outcomes)

    def cells(self, theory: Theory) -> tuple[Cell, ...]:
        """The cells of the phase diagram so far."""
        return cells(self.grid, self.outcomes, theory)
