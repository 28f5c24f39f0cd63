"""A run that is written while it trains, and goes on from its folder after any end.

    recorder = Recorder.begin(run)  or  Recorder.resume(folder)
    recorder.add(advance, seconds)     # after each slice of training
    recorder.finish(certificates)

The folder is locked meanwhile: no second process trains the same run. A process that is killed
loses what it trained since the last write: `EVERY` seconds of training and the slice it was in.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from svae_core.config.locks import Lock, lock, locked
from svae_core.records import Advance, Certificate, RequestError
from svae_core.runs.folder import RunWriter, SavedRun, load, without_latents
from svae_core.runs.manifest import About
from svae_core.runs.store import Entry

#: Seconds of training after which a run is written again.
EVERY = 1.0
TRAINING, FINISHED = "training", "finished"
#: What `runs list` calls a run that nobody trains, and that has not ended.
UNFINISHED = "unfinished"
#: Where a run's page keeps how long it trained, from which step that was counted, and how many
#: runs were trained as one batch in that time.
_SECONDS, _SINCE, _TOGETHER = "seconds", "timed_since", "trained_together"


class Recorder:
    """One run and its folder, which nobody else writes until it is closed.

    Not for two threads at once. `trouble` is why the run could not be written the last time it was
    tried, a sentence without its end, or empty. Training goes on meanwhile.
    """

    def __init__(self, run: SavedRun, writer: RunWriter, held: Lock) -> None:
        self.run = run
        self.trouble = ""
        self._writer = writer
        self.lock = held
        self._unsaved = 0.0  # seconds of training that are not on disk

    @classmethod
    def begin(cls, run: SavedRun, folder: Path) -> Recorder:
        """Write a new run before its first step; RequestError where that fails."""
        run = dataclasses.replace(run, about=dataclasses.replace(run.about, status=TRAINING))
        writer = RunWriter(folder)
        try:
            writer.write(run)
        except OSError as error:
            mend = "make room, or choose another folder with SVAE_HOME"
            raise RequestError(f"{refused(folder, error)}; {mend}.") from error
        return cls(run, writer, taken(folder))

    @classmethod
    def resume(cls, folder: Path, held: Lock | None = None) -> Recorder:
        """Take up a saved run, with its lock where that is held already.

        RequestError where it is damaged, or another process trains it.
        """
        held = held or taken(folder)
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
                run.about, status=TRAINING, page=timed_from(run.state.step) | run.about.page
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
        return seconds_in(self.run.about)

    def add(self, advance: Advance, seconds: float) -> None:
        """What a slice of training gave and how long it took; written if it is time."""
        moments = [*self.run.moments]
        for moment in advance.moments:  # only the last one's latents serve a map
            if moments:
                moments[-1] = without_latents(moments[-1])
            moments.append(moment)
        page = self.run.about.page | {_SECONDS: self.seconds + seconds}
        about = dataclasses.replace(self.run.about, page=page)
        self.run = dataclasses.replace(
            self.run, about=about, state=advance.state, moments=tuple(moments)
        )
        self._unsaved += seconds
        if self._unsaved >= EVERY:
            self.write()

    def write(self, last: bool = False) -> None:
        """Write what is new; where that fails, say why in `trouble`, and try again next time."""
        try:
            self._writer.write(self.run, last)
        except OSError as error:
            self.trouble = refused(self.folder, error)
        else:
            self.trouble = ""
        self._unsaved = 0.0

    def finish(self, certificates: tuple[Certificate, ...]) -> None:
        """Write the end of a run; where that fails, what was written before stays."""
        about = dataclasses.replace(self.run.about, status=FINISHED)
        self.run = dataclasses.replace(self.run, about=about, certificates=certificates)
        self.write(last=True)

    def close(self) -> None:
        """Let others have the folder."""
        self.lock.release()


def taken(folder: Path) -> Lock:
    """The lock of a run's folder; RequestError where another process has it."""
    try:
        held = lock(folder)
    except OSError as error:
        raise RequestError(f"{folder} cannot be locked: {error.strerror}.") from error
    if held is None:
        raise RequestError(
            f"{folder.name} is being trained by another process; wait for its end, or stop it."
        )
    return held


def seconds_in(about: About) -> float:
    """How long a run was trained as far as that was measured; 0 where it was not."""
    return _number(about.page.get(_SECONDS))


def share_timed(run: SavedRun) -> float:
    """The share of a run's steps so far that its seconds are of."""
    step = run.state.step
    return 1.0 - _number(run.about.page.get(_SINCE)) / step if step else 0.0


def timed_from(step: int) -> dict[str, Any]:
    """What a page keeps where time is measured from this step on."""
    return {_SECONDS: 0.0, _SINCE: step}


def timed_together(batch: About) -> dict[str, Any]:
    """What the page of one run of a batch keeps of its time."""
    timed = {name: batch.page[name] for name in (_SECONDS, _SINCE) if name in batch.page}
    return timed | {_TOGETHER: len(batch.members)}


def share_in(about: About) -> float:
    """A run's share of the seconds of its batch."""
    return seconds_in(about) / max(1.0, _number(about.page.get(_TOGETHER)))


def is_unfinished(entry: Entry) -> bool:
    """Whether a run can be trained to its end, and no process does so now."""
    about = entry.about
    if about is None or not about.files or about.status == "failed":
        return False
    return (not about.verdicts or "comparison" in about.page) and not locked(entry.folder)


def _number(value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40
    return float(value) if good else 0.0


def refused(folder: Path, error: OSError) -> str:
    """Why a run is not saved: a sentence without its end."""
    return f"The run cannot be saved in {folder}: {error.strerror}"
