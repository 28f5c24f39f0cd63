"""Work on a Dask cluster, by its scheduler's address, instead of on this machine's cores.

    cluster = Cluster("tcp://host:8786");  cluster.start();  cluster.submit(function, *args)

Calls go through `distributed`'s own Executor, as many at a time as the cluster has threads; whose
call is next is decided here (`compute.scheduler`). Dask makes a call again when its worker is
lost. When the cluster itself is lost, or cannot be used, every call gets the one sentence that
says so, as WorkerLost; nothing is lost by that, since calls are pure.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import platform
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

from svae_core.compute.scheduler import Scheduler, WorkerLost

_log = logging.getLogger(__name__)
#: Seconds to wait for an answer from the scheduler.
_PATIENCE = 10.0
_NOISY = ("distributed", "distributed.client", "distributed.core", "tornado.application")
#: Packages that decide the last bit of a result.
_PACKAGES = ("torch", "numpy", "scikit-learn", "scipy")


class ClusterLost(WorkerLost):
    """The cluster cannot be used, or was lost; whoever asks again is served elsewhere."""


class Cluster(Scheduler):
    """A cluster, connected in the background; `gone` once it cannot be used any more."""

    least_slice = 0.2  # a call takes its 20 ms from here to a worker and back

    def __init__(self, address: str, warm_up: Callable[[], object]) -> None:
        super().__init__([])
        self.address = address
        self._warm_up = warm_up
        self._client: Any = None
        self._farewell = ""
        self._connecting: threading.Thread | None = None

    @property
    def gone(self) -> bool:
        """Whether it could not be used, or was lost."""
        return bool(self._farewell)

    @property
    def failed(self) -> str:
        return self._farewell

    def start(self) -> None:
        """Connect; returns at once, calls wait for it."""
        with self._lock:
            if self._stopping or self._connecting is not None:
                return
            self._connecting = threading.Thread(target=self._connect, daemon=True)
        super().start()
        self._connecting.start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Let the cluster go; calls not done are cancelled."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._close()

    def lose(self, why: str) -> None:
        """From now on every call gets a sentence that says so."""
        with self._lock:
            if self._farewell or self._stopping:
                return
            self._farewell = (
                f"The cluster at {self.address} {why}; nothing is lost, and what goes on "
                "from here runs on this machine."
            )
            calls = list(self._at_work.values())  # of some of them nothing would be heard again
            self._at_work.clear()
        _log.warning(self._farewell)
        threading.Thread(target=self._close, daemon=True).start()
        for call in calls:
            self._refuse(call, self._farewell)
        self._go_on()

    def _look_around(self) -> None:
        client = self._client
        if client is not None and client.status in ("connecting", "closed"):
            self.lose("is gone")

    def _loss(self, sentence: str) -> WorkerLost:
        return ClusterLost(sentence) if self.gone else WorkerLost(sentence)

    def _connect(self) -> None:
        try:
            from distributed import Client
        except ImportError:
            self.lose("needs what requirements-cluster.txt lists, which is not installed")
            return
        for name in _NOISY:  # one sentence is enough
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client = None
        try:
            client = Client(self.address, timeout=_PATIENCE, set_as_default=False)
            threads = client.nthreads()
            why = _difference(client.run(about)) if threads else "has no workers"
        except ModuleNotFoundError as error:
            why = f"has workers that cannot import {error.name} (PYTHONPATH names its folder)"
        except (OSError, ValueError, TypeError):
            why = "does not answer (is the address right, and its version of distributed ours?)"
        except Exception as error:  # whatever another version may answer
            why = f"cannot be used ({type(error).__name__}: {error})"
        self._client = client
        if client is None or why:
            self.lose(why)
            return
        executor = client.get_executor(pure=False)
        for worker in threads:  # a worker takes its calls in order, so this one comes first
            executor.submit(steady, self._warm_up, workers=[worker])
        count = sum(threads.values())
        self._slots = [_Thread(self, client, executor) for _ in range(count)]
        self._go_on()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=1.0)


class _Thread:
    """Room for one call at a time on the cluster, wherever there is any."""

    failed = False

    def __init__(self, cluster: Cluster, client: Any, executor: Any) -> None:
        self._cluster = cluster
        self._client = client
        self._executor = executor
        self._key = ""

    @property
    def ready(self) -> bool:
        return not self._cluster.gone

    def start(self, tell: Callable[[], None]) -> None:
        """There is nothing to start: the cluster has its own."""

    def make(self, call: Callable[[], Any]) -> Future[Any]:
        self._key = f"svae-{secrets.token_hex(8)}"
        try:
            inner: Future[Any] = self._executor.submit(steady, call, key=self._key)
        except Exception as error:
            _log.info("A call could not be sent to the cluster: %s", error)
            inner = Future()
            inner.cancel()
        inner.add_done_callback(self._look_at)
        return inner

    def lost(self, error: BaseException) -> bool:
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        return isinstance(error, KilledWorker | CommClosedError)

    def replace(self) -> None:
        """Have the worker that hangs with our call restarted; Dask makes the call again."""
        try:
            at_work = self._client.processing()
            hanging = [worker for worker, keys in at_work.items() if self._key in map(str, keys)]
            if not at_work:
                self._cluster.lose("has no workers left")
            elif hanging:
                self._client.restart_workers(hanging, timeout=_PATIENCE, raise_for_error=False)
        except Exception as error:
            _log.info("The cluster does not answer: %s", error)
            self._cluster.lose("does not answer any more")

    def stop(self, wait: bool) -> None:
        """The cluster goes on for others."""

    def _look_at(self, inner: Future[Any]) -> None:
        """Calls that nobody cancelled are cancelled when the connection is lost."""
        if inner.cancelled():
            self._cluster.lose("is gone")


def steady(call: Callable[[], Any]) -> Any:
    """On the cluster: make a call on one thread, since sums in another order are other numbers."""
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    return call()


def about() -> dict[str, str]:
    """What decides results, on the machine where this is called."""
    known = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"Python": platform.python_version(), **known, "svae_core": _digest()}


@cache
def _digest() -> str:
    """Of the code of this package."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _difference(workers: dict[str, dict[str, str]]) -> str:
    """How a worker differs from this machine, if one does."""
    here = about()
    for worker, there in workers.items():
        for name, version in here.items():
            if there.get(name) != version:
                return (
                    f"has a worker ({worker}) with {name} {there.get(name)}, and here it is "
                    f"{version}: frames would differ"
                )
    return ""
