"""Comparisons as commands make them; saved ones can be resumed however they were stopped."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.commands._stopping import CUT_SHORT, Stop, Stopped, resume_command
from svae_core.commands._training import (
    Batch,
    about_saved,
    check_data,
    one_thread,
    start_recorder,
    train,
)
from svae_core.records import RequestError, Settings
from svae_core.studies.job import CertifiedPart

if TYPE_CHECKING:
    from svae_core.compute.engine import Engine
    from svae_core.config.locks import Lock
    from svae_core.runs.comparison_folders import ComparisonFolders
    from svae_core.runs.folder import SavedRun
    from svae_core.runs.manifest import About
    from svae_core.runs.recorder import Recorder
    from svae_core.studies.scores import Score

Members = tuple[Settings, ...]
_Scored = tuple["Score", dict[str, Any]]  # with the fields of its JSON entry besides its scores


@contextlib.contextmanager
def scored(
    runs: Members, engine: Engine, folders: ComparisonFolders | None, tables: tuple[str, ...]
) -> Iterator[list[_Scored]]:
    """Train and score all runs in batches of one method; RequestError if all are refused.

    With `folders` every batch is saved from its first step on, and resumes from its folder if there
    is one. Raises Stopped if cut short; in the body Ctrl-C waits, as the folders to resume from
    are removed after it. `tables` are further options of the command that resumes.
    """
    from svae_core.studies import comparison

    one_thread()
    with Stop() as stop:
        saved: _SavedComparison | None = None
        try:
            planned = comparison.plan(runs)
            found: dict[Settings, _Scored] = {
                part.members[0]: (part.rows[0], {"run": None}) for part in planned if part.done
            }
            if len(found) == len(set(runs)):
                raise RequestError(next(iter(found.values()))[0].refused)
            parts = [part for part in planned if not part.done]
            if folders is None:
                ended = _in_memory(list(map(Batch, parts)), stop, engine)
            else:
                saved = _SavedComparison(folders, [part.members for part in parts])
                ended = saved.trained(stop, engine)
            found |= {score.settings: (score, about) for score, about in ended}
            stop.check()
            with contextlib.suppress(KeyboardInterrupt), stop.writing():
                yield [found[settings] for settings in runs]
                if saved is not None:
                    saved.remove_batches()
        except CUT_SHORT as cause:
            raise _stopped(cause, saved, folders is not None, tables) from None
        finally:
            if saved is not None:
                saved.release()


def _stopped(
    cause: BaseException, saved: _SavedComparison | None, saving: bool, tables: tuple[str, ...]
) -> Stopped:
    """The message on Ctrl-C, and when workers are lost."""
    if not saving:
        return Stopped(cause, "; --save would have kept what was trained.")
    folder = saved.first_folder() if saved else None
    if folder is None:
        return Stopped(cause, " before the first step; nothing was trained.")
    command = resume_command(folder, *tables)
    answer = {"complete": False, "run": str(folder), "resume": command}
    return Stopped(cause, f"; what was trained is kept, go on with: {command}", answer)


def _in_memory(batches: list[Batch], stop: Stop, engine: Engine) -> Iterator[_Scored]:
    train(batches, stop, engine)
    for batch in batches:
        yield from ((score, batch.about()) for score in batch.part.rows)


class _SavedComparison:
    """A comparison on disk. It locks the folders of its batches until it is released."""

    def __init__(self, folders: ComparisonFolders, batches: list[Members]) -> None:
        from svae_core.runs.recorder import lock_folder

        self._folders = folders
        self._batches = {members: folders.folder(folders.batch(members)) for members in batches}
        self._held: dict[Path, Lock] = {}
        try:
            for folder in self._batches.values():  # in the same order in every process
                if folder.exists():
                    self._held[folder] = lock_folder(folder)
        except BaseException:
            self.release()
            raise

    def first_folder(self) -> Path | None:
        """A folder from which the comparison can be resumed; None if there is none yet."""
        return next((folder for folder in self._batches.values() if folder.exists()), None)

    def trained(self, stop: Stop, engine: Engine) -> Iterator[_Scored]:
        """Train what is missing, give each run a folder of its own, and yield all runs."""
        batches = [
            Batch(CertifiedPart(members), partial(self._recorder, members))
            for members in self._batches
            if not all(self._run_folder(settings).exists() for settings in members)
        ]
        train(batches, stop, engine)
        if trouble := next((batch.trouble for batch in batches if batch.trouble), ""):
            raise RequestError(trouble)
        for members, folder in self._batches.items():
            with stop.writing():
                self._split(members, folder)
        for members in self._batches:
            yield from (self._read(settings) for settings in members)

    def _recorder(self, members: Members) -> Recorder:
        from svae_core.runs.recorder import Recorder

        folder = self._batches[members]
        if folder.exists():
            recorder = Recorder.resume(folder, self._held.get(folder))
            check_data(recorder.run.about, folder.name)
        else:
            recorder = start_recorder(self._folders.batch(members), folder)
        self._held[folder] = recorder.lock
        return recorder

    def _run_folder(self, settings: Settings) -> Path:
        return self._folders.folder(self._folders.run(settings))

    def _split(self, members: Members, batch: Path) -> None:
        """Give every run of a batch that has ended a folder of its own."""
        from svae_core.config.writable import save_error
        from svae_core.runs.folder import RunWriter, load

        missing = [(i, one) for i, one in enumerate(members) if not self._run_folder(one).exists()]
        if not missing:
            return
        saved = load(batch)
        for index, settings in missing:
            folder = self._run_folder(settings)
            try:
                RunWriter(folder).write(_member(saved, index, self._folders.run(settings)))
            except OSError as error:
                command = resume_command(batch)
                raise RequestError(
                    f"{save_error(folder, error)}; make room, and go on with: {command}"
                ) from error

    def _read(self, settings: Settings) -> _Scored:
        from svae_core.runs.folder import load
        from svae_core.runs.recorder import batch_timing
        from svae_core.studies.compute_scores import score
        from svae_core.studies.scores import Timing

        folder = self._run_folder(settings)
        saved = load(folder)
        about = about_saved(saved, folder)
        timing = Timing(*batch_timing(saved.about), saved.state.engine)
        return score(saved.state, saved.certificates[0], timing), about

    def remove_batches(self) -> None:
        """Once every run has a folder of its own."""
        self.release()
        for folder in self._batches.values():
            part = folder.with_name(f".{folder.name}.part")
            with contextlib.suppress(OSError):  # it disappears at once, or stays whole
                folder.rename(part)
                shutil.rmtree(part, ignore_errors=True)

    def release(self) -> None:
        """Unlock all folders."""
        for held in self._held.values():
            held.release()


def _member(batch: SavedRun, index: int, about: About) -> SavedRun:
    """One run of a batch that has ended, as if it had been trained and saved by itself."""
    from svae_core.runs.folder import SavedRun
    from svae_core.runs.recorder import FINISHED, timing_of_member
    from svae_core.training import loop

    told = replace(
        about,
        status=FINISHED,
        steps=batch.about.steps,
        title=batch.about.title,
        fingerprint=batch.about.fingerprint,
        page=timing_of_member(batch.about),
    )
    state = loop.member(batch.state, index)
    moments = tuple((moment[index],) for moment in batch.moments)
    layouts = tuple((row[index],) for row in batch.layouts)
    return SavedRun(told, state, moments, layouts, (batch.certificates[index],))
