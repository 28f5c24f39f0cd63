"""Decides which waiting call a free worker takes: fair shares between runs, urgent calls first.

    scheduler.in_turn(Priority(share), function, *args) -> Future

A run has a `FairShare`. A free worker takes the waiting call of the share that has had the least
time so far, so every run gets equal time whatever the size of its steps. A run that is watched goes
before one that is not, and `first` calls, for which somebody waits at the screen, before both.
Calls are pure: one whose worker was lost, or hung, is made again.

The order is start-time fair queueing (Goyal, Vin & Cheng 1996) with times measured, not estimated.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

_log = logging.getLogger(__name__)
#: A call is made this often before it is blamed for the loss of its workers.
TRIES = 3
#: Of calls without a budget, in seconds: who is longer at work hangs.
PATIENCE = 600.0
_LOOK = 0.5  # seconds between two looks for hanging workers
_UNUSUAL = 4.0
_ACTIVE = 1.0  # a line counts as active this long after its last call


class WorkerLost(RuntimeError):
    """Worker processes ended again and again in the middle of the same call."""


@dataclass(eq=False)
class FairShare:
    """One run's place among all others."""

    watched: bool = True
    used: float = 0.0  # seconds of workers' time, kept level with others where it was idle
    seen: float = 0.0  # when it last asked for something or got it
    usual: float = 0.05  # seconds that a call of it takes, about

    def charge(self, seconds: float) -> None:
        """Count a call. One far longer than usual had to prepare data, which is nobody's turn."""
        counted = min(seconds, _UNUSUAL * self.usual)
        self.usual = (self.usual + counted) / 2
        self.used += counted


@dataclass(frozen=True)
class QueuePosition:
    """How a line stands: how many calls go before it, and how many lines want to be served."""

    place: int
    lines: int


@dataclass(frozen=True)
class Priority:
    """When a call is to be made, and how long it may take."""

    line: FairShare | None = None
    first: bool = False  # somebody waits for it at the screen
    patience: float = PATIENCE

    @property
    def urgent(self) -> bool:
        return self.first or self.line is None


class Slot(Protocol):
    """A place where one call at a time is made."""

    @property
    def ready(self) -> bool:
        """Whether it can take a call now."""

    @property
    def failed(self) -> bool:
        """Whether it was started in vain again and again."""

    def start(self, tell: Callable[[], None]) -> None:
        """Get ready, unless done; `tell` is called whenever that changes."""

    def make(self, call: Callable[[], Any]) -> Future[Any]:
        """Make this call."""

    def lost(self, error: BaseException) -> bool:
        """Whether an error means that the call was lost, not that it failed."""

    def replace(self) -> None:
        """End what is going on here, and get ready again."""

    def stop(self, wait: bool) -> None:
        """End for good."""


@dataclass(eq=False)
class _Call:
    function: Callable[[], Any]
    future: Future[Any]
    number: int
    order: Priority
    tries: int = 0
    since: float = 0.0

    @property
    def rank(self) -> tuple[int, float, int]:
        """The least goes next."""
        line = self.order.line
        if line is None or self.order.first:
            return 0, 0.0, self.number
        return (1 if line.watched else 2), line.used, self.number


class Scheduler(Executor):
    """Gives calls to slots, as many at a time as there are slots."""

    #: Seconds that a slice should last, at least: shorter ones are lost on the way.
    least_slice = 0.0

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.warm = threading.Event()  # set while a slot is ready or at work
        self._slots = slots
        self._lock = threading.RLock()
        self._waiting: list[_Call] = []
        self._at_work: dict[int, _Call] = {}  # by the slot's number
        self._lines: set[FairShare] = set()
        self._count = 0
        self.slowest_first = 0.0  # seconds that a call at the screen took, at most
        self._level = 0.0  # the time used by the line that was served last
        self._started = self._stopping = False
        self._ended = threading.Event()

    def start(self) -> None:
        """Get the slots ready; returns at once."""
        with self._lock:
            if self._stopping:
                return
            if not self._started:
                threading.Thread(target=self._live, daemon=True, name="svae-watchdog").start()
            self._started = True
        for slot in self._slots:
            slot.start(self._go_on)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Make a call of nobody in particular."""
        return self.in_turn(Priority(), partial(fn, **kwargs), *args)

    def in_turn(self, order: Priority, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Make a pure, importable call when its turn comes; its exceptions come back as they are.

        Raises RuntimeError when stopped; the future raises WorkerLost where no worker survives it.
        """
        self.start()
        with self._lock:  # here, since whoever stops clears what waits only once
            if self._stopping:
                raise RuntimeError("The workers were stopped.")
            self._count += 1
            call = _Call(partial(_timed, fn, args), Future(), self._count, order)
            if order.line is not None:
                order.line.used = max(order.line.used, self._level)  # idle time is not saved up
                self._note(order.line)
            self._waiting.append(call)
        self._go_on()
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """End everything, whatever is going on; calls not done are cancelled."""
        with self._lock:
            self._stopping = True
            calls = [*self._waiting, *self._at_work.values()]
            self._waiting.clear()
        self._ended.set()
        for slot in self._slots:
            slot.stop(wait)
        for call in calls:
            _cancel(call)

    def queue_position(self, line: FairShare) -> QueuePosition:
        """The line's place: 0 is at work, or next."""
        with self._lock:
            ranks = [call.rank for call in self._waiting if call.order.line is line]
            before = sum(call.rank < ranks[0] for call in self._waiting) if ranks else 0
            return QueuePosition(before, max(1, self._active()))

    @property
    def active(self) -> int:
        """How many lines want to be served now."""
        with self._lock:
            return self._active()

    @property
    def failed(self) -> str:
        """Why no call can be made any more, if so."""
        failed = bool(self._slots) and all(slot.failed for slot in self._slots)
        return "No worker can be started; the server's log says why." if failed else ""

    @property
    def size(self) -> int:
        """How many calls can be made at once; 0 while that is not known."""
        return len(self._slots)

    @property
    def busy(self) -> int:
        """How many calls are being made now."""
        return len(self._at_work)

    def _active(self) -> int:
        now = time.monotonic()
        at_work = {call.order.line for call in (*self._waiting, *self._at_work.values())}
        self._lines = {line for line in self._lines if line in at_work or now - line.seen < _ACTIVE}
        return len(self._lines)

    def _note(self, line: FairShare) -> None:
        line.seen = time.monotonic()
        self._lines.add(line)

    # ------------------------------------------------------------------- calls come and go

    def _go_on(self) -> None:
        """Give waiting calls to slots that are free."""
        given: list[tuple[int, _Call]] = []
        with self._lock:
            ready = [n for n, slot in enumerate(self._slots) if slot.ready]
            self._tell(bool(ready))
            for number in ready:
                if number not in self._at_work and self._waiting and not self._stopping:
                    call = min(self._waiting, key=lambda call: call.rank)
                    self._waiting.remove(call)
                    self._at_work[number] = call
                    call.tries += 1
                    call.since = time.monotonic()
                    if call.order.line is not None and not call.order.first:
                        self._level = max(self._level, call.order.line.used)
                    given.append((number, call))
            sentence = self.failed
            refused = self._waiting if sentence else []
            if sentence:
                self._waiting = []
        for number, call in given:
            self._make(number, call)
        for call in refused:
            self._refuse(call, sentence)

    def _tell(self, ready: bool) -> None:
        if ready:
            self.warm.set()
        else:
            self.warm.clear()

    def _make(self, number: int, call: _Call) -> None:
        if call.future.cancelled():
            self._free(number, call)
            return
        inner = self._slots[number].make(call.function)
        inner.add_done_callback(partial(self._settle, number, call))

    def _settle(self, number: int, call: _Call, inner: Future[Any]) -> None:
        """A call has ended, one way or another."""
        error = None if inner.cancelled() else inner.exception()
        lost = inner.cancelled() or (error is not None and self._slots[number].lost(error))
        seconds, value = (0.0, None) if lost or error else inner.result()
        again = lost and (call.tries < TRIES or inner.cancelled()) and not self._stopping
        with self._lock:
            if again and not call.future.done():
                call.tries -= inner.cancelled()  # it never began
                self._waiting.append(call)  # with its old number: before others of its rank
        self._free(number, call, seconds)
        if call.future.done():
            return
        if self._stopping:
            _cancel(call)
        elif again:
            return
        elif lost:
            self._refuse(call, "The worker ended in the middle of this call.")
        elif call.future.set_running_or_notify_cancel():
            if error is None:
                call.future.set_result(value)
            else:
                call.future.set_exception(error)

    def _free(self, number: int, call: _Call, seconds: float = 0.0) -> None:
        with self._lock:
            if self._at_work.get(number) is call:
                del self._at_work[number]
            if call.order.line is not None:
                if not call.order.first:
                    call.order.line.charge(seconds)
                self._note(call.order.line)
            if call.order.urgent:
                self.slowest_first = max(self.slowest_first, seconds)
        self._go_on()

    def _refuse(self, call: _Call, sentence: str) -> None:
        if call.future.set_running_or_notify_cancel():
            call.future.set_exception(self._loss(sentence))

    def _loss(self, sentence: str) -> WorkerLost:
        return WorkerLost(sentence)

    def _look_around(self) -> None:
        """For what nothing tells of; every now and then."""

    def _live(self) -> None:
        """Replace workers that hang."""
        while not self._ended.wait(_LOOK):
            self._look_around()
            now = time.monotonic()
            with self._lock:
                hanging = [
                    number
                    for number, call in self._at_work.items()
                    if now - call.since > call.order.patience
                ]
            for number in hanging:
                _log.warning("A worker hangs; it is replaced and its call made again.")
                self._slots[number].replace()


def _cancel(call: _Call) -> None:
    if not call.future.done() and call.future.cancel():
        call.future.set_running_or_notify_cancel()


def _timed(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[float, Any]:
    """In the worker: the call's value, and how long it took."""
    started = time.perf_counter()
    value = function(*args)
    return time.perf_counter() - started, value
