"""What a notebook's browser is sent, and when: moments as they come, and the whole run at times.

A loop that trains keeps the kernel busy, so nobody can ask: moments are pushed from within its
steps. A browser that begins to listen late finds the run so far in the widget's state; that is
renewed ever more seldom, so that all of them together cost little more than the last one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from svae_core.latent.results import Follow, Followed
from svae_core.notebook.watched_run import FINISHED, LARGEST, WatchedRun
from svae_core.records import RequestError
from svae_core.stage import messages
from svae_core.stage.framing import encode
from svae_core.stage.messages import FrameRequest

#: Seconds between two messages to the browser, at least: servers stop what comes too fast.
_APART = 0.02
#: The state is renewed when there are so many times as many moments as at the last time.
_GROWTH = 1.5


class Watched(Protocol):
    """What is watched: a run that may grow, and models that points can be followed through."""

    @property
    def run(self) -> WatchedRun | None:
        """The run; None before there is one."""

    def listen(self, on_news: Callable[[], object]) -> None:
        """Call `on_news` whenever the run has grown or ended."""

    def follow(self, question: Follow, step: int) -> Followed:
        """A point on its way through the models of a step."""


class Post:
    """Sends a run to one widget. All of its work is done in the thread that made it."""

    def __init__(
        self,
        watched: Watched,
        send: Callable[[list[bytes]], object],
        keep: Callable[[bytes], object],
    ) -> None:
        """`send`: messages to the browser. `keep`: the whole run, packed, as the widget's state."""
        self._watched, self._send, self._keep = watched, send, keep
        self._thread = threading.get_ident()
        self._run: WatchedRun | None = None
        self._sent = self._kept = 0  # moments
        self._version = 0
        self._last = -_APART
        # The last one counts. Two threads meet here, so what is taken out is taken in one stroke.
        self._questions: deque[dict[str, Any]] = deque(maxlen=1)
        watched.listen(self.news)
        self.news()

    def news(self) -> None:
        """The run may have grown: send what is new, and answer what was asked meanwhile."""
        self._send_moments()
        self.answer()

    def ask(self, question: dict[str, Any], later: Callable[[Callable[[], None]], object]) -> None:
        """Take a question in, the last one counts; `later` has it answered once nothing trains.

        It may come in a thread of its own, beside a step of training: then that step's loop
        answers, at its next news, so that two threads never use one model.
        """
        self._questions.append(question)
        if threading.get_ident() == self._thread:
            self.answer()
        else:
            later(self.answer)

    def answer(self) -> None:
        """Answer the last question, if there is one."""
        if self._run is None or not self._questions:
            return
        question = self._questions.pop()
        asked = int(question.get("asked", 0))
        try:
            step = int(question.get("step", 0))
            point = self._watched.follow(messages.read_question(question), step)
        except RequestError as error:
            told = {"kind": "refused", "sentence": str(error), "train": None, "asked": asked}
            self._send([encode(told, {})])
        else:
            self._send([encode(*messages.followed(point, asked))])

    def _send_moments(self) -> None:
        run = self._watched.run
        if run is None or not run.moments:
            return
        if run is not self._run:  # the first, or of another fit
            self._run, self._sent, self._kept, self._version = run, 0, 0, 0
        count, over = len(run.moments), run.version != self._version
        if over or count >= _GROWTH * self._kept:
            self._version = run.version
            self._kept = self._sent = count
            self._keep(run.packed(LARGEST))
            return
        now = time.monotonic()
        if count > self._sent and now - self._last >= _APART:
            self._last = now
            new = range(self._sent, count)
            self._send([encode(*run.message(index, seen(run, index))) for index in new])
            self._sent = count

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._run is not None and self._run.status == FINISHED


def seen(run: WatchedRun, index: int) -> FrameRequest:
    """What a page has seen that was sent all moments before this one."""
    return FrameRequest(
        index,
        have=index - 1,
        generation=run.generation if index else -1,
        version=run.version,
        rows=index,
        layout=index - 1 if len(run.layouts) == len(run.moments) else -1,
        floors=2 if index else 0,
    )
