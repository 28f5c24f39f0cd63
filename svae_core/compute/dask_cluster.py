"""Execution on a Dask cluster, given its scheduler's address, instead of this machine's cores.

    cluster = Cluster("tcp://host:8786");  cluster.start();  cluster.submit(function, *args)

Calls go through `distributed`'s own Executor, as many at a time as the cluster has threads; their
order is decided here (`compute.scheduler`). Dask repeats a call whose worker is lost. When the
cluster itself is lost or cannot be used, every call raises WorkerLost with one sentence; no results
are lost, since calls are pure and can be repeated elsewhere.

`tls://` addresses take keys and certificates from Dask's own settings, `distributed.comm.tls`.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import logging
import platform
import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

from svae_core.compute.scheduler import Scheduler, WorkerLost
from svae_core.config.fields import RequestError
from svae_core.config.home import PLUGIN_KINDS, own_plugins

_log = logging.getLogger(__name__)
#: Seconds to wait for an answer from the scheduler.
_PATIENCE = 6.0
#: Workers say every second or so that they live, also in the middle of a call. One that has not for
#: so many seconds is frozen, and its calls are made elsewhere; asked for so often.
_FROZEN, _LOOKED_AT = 20.0, 2.0
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
_NOISY = ("distributed", "distributed.client", "distributed.core", "tornado.application")
#: Packages whose version can change the last bit of a result.
_PACKAGES = ("torch", "numpy", "scikit-learn", "scipy")


class ClusterLost(WorkerLost):
    """The cluster cannot be used or was lost; a repeated call runs on this machine.

    `why`: what has happened, without the part that says so.
    """

    def __init__(self, sentence: str, why: str = "") -> None:
        super().__init__(sentence)
        self.why = why


def check_address(address: str) -> None:
    """RequestError unless this is a scheduler's address."""
    found = _ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[3]) < 2**16:
        raise RequestError(
            f"--scheduler is {address!r}, but must be a Dask scheduler's address, such as "
            "tcp://192.168.0.7:8786."
        )


class Cluster(Scheduler):
    """A cluster, connected in the background; `gone` once it cannot be used any more."""

    least_slice = 0.2  # the round trip of a call to a worker takes some 20 ms

    def __init__(self, address: str, warm_up: Callable[[], object]) -> None:
        super().__init__([])
        self.address = address
        self._warm_up = warm_up
        self._client: Any = None
        self._why = ""
        self._looked = 0.0
        self._connecting: threading.Thread | None = None

    @property
    def gone(self) -> bool:
        """Whether the cluster cannot be used or was lost."""
        return bool(self._why)

    @property
    def failed(self) -> str:
        """Why it cannot be used, in one sentence; empty if it can."""
        if not self._why:
            return ""
        return f"{self._why}; nothing is lost, and what goes on from here runs on this machine."

    def start(self) -> None:
        """Connect in the background; returns at once, calls wait for the connection."""
        with self._lock:
            if self._stopping or self._connecting is not None:
                return
            self._connecting = threading.Thread(target=self._connect, daemon=True)
        super().start()
        self._connecting.start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Disconnect from the cluster; unfinished calls are cancelled."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._close()

    def lose(self, reason: str) -> None:
        """Mark the cluster as lost: every call from now on raises with this reason."""
        with self._lock:
            if self._why or self._stopping:
                return
            self._why = f"The cluster at {self.address} {reason}"
            calls = list(self._running.values())  # the futures of some would never complete
            self._running.clear()
        _log.warning(self.failed)
        threading.Thread(target=self._close, daemon=True).start()
        for call in calls:
            self._refuse(call, self.failed)
        self._dispatch()

    def _check(self) -> None:
        client = self._client
        if client is not None and client.status in ("connecting", "closed"):
            self.lose("is gone")
        elif client is not None and time.monotonic() - self._looked > _LOOKED_AT:
            self._looked = time.monotonic()
            threading.Thread(target=self._replace_frozen, args=(client,), daemon=True).start()

    def _replace_frozen(self, client: Any) -> None:
        """Let Dask restart workers that have not said for long that they live; it repeats calls."""
        try:
            client.run_on_scheduler(restart_frozen, _FROZEN)
        except Exception as error:
            _log.debug("The scheduler could not look for frozen workers: %s", error)

    def _lost_error(self, sentence: str) -> WorkerLost:
        return ClusterLost(sentence, self._why) if self.gone else WorkerLost(sentence)

    def _connect(self) -> None:
        try:
            from distributed import Client
        except ImportError:
            self.lose("needs what requirements-cluster.txt lists, which is not installed")
            return
        for name in _NOISY:  # the user gets one sentence instead of these logs
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client = None
        try:
            check_address(self.address)
            asyncio.run(_shake_hands(self.address))
            client = Client(self.address, timeout=_PATIENCE, set_as_default=False)
            threads = client.nthreads()
            reason = _version_difference(client.run(versions)) if threads else "has no workers"
        except RequestError:
            reason = "has no address of a scheduler, such as tcp://192.168.0.7:8786"
        except TimeoutError:
            reason = "does not answer as a Dask scheduler does (is the port right, and tls or tcp?)"
        except (OSError, ValueError, TypeError):
            reason = "does not answer (is the address right, and its version of distributed ours?)"
        except Exception as error:  # another version of distributed may raise anything
            reason = _told_by_a_worker(error)
        self._client = client
        if client is None or reason:
            self.lose(reason)
            return
        executor = client.get_executor(pure=False)
        for worker in threads:  # a worker runs its calls in order, so the warm-up is the first
            executor.submit(on_one_thread, self._warm_up, workers=[worker])
        count = sum(threads.values())
        self._slots = [_Thread(self, client, executor) for _ in range(count)]
        self._dispatch()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=1.0)


def _told_by_a_worker(error: Exception) -> str:
    """Why a call failed; of a worker Dask hands on its error, or an Exception with its text."""
    missing = re.search(r"No module named \\?'([\w.]+)", str(error))
    if missing:
        return f"has workers that cannot import {missing[1]} (PYTHONPATH names its folder)"
    return f"cannot be used ({type(error).__name__}: {error})"


class _Thread:
    """A slot for one call at a time, on any worker of the cluster."""

    failed = False
    start_seconds = 0.0  # another worker is there

    def __init__(self, cluster: Cluster, client: Any, executor: Any) -> None:
        self._cluster = cluster
        self._client = client
        self._executor = executor
        self._key = ""

    @property
    def ready(self) -> bool:
        return not self._cluster.gone

    def start(self, notify: Callable[[], None]) -> None:
        """Nothing to start: the cluster has its own workers."""

    def make(self, call: Callable[[], Any]) -> Future[Any]:
        self._key = f"svae-{secrets.token_hex(8)}"
        try:
            inner: Future[Any] = self._executor.submit(on_one_thread, call, key=self._key)
        except Exception as error:
            _log.info("A call could not be sent to the cluster: %s", error)
            inner = Future()
            inner.cancel()
        inner.add_done_callback(self._check_result)
        return inner

    def lost(self, error: BaseException) -> bool:
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        return isinstance(error, KilledWorker | CommClosedError)

    def replace(self) -> None:
        """Restart the worker that hangs in this slot's call; Dask repeats the call."""
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
        """Nothing to stop: the cluster keeps running for its other clients."""

    def _check_result(self, inner: Future[Any]) -> None:
        """A cancelled future means a lost connection, since nothing else cancels calls."""
        if inner.cancelled():
            self._cluster.lose("is gone")


async def _shake_hands(address: str) -> None:
    """Connect as Dask does, and let go; OSError where nobody listens, TimeoutError where no Dask.

    A client of Dask waits for ever where something else listens: its handshake has no time limit
    (distributed 2026.8.0).
    """
    from distributed.comm.core import connect
    from distributed.security import Security

    async with asyncio.timeout(_PATIENCE):
        arguments = Security().get_connection_args("client")
        comm = await connect(address, timeout=_PATIENCE / 2, **arguments)
        await comm.close()


async def restart_frozen(seconds: float, dask_scheduler: Any = None) -> list[str]:
    """On the scheduler: restart the workers that were not heard of for so long; their addresses."""
    now = time.time()
    silent = [
        worker.address
        for worker in dask_scheduler.workers.values()
        if now - worker.last_seen > seconds
    ]
    if silent:
        await dask_scheduler.restart_workers(
            silent, wait_for_workers=False, stimulus_id=f"svae-frozen-{now}"
        )
    return silent


def on_one_thread(call: Callable[[], Any]) -> Any:
    """Run a call with one torch thread: more threads add in another order and round differently."""
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    return call()


def versions() -> dict[str, str]:
    """Versions of all that decides results, on the machine where this is called."""
    known = {name: importlib.metadata.version(name) for name in _PACKAGES}
    package = {"svae_core": _digest(Path(__file__).parents[1])}
    own = {
        f"{kind} of SVAE_PLUGINS": " ".join(_digest(Path(folder)) for folder in own_plugins(kind))
        for kind in PLUGIN_KINDS
        if kind != "commands"  # which run on the machine of whoever gives them
    }
    return {"Python": platform.python_version(), **known, **package, **own}


def _digest(root: Path) -> str:
    """A digest of the source code in a folder and below it, wherever the folder lies."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + _as_first_read(path))
    return digest.hexdigest()[:12]


@cache
def _as_first_read(path: Path) -> bytes:
    """A digest of a file when it was first asked for: a process runs on with what it imported."""
    return hashlib.sha256(path.read_bytes()).digest()


def _version_difference(workers: dict[str, dict[str, str]]) -> str:
    """The first difference in versions between a worker and this machine; empty if none."""
    ours = versions()
    for worker, theirs in workers.items():
        for name, version in ours.items():
            if theirs.get(name) != version:
                return (
                    f"has a worker ({worker}) with {name} {theirs.get(name) or 'none'}, and here "
                    f"it is {version or 'none'}: frames would differ"
                )
    return ""
