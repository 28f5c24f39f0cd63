"""One viewer's connection to a run: what it asks, what it is answered, and what it may do.

A viewer by the run's id may do everything; a student of a class may predict and take a copy; who
follows a read-only link may look. That is decided here, whatever a browser sends.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from pages.classroom import lessons
from pages.classroom.sessions import Class
from pages.live.companions import try_nearby
from pages.live.run import LiveRun
from pages.live.setting_changes import read_changes
from pages.server.current import server
from pages.visitor import owner_cookie, settings_in_url
from pages.visitor.markdown import for_visitors
from pages.wire import message_fields, messages
from pages.wire.following import Following
from svae_core.records import RequestError

#: Characters of the longest request, a drawing; our own page sends shorter ones.
LONGEST_REQUEST = 2**15
#: The code with which browsers close a page, which may be reloading.
GOING_AWAY = 1001
BAD_REQUEST, TOO_LONG, UNKNOWN_RUN = 4400, 1009, 4404
CLASS_ENDED = "This class has ended: ask your teacher for another link."


class ViewerConnection:
    """The connection of one viewer: reads requests and answers them."""

    def __init__(
        self,
        socket: WebSocket,
        live: LiveRun,
        wake: asyncio.Event,
        classroom: Class | None = None,
        reads: bool = False,
    ) -> None:
        """`classroom`: the class that this viewer follows; `reads`: by a read-only link."""
        self._socket = socket
        self._live = live
        self._classroom = classroom
        self._reads = reads
        self._wake = wake
        self._request: messages.FrameRequest | None = None
        self._replies: list[messages.Message] = []
        self.following = Following(live, self._reply, self._refuse)
        self._sent_notice: str | None = None
        self._led: Class | None = None  # the class that this viewer leads, if any
        # Who a student is, so that the prediction is still theirs when they come back.
        self._student = owner_cookie.key_of(socket) or secrets.token_urlsafe(12)

    async def receive_requests(self) -> None:
        """Receive requests until the viewer disconnects, which only receiving detects."""
        try:
            while True:
                text = await self._socket.receive_text()
                if len(text) > LONGEST_REQUEST:
                    await self._socket.close(TOO_LONG, "That request is too long.")
                    return
                self._receive(json.loads(text))
        except WebSocketDisconnect as gone:
            if gone.code != GOING_AWAY:  # connection lost, or two pings unanswered
                self._leave()
        except WebSocketDisconnected:  # an answer has met the lost connection first
            self._leave()
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            await self._socket.close(BAD_REQUEST, "That request is invalid.")

    async def send_answers(self) -> None:
        """Answer the last request as soon as there is an answer to it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._live.notice and self._live.notice != self._sent_notice:
                self._sent_notice = self._live.notice
                self._refuse(self._sent_notice)
            while self._replies:
                await self._socket.send_bytes(messages.encode(*self._replies.pop(0)))
            if self._classroom and not server().classes.shows(self._classroom, self._live):
                await self._end_or_begin_again(self._classroom)
                return
            if self._request and (message := self._answered(self._request)):
                self._request = None
                await self._socket.send_bytes(messages.encode(*message))

    async def _end_or_begin_again(self, classroom: Class) -> None:
        """The class is shown another run; or it has ended, and keeps in sight what it saw last."""
        if server().classes.find(classroom.code) is None:
            await self._socket.close(UNKNOWN_RUN, CLASS_ENDED)
        else:
            await self._socket.send_bytes(messages.encode({"kind": "again"}, {}))

    def _leave(self) -> None:
        """This viewer closes the page; a reader or a student says nothing of the owner's."""
        if self._classroom is None and not self._reads:
            self._live.viewers.one_closes()

    def _answered(self, request: messages.FrameRequest) -> messages.Message | None:
        if self._reads:
            return messages.answer_reader(self._live, request)
        if self._classroom is None:
            seat = self._led.seat(None) if self._led else None
            return messages.answer(self._live, request, seat)
        seat = self._classroom.seat(self._student)
        return messages.answer_class_follower(self._live, request, self._classroom.shown, seat)

    def _reply(self, message: messages.Message) -> None:
        self._replies.append(message)
        self._wake.set()

    def _refuse(self, sentence: str, **what: int) -> None:
        """Say why something is not done; where training has ended, with the way to a new run."""
        mine = self._classroom is None and not self._reads
        ended = self._live.done and mine and not what
        train = settings_in_url.to_link(self._live.members[-1]) if ended else None
        said = {"kind": "refused", "sentence": for_visitors(sentence), "train": train}
        self._reply((said | what, {}))

    def _receive(self, request: Any) -> None:
        if not isinstance(request, dict):  # a text may have "follow" in it, too
            raise TypeError("a request has names")
        if "follow" in request:
            self.following.ask(request)
        elif "colour" in request or "small" in request:
            if prepared := self._live.prepared:  # a page asks once it has the scene
                self._replies += messages.looks(prepared, request)
        elif "do" in request:
            try:
                self._run_command(str(request["do"]), request)
            except RequestError as error:
                self._refuse(str(error))
        else:
            self._request = messages.FrameRequest.read(request)
        self._wake.set()

    def _run_command(self, command: str, request: dict[str, Any]) -> None:
        """Run a viewer's command. RequestError, one sentence, if it is refused."""
        commands: dict[str, Callable[[], None]] = {
            "play": self._live.play,
            "pause": self._live.pause,
            "step": self._live.step,
            "reset": self._live.restart,
            "try": partial(try_nearby, self._live),
        }
        if command == "leave":
            self._leave()
        elif self._reads:
            raise RequestError("This link is read-only: it shows the run, and changes nothing.")
        elif self._classroom is not None:
            self._run_follower_command(self._classroom, command, request)
        elif command in commands:
            commands[command]()
        elif command == "lead":
            run = self._socket.path_params["run"]
            server().classes.lead(str(request["key"]), run, int(request["shown"]))
            self._led = server().classes.find_by_key(str(request["key"]))
        elif command == "reveal":
            server().classes.reveal(str(request["key"]))
        else:
            self._change_run(command, request)

    def _run_follower_command(
        self, classroom: Class, command: str, request: dict[str, Any]
    ) -> None:
        """Run one of the two commands that a student has: predict, and take a copy."""
        if command == "predict":
            lesson = lessons.find(self._live.request.lesson)
            answer = lessons.check_prediction(lesson, int(request["answer"]))
            server().classes.answer(classroom, self._student, answer)
            return
        if command != "copy":
            raise RequestError("Only the teacher can change this run; take a copy to change it.")
        copy = server().classes.copy(classroom, owner_cookie.key_of(self._socket))
        taken = message_fields.copy_taken(copy, server().runs.view(copy), classroom.code)
        self._reply((taken, {}))

    def _change_run(self, command: str, request: dict[str, Any]) -> None:
        """Change settings of this run, or start another run from it."""
        run, runs = self._socket.path_params["run"], server().runs
        if command == "change":
            self._live.change(read_changes(request["changes"]))
        elif command == "predict":
            lesson = lessons.find(self._live.request.lesson)
            self._live.predict(lessons.check_prediction(lesson, int(request["answer"])))
        elif command in ("branch", "reseed"):
            if command == "branch":
                moved = runs.branch(run, int(request["step"]), read_changes(request["changes"]))
            else:
                moved = runs.reseed(run)
            self._reply((message_fields.moved(moved, runs.view(moved)), {}))
        else:
            raise KeyError(command)
