"""Classes: a teacher's run on every screen, and a board of what everybody's runs came to.

    room = classes.begin(run);  classes.find(room.code);  classes.lead(room.key, run, 17)

Two unguessable words belong to a class. The `code` is for everyone: it shows the teacher's run and
lets runs be entered on the board, no more; it never tells the id of a run, which would let its
holder change it. The `key` is the teacher's. Touched on the server's event loop and by page scripts
in threads of their own, who only read, begin, enter and end.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from pages.live import registry
from pages.live.run import LiveRun
from svae_core.config.settings import settings_at
from svae_core.figures.board import Dot
from svae_core.records import RequestError

#: The newest moment is shown, as it comes.
NEWEST = -1
#: A class that nobody uses is forgotten after this many seconds.
KEPT_SECONDS = 4 * 3600.0
LARGEST_CLASS = 500  # runs on one board
_MOST_CLASSES = 200


@dataclass(eq=False)
class Class:
    """One class: what its teacher shows, and whose runs are on its board."""

    code: str
    key: str
    run: str  # the teacher's run, as shown
    shown: int = NEWEST  # the moment the teacher looks at
    followers: int = 0
    runs: dict[str, None] = field(default_factory=dict)  # entered, in the order they came
    settled: dict[str, tuple[Dot, ...]] = field(default_factory=dict)  # of those that have ended
    used: float = field(default_factory=time.monotonic)

    def shows(self, watched: LiveRun) -> bool:
        """Whether this is the run that the class sees now."""
        return _classes.get(self.code) is self and registry.find(self.run) is watched

    def dots(self) -> tuple[Dot, ...]:
        """What has come of the runs on the board; those that still train are left out."""
        runs = list(self.runs)  # others enter meanwhile
        for run in runs:
            watched = None if run in self.settled else registry.find(run)
            if watched is not None and (dots := _dots(watched)):
                self.settled[run] = dots
        return tuple(dot for run in runs for dot in self.settled.get(run, ()))

    @property
    def training(self) -> int:
        """How many of the runs on the board have not ended yet."""
        return sum(
            run not in self.settled and registry.find(run) is not None for run in list(self.runs)
        )


_classes: dict[str, Class] = {}


def begin(run: str) -> Class:
    """A new class that is shown this run."""
    _forget(time.monotonic())
    if len(_classes) >= _MOST_CLASSES:
        raise RequestError(
            f"There are {_MOST_CLASSES} classes on this server already; try again when one ended."
        )
    room = Class(secrets.token_urlsafe(12), secrets.token_urlsafe(16), run)
    _classes[room.code] = room
    return room


def find(code: str | None) -> Class | None:
    """The class of that code, if there is one."""
    room = _classes.get(code or "")
    if room is not None:
        room.used = time.monotonic()
    return room


def led_with(key: str | None) -> Class | None:
    """The class that this key leads, if there is one."""
    rooms, asked = list(_classes.values()), (key or "").encode()
    return next((room for room in rooms if secrets.compare_digest(room.key.encode(), asked)), None)


def enter(code: str | None, run: str) -> None:
    """Put a run on the board of a class; without a class nothing happens."""
    room = find(code)
    if room is not None and len(room.runs) < LARGEST_CLASS:
        room.runs.setdefault(run)


def end(key: str) -> None:
    """Nobody follows from here on."""
    room = led_with(key)
    if room is not None:
        _classes.pop(room.code, None)
        registry.notify(room.run)


def lead(key: str, run: str, shown: int) -> None:
    """The teacher looks at this moment of this run now. RequestError where the class has ended."""
    room = led_with(key)
    if room is None:
        raise RequestError(
            "Your class has ended: nobody follows any more. Reload to begin another."
        )
    before, room.run, room.shown = room.run, run, max(NEWEST, shown)
    room.used = time.monotonic()
    for one in {before, run}:
        if watched := registry.find(one):
            watched.signal.notify()


def _dots(watched: LiveRun) -> tuple[Dot, ...]:
    """A run's models under the settings in force at its end; none before that."""
    certificates, moments = watched.certificates, watched.moments
    if not certificates or not moments:  # not there yet, or starting over
        return ()
    last = moments[-1][0].step
    settled = [settings_at(settings, last) for settings in watched.members]
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
        for settings, certificate in zip(settled, certificates, strict=True)
    )


def _forget(now: float) -> None:
    for code, room in list(_classes.items()):
        if now - room.used > KEPT_SECONDS and not room.followers:
            _classes.pop(code, None)
