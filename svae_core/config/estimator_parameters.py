"""Parameters of the estimators: plain values, and errors in their own words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from svae_core.config.fields import RequestError, knobs

_Class = TypeVar("_Class", bound=type)
_FLAG = re.compile(r"--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")


def as_json(value: Any) -> Any:
    """A parameter as JSON has it: NumPy's numbers and arrays, at any depth, become plain."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def draws_of(value: Any) -> int | None:
    """The number of draws to certify with, None for as many as always; else RequestError."""
    value = as_json(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 2):
        return value
    raise RequestError(f"draws is {value!r}, but must be None or a whole number from 2.")


def kept_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as JSON has them; a generator as random state cannot be kept."""
    kept: dict[str, Any] = as_json(parameters)
    if not isinstance(kept["random_state"], int):
        kept["random_state"] = None
    return kept


def in_parameter_words(error: RequestError) -> RequestError:
    """The error with options of the command line (--latent-dim) as parameters (latent_dim)."""
    return RequestError(_FLAG.sub(lambda flag: flag[1].replace("-", "_"), str(error)))


def documented(settings: type, **others: str) -> Callable[[_Class], _Class]:
    """A decorator that lists an estimator's parameters in its docstring, as scikit-learn does.

    What a parameter means is the help of the setting of that name, or in `others`.
    """

    def document(estimator: _Class) -> _Class:
        known = knobs(settings)
        section = ["Parameters", "----------"]
        for item in fields(estimator):
            about = known.get(item.name)
            means = others.get(item.name) or (about.help if about else "")
            section += [f"{item.name} : {item.type}, default={item.default!r}", f"    {means}"]
        summary, _, rest = inspect.cleandoc(estimator.__doc__ or "").partition("\nAttributes\n")
        estimator.__doc__ = "\n".join([summary, *section, "", "Attributes", rest])
        return estimator

    return document
