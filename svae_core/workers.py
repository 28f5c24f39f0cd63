"""Long-lived worker processes that take pure calls in the order in which they were made.

pool = WorkerPool(2, warm_up);  pool.start();  pool.submit(function, *args) -> Future
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from svae_core.records import RequestError

_log = logging.getLogger(__name__)
#: Below the server's own priority: pages stay quick while every core trains.
_NICE = 10
# One thread each: two are 1.27 times faster on an idle machine, ten times slower on a busy one.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerLost(RuntimeError):
    """A worker process ended twice in the middle of the same call."""


@dataclass(frozen=True)
class _Call:
    future: Future[Any]
    payload: bytes


class WorkerPool(Executor):
    """A few long-lived processes that take calls in the order in which they were made.

    Not a ProcessPoolExecutor, for two reasons. multiprocessing imports the parent's `__main__`
    into every child, and while a page runs, Streamlit's `__main__` is that page's script: children
    started then would run it. And one killed process breaks that pool with everything waiting in
    it, while here the call is made again in a fresh process. Children are started with `-c`, so
    they have no main module to import; they end when their standard input does, that is, also
    when the server is killed.
    """

    def __init__(self, workers: int, warm_up: Callable[[], object]) -> None:
        self.warm = threading.Event()  # set while a process stands ready
        self._workers = workers
        self._warm_up = pickle.dumps((warm_up, ()))
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()  # no process is started while the pool is stopping
        self._stopping = False

    def start(self) -> None:
        """Start the processes and a thread for each, which hands it calls and awaits answers."""
        for number in range(self._workers):
            thread = threading.Thread(target=self._tend, name=f"worker-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def process_ids(self) -> list[int]:
        """Of the processes alive now."""
        return [process.pid for process in self._processes]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a pure, importable function in a worker; its exceptions come back as they are."""
        if self._stopping:
            raise RuntimeError("The worker pool was stopped.")
        future: Future[Any] = Future()
        self._calls.put(_Call(future, pickle.dumps((partial(fn, **kwargs), args), protocol=5)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """End all processes, whatever they are doing."""
        with self._lock:
            self._stopping = True
            for process in self._processes:
                process.kill()
        while not self._calls.empty():
            if call := self._calls.get():
                call.future.cancel()
        for _ in range(self._workers):
            self._calls.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _tend(self) -> None:
        process = self._spawn()
        while process and (call := self._calls.get()):
            if not call.future.set_running_or_notify_cancel():
                continue
            process = self._run(process, call)
        if process:
            self._end(process)

    def _run(self, process: subprocess.Popen[bytes], call: _Call) -> subprocess.Popen[bytes] | None:
        """Settle a call, in a fresh process if need be; the process that stands ready after."""
        error: BaseException | None = WorkerLost("The worker process ended twice during this call.")
        result: Any = None
        current: subprocess.Popen[bytes] | None = process
        for _ in range(2):
            if current is None:
                break
            try:
                error, result = _exchange(current, call.payload)
                break
            except (OSError, EOFError):
                current = self._replace(current)
        if error is None:
            call.future.set_result(result)
        else:
            call.future.set_exception(error)
        return current

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """A warm process, or None when the pool is stopping."""
        with self._lock:
            if self._stopping:
                return None
            process = _start_process()
            self._processes.add(process)
        try:
            error, _ = _exchange(process, self._warm_up)
        except (OSError, EOFError):
            return process  # found dead at its first call, and replaced there
        if error is None:
            self.warm.set()
        else:
            _log.error("A worker could not warm up.", exc_info=error)
        return process

    def _replace(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes] | None:
        self.warm.clear()
        status = self._end(process)
        if not self._stopping:
            _log.warning("A worker process ended (status %s) and is replaced.", status)
        return self._spawn()

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        process.kill()
        with contextlib.suppress(OSError):  # what was not sent yet is lost with the process
            process.communicate()
        with self._lock:
            self._processes.discard(process)
        return process.wait()


def _start_process() -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from svae_core.workers import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | _ONE_THREAD,
    )


def _exchange(process: subprocess.Popen[bytes], payload: bytes) -> tuple[BaseException | None, Any]:
    assert process.stdin and process.stdout
    _write(process.stdin, payload)
    error, result = pickle.loads(_read(process.stdout))
    return error, result


def _write(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(8, "little"))
    stream.write(message)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes:
    size = int.from_bytes(_exactly(stream, 8), "little")
    return _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other side is gone")
    return data


def serve() -> None:
    """The life of a worker process: calls on standard input, answers on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends us
    if hasattr(os, "nice"):
        os.nice(_NICE)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(calls,), daemon=True).start()
    while True:
        _write(answers, _answer(calls.get()))


def _listen(calls: queue.SimpleQueue[bytes]) -> None:
    """Pass calls on; end the process with its parent, even in the middle of a computation."""
    try:
        while True:
            calls.put(_read(sys.stdin.buffer))
    except (EOFError, OSError):
        os._exit(0)


def _answer(payload: bytes) -> bytes:
    try:
        function, args = pickle.loads(payload)
        return pickle.dumps((None, function(*args)), protocol=5)
    except Exception as error:
        if not isinstance(error, RequestError):
            error.add_note("In a worker process:\n" + traceback.format_exc())
        try:
            return pickle.dumps((error, None))
        except Exception:
            return pickle.dumps((RuntimeError(repr(error)), None))
