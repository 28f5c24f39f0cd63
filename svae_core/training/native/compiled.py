"""The compiled functions; or the reason why there are none.

    native = load();  native.train(…);  native.forward(…);  native.reason
    is_for_native(method);  slopes_of(method).function;  slopes_of(method).reason

`config.compiled_code` keeps them on disk between processes: the kernels together and each method's
slopes apart, so that a method that is changed, or cannot be compiled, costs no other anything.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svae_core.config import compiled_code
from svae_core.methods import Averaged

_HERE = "svae_core.training.native"
#: The modules of compiled functions.
_KERNELS = ("kernels", "stacks", "elementary")


@dataclass(frozen=True, eq=False)
class Native:
    """The compiled functions."""

    train: Callable[..., None] | None  # see kernels; None where there is no native code
    forward: Callable[..., None] | None
    reason: str  # why there is none, as the end of a sentence; else empty


@dataclass(frozen=True, eq=False)
class Slopes:
    """The compiled slopes of a method."""

    function: Any  # None where they cannot be compiled
    reason: str  # why not, as the end of a sentence; else empty


@functools.cache
def load() -> Native:
    """The compiled functions; compiles them if no process did before. Safe to call at any time."""
    try:
        return compiled_code.load(_import, _files())
    except compiled_code.CannotCompile as error:
        return Native(None, None, str(error))


def is_for_native(method: type) -> bool:
    """Whether native code trains a method: its file states slopes, which numba can compile.

    Where numba has no code at all the file alone decides, so that such a machine still knows what
    native code has trained elsewhere. A class that is not of a method's file may have slopes that
    depend on more than the file's text, by which compiled code is kept.
    """
    if not (isinstance(method, Averaged) and method.__module__.startswith("svae_core.methods.")):
        return False
    return load().train is None or not slopes_of(method).reason


@functools.cache
def slopes_of(method: type) -> Slopes:
    """A method's slopes; compiles them if no process did before."""
    if why := load().reason:  # it also imports the kernels' types, from the kernels' own folder
        return Slopes(None, why)
    files = [*_files(), Path(inspect.getfile(method))]
    try:
        return Slopes(compiled_code.load(functools.partial(_compile, method), files), "")
    except compiled_code.CannotCompile as error:
        return Slopes(None, str(error))


def _import(cached: bool) -> Native:
    """Import the kernels, which compiles them or takes them from numba's cache."""
    settings: Any = importlib.import_module(f"{_HERE}.compile_options")
    settings.cached = cached
    for name in _KERNELS:
        sys.modules.pop(f"{_HERE}.{name}", None)
    kernels: Any = importlib.import_module(f"{_HERE}.kernels")
    return Native(kernels.train, kernels.forward, "")


def _compile(method: type, cached: bool) -> Any:
    import numba

    kernels = importlib.import_module(f"{_HERE}.kernels")
    compiler: Any = numba.cfunc
    stated: Any = method
    return compiler(kernels.SLOPES, cache=cached, error_model="numpy")(stated.slopes)


def _files() -> list[Path]:
    """The files whose text all compiled functions depend on."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in _KERNELS]
    for module in ("svae_core.methods", "svae_core.distributions.gaussian"):
        files.append(Path(inspect.getfile(importlib.import_module(module))))
    return files
