"""A pool of long-lived worker processes that are replaced when they die.

    pool = WorkerPool(2, warm_up);  pool.start();  pool.submit(function, *args) -> Future

The processes are loky's: unlike multiprocessing's they do not import the parent's `__main__`,
which under Streamlit is the page script. When one process is killed, loky shuts down all processes
of its executor; so each worker is an executor of its own, and the others keep running.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from functools import partial
from typing import Any

from svae_core.compute.scheduler import Scheduler
from svae_core.compute.scheduler import WorkerLost as WorkerLost
from svae_core.config import machine
from svae_core.config.fields import Field
from svae_core.config.limits import from_variable

_log = logging.getLogger(__name__)
#: Lower priority than the server's, so that pages stay responsive while every core trains. Beside
#: other programs that take all cores, ten steps leave a worker a twentieth of one.
_NICE = Field("", "", low=0, high=19, kind=int)
_NICE_UNLESS_SET = 10
# One thread each: two threads are 1.27 times faster on an idle machine, ten times slower on a
# busy one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: Failed starts in a row before a worker is given up; the delay between starts doubles.
_MOST_FAILURES = 6
_FIRST_DELAY = 0.25


class WorkerPool(Scheduler):
    """A scheduler whose slots are long-lived processes of this machine.

    Those of a pool with `idle_seconds` end after so long without a call; `start` starts them again.
    """

    def __init__(
        self, workers: int, warm_up: Callable[[], object], idle_seconds: float = math.inf
    ) -> None:
        self._workers = [Worker(warm_up) for _ in range(workers)]
        super().__init__(self._workers)
        self._idle_seconds = idle_seconds
        self._asked = time.monotonic()

    def start(self) -> None:
        """Start the processes that are not running; returns at once."""
        self._asked = time.monotonic()
        super().start()

    def _check(self) -> None:
        with self._lock:
            if self._waiting or self._running:
                self._asked = time.monotonic()
            if time.monotonic() - self._asked < self._idle_seconds:
                return
            for worker in self._workers:
                worker.rest()
            self._set_warm(False)


class Worker:
    """A slot with one process, which is replaced when it is lost."""

    def __init__(self, warm_up: Callable[[], object]) -> None:
        self._warm_up = warm_up
        self._nice = niceness()
        self._lock = threading.RLock()
        self._notify: Callable[[], None] = lambda: None
        self._pool: Any = None  # loky's executor of one process
        self._warm: Any = None  # the executor that is ready for calls
        self._failures = 0  # failed starts in a row
        self.start_seconds = self._started_at = 0.0
        self._started = False
        self._stopping = False

    @property
    def ready(self) -> bool:
        return self._warm is not None and self._warm is self._pool

    @property
    def failed(self) -> bool:
        return self._failures >= _MOST_FAILURES

    def start(self, notify: Callable[[], None]) -> None:
        """Start the process in the background; restarts a worker that was given up."""
        with self._lock:
            if self._started and not self.failed:
                return
            self._started, self._failures, self._notify = True, 0, notify
            self._start_process()

    def make(self, call: Callable[[], Any]) -> Future[Any]:
        pool = self._pool
        try:
            if pool is None:
                raise CancelledError
            inner: Future[Any] = pool.submit(call)
        except (BrokenExecutor, CancelledError, RuntimeError):
            inner = Future()
            inner.cancel()
        inner.add_done_callback(partial(self._check_result, pool))
        return inner

    def lost(self, error: BaseException) -> bool:
        from loky.process_executor import ShutdownExecutorError

        return isinstance(error, BrokenExecutor | ShutdownExecutorError)

    def replace(self) -> None:
        """Kill the process and start another; calls made here come back as lost."""
        with self._lock:
            pool = self._pool
            if pool is None or self._stopping:
                return
            self._start_process()
        pool.shutdown(wait=False, kill_workers=True)

    def rest(self) -> None:
        """End the process until the next start."""
        with self._lock:
            self._started = False
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, kill_workers=True)

    def stop(self, wait: bool) -> None:
        with self._lock:
            self._stopping = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=wait, kill_workers=True)

    def _start_process(self) -> None:
        """Start a new process; it is ready once an empty first call has completed."""
        from loky import ProcessPoolExecutor

        with self._lock:
            if self._stopping:
                return
            pool = ProcessPoolExecutor(
                1, initializer=_initialise, initargs=(self._nice, self._warm_up), env=_ONE_THREAD
            )
            self._pool, self._warm = pool, None
            self._started_at = time.monotonic()
        with _without_interrupt():
            first = pool.submit(int)
        first.add_done_callback(partial(self._process_ready, pool))

    def _process_ready(self, pool: Any, done: Future[int]) -> None:
        with self._lock:
            if pool is not self._pool or self._stopping:
                return
            if not done.cancelled() and done.exception() is None:
                self._warm, self._failures = pool, 0
                self.start_seconds = time.monotonic() - self._started_at
            else:
                self._failures += 1
                self._retry_later()
        self._notify()

    def _retry_later(self) -> None:
        """Start again after a growing delay; after too many failures only on request."""
        self._pool = self._warm = None
        _log.warning("A worker process could not be started.")
        if not self.failed:
            retry = threading.Timer(_FIRST_DELAY * 2 ** (self._failures - 1), self._start_again)
            retry.daemon = True
            retry.start()

    def _start_again(self) -> None:
        """Unless it was told to rest meanwhile, or has been started since."""
        with self._lock:
            if self._started and self._pool is None:
                self._start_process()

    def _check_result(self, pool: Any, inner: Future[Any]) -> None:
        """After a call: start a new process if this one was lost."""
        broken = inner.cancelled() or (
            inner.exception() is not None and self.lost(inner.exception() or RuntimeError())
        )
        with self._lock:
            if broken and pool is not None and pool is self._pool and not self._stopping:
                _log.warning("A worker process was lost; another is started.")
                self._start_process()


@contextlib.contextmanager
def _without_interrupt() -> Iterator[None]:
    """Processes started here inherit that Ctrl-C, sent to all of a terminal's, is not for them."""
    if sys.platform == "win32":
        yield
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def niceness() -> int:
    """SVAE_NICE, or by how many steps workers stand behind the server; RequestError if nonsense."""
    text = os.environ.get("SVAE_NICE", "")
    return from_variable(_NICE, "SVAE_NICE", text) if text else _NICE_UNLESS_SET


def _initialise(steps: int, warm_up: Callable[[], object]) -> None:
    """The initialiser of a worker process."""
    if hasattr(os, "nice"):
        os.nice(steps)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    warm_up()


def _end_with_parent(parent: int) -> None:
    """Exit when the server process is gone, also when it was killed."""
    machine.wait_for_end_of_parent(parent)
    os._exit(0)
