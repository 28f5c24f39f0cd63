"""Dataclass fields with a default, a range and a help text.

The same field defines a widget, a command-line option and the check of a value.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, get_type_hints

import numpy as np


class RequestError(ValueError):
    """An invalid request; the message is one sentence: what is wrong, where, how to fix it."""


@dataclass(frozen=True)
class Knob:
    """The metadata of a settings field, for its widget, its command-line option and its check."""

    help: str
    label: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    step: float | None = None
    group: str = ""
    logarithmic: bool = False


def option(
    default: Any,
    help: str,
    *,
    label: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    step: float | None = None,
    group: str = "",
    logarithmic: bool = False,
) -> Any:
    """A dataclass field that carries its default, range and explanation."""
    knob = Knob(help, label, low, high, choices, step, group, logarithmic)
    return field(default=default, metadata={"knob": knob})


def knobs(record: Any) -> dict[str, Knob]:
    """The knobs of a settings class or instance, by field name, labels filled in."""
    return dict(_knobs(record if isinstance(record, type) else type(record)))


@lru_cache(maxsize=256)  # settings are checked thousands of times, when many runs are listed
def _knobs(kind: type) -> dict[str, Knob]:
    found = {}
    for item in fields(kind):
        if (knob := item.metadata.get("knob")) is not None:
            label = knob.label or item.name.replace("_", " ")
            found[item.name] = dataclasses.replace(knob, label=label)
    return found


@lru_cache(maxsize=256)
def type_hints(kind: type) -> dict[str, Any]:
    """The types of a record's fields, by name."""
    return get_type_hints(kind)


def flag(name: str) -> str:
    """The command-line spelling of a field name."""
    return "--" + name.replace("_", "-")


def plain_value(value: Any, kind: Any) -> Any:
    """A value as a field declared as `kind` ("int", "float", …) keeps it: of Python's own types.

    NumPy scalars and arrays of no dimension become numbers, arrays tuples; of those and of tuples
    each item does. An integral float for an int, and an int for a float, are converted.
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    elif isinstance(value, np.ndarray):
        value = tuple(value)
    if isinstance(value, tuple):
        inner = "float" if kind == "tuple[float, float]" else ""
        items = tuple(plain_value(item, inner) for item in value)
        same = len(items) == len(value) and all(map(operator.is_, items, value))
        return value if same else items
    if kind == "float" and type(value) is int and abs(value) < 2**53:
        return float(value)
    if kind == "int" and type(value) is float and value.is_integer():
        return int(value)
    return value


def check_knobs(record: Any, owner: str = "") -> None:
    """Raise RequestError naming the first field outside its range, its choices or its type."""
    kind: Any = type(record)
    hints = type_hints(kind)
    for name, knob in _knobs(kind).items():
        value = getattr(record, name)
        title = f"{owner}{flag(name)}"
        if hints[name] in (int, float):
            _check_number(title, value, hints[name], knob)
        elif knob.choices and value not in knob.choices:
            raise RequestError(
                f"{title} is {value!r}, but must be one of: {', '.join(knob.choices)}."
            )
        elif hints[name] in (bool, str) and not isinstance(value, hints[name]):
            kind = "true or false" if hints[name] is bool else "a text"
            raise RequestError(f"{title} is {value!r}, but must be {kind}.")


def _check_number(title: str, value: Any, kind: type, knob: Knob) -> None:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(
        value, bool
    )
    if not number or not _is_finite(value):
        raise RequestError(f"{title} is {value!r}, but must be a finite number.")
    if kind is int and value != int(value):
        raise RequestError(f"{title} is {value!r}, but must be a whole number.")
    low = -math.inf if knob.low is None else knob.low
    high = math.inf if knob.high is None else knob.high
    if not low <= value <= high:
        bounds = f"at least {knob.low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise RequestError(f"{title} is {value:g}, but must be {bounds}.")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that is larger than any float
        return False
