"""Functions compiled by numba, kept on disk between processes; or the reason why there are none.

    functions = load(compile_all, files)    # compile_all(cached) calls numba.njit(…, cache=cached)

numba's cache knows the text of one file only, and writes its index before the code and without a
lock. So compiled code lies in a folder of our own that is named after all that it depends on; one
process at a time writes to it, and a folder whose writer did not finish is made anew.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from svae_core.config.home import cache_home
from svae_core.config.locks import lock

Functions = TypeVar("Functions")
_DONE = "complete"
#: Seconds after which compiled code that nobody used is removed.
_KEPT = 30 * 24 * 3600
_POLL = 0.1


class CannotCompile(Exception):
    """Why there is no compiled code, as the end of a sentence."""


def load(compile_all: Callable[[bool], Functions], files: Iterable[Path]) -> Functions:
    """What `compile_all(cached)` gives; it depends on the text of these files.

    It is called with True where numba's cache can be written and read, else once more with False.
    Safe to call at any time, in any number of processes. CannotCompile where numba has no code.
    """
    collects = gc.isenabled()
    gc.disable()  # imports and compilers leave little garbage: a fifth of the time would be lost
    try:
        return _load(compile_all, files)
    except CannotCompile:
        raise
    except Exception as error:
        why = f"it cannot be compiled here ({type(error).__name__}: {_first_words(error)})"
        raise CannotCompile(why) from error
    finally:
        if collects:
            gc.enable()


def _first_words(error: Exception) -> str:
    """What numba says and the line it says it of, without the source and its advice."""
    said, *rest = str(error).split("\n\n")
    line = next((part.splitlines()[0] for part in rest if part.startswith("File ")), "")
    return " ".join(f"{said} {line}".split()).rstrip(":")


def _load(compile_all: Callable[[bool], Functions], files: Iterable[Path]) -> Functions:
    try:
        import numba
    except ImportError as error:
        raise CannotCompile(f"numba cannot be imported ({error})") from error
    config: Any = numba.config
    if config.DISABLE_JIT:
        raise CannotCompile("NUMBA_DISABLE_JIT is set")
    folder = cache_home() / "numba" / _fingerprint(files)
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        with _writing(folder):
            return compile_all(True)
    except Exception:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
        return compile_all(False)
    finally:
        config.CACHE_DIR = before


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


def _fingerprint(files: Iterable[Path]) -> str:
    """A name for all that compiled code depends on, except for the processor, which numba sees."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    for package in ("numba", "llvmlite", "numpy", "scipy"):
        version = importlib.import_module(package).__version__
        digest.update(f"{package} {version}\n".encode())
    chosen = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_"))
    digest.update(repr([item for item in chosen if item[0] != "NUMBA_CACHE_DIR"]).encode())
    return digest.hexdigest()[:24]
