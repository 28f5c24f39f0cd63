"""The compiled functions, kept on disk between processes; or the reason why there are none.

    native = load();  native.train(…);  native.forward(…);  native.slopes(method);  native.reason

numba's cache knows the text of one file only, and writes its index before the code and without a
lock. So compiled code lies in a folder of our own that is named after all that it depends on; one
process at a time writes to it, and a folder whose writer did not finish is made anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import inspect
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from svae_core.config.home import cache_home
from svae_core.config.locks import lock
from svae_core.methods import Averaged, TrainingMethod, scan_methods

_HERE = "svae_core.training.native"
_DONE = "complete"
#: Seconds after which compiled code that nobody used is removed.
_KEPT = 30 * 24 * 3600
_POLL = 0.1


@dataclass(frozen=True, eq=False)
class Native:
    """The compiled functions."""

    train: Callable[..., None] | None  # see kernels; None where there is no native code
    forward: Callable[..., None] | None
    reason: str  # why there is none, as the end of a sentence; else empty

    @functools.cache  # noqa: B019 - there is one instance per process
    def slopes(self, method: type) -> Any:
        """A method's slopes, compiled; raises numba's errors where they cannot be."""
        return _compile(method.slopes, _cached())  # type: ignore[attr-defined]


@functools.cache
def load() -> Native:
    """The compiled functions; compiles them if no process did before. Safe to call at any time."""
    try:
        import numba
    except ImportError as error:
        return Native(None, None, f"numba cannot be imported ({error})")
    config: Any = numba.config
    if config.DISABLE_JIT:
        return Native(None, None, "NUMBA_DISABLE_JIT is set")
    try:
        return _load()
    except Exception as error:
        return Native(None, None, f"it cannot be compiled here ({type(error).__name__}: {error})")


def is_built_in(method: TrainingMethod) -> bool:
    """Whether a method's slopes are compiled with the kernels; a user's own may not compile."""
    return isinstance(method, Averaged) and type(method).__module__.startswith("svae_core.methods.")


def _load() -> Native:
    folder = cache_home() / "numba" / _fingerprint()
    try:
        with _writing(folder):
            return _import(folder)
    except Exception:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
    return _import(None)


def _import(folder: Path | None) -> Native:
    """Import the kernels, which compiles them or takes them from the folder."""
    import numba

    config: Any = numba.config
    settings: Any = importlib.import_module(f"{_HERE}.compile_options")
    for name in ("kernels", "elementary"):
        sys.modules.pop(f"{_HERE}.{name}", None)
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder or "")
    settings.cached = folder is not None
    try:
        kernels: Any = importlib.import_module(f"{_HERE}.kernels")
        native = Native(kernels.train, kernels.forward, "")
        for plugin in scan_methods().values():
            if hasattr(plugin.module.Method, "slopes"):
                native.slopes(plugin.module.Method)
        return native
    finally:
        config.CACHE_DIR = before


def _cached() -> bool:
    return bool(importlib.import_module(f"{_HERE}.compile_options").cached)


def _compile(slopes: Callable[..., Any], cached: bool) -> Any:
    import numba

    kernels = importlib.import_module(f"{_HERE}.kernels")
    compiler: Any = numba.njit
    return compiler(kernels.SLOPES, cache=cached, error_model="numpy", boundscheck=False)(slopes)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Read a complete folder at once; else wait until nobody writes to it, and make it anew."""
    done = folder / _DONE
    if done.exists():
        yield
        with contextlib.suppress(OSError):
            os.utime(done)
        return
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while (held := lock(folder.with_suffix(".lock"), create=True)) is None:
        time.sleep(_POLL)
    try:
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _remove_old(folder.parent)
            folder.mkdir(mode=0o700)
        yield
        done.touch()
    finally:
        held.release()


def _remove_old(parent: Path) -> None:
    for done in parent.glob(f"*/{_DONE}"):
        if time.time() - done.stat().st_mtime > _KEPT:
            shutil.rmtree(done.parent, ignore_errors=True)


def _fingerprint() -> str:
    """A name for all that compiled code depends on, except for the processor, which numba sees."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    files = [here / name for name in ("kernels.py", "elementary.py")]
    files += [*(Path(p.module.__file__ or "") for p in scan_methods().values())]
    for module in ("svae_core.methods", "svae_core.distributions.gaussian"):
        files.append(Path(inspect.getfile(importlib.import_module(module))))
    for path in sorted(files):
        digest.update(path.read_bytes())
    for package in ("numba", "llvmlite", "numpy", "scipy"):
        digest.update(f"{package} {version(package)}\n".encode())
    chosen = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_"))
    digest.update(repr([item for item in chosen if item[0] != "NUMBA_CACHE_DIR"]).encode())
    return digest.hexdigest()[:24]
