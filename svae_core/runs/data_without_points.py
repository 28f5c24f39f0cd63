"""Prepared data without the points, to be stored with a fitted model.

    thin(prepared) -> PreparedData;  pack(prepared) -> (arrays, words);  unpack(arrays, words)

It contains no data point, only what was learned from them: the shell map, centroids, the band and
eigenvalues.
"""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

import numpy as np

from svae_core.config.settings import settings_from_dict, settings_to_dict
from svae_core.problem import only
from svae_core.records import PreparedData, Settings

Arrays = dict[str, np.ndarray]


def thin(prepared: PreparedData) -> PreparedData:
    """The prepared data without points, labels and view."""
    none = only(prepared, np.arange(0))
    return dataclasses.replace(
        none,
        dataset=dataclasses.replace(none.dataset, labels=None),
        shell=dataclasses.replace(none.shell, held_out=none.shell.held_out[:0].copy()),
        view_points=none.view_points[:0].copy(),
    )


def as_if_of(prepared: PreparedData, count: int) -> PreparedData:
    """Thin prepared data with the original number of points, as zeros that take no memory."""
    d = len(prepared.shell.center)
    none = np.broadcast_to(np.float32(0), (count, d))
    return dataclasses.replace(prepared, shell=dataclasses.replace(prepared.shell, points=none))


def pack(prepared: PreparedData) -> tuple[Arrays, dict[str, Any]]:
    """Prepared data as named arrays and JSON-ready values."""
    arrays: Arrays = {}
    words: dict[str, Any] = {}
    _flatten(prepared, "", arrays, words)
    return arrays, words


def unpack(arrays: Arrays, words: dict[str, Any]) -> PreparedData:
    """The inverse of `pack`; raises KeyError, TypeError or ValueError if malformed."""
    found: PreparedData = _rebuilt(PreparedData, "", arrays, words)
    return found


def _flatten(record: Any, path: str, arrays: Arrays, words: dict[str, Any]) -> None:
    for item in dataclasses.fields(record):
        value, name = getattr(record, item.name), f"{path}{item.name}"
        if isinstance(value, np.ndarray):
            arrays[name] = np.ascontiguousarray(value)
        elif isinstance(value, Settings):
            words[name] = settings_to_dict(value)
        elif dataclasses.is_dataclass(value):
            _flatten(value, f"{name}.", arrays, words)
        else:
            words[name] = value.item() if isinstance(value, np.generic) else value


def _rebuilt(kind: Any, path: str, arrays: Arrays, words: dict[str, Any]) -> Any:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        name, hint = f"{path}{item.name}", hints[item.name]
        if name in arrays:
            values[item.name] = arrays[name]
        elif hint is Settings:
            values[item.name] = settings_from_dict(words[name])
        elif dataclasses.is_dataclass(hint):
            values[item.name] = _rebuilt(hint, f"{name}.", arrays, words)
        else:
            values[item.name] = _tuples(words[name])
    return kind(**values)


def _tuples(value: Any) -> Any:
    """JSON lists converted back to tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
