"""Training to the end, as commands do it: on one thread, with a bar on a terminal."""

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
    """--save."""
    command.add_argument(
        "--save", action="store_true", help="keep the runs on disk, each with its frames"
    )


def one_thread() -> None:
    """Let this process compute on one thread: runs are then bit for bit the same everywhere."""
    import torch

    torch.set_num_threads(1)


def saved_state(name: str) -> State:
    """The state of a saved run, by its folder or by its name or id on the shelf.

    RequestError where there is none, or where its data are not what they were.
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
            f"The data of {name}, {dataset.title!r}, are not what they were when it was trained; "
            "bring back the data, or train again."
        )
    return saved.state


@dataclass(frozen=True, eq=False)
class Trained:
    """Members at the end of their training."""

    state: State
    certificates: tuple[Certificate, ...]
    seconds: float  # of training, all members together
    samples: int  # seen by each member
    folders: tuple[str | None, ...]  # where each was saved

    def about(self, index: int) -> dict[str, Any]:
        """What a run's entry says besides its certificate."""
        speed = self.samples / self.seconds
        return {
            "seconds": self.seconds,
            "samples_per_second": speed,
            "run": self.folders[index],
        }


def trained(members: tuple[Settings, ...], save: bool, engine: Engine | None = None) -> Trained:
    """Train these members to the end as one batch, certify and perhaps save them.

    Here, or on an engine; the same, bit for bit.
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
            for moment in advance.moments:  # only the last one's latents serve a map
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
    """All batches trained, in their order; on an engine as many at once as it has workers."""
    if engine is None:
        yield from (trained(members, save) for members in batches)
        return
    with ThreadPoolExecutor(2 * engine.size) as threads:  # each waits for its batch's slices
        yield from threads.map(lambda members: trained(members, save, engine), batches)


def scored(
    runs: tuple[Settings, ...], save: bool, engine: Engine | None = None
) -> list[tuple[Score, dict[str, Any]]]:
    """Train and score all runs, those of one method as one batch; RequestError if none can be."""
    from svae_core.studies import comparison
    from svae_core.studies.measure import score
    from svae_core.training import loop

    one_thread()
    found: dict[Settings, tuple[Score, dict[str, Any]]] = {}
    bouts = list(comparison.bouts(runs))
    batches = _side_by_side([bout.runs for bout in bouts if not bout.done], save, engine)
    for bout in bouts:
        if bout.done:  # a run that cannot be
            found[bout.runs[0]] = bout.scores[0], {"run": None}
            continue
        batch = next(batches)
        for index, settings in enumerate(bout.runs):
            share = batch.seconds / len(bout.runs)
            solo = loop.member(batch.state, index)
            ended = score(solo, batch.certificates[index], share)
            found[settings] = ended, batch.about(index)
    if all(ended.refused for ended, _ in found.values()):
        raise RequestError(next(iter(found.values()))[0].refused)
    return [found[settings] for settings in runs]
