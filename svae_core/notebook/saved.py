"""A saved run to watch; one that another process trains is followed as its folder grows.

    watched = saved_run("name of a run");  watched.look()

The recorder replaces run.json at every write, so each look finds a complete run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from svae_core.compute import tasks
from svae_core.config.locks import locked
from svae_core.latent.projection import pca_layouts
from svae_core.latent.results import Follow, Followed
from svae_core.notebook.trained import follow_at
from svae_core.notebook.watched_run import WatchedRun
from svae_core.problem import prepare
from svae_core.records import RequestError
from svae_core.runs import folder as runs
from svae_core.runs import store
from svae_core.runs.folder import SavedRun
from svae_core.runs.manifest import read_about
from svae_core.runs.recorder import EVERY

#: A look reads the whole run, which takes longer as it grows; so much longer is the pause after it.
_REST = 5.0


class Saved:
    """A saved run as far as it is. With its folder, what another process adds to it comes in."""

    def __init__(self, saved: SavedRun, folder: Path | None = None) -> None:
        """`folder` only if the run is in training there.

        RequestError where there is nothing to show, or the data are not here or are others.
        """
        self._folder = folder
        self._on_news: list[Callable[[], object]] = []
        self._saved, self.run = saved, _begun(saved)
        self._take(saved)
        if folder is None:
            self.run.finish(saved.certificates)

    def listen(self, on_news: Callable[[], object]) -> None:
        """Call `on_news` after every look that found something new."""
        self._on_news.append(on_news)

    def look(self) -> float | None:
        """Take in what was trained since the last look; seconds until the next, None if it is over.

        It is over when no process trains it any more, whether or not it came to its end.
        """
        if self._folder is None:
            return None
        began = time.monotonic()
        training = locked(self._folder)  # asked first, so that the last write is read too
        with contextlib.suppress(RequestError):  # of a folder that was moved, or replaced meanwhile
            if not training or read_about(self._folder).saved != self._saved.about.saved:
                self._take(runs.load(self._folder))
                self._tell()
        if not training or self._saved.certificates:  # the app locks runs that are over as well
            self._folder = None
            self.run.finish(self._saved.certificates)
            self._tell()
            return None
        return max(EVERY, _REST * (time.monotonic() - began))

    def follow(self, question: Follow, step: int) -> Followed:
        """A point on its way through the models of that step, trained again where it is earlier."""
        from svae_core.training import loop

        state = self._saved.state
        states = [state]
        if step < state.step:
            states.insert(0, loop.begin(state.settings))
        return follow_at(states, question, step)

    def _take(self, saved: SavedRun) -> None:
        """Add the moments that are new; a run that was started over or changed begins anew."""
        if not _continues(self.run, saved):
            self.run = _begun(saved)
        self._saved = saved
        for moment in saved.moments[len(self.run.moments) :]:
            self.run.add(moment, mapped=False)
        self._map(saved)

    def _map(self, saved: SavedRun) -> None:
        """Add the maps that are new, and one of the newest moment: it alone has its latents."""
        run, newest = self.run, saved.moments[-1]
        known = run.layouts[-1][0].step if run.layouts else -1
        run.layouts += tuple(maps for maps in saved.layouts if maps[0].step > known)
        behind = not run.layouts or run.layouts[-1][0].step < newest[0].step
        if behind and all(len(frame.latent_mean) for frame in newest):
            run.layouts += (pca_layouts(newest, run.layouts[-1] if run.layouts else ()),)

    def _tell(self) -> None:
        for tell in self._on_news:
            tell()


def _begun(saved: SavedRun) -> WatchedRun:
    """The run without its moments, if its data are what they were."""
    if not saved.moments:
        raise RequestError("This run has no moments to show; train it with recorded moments.")
    members = saved.about.members
    prepared = tasks.prepared_data(members[-1])
    if saved.about.fingerprint not in ("", prepared.dataset.fingerprint):
        raise RequestError(
            "The data of this run are not what they were when it was trained, so it cannot be "
            "shown; restore the data, or train it again."
        )
    floors = tuple(prepare(settings).floors for settings in members)
    return WatchedRun(prepared, members, floors=floors)


def _continues(run: WatchedRun, saved: SavedRun) -> bool:
    """Whether a run begins with all moments of another."""
    known = run.moments
    if run.members != saved.about.members or len(known) > len(saved.moments):
        return False
    return not known or saved.moments[len(known) - 1][0].step == known[-1][0].step


def saved_run(place: str | Path) -> Saved:
    """A saved run, by its folder or its name; RequestError if there is none."""
    found = Path(place)
    where = found if found.is_dir() else store.find(runs.home(), str(place)).folder
    training = locked(where)
    saved = runs.load(where)
    return Saved(saved, where if training and not saved.certificates else None)
