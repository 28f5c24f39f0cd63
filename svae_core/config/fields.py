"""Dataclass fields with a default, a range and a help text.

The same field defines a widget, a command-line option and the check of a value.
"""

from __future__ import annotations

import contextlib
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
class Field:
    """A settings field: its widget, its option, and the one reading, writing and check of it."""

    help: str
    label: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    step: float | None = None
    group: str = ""
    logarithmic: bool = False
    words: tuple[tuple[str, Any], ...] = ()  # other spellings of values, such as auto for 0
    name: str = ""
    kind: Any = str  # int, float, bool, str or tuple[float, float]
    default: Any = None

    def parse(self, value: Any, owner: str = "") -> Any:
        """The value that a text, JSON, NumPy or Python gives; RequestError if it is none.

        Command line, URL, widgets, JSON, requests of the stage and estimators all read by this.
        """
        if isinstance(value, str) and self.kind is not str:
            with contextlib.suppress(ValueError):  # refused below, as it was spelt
                value = self._spelt(value.strip())
        value = plain_value(value, self.kind)
        self.check(value, f"{owner}{flag(self.name)}")
        return value

    def _spelt(self, text: str) -> Any:
        if self.kind is bool:
            return TRUTHS.get(text.lower(), text)
        if self.kind in (int, float):
            known = dict(self.words)
            return known[text] if text in known else self.kind(text)
        return tuple(float(part) for part in text.replace(",", " ").split())

    def format(self, value: Any) -> str:
        """A value as a text that `parse` reads."""
        if isinstance(value, tuple):
            return ",".join(map(self.format, value))
        if isinstance(value, float):
            return f"{value:.12g}"
        return str(value).lower() if isinstance(value, bool) else str(value)

    def check(self, value: Any, title: str) -> None:
        """RequestError where a value is of another type, or outside the range or the choices."""
        said = f"{title} is {_shown(value)}, but must be"
        if self.kind in (int, float):
            self._check_number(value, title)
        elif self.choices and value not in self.choices:
            raise RequestError(f"{said} one of: {', '.join(self.choices)}.")
        elif self.kind is bool and not isinstance(value, bool):
            raise RequestError(f"{said} true or false.")
        elif self.kind is str and not isinstance(value, str):
            raise RequestError(f"{said} a text.")
        elif self.kind not in (bool, str) and not (
            isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))
        ):
            raise RequestError(f"{said} two numbers, both finite.")

    def _check_number(self, value: Any, title: str) -> None:
        if not _is_number(value):
            words = "".join(f" or {word}" for word, _ in self.words)
            raise RequestError(f"{title} is {_shown(value)}, but must be a finite number{words}.")
        if self.kind is int and value != int(value):
            raise RequestError(f"{title} is {value!r}, but must be a whole number.")
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if not low <= value <= high:
            lowest, highest = _plain(low), _plain(high)
            bounds = f"at least {lowest}" if high == math.inf else f"from {lowest} to {highest}"
            raise RequestError(f"{title} is {_plain(value)}, but must be {bounds}.")


def _plain(value: float) -> str:
    """A number as one would write it: 1,000,000 and not 1e+06."""
    whole = abs(value) < 1e15 and value == int(value)
    return f"{int(value):,}" if whole else f"{value:g}"


#: Characters of a wrong value in a sentence.
_LONGEST = 60
#: How truth values are spelt; the first two are written, all are read.
TRUTHS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
TRUTHS |= {"1": True, "0": False}


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
    words: tuple[tuple[str, Any], ...] = (),
) -> Any:
    """A dataclass field that carries its default, range and explanation."""
    about = Field(help, label, low, high, choices, step, group, logarithmic, words)
    return field(default=default, metadata={"field": about})


def knobs(record: Any) -> dict[str, Field]:
    """The fields made by `option` of a settings class or instance, by name, labels filled in."""
    return dict(_knobs(record if isinstance(record, type) else type(record)))


@lru_cache(maxsize=256)  # settings are checked thousands of times, when many runs are listed
def _knobs(kind: type) -> dict[str, Field]:
    hints = type_hints(kind)
    return {
        item.name: dataclasses.replace(
            about,
            label=about.label or item.name.replace("_", " "),
            name=item.name,
            kind=hints[item.name],
            default=item.default,
        )
        for item in fields(kind)
        if (about := item.metadata.get("field")) is not None
    }


@lru_cache(maxsize=256)
def type_hints(kind: type) -> dict[str, Any]:
    """The types of a record's fields, by name."""
    return get_type_hints(kind)


def flag(name: str) -> str:
    """The command-line spelling of a field name."""
    return "--" + name.replace("_", "-")


def plain_value(value: Any, kind: Any) -> Any:
    """A value as a field declared as `kind` keeps it: of Python's own types.

    NumPy scalars and arrays of no dimension become numbers, arrays tuples; of those and of tuples
    each item does. An integral float for an int, and an int for a float, are converted.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, tuple | list):
        inner = float if kind == tuple[float, float] else None
        items = tuple(plain_value(item, inner) for item in value)
        same = len(items) == len(value) and all(map(operator.is_, items, value))
        return value if same and isinstance(value, tuple) else items
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    return value


def check_knobs(record: Any, owner: str = "") -> None:
    """Raise RequestError naming the first field outside its range, its choices or its type."""
    for name, about in knobs(record).items():
        about.check(getattr(record, name), f"{owner}{flag(name)}")


def _shown(value: Any) -> str:
    """What was given, as far as a sentence has room for it."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except (TypeError, OverflowError):  # no number, or a whole one that is larger than any float
        return False
