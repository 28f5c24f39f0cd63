"""Long-lived worker processes behind an Executor that outlives them.

    pool = WorkerPool(2, warm_up);  pool.start();  pool.submit(function, *args) -> Future

The processes are loky's: unlike multiprocessing's they do not import the parent's `__main__`,
which under Streamlit is the page script. When one is killed, loky gives up the whole pool and all
that waited in it; calls here are pure, so a fresh pool is made and they are made again.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any

_log = logging.getLogger(__name__)
#: Below the server's own priority: pages stay quick while every core trains.
_NICE = 10
# One thread each: two are 1.27 times faster on an idle machine, ten times slower on a busy one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: A call is made this often before it is blamed for the loss of its workers.
_TRIES = 3
_PARENT_WATCH_SECONDS = 0.5


class WorkerLost(RuntimeError):
    """Worker processes ended again and again in the middle of the same call."""


@dataclass(eq=False)
class _Call:
    function: Callable[[], Any]
    future: Future[Any]
    tries: int = 0


class WorkerPool(Executor):
    """A few long-lived processes that take pure calls in the order in which they were made."""

    def __init__(self, workers: int, warm_up: Callable[[], object]) -> None:
        self.warm = threading.Event()  # set while a process stands ready
        self._workers = workers
        self._warm_up = warm_up
        self._lock = threading.RLock()  # a new pool is made once, and not while stopping
        self._pool: Any = None  # loky's executor
        self._stopping = False

    def start(self) -> None:
        """Start the processes; returns at once, they warm up by themselves."""
        with self._lock:
            if self._pool is None and not self._stopping:
                self._pool = self._fresh()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a pure, importable function in a worker; its exceptions come back as they are."""
        if self._stopping:
            raise RuntimeError("The worker pool was stopped.")
        self.start()
        call = _Call(partial(fn, *args, **kwargs), Future())
        self._make(call)
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """End all processes, whatever they are doing."""
        with self._lock:
            self._stopping = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=wait, kill_workers=True)

    def _fresh(self) -> Any:
        from loky import ProcessPoolExecutor

        self.warm.clear()
        pool = ProcessPoolExecutor(
            self._workers, initializer=_begin, initargs=(self._warm_up,), env=_ONE_THREAD
        )
        pool.submit(int).add_done_callback(self._warmed)  # starts the processes
        return pool

    def _warmed(self, done: Future[int]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.warm.set()

    def _make(self, call: _Call) -> None:
        call.tries += 1
        with self._lock:
            pool = self._pool
        try:
            if pool is None:
                raise CancelledError
            inner = pool.submit(call.function)
        except (BrokenExecutor, CancelledError, RuntimeError):
            self._again(call, pool)
            return
        call.future.add_done_callback(lambda outer: outer.cancelled() and inner.cancel())
        inner.add_done_callback(partial(self._settle, call, pool))

    def _settle(self, call: _Call, pool: Any, inner: Future[Any]) -> None:
        if inner.cancelled():
            call.future.cancel()
            return
        error = inner.exception()
        if isinstance(error, BrokenExecutor) or self._stopping:
            self._again(call, pool)
        elif call.future.set_running_or_notify_cancel():
            if error is None:
                call.future.set_result(inner.result())
            else:
                call.future.set_exception(error)

    def _again(self, call: _Call, broken: Any) -> None:
        """Make a call once more, in a new pool, unless it has had its tries or all is ending."""
        with self._lock:
            if self._stopping:
                call.future.cancel()
                return
            if self._pool is broken:
                _log.warning("A worker process was lost; new ones are started.")
                self._pool = self._fresh()
        if call.tries < _TRIES:
            self._make(call)
        elif call.future.set_running_or_notify_cancel():
            call.future.set_exception(WorkerLost("The worker ended in the middle of this call."))


def _begin(warm_up: Callable[[], object]) -> None:
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
