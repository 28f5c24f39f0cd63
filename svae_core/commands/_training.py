"""Training to the end for commands: on one thread, with a progress bar on a terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.commands import print_json
from svae_core.commands._cluster import in_slices
from svae_core.commands._stopping import CUT_SHORT, Stop, Stopped, resume_command
from svae_core.config.sklearn_without_pandas import import_sklearn
from svae_core.records import Advance, Certificate, RequestError, Settings, State, to_json
from svae_core.studies.job import CertifiedPart, TrainedPart

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


def add_saved(command: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Add the argument RUN, which `saved_state` takes."""
    command.add_argument(
        "saved", nargs=nargs, metavar="RUN", help="folder or name of a saved run, or its beginning"
    )


def one_thread() -> None:
    """Set torch, BLAS and OpenMP to one thread, as in workers: more would round sums otherwise."""
    import_sklearn()
    import scipy.linalg  # noqa: F401 - brings the BLAS of native code
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)  # of BLAS, and of OpenMP, which K-means uses


def place_of(state: State, method: str, option: str = "--method") -> int:
    """The place of the model of this method; RequestError, naming the option, if there is none."""
    names = [settings.method for settings in state.settings]
    if method not in names:
        raise RequestError(f"{option} is {method}, but the run has: {', '.join(names)}.")
    return names.index(method)


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


class Batch:
    """A part in training, and the run in which it is saved from its first step on, if any."""

    def __init__(self, part: TrainedPart, recorder: Callable[[], Recorder] | None = None) -> None:
        self.part = part
        self.recorder: Recorder | None = None
        self._begin_recorder = recorder

    def begin(self) -> TrainedPart:
        """The part as it is: new, or as it was saved."""
        if self._begin_recorder is not None:
            self.recorder = self._begin_recorder()
            run = self.recorder.run
            self.part = CertifiedPart(run.about.members, run.certificates, True, run.state)
        return self.part

    def take(self, part: TrainedPart) -> None:
        """Take over a slice, and save it; says once that the disk refuses it."""
        before, self.part = self.part, part
        if self.recorder is None or part is before:
            return
        refused = self.recorder.trouble
        assert part.state is not None
        spent = part.cpu_seconds - before.cpu_seconds
        advance = Advance(part.state, part.moments, spent)
        self.recorder.add(advance, part.seconds - before.seconds)
        if part.done:
            self.recorder.finish(part.rows)
        elif self.recorder.trouble and not refused:
            print(
                f"svae_core: {self.recorder.trouble}; training goes on, and is saved as soon as "
                "that works.",
                file=sys.stderr,
            )

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """One per member, at the end."""
        return self.part.rows

    @property
    def trouble(self) -> str:
        """Why its end could not be saved, and how to go on; empty where it was."""
        if self.recorder is None or not self.recorder.trouble:
            return ""
        command = resume_command(self.recorder.folder)
        return f"{self.recorder.trouble}; make room, and go on from what is saved with: {command}"

    def about(self) -> dict[str, Any]:
        """The fields of a run's JSON entry besides its certificate."""
        from svae_core.problem import prepared_data

        if self.recorder is not None:
            saved = about_saved(self.recorder.run, self.recorder.folder)
            return saved | ({"run": None} if self.trouble else {})
        first = self.part.members[0]
        samples = first.epochs * len(prepared_data(first).shell.points)
        return _about(self.part.seconds, samples, None, self.part.engine)


def about_saved(run: SavedRun, folder: Path) -> dict[str, Any]:
    """The fields of a run's JSON entry besides its certificate, for one that is saved."""
    from svae_core.runs.recorder import timed_share, training_seconds
    from svae_core.training import loop

    samples = run.about.members[0].epochs * loop.point_count(run.state) * timed_share(run)
    return _about(training_seconds(run.about), samples, str(folder), run.state.engine)


def _about(seconds: float, samples: float, folder: str | None, engine: str) -> dict[str, Any]:
    """`samples`: how many each member saw in these seconds; `engine`: see training/trainer."""
    speed = samples / seconds if seconds else None
    return {"seconds": seconds, "samples_per_second": speed, "run": folder, "engine": engine}


def trained(settings: Settings, save: bool, engine: Engine | None = None) -> Batch:
    """Train one run to its end and certify it; with `save` it is written from its first step on.

    On this machine or on an engine, with equal results bit for bit. Raises Stopped if cut short.
    """
    from svae_core.config.writable import check_folder
    from svae_core.runs.folder import folder_name, home
    from svae_core.runs.manifest import About

    with Stop() as stop:
        if not save:
            batch = Batch(CertifiedPart((settings,)))
            try:
                train([batch], stop, engine)
            except CUT_SHORT as cause:
                raise Stopped(cause, "; --save would have kept what was trained.") from None
            return batch
        check_folder(home(), "Runs")
        about = About((settings,))
        try:
            recorder = start_recorder(about, home() / folder_name(about))
        except KeyboardInterrupt as cause:
            raise Stopped(cause, " before the first step; nothing was trained.") from None
        return train_recorded(recorder, stop, engine)


def tell(batch: Batch, as_json: bool) -> None:
    """Print the certificates of a run; RequestError where its end could not be saved."""
    answers: list[dict[str, Any]] = [to_json(one) for one in batch.certificates]
    if not as_json:
        print("\n".join(one.sentence for one in batch.certificates))
    else:
        first = answers[0] if len(answers) == 1 else {"certificates": answers}
        print_json(first | batch.about())
    if batch.trouble:
        raise RequestError(batch.trouble)


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


def train_recorded(recorder: Recorder, stop: Stop, engine: Engine | None) -> Batch:
    """Train a saved run to its end; raises Stopped, with the command to resume, if cut short."""
    command = resume_command(recorder.folder)
    batch = Batch(CertifiedPart(recorder.run.about.members), lambda: recorder)
    try:
        train([batch], stop, engine)
    except CUT_SHORT as cause:
        step, steps = recorder.run.state.step, recorder.run.about.steps
        answer = {"complete": False, "run": str(recorder.folder), "resume": command}
        kept = f"; {recorder.trouble}, so some of it is lost" if recorder.trouble else ""
        raise Stopped(
            cause,
            f" at step {step} of {steps}{kept}; go on with: {command}",
            answer | {"step": step, "steps": steps},
        ) from None
    finally:
        recorder.close()
    return batch


def train(batches: Sequence[Batch], stop: Stop, engine: Engine | None) -> None:
    """Train all batches to their end and certify them; KeyboardInterrupt on Ctrl-C.

    One after the other, on an engine side by side. What is recorded is written even if it ends
    early.
    """
    from tqdm import tqdm

    one_thread()
    try:
        with tqdm(total=100, unit="%", file=sys.stderr, disable=None, leave=False) as bar:
            parts = (batch.begin() for batch in batches)
            for number, part in in_slices(parts, len(batches), engine, _SLICE):
                with stop.writing():
                    batches[number].take(part)
                done = sum(batch.part.progress for batch in batches) / len(batches)
                bar.update(int(100 * done) - bar.n)
    except BaseException:
        for batch in batches:
            if batch.recorder is not None and not batch.part.done:
                batch.recorder.write()
        raise
