"""Training to the end for commands: on one thread, with a progress bar on a terminal."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.commands._stopping import Stop, Stopped, resume_command
from svae_core.compute import tasks
from svae_core.records import Advance, Budget, Certificate, RequestError, Settings, State

if TYPE_CHECKING:
    from svae_core.compute.engine import Engine
    from svae_core.runs.folder import SavedRun
    from svae_core.runs.manifest import About
    from svae_core.runs.recorder import Recorder

#: Seconds of a slice. A run that is saved is written between two slices.
_SLICE = 0.25


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
    from svae_core.runs import folder as runs
    from svae_core.runs import store

    folder = Path(name)
    if not folder.is_dir():
        folder = store.find(runs.home(), name).folder
    saved = runs.load(folder)
    check_data(saved.about, name)
    return saved.state


def check_data(about: About, name: str) -> None:
    """Raise RequestError if the data of a saved run have changed since it was trained."""
    from svae_core.problem import prepared_data

    dataset = prepared_data(about.members[0]).dataset
    if about.fingerprint not in ("", dataset.fingerprint):
        raise RequestError(
            f"The data of {name}, {dataset.title!r}, have changed since it was trained; restore "
            "the data, or train again."
        )


@dataclass(frozen=True, eq=False)
class Trained:
    """A batch of members at the end of their training."""

    state: State
    certificates: tuple[Certificate, ...]
    seconds: float  # of training, all members together
    samples: float  # seen by each member in that time
    folder: str | None = None  # where they were saved
    trouble: str = ""  # why they could not be saved, and how to go on

    def about(self) -> dict[str, Any]:
        """The fields of a run's JSON entry besides its certificate."""
        speed = self.samples / self.seconds if self.seconds else None
        return {"seconds": self.seconds, "samples_per_second": speed, "run": self.folder}


def trained(settings: Settings, save: bool, engine: Engine | None = None) -> Trained:
    """Train one run to its end and certify it; with `save` it is written from its first step on.

    On this machine or on an engine, with equal results bit for bit. Raises Stopped on Ctrl-C.
    """
    from svae_core.config.writable import check_folder
    from svae_core.runs.folder import folder_name, home
    from svae_core.runs.manifest import About

    with Stop() as stop:
        if not save:
            try:
                return train_to_end((settings,), None, stop, engine)
            except KeyboardInterrupt:
                raise Stopped("stopped; --save would have kept what was trained.") from None
        check_folder(home(), "Runs")
        about = About((settings,))
        try:
            recorder = start_recorder(about, home() / folder_name(about))
        except KeyboardInterrupt:
            raise Stopped("stopped before the first step; nothing was trained.") from None
        return train_recorded(recorder, stop, engine)


def start_recorder(about: About, folder: Path) -> Recorder:
    """Begin a new run and its folder; RequestError if it makes no sense or cannot be written."""
    from svae_core.problem import prepared_data
    from svae_core.runs.folder import SavedRun
    from svae_core.runs.recorder import Recorder, timing_from
    from svae_core.training import loop

    one_thread()
    state = loop.begin(about.members)
    first = loop.first_frames(state)
    dataset = prepared_data(about.members[0]).dataset
    about = replace(
        about,
        steps=first[0].steps,
        title=dataset.title,
        fingerprint=dataset.fingerprint,
        page=timing_from(0) | about.page,
    )
    return Recorder.begin(SavedRun(about, state, (first,)), folder)


def train_recorded(recorder: Recorder, stop: Stop, engine: Engine | None) -> Trained:
    """Train a saved run to its end; raises Stopped, with the command to resume, on Ctrl-C."""
    command = resume_command(recorder.folder)
    try:
        batch = train_to_end(recorder.run.about.members, recorder, stop, engine)
    except KeyboardInterrupt:
        step, steps = recorder.run.state.step, recorder.run.about.steps
        answer = {"complete": False, "run": str(recorder.folder), "resume": command}
        kept = f"; {recorder.trouble}, so some of it is lost" if recorder.trouble else ""
        raise Stopped(
            f"stopped at step {step} of {steps}{kept}; go on with: {command}",
            answer | {"step": step, "steps": steps},
        ) from None
    finally:
        recorder.close()
    if not recorder.trouble:
        return batch
    trouble = f"{recorder.trouble}; make room, and go on from what is saved with: {command}"
    return replace(batch, folder=None, trouble=trouble)


def train_to_end(
    members: tuple[Settings, ...], recorder: Recorder | None, stop: Stop, engine: Engine | None
) -> Trained:
    """Train these members to the end as one batch and certify them; KeyboardInterrupt on Ctrl-C.

    With a recorder, training resumes from its state and is written even if it ends early.
    """
    if recorder is None:
        return _train_to_end(members, None, stop, engine)
    try:
        return _train_to_end(members, recorder, stop, engine)
    except BaseException:
        recorder.write()
        raise


def _train_to_end(
    members: tuple[Settings, ...], recorder: Recorder | None, stop: Stop, engine: Engine | None
) -> Trained:
    from tqdm import tqdm

    from svae_core.training import batch_context, loop

    one_thread()
    state = recorder.run.state if recorder else loop.begin(members)
    n = loop.point_count(state)
    steps = batch_context.total_steps(members[0], n)
    budget, seconds = Budget(seconds=_SLICE, frames=recorder is not None), 0.0
    with tqdm(
        total=steps, initial=state.step, unit="step", file=sys.stderr, disable=None, leave=False
    ) as bar:
        while state.step < steps:
            stop.check()
            before, started = state.step, time.perf_counter()
            if engine is None:
                advance = loop.advance(state, budget)
            else:
                advance = engine.submit(tasks.advance, state, budget).result()
            spent = time.perf_counter() - started
            state, seconds = advance.state, seconds + spent
            if recorder is not None:
                with stop.writing():
                    _record(recorder, advance, spent)
            bar.update(state.step - before)
    if recorder is None:
        return Trained(state, _certified(state, engine), seconds, members[0].epochs * n)
    if not recorder.run.certificates:
        certificates = _certified(state, engine)
        with stop.writing():
            recorder.finish(certificates)
    return trained_from(recorder.run, recorder.folder)


def trained_from(run: SavedRun, folder: Path) -> Trained:
    """The result of a saved run that has ended."""
    from svae_core.runs.recorder import timed_share, training_seconds
    from svae_core.training import loop

    samples = run.about.members[0].epochs * loop.point_count(run.state) * timed_share(run)
    return Trained(run.state, run.certificates, training_seconds(run.about), samples, str(folder))


def _certified(state: State, engine: Engine | None) -> tuple[Certificate, ...]:
    from svae_core.training import loop

    return loop.certify(state) if engine is None else engine.submit(tasks.certify, state).result()


def _record(recorder: Recorder, advance: Advance, seconds: float) -> None:
    """Add a slice; prints one sentence when the disk begins to refuse it."""
    before = recorder.trouble
    recorder.add(advance, seconds)
    if recorder.trouble and not before:
        print(
            f"svae_core: {recorder.trouble}; training goes on, and is saved as soon as that works.",
            file=sys.stderr,
        )
