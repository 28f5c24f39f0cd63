"""Long-lived worker processes behind an Executor that outlives them.

    pool = WorkerPool(2, warm_up);  pool.start();  pool.submit(function, *args) -> Future

The processes are loky's: unlike multiprocessing's they do not import the parent's `__main__`,
which under Streamlit is the page script. When one is killed, loky gives up all processes of its
executor; so each worker is an executor of its own, and the others go on undisturbed.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future
from functools import partial
from typing import Any

from svae_core.compute.scheduler import Scheduler
from svae_core.compute.scheduler import WorkerLost as WorkerLost

_log = logging.getLogger(__name__)
#: Below the server's own priority: pages stay quick while every core trains.
_NICE = 10
# One thread each: two are 1.27 times faster on an idle machine, ten times slower on a busy one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_PARENT_WATCH_SECONDS = 0.5
#: Started in vain so often in a row, there is no hope; until then with ever longer rests.
_GIVE_UP = 6
_FIRST_REST = 0.25


class WorkerPool(Scheduler):
    """A few long-lived processes that take pure calls, each in its turn."""

    def __init__(self, workers: int, warm_up: Callable[[], object]) -> None:
        super().__init__([Worker(warm_up) for _ in range(workers)])


class Worker:
    """One process, replaced by another when it is lost."""

    def __init__(self, warm_up: Callable[[], object]) -> None:
        self._warm_up = warm_up
        self._lock = threading.RLock()
        self._tell: Callable[[], None] = lambda: None
        self._pool: Any = None  # loky's executor of one process
        self._warm: Any = None  # the executor that is ready for calls
        self._failures = 0  # starts in vain, in a row
        self._begun = False
        self._stopping = False

    @property
    def ready(self) -> bool:
        return self._warm is not None and self._warm is self._pool

    @property
    def failed(self) -> bool:
        return self._failures >= _GIVE_UP

    def start(self, tell: Callable[[], None]) -> None:
        """Start the process; returns at once, it warms up by itself. A hopeless one tries again."""
        with self._lock:
            if self._begun and not self.failed:
                return
            self._begun, self._failures, self._tell = True, 0, tell
            self._begin()

    def make(self, call: Callable[[], Any]) -> Future[Any]:
        pool = self._pool
        try:
            if pool is None:
                raise CancelledError
            inner: Future[Any] = pool.submit(call)
        except (BrokenExecutor, CancelledError, RuntimeError):
            inner = Future()
            inner.cancel()
        inner.add_done_callback(partial(self._look_at, pool))
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
            self._begin()
        pool.shutdown(wait=False, kill_workers=True)

    def stop(self, wait: bool) -> None:
        with self._lock:
            self._stopping = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=wait, kill_workers=True)

    def _begin(self) -> None:
        """A fresh process; it is ready when its first call, which does nothing, is done."""
        from loky import ProcessPoolExecutor

        with self._lock:
            if self._stopping:
                return
            pool = ProcessPoolExecutor(
                1, initializer=_enter, initargs=(self._warm_up,), env=_ONE_THREAD
            )
            self._pool, self._warm = pool, None
        pool.submit(int).add_done_callback(partial(self._warmed, pool))

    def _warmed(self, pool: Any, done: Future[int]) -> None:
        with self._lock:
            if pool is not self._pool or self._stopping:
                return
            if not done.cancelled() and done.exception() is None:
                self._warm, self._failures = pool, 0
            else:
                self._failures += 1
                self._rest()
        self._tell()

    def _rest(self) -> None:
        """Start once more, later each time; without hope only when somebody asks."""
        self._pool = self._warm = None
        _log.warning("A worker process could not be started.")
        if not self.failed:
            rest = threading.Timer(_FIRST_REST * 2 ** (self._failures - 1), self._begin)
            rest.daemon = True
            rest.start()

    def _look_at(self, pool: Any, inner: Future[Any]) -> None:
        """After a call: if its process was lost, there is need of another."""
        broken = inner.cancelled() or (
            inner.exception() is not None and self.lost(inner.exception() or RuntimeError())
        )
        with self._lock:
            if broken and pool is not None and pool is self._pool and not self._stopping:
                _log.warning("A worker process was lost; another is started.")
                self._begin()


def _enter(warm_up: Callable[[], object]) -> None:
    """The first thing a worker does."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    warm_up()


def _end_with_parent(parent: int) -> None:
    """End when the server is gone, also when it was killed and could not say so."""
    while os.getppid() == parent:
        threading.Event().wait(_PARENT_WATCH_SECONDS)
    os._exit(0)
