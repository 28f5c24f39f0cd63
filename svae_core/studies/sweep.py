"""A sweep trains the runs of a grid in chunks, by pure calls that any process can continue.

    for chunk in plan(grid):                    # runs that are trained as one batch
        while not chunk.done:
            chunk = chunk.advance(seconds=1.0)  # pure and picklable: one slice

Runs with equal training are trained once: a method that does not use the band has, bit for bit, the
same weights for every band, so only the verdicts differ from cell to cell.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, final

from svae_core import __version__
from svae_core.certificate.certify import with_run
from svae_core.config.settings import SHARED_FIELDS, settings_key, settings_to_dict
from svae_core.methods import WithArrays, method_for
from svae_core.problem import prepared_data
from svae_core.records import Certificate, RequestError, Settings, State, to_json
from svae_core.studies import jsonl
from svae_core.studies.grid import Grid, check_grid
from svae_core.studies.job import TrainedPart, row_to_dict
from svae_core.studies.phase_cells import (
    Outcome,
    Theory,
    cell_to_dict,
    cells,
    outcome,
    outcome_from_dict,
)

#: A sweep measures each loss with a quarter of a certificate's draws, but with at least the eight
#: that a margin needs: full certificates would take a third of the training time of small nets.
LOSSES = 16_384
FEWEST_DRAWS = 8
#: Settings that affect training only through the constants that a method derives from them.
_BAND_FIELDS = ("band", "lower_edge", "collapse_loss", "clusters")
#: Settings that affect the band's edges and no other measured number.
_EDGES = ("band", "lower_edge")
#: Its multiples modulo 1 spread the first tasks evenly over the map, so a coarse map appears early.
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
#: Members of a chunk that native code trains: one after another, so that more would save little,
#: and several processes end at about the same time.
_NATIVE_CHUNK = 8
_SCHEMA = 1


@final
@dataclass(frozen=True, eq=False)
class Chunk(TrainedPart):
    """Runs trained as one batch, and the runs of the grid that share the training of each."""

    answers: tuple[tuple[Settings, ...], ...] = ()  # per member: all runs of equal training

    @property
    def runs(self) -> int:
        """The number of the grid's runs that this chunk completes."""
        return sum(map(len, self.answers)) or len(self.rows)

    def measure(self, solo: State) -> tuple[Outcome, ...]:
        """The outcomes of all runs that share a member's training."""
        return tuple(itertools.starmap(outcome, _certified(solo, self.answers[self.measured])))


class Sweep:
    """A grid of runs as a study; its file has one line for each run."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.total = len(grid.runs)
        self.outcomes: dict[Settings, Outcome] = {}

    def plan(self) -> tuple[Chunk, ...]:
        """The chunks of the runs that have no outcome yet."""
        return plan(self.grid, self.outcomes)

    def resume(self, out: str | None) -> None:
        """Take over the outcomes that a file holds."""
        self.outcomes = recorded(out, self.grid)

    def take(self, _part: Chunk, rows: tuple[Outcome, ...]) -> list[dict[str, Any]]:
        """Take over new outcomes; the lines that record them."""
        self.outcomes |= {item.settings: item for item in rows}
        about = {"sweep": _SCHEMA, "version": __version__}
        return [about | {"outcome": row_to_dict(item)} for item in rows]

    @property
    def ended(self) -> int:
        """The number of runs that have an outcome."""
        return len(self.outcomes)


# ------------------------------------------------------------------------------ planning


def plan(grid: Grid, done: Iterable[Settings] = ()) -> tuple[Chunk, ...]:
    """The chunks of a grid without the runs that are done, ordered for a coarse map first.

    Raises RequestError if every run is invalid; a single invalid run (an empty band, more clusters
    than points) gets an outcome that holds the reason.
    """
    check_grid(grid)
    done = set(done)
    alike: dict[str, list[Settings]] = {}
    refused: list[Outcome] = []
    for settings in grid.runs:
        if settings in done:
            continue
        try:
            alike.setdefault(_training_key(settings), []).append(settings)
        except RequestError as error:
            refused.append(Outcome(settings, refused=str(error)))
    if refused and len(refused) == len(grid.runs):
        raise RequestError(refused[0].refused)
    chunks = list(_chunks(list(alike.values())))
    return tuple([Chunk((), tuple(refused)), *chunks] if refused else chunks)


def _training_key(settings: Settings) -> str:
    """A key that is equal for runs with the same training; RequestError for an invalid run."""
    from svae_core.training.batch_context import check_run

    constants = check_run(settings)
    # Arrays of a method may follow from the clusters: then all fields count.
    left_out = () if isinstance(method_for(settings), WithArrays) else _BAND_FIELDS
    names = tuple(item.name for item in dataclasses.fields(Settings) if item.name not in left_out)
    return f"{settings_key(settings, names)} {sorted(constants.items())!r}"


def _chunks(alike: list[list[Settings]]) -> Iterator[Chunk]:
    """Chunks of one seed, one method and one architecture; groups of equal seed alternate."""
    from svae_core.training.loop import chunk_size
    from svae_core.training.native.steps import is_native

    groups: dict[str, list[list[Settings]]] = {}
    for runs in alike:
        key = settings_key(runs[0], (*SHARED_FIELDS, "seed", "method", "method_options"))
        groups.setdefault(key, []).append(runs)
    batches = []
    for tasks in groups.values():
        order = sorted(range(len(tasks)), key=lambda index: index * _GOLDEN % 1.0)
        size = chunk_size(tasks[0][0])
        if is_native(tasks[0][0]):
            size = min(size, _NATIVE_CHUNK)
        batches.append(
            [[tasks[i] for i in order[at : at + size]] for at in range(0, len(order), size)]
        )
    seeds = [tasks[0][0].seed for tasks in groups.values()]
    for _, same_seed in itertools.groupby(
        zip(seeds, batches, strict=True), key=lambda pair: pair[0]
    ):
        for turn in itertools.zip_longest(*(batch for _, batch in same_seed)):
            for tasks in turn:
                if tasks:
                    members = tuple(runs[0] for runs in tasks)
                    yield Chunk(members, answers=tuple(map(tuple, tasks)))


# ---------------------------------------------------------------------------- certifying


def _certified(solo: State, runs: tuple[Settings, ...]) -> Iterator[tuple[Settings, Certificate]]:
    """The certificate of each run that shares the training of this member.

    Measured once for all runs that differ only in the edges of the band.
    """
    from svae_core.training import loop

    names = tuple(item.name for item in dataclasses.fields(Settings) if item.name not in _EDGES)
    measured: dict[str, Certificate] = {}
    for settings in runs:
        key = settings_key(settings, names)
        if key not in measured:
            own = dataclasses.replace(solo, settings=(settings,))
            count = draws(loop.point_count(own))
            # An outcome has the tight floor, not the proved one.
            (measured[key],) = loop.certify(own, count, own_floors=False, sharp=False)
        found, region = measured[key], prepared_data(settings).region
        yield (
            settings,
            with_run(
                found, epochs=settings.epochs, lo=region.lo, hi=region.hi, held_out=found.held_out
            ),
        )


def draws(n: int) -> int:
    """The number of latents per point with which a sweep measures a loss on n points."""
    return max(FEWEST_DRAWS, math.ceil(LOSSES / n))


def theory_of(grid: Grid) -> Theory:
    """The theory for the grid's data; RequestError if the data cannot be loaded."""
    return Theory(tuple(float(value) for value in prepared_data(grid.bases[0]).eigenvalues))


# ----------------------------------------------------------------------- the results file


def recorded(out: str | None, grid: Grid) -> dict[Settings, Outcome]:
    """The runs of this grid that the file holds; RequestError if it is no file of a sweep."""
    rows = [] if out is None else jsonl.read_rows(out, '{"sweep":')
    wanted = set(grid.runs)
    found: dict[Settings, Outcome] = {}
    for row in rows:
        if row.get("sweep") != _SCHEMA:
            raise RequestError(
                f"--out {out} was written by another version of this program; name another file."
            )
        try:
            ended = outcome_from_dict(row["outcome"])
        except (ValueError, KeyError, TypeError) as error:
            raise jsonl.damaged(out, "a run", error) from error
        if ended.settings in wanted:
            found[ended.settings] = ended
    return found


def report(grid: Grid, ended: Iterable[Outcome]) -> dict[str, Any]:
    """A sweep as JSON values: its grid, its cells, and the theory."""
    theory = theory_of(grid)
    base = settings_to_dict(grid.bases[0])
    varied = {name for name, _ in grid.axes} | {"seed", "method", "method_options"}
    n = prepared_data(grid.bases[0]).shell.points.shape[0]
    answer: dict[str, Any] = to_json(
        {
            "grid": {
                "methods": [base.method for base in grid.bases],
                "axes": {name: list(values) for name, values in grid.axes},
                "seeds": list(grid.seeds),
                "settings": {name: value for name, value in base.items() if name not in varied},
                "runs": len(grid.runs),
                "draws": draws(n),
            },
            "cells": [cell_to_dict(cell) for cell in cells(grid, ended, theory)],
            "theory": {
                "lambda_max": theory.lambda_max,
                "eigenvalues": theory.eigenvalues,
                "collapse": "total collapse of a decoder that is not projected is stable where "
                "beta * sigma2 >= lambda_max",
                "active": "a linear VAE keeps eigenvalues_above dimensions active: as many as "
                "there are eigenvalues > beta * sigma2, at most latent_dim",
            },
        }
    )
    return answer
