"""The compiled functions; or the reason why there are none.

    native = load();  native.train(…);  native.forward(…);  native.slopes(method);  native.reason

`config.compiled_code` keeps them on disk between processes.
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
from svae_core.methods import Averaged, TrainingMethod, scan_methods

_HERE = "svae_core.training.native"
#: The modules of compiled functions.
_KERNELS = ("kernels", "stacks", "elementary")


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
        return compiled_code.load(_import, _files())
    except compiled_code.CannotCompile as error:
        return Native(None, None, str(error))


def is_built_in(method: TrainingMethod) -> bool:
    """Whether a method's slopes are compiled with the kernels; a user's own may not compile."""
    return isinstance(method, Averaged) and type(method).__module__.startswith("svae_core.methods.")


def _import(cached: bool) -> Native:
    """Import the kernels, which compiles them or takes them from numba's cache."""
    settings: Any = importlib.import_module(f"{_HERE}.compile_options")
    settings.cached = cached
    for name in _KERNELS:
        sys.modules.pop(f"{_HERE}.{name}", None)
    kernels: Any = importlib.import_module(f"{_HERE}.kernels")
    native = Native(kernels.train, kernels.forward, "")
    for plugin in scan_methods().values():
        if hasattr(plugin.module.Method, "slopes"):
            native.slopes(plugin.module.Method)
    return native


def _files() -> list[Path]:
    """The files whose text the compiled functions depend on."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in _KERNELS]
    files += [*(Path(p.module.__file__ or "") for p in scan_methods().values())]
    for module in ("svae_core.methods", "svae_core.distributions.gaussian"):
        files.append(Path(inspect.getfile(importlib.import_module(module))))
    return files


def _cached() -> bool:
    return bool(importlib.import_module(f"{_HERE}.compile_options").cached)


def _compile(slopes: Callable[..., Any], cached: bool) -> Any:
    import numba

    kernels = importlib.import_module(f"{_HERE}.kernels")
    compiler: Any = numba.cfunc
    return compiler(kernels.SLOPES, cache=cached, error_model="numpy")(slopes)
