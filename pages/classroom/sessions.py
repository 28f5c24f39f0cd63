"""Classes: a teacher's run on every student's screen, and a board of the results of all runs.

    classroom = classes.begin(run);  classes.find(classroom.code)
    classes.lead(classroom.key, run, 17)

A class has two unguessable words. The `code` is for everyone: it shows the teacher's run and lets
runs be entered on the board, no more; it never reveals the id of a run, which would let its holder
change the run. The `key` is the teacher's. Six `letters` can be typed instead of the code while the
class is open; so that nobody finds a class by trying, wrong ones are counted and soon refused.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pages.live.registry import Registry
from pages.live.run import LiveRun
from pages.live.run_source import RunRequest
from pages.live.run_view import RunView
from svae_core.config.settings import settings_at
from svae_core.figures.class_board import Dot
from svae_core.records import RequestError

_log = logging.getLogger(__name__)
#: Instead of a moment's index: the newest moment, whichever it is.
NEWEST = -1
#: A class is removed after this many seconds without use.
KEPT_SECONDS = 4 * 3600.0
LARGEST_CLASS = 500  # runs on one board, and copies of the teacher's run at a time
#: Letters that are not taken for one another, said or written.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_LETTERS = 6
#: Most wrong tries of one address, and of all addresses together, in so many seconds. A school may
#: have one address; a class of thirty types wrong now and then.
_TRIES, _ALL_TRIES, _TRY_SECONDS = 30, 300, 60.0
_MOST_CLASSES = 200


@dataclass(frozen=True)
class Seat:
    """What one viewer of a class is shown of it. `answer`: the viewer's own; `answers`: of all."""

    version: int
    leads: bool
    answer: int | None
    revealed: bool
    answers: tuple[int, ...]
    followers: int


@dataclass(eq=False)
class Class:
    """One class: the moment its teacher shows, and the runs on its board."""

    code: str
    key: str
    run: str  # the teacher's run
    shown: int = NEWEST  # index of the moment that the teacher shows
    followers: int = 0
    runs: dict[str, None] = field(default_factory=dict)  # on the board, in the order of entry
    finished: dict[str, tuple[Dot, ...]] = field(default_factory=dict)  # results, by run
    used: float = field(default_factory=time.monotonic)
    letters: str = ""  # a short code that can be typed; it opens the class to followers only
    answers: dict[str, int] = field(default_factory=dict)  # to the lesson's question, by student
    revealed: bool = False  # whether the teacher has shown what came true
    copies: set[str] = field(default_factory=set)  # runs that students took of the teacher's
    version: int = 0  # changes with the three above and with the number of followers

    def seat(self, student: str | None) -> Seat:
        """What a student, or the teacher (None), is shown of the class."""
        answer = self.answers.get(student) if student is not None else None
        answers = tuple(self.answers.values())
        return Seat(self.version, student is None, answer, self.revealed, answers, self.followers)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Count as a follower while the context is open."""
        self.followers += 1
        self.version += 1
        try:
            yield
        finally:
            self.followers -= 1
            self.version += 1


class Classes:
    """All classes of a server, which are shown its runs.

    Accessed on the server's event loop and by page scripts in their own threads, which only read,
    begin, enter and end.
    """

    def __init__(self, runs: Registry) -> None:
        self._runs = runs
        self._classes: dict[str, Class] = {}
        self._wrong: list[tuple[float, str]] = []  # tries of letters: when, and from where

    def begin(self, run: str) -> Class:
        """Begin a class that is shown this run."""
        self.forget(time.monotonic())
        if len(self._classes) >= _MOST_CLASSES:
            raise RequestError(
                f"There are {_MOST_CLASSES} classes on this server already; try again when one has "
                "ended."
            )
        _log.info("A class begins; %d are open now.", len(self._classes) + 1)
        classroom = Class(secrets.token_urlsafe(12), secrets.token_urlsafe(16), run)
        taken = {one.letters for one in self._classes.values()}
        while not classroom.letters or classroom.letters in taken:
            classroom.letters = "".join(secrets.choice(ALPHABET) for _ in range(_LETTERS))
        self._classes[classroom.code] = classroom
        return classroom

    def find_by_letters(self, typed: str, address: str) -> Class:
        """The class of these letters. RequestError if there is none, or after too many wrong tries.

        `address`: where they were typed.
        """
        now = time.monotonic()
        self._wrong = [one for one in self._wrong if now - one[0] < _TRY_SECONDS]
        mine = sum(where == address for _, where in self._wrong)
        if mine >= _TRIES or len(self._wrong) >= _ALL_TRIES:
            raise RequestError("Too many wrong codes were typed; try again in a minute.")
        letters = "".join(typed.split()).upper()
        for classroom in list(self._classes.values()):
            if letters.isascii() and secrets.compare_digest(classroom.letters, letters):
                classroom.used = now
                return classroom
        self._wrong.append((now, address))
        raise RequestError(
            "No class is open with this code: its six letters are on your teacher's screen."
        )

    def answer(self, classroom: Class, student: str, answer: int) -> None:
        """Record a student's prediction; the first one counts."""
        if len(classroom.answers) < LARGEST_CLASS:
            classroom.answers.setdefault(student, answer)
        self._changed(classroom)

    def reveal(self, key: str) -> None:
        """Show everybody what came true. RequestError if the class has ended."""
        classroom = self._led(key)
        classroom.revealed = True
        self._changed(classroom)

    def _changed(self, classroom: Class) -> None:
        classroom.version += 1
        self._runs.notify(classroom.run)

    def _led(self, key: str) -> Class:
        classroom = self.find_by_key(key)
        if classroom is None:
            raise RequestError(
                "Your class has ended: nobody follows any more. Reload to begin another."
            )
        return classroom

    def find(self, code: str | None) -> Class | None:
        """The class of that code, if there is one."""
        classroom = self._classes.get(code or "")
        if classroom is not None:
            classroom.used = time.monotonic()
        return classroom

    def find_by_key(self, key: str | None) -> Class | None:
        """The class with this teacher's key, if there is one."""
        asked = (key or "").encode()
        for classroom in list(self._classes.values()):
            if secrets.compare_digest(classroom.key.encode(), asked):
                return classroom
        return None

    def enter(self, code: str | None, run: str) -> None:
        """Put a run on the board of a class; no effect without a class."""
        classroom = self.find(code)
        if classroom is not None and len(classroom.runs) < LARGEST_CLASS:
            classroom.runs.setdefault(run)

    def copy(self, classroom: Class, owner: str) -> str:
        """Give a student a run of their own with the teacher's so far; its id.

        RequestError if too many copies are on the server, or the student has too many runs.
        """
        classroom.copies = {run for run in classroom.copies if self._runs.find(run)}
        if len(classroom.copies) >= LARGEST_CLASS:
            raise RequestError(
                f"{LARGEST_CLASS} copies of this class are open already; ask again when some have "
                "been closed."
            )
        run = self._runs.copy(classroom.run, owner)
        classroom.copies.add(run)
        return run

    def end(self, key: str) -> None:
        """End the class with this key; its students no longer follow."""
        classroom = self.find_by_key(key)
        if classroom is not None:
            self._classes.pop(classroom.code, None)
            self._runs.notify(classroom.run)

    def lead(self, key: str, run: str, shown: int) -> None:
        """Show the class this moment of this run. RequestError if the class has ended."""
        classroom = self._led(key)
        if self._asks(run) != self._asks(classroom.run):  # another lesson: its question is new
            classroom.answers, classroom.revealed = {}, False
            classroom.version += 1
        before, classroom.run, classroom.shown = classroom.run, run, max(NEWEST, shown)
        classroom.used = time.monotonic()
        for one in {before, run}:
            if live := self._runs.find(one):
                live.signal.notify()

    def _asks(self, run: str) -> RunRequest | None:
        live = self._runs.find(run)
        return live.request if live else None

    def shows(self, classroom: Class, live: LiveRun) -> bool:
        """Whether this is the run that the class is shown now."""
        known = self._classes.get(classroom.code) is classroom
        return known and self._runs.find(classroom.run) is live

    def dots(self, classroom: Class) -> tuple[Dot, ...]:
        """The results of the runs on the board that have finished."""
        runs = list(classroom.runs)  # a copy, since runs are entered from other threads
        for run in runs:
            view = None if run in classroom.finished else self._runs.view(run)
            if view is not None and (dots := _dots(view)):
                classroom.finished[run] = dots
        return tuple(dot for run in runs for dot in classroom.finished.get(run, ()))

    def training(self, classroom: Class) -> int:
        """How many runs on the board have not finished yet."""
        return sum(
            run not in classroom.finished and self._runs.find(run) is not None
            for run in list(classroom.runs)
        )

    def forget(self, now: float) -> None:
        """Remove the classes without followers that were not used for long."""
        for code, classroom in list(self._classes.items()):
            if now - classroom.used > KEPT_SECONDS and not classroom.followers:
                self._classes.pop(code, None)


def _dots(view: RunView) -> tuple[Dot, ...]:
    """The results of a run's models, with the settings in force at its end; none before."""
    certificates, moments = view.certificates, view.moments
    if not certificates or not moments:  # not finished yet, or restarted
        return ()
    last = moments[-1][0].step
    finished = [settings_at(settings, last) for settings in view.members]
    return tuple(
        Dot(
            method=certificate.method,
            seed=certificate.seed,
            band=settings.band[1],
            sigma2=settings.sigma2,
            beta=settings.beta,
            verdict=certificate.verdict,
            loss=certificate.loss,
            kl=certificate.kl,
        )
        for settings, certificate in zip(finished, certificates, strict=True)
    )
