"""Settings as a URL query, and back: `?dataset=wine&clusters=3&band=0,0.4&clusters.number=7`.

Only values that differ from the defaults are written. A plug-in's option is written as
`plugin.option`. Invalid values are ignored, so that a mistyped link still opens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from svae_core.config.plugins import Plugin, configure
from svae_core.config.settings import check_settings
from svae_core.datasets import scan_datasets
from svae_core.methods import scan_methods
from svae_core.records import RequestError, Scalar, Settings, knobs

# The field naming a plug-in, the field holding its options, and where such plug-ins are found.
_PLUGINS = (
    ("dataset", "dataset_options", scan_datasets),
    ("method", "method_options", scan_methods),
)
# Larger integers are not exact in a browser, and its widgets refuse them.
_LARGEST = 2**53 - 1


def to_query(settings: Settings) -> dict[str, str]:
    """The query that describes these settings."""
    plain = Settings()
    query = {
        name: _written(getattr(settings, name))
        for name in knobs(Settings)
        if getattr(settings, name) != getattr(plain, name)
    }
    for field, options, _ in _PLUGINS:
        owner = getattr(settings, field)
        query |= {f"{owner}.{name}": _written(value) for name, value in getattr(settings, options)}
    return query


def to_link(settings: Settings) -> dict[str, str]:
    """The same for a link, never empty: an empty query leaves a visitor's settings as they are."""
    return {"dataset": settings.dataset, **to_query(settings)}


def from_query(query: Mapping[str, str]) -> Settings:
    """The settings that a query describes; missing or invalid values get their default."""
    settings = Settings()
    for field, options, scan in _PLUGINS:
        plugin = scan().get(query.get(field, getattr(settings, field)))
        if plugin is not None:
            chosen: dict[str, Any] = {field: plugin.name, options: _options(plugin, query)}
            settings = dataclasses.replace(settings, **chosen)
    hints = get_type_hints(Settings)
    # Twice, since an inner radius may be valid only after the outer one has been read.
    for name, text in [*query.items()] * 2:
        if name in knobs(Settings) and name not in ("dataset", "method"):
            for value in _read(text, hints[name]):
                settings = _with(settings, name, value)
    return settings


def owned(query: Mapping[str, str]) -> dict[str, str]:
    """The part of a page's query that describes settings."""
    names = set(knobs(Settings))
    prefixes = tuple(f"{name}." for _, _, scan in _PLUGINS for name in scan())
    return {
        name: text for name, text in query.items() if name in names or name.startswith(prefixes)
    }


def _options(plugin: Plugin, query: Mapping[str, str]) -> tuple[tuple[str, Scalar], ...]:
    """The plug-in's options in the query that are valid and differ from their defaults."""
    hints = get_type_hints(plugin.config)
    found: dict[str, Scalar] = {}
    for name in knobs(plugin.config):
        for value in _read(query.get(f"{plugin.name}.{name}", ""), hints[name]):
            try:
                configure(plugin, ((name, value),))
            except RequestError:
                continue
            if value != getattr(plugin.config(), name):
                found[name] = value
    return tuple(sorted(found.items()))


def _with(settings: Settings, name: str, value: Any) -> Settings:
    try:
        return check_settings(dataclasses.replace(settings, **{name: value}))
    except RequestError:
        return settings


def _read(text: str, kind: Any) -> Iterator[Any]:
    """The value that a text spells; nothing if it is invalid."""
    try:
        if kind is bool:
            yield {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        elif kind is int:
            if abs(int(text)) <= _LARGEST:
                yield int(text)
        elif kind is float:
            yield float(text)
        elif kind is str:
            if text:
                yield text
        else:
            a, b = (float(part) for part in text.split(","))
            yield a, b
    except (ValueError, KeyError):
        return


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, tuple):
        return ",".join(_written(part) for part in value)
    return str(value)
