"""Answers of one viewer's connection to questions on a point followed through the models.

They are computed beside the moments, which go on meanwhile; of questions that come faster than they
are answered, the last one counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pages.live import companions
from pages.live.run import LiveRun
from pages.wire import messages
from svae_core.latent.results import Follow
from svae_core.records import RequestError
from svae_core.stage.messages import read_question as read_question


class Following:
    """The questions of one viewer of a run."""

    def __init__(
        self,
        live: LiveRun,
        reply: Callable[[messages.Message], None],
        refuse: Callable[..., None],
    ) -> None:
        """`reply` sends a message; `refuse` a sentence, with the number of the question."""
        self._live, self._reply, self._refuse = live, reply, refuse
        self._question: tuple[Follow, int, int | None] | None = None
        self._task: asyncio.Task[None] | None = None

    def ask(self, request: dict[str, Any]) -> None:
        """Answer this request, instead of one that waits; ValueError or KeyError if malformed."""
        question, prepared = read_question(request), self._live.prepared
        if prepared is None or not 0 <= question.point < len(prepared.view_points):
            raise ValueError("there is no such viewed point")
        step = int(request["step"]) if "step" in request else None
        self._question = question, int(request.get("asked", 0)), step
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer())

    def stop(self) -> None:
        """Give up the question that is being answered."""
        if self._task is not None:
            self._task.cancel()

    async def _answer(self) -> None:
        while self._question is not None:
            (question, asked, step), self._question = self._question, None
            try:
                point = await companions.follow(self._live, question, step)
            except RequestError as error:
                self._refuse(str(error), asked=asked)
            else:
                if point is not None:
                    self._reply(messages.followed(point, asked))
