"""Runs of this package, watched in a notebook: they are the runs that they would be alone."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from support.notebook_browser import Browser

from svae_core import watch
from svae_core.estimator import SphericalVAE
from svae_core.latent.results import Follow
from svae_core.notebook.fitted import Fitted
from svae_core.notebook.trained import Trained, training_of
from svae_core.notebook.watch import as_watched
from svae_core.notebook.watched_run import FINISHED
from svae_core.records import Budget, RequestError, Settings
from svae_core.training import loop

POINTS = np.random.default_rng(0).normal(size=(120, 6)) @ np.diag([3.0, 2, 1, 1, 0.5, 0.5])
SMALL = Settings(
    dataset="wine", clusters=3, latent_dim=2, hidden=8, epochs=2, method="spherical", n_points=60
)


@pytest.mark.slow
def test_a_run_that_is_watched_is_the_run() -> None:
    watched = Trained((SMALL,))
    browser = Browser(watched)
    state = watched.train()
    alone = loop.advance(loop.begin((SMALL,)), Budget()).state
    np.testing.assert_array_equal(state.parameters, alone.parameters)
    assert watched.run.status == FINISHED and watched.run.certificates[0].verdict
    assert browser.kept[-1]["step"] == state.step
    # The models of an earlier step are made again: a point's first draw is that of the frame.
    middle = watched.run.moments[len(watched.run.moments) // 2][0]
    followed = watched.follow(Follow(1), middle.step)
    np.testing.assert_allclose(followed.members[0].places[0], middle.shell_view[1], atol=1e-6)


@pytest.mark.slow
def test_a_fitted_estimator_trains_again_to_the_same_weights() -> None:
    quick: dict[str, Any] = {"latent_dim": 2, "clusters": 3, "epochs": 2, "hidden": 8}
    model = SphericalVAE(**quick).fit(POINTS)
    watched = training_of(model, POINTS)
    np.testing.assert_array_equal(watched.train().parameters, model.state_.parameters)
    with pytest.raises(RequestError, match="not what this estimator was fitted to"):
        training_of(model, POINTS + 1)
    shown = model._repr_mimebundle_()
    assert model.certificate_.sentence in shown["text/plain"]
    assert "svae-shown" in shown["text/html"] and "sk-" in shown["text/html"]


@pytest.mark.slow
def test_an_estimator_is_watched_while_it_is_fitted() -> None:
    watched = Fitted()
    browser = Browser(watched)
    model = SphericalVAE(latent_dim=2, clusters=3, epochs=3, hidden=8).set_callbacks(watched)
    model.fit(POINTS)
    assert watched.run is not None and len(watched.run.moments) == 3
    assert watched.run.certificates == (model.certificate_,)
    assert len(browser.kept) == 3
    last = watched.run.moments[-1][0]
    followed = watched.follow(Follow(4), last.step)
    np.testing.assert_allclose(followed.members[0].places[0], last.shell_view[4], atol=1e-6)


def test_what_cannot_be_watched_is_told_in_a_sentence() -> None:
    with pytest.raises(RequestError, match="A float cannot be watched"):
        as_watched(1.0, None)


def test_without_anywidget_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "svae_core.notebook.widget", raising=False)
    with pytest.raises(RequestError, match=r"pip install 'spherical-vae-explorer\[notebook\]'"):
        watch(Settings())
