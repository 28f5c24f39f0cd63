"""Looking at a model in training without changing it: its mode, gradients and random state.

    with untouched(models_behind(encode, decode)): …

A forward pass in training mode would move running statistics and draw from global generators; under
autocast without gradients it would leave weights in autocast's cache that pass no gradient on.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

#: Steps from a function to its models that are followed, and values that are looked at.
_DEEPEST, _MOST = 4, 10_000


def models_behind(*callables: Callable[..., Any]) -> tuple[nn.Module, ...]:
    """The models that these functions use: modules, owners of methods, what functions refer to.

    Of one that leads to none so: those that it reaches through containers, other functions, and
    attributes of objects.
    """
    found: dict[int, nn.Module] = {}
    for each in callables:
        for module in list(_referred(each)) or _reached(each):
            found.setdefault(id(module), module)
    return tuple(found.values())


def _referred(value: Any) -> Iterator[nn.Module]:
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, functools.partial):
        for part in (value.func, *value.args, *value.keywords.values()):
            yield from _referred(part)
    elif inspect.ismethod(value):
        yield from _referred(value.__self__)
    elif compiled := getattr(value, "_torchdynamo_orig_callable", None):
        yield from _referred(compiled)
    elif inspect.isfunction(value):
        names = inspect.getclosurevars(value)
        for part in (*names.nonlocals.values(), *names.globals.values()):
            if isinstance(part, nn.Module | functools.partial) or inspect.ismethod(part):
                yield from _referred(part)


def _reached(value: Any) -> Iterator[nn.Module]:
    """Modules behind a value, the nearest first; of all that it leads to only so much is read."""
    seen, level = {id(value): value}, [value]
    for _ in range(_DEEPEST):
        following = []
        for part in itertools.chain.from_iterable(map(_parts, level)):
            if id(part) in seen or isinstance(part, type | ModuleType):
                continue
            if len(seen) > _MOST:
                return
            seen[id(part)] = part
            if isinstance(part, nn.Module):
                yield part
            else:
                following.append(part)
        level = following


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, functools.partial):
        return value.func, *value.args, *value.keywords.values()
    if inspect.ismethod(value):
        return (value.__self__,)
    if inspect.isfunction(value):
        names = inspect.getclosurevars(value)
        return *names.nonlocals.values(), *names.globals.values()
    if isinstance(value, list | tuple | set):
        return value
    return (value if isinstance(value, dict) else getattr(value, "__dict__", {})).values()


@contextlib.contextmanager
def untouched(models: tuple[nn.Module, ...]) -> Iterator[None]:
    """Evaluation mode, no gradients, no autocast cache; afterwards all is as it was.

    Restored are the mode of every submodule by itself, and the random states of torch on the CPU
    and on the models' CUDA devices, of NumPy and of Python.
    """
    modes = [(module, module.training) for model in models for module in model.modules()]
    weights = (weight for model in models for weight in model.parameters())
    devices = sorted({weight.device.index for weight in weights if weight.is_cuda})
    cached = torch.is_autocast_cache_enabled()
    of_numpy, of_python = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.set_autocast_cache_enabled(False)
            for model in models:
                model.eval()
            yield
    finally:
        for module, training in modes:  # outer ones before those in them
            if module.training != training:
                module.train(training)  # as `eval` was called: some merge weights there, and back
            module.training = training
        torch.set_autocast_cache_enabled(cached)
        np.random.set_state(of_numpy)
        random.setstate(of_python)
