"""Runs of this package that train in the notebook's own process.

    watched = Trained((settings,));  watched.train();  watched.follow(question, step)

A run is a pure function of its settings, so the models of any earlier step are made again where a
click asks for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.compute import tasks
from svae_core.datasets import held
from svae_core.latent.results import Follow, Followed
from svae_core.notebook.watched_run import WatchedRun
from svae_core.problem import prepare
from svae_core.records import Budget, RequestError, Settings, State

if TYPE_CHECKING:
    from svae_core.estimator import SphericalVAE

#: Seconds of training between two looks at what the viewer asks …
_SLICE = 0.2
#: … and at most for the models of an earlier step.
_AGAIN = 10.0
#: Moments between two states that are kept.
_EVERY = 20


class Trained:
    """A run of ours that trains in this process, or has trained."""

    def __init__(self, members: tuple[Settings, ...]) -> None:
        """RequestError if the settings are invalid."""
        from svae_core.training import loop

        self._state = loop.begin(members)
        floors = tuple(prepare(settings).floors for settings in members)
        self.run = WatchedRun(tasks.prepared_data(members[-1]), members, floors=floors)
        self.run.add(loop.first_frames(self._state))
        self._states = [self._state]
        self._on_news: list[Callable[[], object]] = []
        #: Holds an array in memory that the settings name.
        self.held = ExitStack()

    def listen(self, on_news: Callable[[], object]) -> None:
        """Call `on_news` after every slice of training."""
        self._on_news.append(on_news)

    def train(self) -> State:
        """Train to the end and certify; the state at the end."""
        from svae_core.training import loop

        while not loop.finished(self._state):
            advance = loop.advance(self._state, Budget(seconds=_SLICE))
            self._state = advance.state
            for moment in advance.moments:
                self.run.add(moment)
            if len(self.run.moments) >= _EVERY * len(self._states):
                self._states.append(self._state)
            self._tell()
        self.run.finish(loop.certify(self._state))
        self._tell()
        return self._state

    def follow(self, question: Follow, step: int) -> Followed:
        """A point on its way through the models of that step."""
        return follow_at([*self._states, self._state], question, step)

    def _tell(self) -> None:
        for tell in self._on_news:
            tell()


def follow_at(states: list[State], question: Follow, step: int) -> Followed:
    """The models of a step, from the last of these states before it; they rise in step."""
    from svae_core.latent.following import follow
    from svae_core.training import loop

    step = min(step, states[-1].step)
    state = [one for one in states if one.step <= step][-1]
    if state.step < step:
        budget = Budget(steps=step - state.step, seconds=_AGAIN, frames=False)
        state = loop.advance(state, budget).state
    if state.step < step:
        raise RequestError(
            f"The models of step {step:,} are not kept, and training up to there takes longer than "
            f"{_AGAIN:.0f} s; go to the newest moment."
        )
    return follow(state.step, tuple(loop.models(state)), question)


def training_of(model: SphericalVAE, X: Any) -> Trained:
    """The training of a fitted estimator on its points [n, d], to be trained once more.

    It is the same run, step by step, as long as X is what it was fitted to; else RequestError.
    """
    points = np.asarray(np.asarray(X) - model.origin_, np.float32)
    stack = ExitStack()
    name, options = stack.enter_context(held(points))
    (settings,) = model.state_.settings
    known = dict(settings.dataset_options).get("fingerprint")
    if known != dict(options).get("fingerprint"):
        stack.close()
        raise RequestError("X is not what this estimator was fitted to; give the same points.")
    watched = Trained((dataclasses.replace(settings, dataset=name, dataset_options=options),))
    watched.held = stack
    return watched
