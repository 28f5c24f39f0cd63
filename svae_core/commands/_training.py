"""Training to the end for commands: on one thread, with a progress bar on a terminal."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.records import Budget, Certificate, RequestError, Settings, State

if TYPE_CHECKING:
    from svae_core.compute.engine import Engine
    from svae_core.studies.scores import Score


def add_save(command: argparse.ArgumentParser) -> None:
    """Add the option --save."""
    command.add_argument(
        "--save", action="store_true", help="keep the runs on disk, each with its frames"
    )


def one_thread() -> None:
    """Set torch to one thread: another number of threads would round sums differently."""
    import torch

    torch.set_num_threads(1)


def saved_state(name: str) -> State:
    """The state of a saved run, given its folder, its name or its id.

    Raises RequestError if there is no such run, or if its data have changed since.
    """
    from svae_core.problem import prepared_data
    from svae_core.runs import folder as runs
    from svae_core.runs import store

    folder = Path(name)
    if not folder.is_dir():
        folder = store.find(runs.home(), name).folder
    saved = runs.load(folder)
    dataset = prepared_data(saved.state.settings[0]).dataset
    if saved.about.fingerprint not in ("", dataset.fingerprint):
        raise RequestError(
            f"The data of {name}, {dataset.title!r}, have changed since it was trained; restore "
            "the data, or train again."
        )
    return saved.state


@dataclass(frozen=True, eq=False)
class Trained:
    """A batch of members at the end of their training."""

    state: State
    certificates: tuple[Certificate, ...]
    seconds: float  # of training, all members together
    samples: int  # seen by each member
    folders: tuple[str | None, ...]  # the folder each was saved in, if it was

    def about(self, index: int) -> dict[str, Any]:
        """The fields of a run's JSON entry besides its certificate."""
        speed = self.samples / self.seconds
        return {
            "seconds": self.seconds,
            "samples_per_second": speed,
            "run": self.folders[index],
        }


def trained(members: tuple[Settings, ...], save: bool, engine: Engine | None = None) -> Trained:
    """Train these members to the end as one batch, certify them, and save them if asked.

    On this machine or on an engine, with equal results bit for bit.
    """
    from tqdm import tqdm

    from svae_core.runs import folder as run
    from svae_core.training import context, loop

    one_thread()
    state = loop.begin(members)
    n = loop.point_count(state)
    steps = context.total_steps(members[0], n)
    moments = [loop.first_frames(state)] if save else []
    started = time.perf_counter()
    with tqdm(total=steps, unit="step", file=sys.stderr, disable=None, leave=False) as bar:
        while state.step < steps:
            before = state.step
            budget = Budget(seconds=0.5, frames=save)
            if engine is None:
                advance = loop.advance(state, budget)
            else:
                advance = engine.advance(state, budget).result()
            state = advance.state
            for moment in advance.moments:  # maps need the latents of the last moment only
                moments[-1] = run.without_latents(moments[-1])
                moments.append(moment)
            bar.update(state.step - before)
    seconds = time.perf_counter() - started
    certificates = loop.certify(state) if engine is None else engine.certify(state).result()
    folders: list[str | None] = [None] * len(members)
    if save:
        for index, certificate in enumerate(certificates):
            solo = loop.member(state, index)
            frames = tuple((moment[index],) for moment in moments)
            folders[index] = str(run.save(solo, (certificate,), frames))
    return Trained(state, certificates, seconds, members[0].epochs * n, tuple(folders))


def _side_by_side(
    batches: list[tuple[Settings, ...]], save: bool, engine: Engine | None
) -> Iterator[Trained]:
    """Train all batches and yield them in order; on an engine, in parallel."""
    if engine is None:
        yield from (trained(members, save) for members in batches)
        return
    with ThreadPoolExecutor(
        2 * engine.size
    ) as threads:  # each thread waits for the slices of its batch
        yield from threads.map(lambda members: trained(members, save, engine), batches)


def scored(
    runs: tuple[Settings, ...], save: bool, engine: Engine | None = None
) -> list[tuple[Score, dict[str, Any]]]:
    """Train and score all runs in batches of one method; RequestError if all are refused."""
    from svae_core.studies import comparison
    from svae_core.studies.measure import score
    from svae_core.training import loop

    one_thread()
    found: dict[Settings, tuple[Score, dict[str, Any]]] = {}
    batches = comparison.plan(runs)
    finished = _side_by_side([each.runs for each in batches if not each.done], save, engine)
    for batch in batches:
        if batch.done:  # a refused run
            found[batch.runs[0]] = batch.scores[0], {"run": None}
            continue
        result = next(finished)
        for index, settings in enumerate(batch.runs):
            share = result.seconds / len(batch.runs)
            solo = loop.member(result.state, index)
            ended = score(solo, result.certificates[index], share)
            found[settings] = ended, result.about(index)
    if all(ended.refused for ended, _ in found.values()):
        raise RequestError(next(iter(found.values()))[0].refused)
    return [found[settings] for settings in runs]
