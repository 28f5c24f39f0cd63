"""The scheduler: which waiting call a free worker takes; urgent calls first, then fair shares.

    scheduler.in_turn(Priority(share), function, *args) -> Future

A run has a `FairShare`. A free worker takes the waiting call of the share with the least worker
time so far, so every run gets equal time whatever the cost of its steps. Watched runs come before
unwatched ones, and `first` calls, whose result a person waits for at the screen, before both.
Calls are pure: a call whose worker was lost or hung is repeated.

The order is start-time fair queueing (Goyal, Vin & Cheng 1996) with times measured, not estimated.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from svae_core.config.fields import RequestError

_log = logging.getLogger(__name__)
#: Attempts at a call before it is refused as the cause of its workers' loss.
TRIES = 3
#: Seconds after which a call without a budget counts as hanging.
PATIENCE = 600.0
_CHECK_SECONDS = 0.5  # between two checks for hanging workers
_OUTLIER_FACTOR = 4.0  # a call is charged at most this many times the run's usual time
_ACTIVE_SECONDS = 1.0  # a share counts as active this long after its last call


class WorkerLost(RuntimeError):
    """Worker processes ended again and again in the middle of the same call."""


@dataclass(eq=False)
class FairShare:
    """One run's account of worker time."""

    watched: bool = True
    used: float = 0.0  # seconds of worker time; raised to the others' level after idle time
    seen: float = 0.0  # monotonic time of its last request or result
    usual: float = 0.05  # running estimate of the seconds of one of its calls

    def charge(self, seconds: float) -> None:
        """Charge a call's time, capped: a far longer call than usual had to prepare the data."""
        counted = min(seconds, _OUTLIER_FACTOR * self.usual)
        self.usual = (self.usual + counted) / 2
        self.used += counted


@dataclass(frozen=True)
class QueuePosition:
    """How many calls run before a run's next one, and how many runs are active (`lines`)."""

    place: int
    lines: int


@dataclass(frozen=True)
class Priority:
    """The priority of a call, and the seconds after which it counts as hanging."""

    share: FairShare | None = None
    first: bool = False  # a person waits for the result at the screen
    patience: float = PATIENCE
    refusal: str = ""  # said when its patience ends, instead of making it again; such a call ends
    # its worker where nobody waits for it any more and it has lasted as long as a new one's start

    @property
    def urgent(self) -> bool:
        return self.first or self.share is None


class Slot(Protocol):
    """A worker that runs one call at a time."""

    #: Seconds that its last start took: what it costs to replace it.
    start_seconds: float

    @property
    def ready(self) -> bool:
        """Whether it can run a call now."""

    @property
    def failed(self) -> bool:
        """Whether repeated attempts to start it have failed."""

    def start(self, notify: Callable[[], None]) -> None:
        """Start unless started; calls `notify` whenever `ready` or `failed` changes."""

    def make(self, call: Callable[[], Any]) -> Future[Any]:
        """Run this call."""

    def lost(self, error: BaseException) -> bool:
        """Whether an error means that the worker was lost, not that the call raised."""

    def replace(self) -> None:
        """Abort the running call and start anew."""

    def stop(self, wait: bool) -> None:
        """Stop for good."""


@dataclass(eq=False)
class _Call:
    function: Callable[[], Any]
    future: Future[Any]
    number: int
    priority: Priority
    asked: float = field(default_factory=time.monotonic)
    tries: int = 0
    since: float = 0.0
    late: bool = False  # its patience has ended, and it is not made again

    @property
    def rank(self) -> tuple[int, float, int]:
        """Sort key: the waiting call of least rank runs next."""
        share = self.priority.share
        if share is None or self.priority.first:
            return 0, 0.0, self.number
        return (1 if share.watched else 2), share.used, self.number

    def hangs(self, now: float, start_seconds: float) -> bool:
        """Whether its worker is to be replaced, where a new one takes so long to start.

        Where nobody waits, a short call is left to end: on a busy machine a new worker for each
        would take all the time that there is.
        """
        seconds = now - self.since
        in_vain = bool(self.priority.refusal) and self.future.cancelled()
        return seconds > self.priority.patience or (in_vain and seconds > start_seconds)


class Scheduler(Executor):
    """An executor that assigns waiting calls to slots by priority."""

    #: Shortest slice in seconds that is worth the overhead of a call.
    least_slice = 0.0

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.warm = threading.Event()  # set while a slot is ready or running
        self._slots = slots
        self._lock = threading.RLock()
        self._waiting: list[_Call] = []
        self._running: dict[int, _Call] = {}  # by slot number
        self._shares: set[FairShare] = set()
        self._count = 0
        self.slowest_urgent = 0.0  # longest urgent call so far, in seconds
        self._virtual_time = 0.0  # worker time of the share served last: fair queueing's clock
        self._started = self._stopping = False
        self._ended = threading.Event()

    def start(self) -> None:
        """Start the slots; returns at once."""
        with self._lock:
            if self._stopping:
                return
            if not self._started:
                threading.Thread(target=self._watch, daemon=True, name="svae-watchdog").start()
            self._started = True
        for slot in self._slots:
            slot.start(self._dispatch)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call that belongs to no run; urgent."""
        return self.in_turn(Priority(), partial(fn, **kwargs), *args)

    def in_turn(self, priority: Priority, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Run a pure, importable call in its turn; the future raises the call's own exceptions.

        Raises RuntimeError after shutdown; the future raises WorkerLost if no worker survives the
        call.
        """
        self.start()
        with self._lock:  # `shutdown` clears the waiting calls once, so none may come after it
            if self._stopping:
                raise RuntimeError("The workers were stopped.")
            self._count += 1
            call = _Call(partial(_timed, fn, args), Future(), self._count, priority)
            if priority.share is not None:
                priority.share.used = max(
                    priority.share.used, self._virtual_time
                )  # idle time earns no credit
                self._touch(priority.share)
            self._waiting.append(call)
        call.future.add_done_callback(partial(self._drop, call))
        self._dispatch()
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Stop all slots now; unfinished calls are cancelled."""
        with self._lock:
            self._stopping = True
            calls = [*self._waiting, *self._running.values()]
            self._waiting.clear()
        self._ended.set()
        for slot in self._slots:
            slot.stop(wait)
        for call in calls:
            _cancel(call)

    def queue_position(self, share: FairShare) -> QueuePosition:
        """The run's position: 0 if it is running or next."""
        with self._lock:
            ranks = [call.rank for call in self._waiting if call.priority.share is share]
            before = sum(call.rank < ranks[0] for call in self._waiting) if ranks else 0
            return QueuePosition(before, max(1, self._active()))

    @property
    def active(self) -> int:
        """How many shares are active now."""
        with self._lock:
            return self._active()

    @property
    def failed(self) -> str:
        """Why no call can run any more, in one sentence; empty if calls can run."""
        failed = bool(self._slots) and all(slot.failed for slot in self._slots)
        return "No worker can be started; the server's log says why." if failed else ""

    @property
    def longest_wait(self) -> float:
        """Seconds that the oldest waiting call for the screen has waited; 0 if none waits."""
        with self._lock:
            asked = [call.asked for call in self._waiting if call.priority.urgent]
        return time.monotonic() - min(asked) if asked else 0.0

    @property
    def size(self) -> int:
        """How many calls can run at once; 0 while unknown."""
        return len(self._slots)

    @property
    def busy(self) -> int:
        """How many calls are running now."""
        return len(self._running)

    def _active(self) -> int:
        now = time.monotonic()
        running = {call.priority.share for call in (*self._waiting, *self._running.values())}
        self._shares = {
            share
            for share in self._shares
            if share in running or now - share.seen < _ACTIVE_SECONDS
        }
        return len(self._shares)

    def _touch(self, share: FairShare) -> None:
        share.seen = time.monotonic()
        self._shares.add(share)

    # ------------------------------------------------------------------- the life of a call

    def _dispatch(self) -> None:
        """Assign waiting calls to free slots."""
        given: list[tuple[int, _Call]] = []
        with self._lock:
            ready = [n for n, slot in enumerate(self._slots) if slot.ready]
            self._set_warm(bool(ready))
            for number in ready:
                if number not in self._running and self._waiting and not self._stopping:
                    call = min(self._waiting, key=lambda call: call.rank)
                    self._waiting.remove(call)
                    self._running[number] = call
                    call.tries += 1
                    call.since = time.monotonic()
                    if call.priority.share is not None and not call.priority.first:
                        self._virtual_time = max(self._virtual_time, call.priority.share.used)
                    given.append((number, call))
            sentence = self.failed
            refused = self._waiting if sentence else []
            if sentence:
                self._waiting = []
        for number, call in given:
            self._run(number, call)
        for call in refused:
            self._refuse(call, sentence)

    def _drop(self, call: _Call, future: Future[Any]) -> None:
        """Forget a call that was given up: behind watched runs its turn might never come."""
        with self._lock:
            if future.cancelled() and call in self._waiting:
                self._waiting.remove(call)

    def _set_warm(self, ready: bool) -> None:
        if ready:
            self.warm.set()
        else:
            self.warm.clear()

    def _run(self, number: int, call: _Call) -> None:
        if call.future.cancelled():
            self._free(number, call)
            return
        inner = self._slots[number].make(call.function)
        inner.add_done_callback(partial(self._finish, number, call))

    def _finish(self, number: int, call: _Call, inner: Future[Any]) -> None:
        """Handle the end of a call: result, error, or loss of its worker."""
        error = None if inner.cancelled() else inner.exception()
        lost = inner.cancelled() or (error is not None and self._slots[number].lost(error))
        seconds, value = (0.0, None) if lost or error else inner.result()
        retriable = lost and not call.late and not self._stopping
        retry = retriable and (call.tries < TRIES or inner.cancelled())
        with self._lock:
            if retry and not call.future.done():
                call.tries -= inner.cancelled()  # a cancelled call never started
                self._waiting.append(call)  # keeps its number, so it comes first in its rank
        self._free(number, call, seconds)
        if call.future.done():
            return
        if self._stopping:
            _cancel(call)
        elif retry:
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
            if self._running.get(number) is call:
                del self._running[number]
            if call.priority.share is not None:
                if not call.priority.first:
                    call.priority.share.charge(seconds)
                self._touch(call.priority.share)
            if call.priority.urgent:
                self.slowest_urgent = max(self.slowest_urgent, seconds)
        self._dispatch()

    def _refuse(self, call: _Call, sentence: str) -> None:
        if call.future.set_running_or_notify_cancel():
            late = RequestError(call.priority.refusal) if call.late else None
            call.future.set_exception(late or self._lost_error(sentence))

    def _lost_error(self, sentence: str) -> WorkerLost:
        return WorkerLost(sentence)

    def _check(self) -> None:
        """Periodic check for what raises no event; for subclasses."""

    def _watch(self) -> None:
        """The watchdog thread: replaces workers that hang."""
        while not self._ended.wait(_CHECK_SECONDS):
            self._check()
            now = time.monotonic()
            with self._lock:
                hanging = [
                    (number, call)
                    for number, call in self._running.items()
                    if call.hangs(now, self._slots[number].start_seconds)
                ]
            for number, call in hanging:
                call.late = bool(call.priority.refusal)
                what = "its call given up" if call.late else "its call repeated"
                _log.warning("A worker hangs, or nobody waits; it is replaced and %s.", what)
                self._slots[number].replace()


def _cancel(call: _Call) -> None:
    if not call.future.done() and call.future.cancel():
        call.future.set_running_or_notify_cancel()


def _timed(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[float, Any]:
    """Run in the worker: the call's seconds and its value."""
    started = time.perf_counter()
    value = function(*args)
    return time.perf_counter() - started, value
