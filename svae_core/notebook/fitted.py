"""The training of an estimator that will be fitted, to watch while `fit` runs.

    watched = Fitted();  model.set_callbacks(watched);  model.fit(X)

One moment for each epoch, by scikit-learn's callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from svae_core.compute import tasks
from svae_core.datasets import held
from svae_core.latent.results import Follow, Followed
from svae_core.notebook.trained import follow_at
from svae_core.notebook.watched_run import WatchedRun
from svae_core.records import State


class Fitted:
    """A callback of SphericalVAE whose `run` grows with every epoch; None before the first."""

    def __init__(self) -> None:
        self.run: WatchedRun | None = None
        self._states: list[State] = []
        self._on_news: list[Callable[[], object]] = []
        self._held = ExitStack()

    def listen(self, on_news: Callable[[], object]) -> None:
        """Call `on_news` after every epoch."""
        self._on_news.append(on_news)

    def follow(self, question: Follow, step: int) -> Followed:
        """A point on its way through the models of that step."""
        return follow_at(self._states, question, step)

    # ------------------------------------------------------------ scikit-learn's callbacks

    def setup(self, estimator: Any, context: Any) -> None:
        """A fit begins: what was seen of an earlier one is over."""
        self.run, self._states = None, []

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing is known yet."""

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any, fitted_estimator: Any
    ) -> bool:
        """An epoch is over; False: training goes on."""
        if context.task_name != "epoch":
            return False
        state, frame = fitted_estimator.state_, fitted_estimator.frame_
        if self.run is None:
            # The estimator holds its points while it trains only; clicks come later, too.
            self._held.close()
            self._held.enter_context(held(np.asarray(np.asarray(X) - estimator.origin_)))
            self.run = WatchedRun(tasks.prepared_data(state.settings[-1]), state.settings)
        self._states.append(state)
        self.run.add((frame,))
        self._tell()
        return False

    def teardown(self, estimator: Any, context: Any) -> None:
        """The fit is over, and certified unless it failed."""
        certificate = getattr(estimator, "certificate_", None)
        if self.run is not None:
            self.run.finish((certificate,) if certificate else ())
            self._tell()

    def _tell(self) -> None:
        for tell in self._on_news:
            tell()
