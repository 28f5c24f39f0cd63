"""Save a run while it trains, and resume it however its process ended.

    recorder = Recorder.begin(run)  or  Recorder.resume(folder)
    recorder.add(advance, seconds)     # after each slice of training
    recorder.finish(certificates)

The folder is locked meanwhile, so no second process trains the same run. A killed process loses
what it trained since the last write: at most `EVERY` seconds and the current slice.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from svae_core.config.locks import Lock, lock, locked
from svae_core.config.writable import save_error, unsaved
from svae_core.latent.projection import Layout, pca_layouts
from svae_core.records import Advance, Certificate, Moment, RequestError
from svae_core.runs.folder import RunWriter, SavedRun, load, without_latents
from svae_core.runs.manifest import About
from svae_core.runs.store import Entry

#: Seconds of training after which a run is written again.
EVERY = 1.0
#: Every so many moments have a map, and so has the last one: by PCA, which takes milliseconds.
_MAPPED = 16
Maps = tuple[Layout, ...]  # of one moment, one per member
TRAINING, FINISHED = "training", "finished"
#: Status in a list of a run that has not ended and that no process trains.
UNFINISHED = "unfinished"
#: Keys of `About.page`: seconds of training, the step from which they were measured, and the
#: number of runs trained as one batch in that time.
_SECONDS, _SINCE, _TOGETHER = "seconds", "timed_since", "trained_together"
_CPU_SECONDS = "cpu_seconds"  # of the training steps alone; missing where not all were measured


class Recorder:
    """One run and its folder, locked until it is closed. Not thread-safe.

    `trouble` is the reason why the last write failed, a sentence without its end, or empty.
    """

    def __init__(self, run: SavedRun, writer: RunWriter, held: Lock) -> None:
        self.run = run
        self.trouble = ""
        self._writer = writer
        self.lock = held
        self._unsaved = 0.0  # seconds of training that are not on disk

    @classmethod
    def begin(cls, run: SavedRun, folder: Path) -> Recorder:
        """Write a new run before its first step; RequestError if that fails."""
        about = dataclasses.replace(run.about, status=TRAINING)
        run = dataclasses.replace(run, about=about, layouts=(pca_layouts(run.moments[-1]),))
        writer = RunWriter(folder)
        try:
            writer.write(run)
        except OSError as error:
            raise unsaved(folder, error) from error
        return cls(run, writer, lock_folder(folder))

    @classmethod
    def resume(cls, folder: Path, held: Lock | None = None) -> Recorder:
        """Load and lock a saved run; `held` is its lock if the caller has it.

        RequestError if it is damaged or another process trains it.
        """
        held = held or lock_folder(folder)
        try:
            run = load(folder)
            if not run.about.files:
                raise RequestError(f"{folder} is of an old version; train it again.")
            writer = RunWriter(folder, run)
            writer.tidy()
        except BaseException:
            held.release()
            raise
        if not run.certificates:
            about = dataclasses.replace(
                run.about, status=TRAINING, page=timing_from(run.state.step) | run.about.page
            )
            run = dataclasses.replace(run, about=about)
        return cls(run, writer, held)

    @property
    def folder(self) -> Path:
        """Where the run is."""
        return self._writer.folder

    @property
    def seconds(self) -> float:
        """Of training, in all processes that trained this run."""
        return training_seconds(self.run.about)

    def add(self, advance: Advance, seconds: float) -> None:
        """Add a slice of training that took so many seconds; writes every `EVERY` seconds."""
        moments, layouts = [*self.run.moments], self.run.layouts
        for moment in advance.moments:  # only the last one's latents serve a map
            if moments:
                moments[-1] = without_latents(moments[-1])
            # By number, so that a run cut short and resumed has the maps of one that was not.
            if len(moments) % _MAPPED == 0:
                layouts = _with_map(layouts, moment)
            moments.append(moment)
        page = self.run.about.page
        if math.isfinite(advance.cpu_seconds) and (_CPU_SECONDS in page or self.seconds == 0.0):
            measured = _number(page.get(_CPU_SECONDS)) + advance.cpu_seconds
            page = page | {_CPU_SECONDS: measured}
        page = page | {_SECONDS: self.seconds + seconds}
        about = dataclasses.replace(self.run.about, page=page)
        self.run = dataclasses.replace(
            self.run,
            about=about,
            state=advance.state,
            moments=tuple(moments),
            layouts=layouts,
        )
        self._unsaved += seconds
        if self._unsaved >= EVERY:
            self.write()

    def write(self, last: bool = False) -> None:
        """Write what is new; a failure is kept in `trouble` and tried again next time."""
        try:
            self._writer.write(self.run, last)
        except OSError as error:
            self.trouble = save_error(self.folder, error)
        else:
            self.trouble = ""
        self._unsaved = 0.0

    def finish(self, certificates: tuple[Certificate, ...]) -> None:
        """Write the end of a run; if that fails, the last write stays valid."""
        about = dataclasses.replace(self.run.about, status=FINISHED)
        layouts, newest = self.run.layouts, self.run.moments[-1]
        behind = not layouts or layouts[-1][0].step < newest[0].step
        if behind and newest[0].latent_mean.size:
            layouts = _with_map(layouts, newest)
        self.run = dataclasses.replace(
            self.run, about=about, certificates=certificates, layouts=layouts
        )
        self.write(last=True)

    def close(self) -> None:
        """Unlock the folder."""
        self.lock.release()


def _with_map(layouts: tuple[Maps, ...], moment: Moment) -> tuple[Maps, ...]:
    """The maps with one of this moment; the one before loses its latents, which served the next."""
    if not layouts:
        return (pca_layouts(moment),)
    *before, last = layouts
    return (*before, without_latents(last), pca_layouts(moment, last))


def lock_folder(folder: Path) -> Lock:
    """Lock a run's folder; RequestError if another process has locked it."""
    try:
        held = lock(folder)
    except OSError as error:
        raise RequestError(f"{folder} cannot be locked: {error.strerror}.") from error
    if held is None:
        raise RequestError(
            f"{folder.name} is being trained by another process; wait for its end, or stop it."
        )
    return held


def training_seconds(about: About) -> float:
    """Seconds of training measured so far; 0 if none were."""
    return _number(about.page.get(_SECONDS))


def timed_share(run: SavedRun) -> float:
    """The share of a run's steps that were trained in the measured seconds."""
    step = run.state.step
    return 1.0 - _number(run.about.page.get(_SINCE)) / step if step else 0.0


def timing_from(step: int) -> dict[str, Any]:
    """The entries of `About.page` for a run measured from this step on."""
    return {_SECONDS: 0.0, _SINCE: step}


def timing_of_member(batch: About) -> dict[str, Any]:
    """The entries of `About.page` for one run of a batch."""
    names = (_SECONDS, _CPU_SECONDS, _SINCE)
    timed = {name: batch.page[name] for name in names if name in batch.page}
    return timed | {_TOGETHER: len(batch.members)}


def batch_timing(about: About) -> tuple[float, float, int]:
    """Of the batch that a run was trained in: seconds, processor seconds, number of runs.

    Processor seconds are nan where a part of the training was not measured.
    """
    whole = _CPU_SECONDS in about.page and not _number(about.page.get(_SINCE))
    spent = _number(about.page[_CPU_SECONDS]) if whole else math.nan
    return training_seconds(about), spent, max(1, int(_number(about.page.get(_TOGETHER))))


def is_unfinished(entry: Entry) -> bool:
    """Whether a run has not ended and no process trains it."""
    about = entry.about
    if about is None or not about.files or about.status == "failed":
        return False
    return (not about.verdicts or "comparison" in about.page) and not locked(entry.folder)


def _number(value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40
    return float(value) if good else 0.0
