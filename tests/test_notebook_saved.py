"""Saved runs, watched in a notebook: complete ones, and those that another process trains."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.notebook_browser import Browser
from support.saved_runs import WINE

from svae_core.latent.results import Follow
from svae_core.notebook.saved import Saved, saved_run
from svae_core.notebook.watched_run import FINISHED, PLAYING
from svae_core.records import Budget, RequestError, Settings
from svae_core.runs.folder import SavedRun
from svae_core.runs.manifest import About
from svae_core.runs.recorder import EVERY, Recorder
from svae_core.training import loop

SMALL = dataclasses.replace(WINE, n_points=60)


def begun(folder: Path, settings: Settings = SMALL) -> Recorder:
    """A run in its folder before its first step, locked as by whoever trains it."""
    state = loop.begin((settings,))
    return Recorder.begin(SavedRun(About((settings,)), state, (loop.first_frames(state),)), folder)


def train(recorder: Recorder, steps: int | None = None) -> None:
    """Train on by some steps, or to the end, and write."""
    budget = Budget() if steps is None else Budget(steps=steps)
    recorder.add(loop.advance(recorder.run.state, budget), seconds=0.0)
    recorder.write()


def end(recorder: Recorder) -> None:
    """Train to the end, certify and unlock."""
    train(recorder)
    recorder.finish(loop.certify(recorder.run.state))
    recorder.close()


@pytest.mark.slow
def test_a_run_in_training_is_followed_to_its_end(tmp_path: Path) -> None:
    recorder = begun(tmp_path / "run")
    watched = saved_run(tmp_path / "run")
    browser = Browser(watched)
    assert watched.run.status == PLAYING and len(browser.kept) == 1
    wait = watched.look()
    assert wait is not None and wait >= EVERY and not browser.messages, "nothing is new"
    train(recorder, steps=4)
    assert watched.look() is not None
    here = recorder.run.state.step
    assert watched.run.moments[-1][0].step == here
    assert watched.run.layouts[-1][0].step == here, "the newest moment has a map"
    assert browser.kept[-1]["step"] == here or browser.messages[-1]["step"] == here
    # A click is decoded by the models of the newest moment.
    followed = watched.follow(Follow(1), here)
    newest = watched.run.moments[-1][0]
    np.testing.assert_allclose(followed.members[0].places[0], newest.shell_view[1], atol=1e-6)
    end(recorder)
    assert watched.look() is None and watched.look() is None
    assert watched.run.status == FINISHED and watched.run.certificates[0].verdict
    assert browser.kept[-1]["step"] == recorder.run.state.step
    # Followed or opened afterwards: the same moments.
    steps = [moment[0].step for moment in saved_run(tmp_path / "run").run.moments]
    assert [moment[0].step for moment in watched.run.moments] == steps
    assert len(steps) == len({*steps}) == len(recorder.run.moments)


def test_a_run_whose_training_is_given_up_is_over(tmp_path: Path) -> None:
    recorder = begun(tmp_path / "run")
    watched = saved_run(tmp_path / "run")
    train(recorder, steps=2)
    recorder.close()  # as the system does where a process is killed
    assert watched.look() is None
    assert watched.run.status == FINISHED and watched.run.certificates == ()
    assert watched.run.moments[-1][0].step == recorder.run.state.step


def test_a_run_that_is_deleted_meanwhile_stays_as_it_was(tmp_path: Path) -> None:
    recorder = begun(tmp_path / "run")
    watched = saved_run(tmp_path / "run")
    recorder.close()
    shutil.rmtree(tmp_path / "run")
    assert watched.look() is None
    assert watched.run.status == FINISHED and len(watched.run.moments) == 1


def test_a_run_that_is_started_over_begins_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    recorder = begun(folder)
    train(recorder, steps=4)
    watched = saved_run(folder)
    browser = Browser(watched)
    before = watched.run
    recorder.close()
    shutil.rmtree(folder)
    other = begun(folder, dataclasses.replace(SMALL, beta=2.0))
    assert watched.look() is not None
    assert watched.run is not before and watched.run.members[0].beta == 2.0
    assert [moment["step"] for moment in browser.kept] == [0]
    other.close()


@pytest.mark.slow
def test_a_complete_run_is_over_and_is_not_looked_at_again(tmp_path: Path) -> None:
    end(recorder := begun(tmp_path / "run"))
    for watched in (saved_run(tmp_path / "run"), Saved(recorder.run)):
        assert watched.run.status == FINISHED and watched.look() is None
        assert watched.run.certificates[0].verdict


def test_data_that_changed_are_refused(tmp_path: Path) -> None:
    recorder = begun(tmp_path / "run")
    about = dataclasses.replace(recorder.run.about, fingerprint="another")
    with pytest.raises(RequestError, match="not what they were"):
        Saved(dataclasses.replace(recorder.run, about=about))
    with pytest.raises(RequestError, match="no moments"):
        Saved(dataclasses.replace(recorder.run, moments=()))
    recorder.close()
