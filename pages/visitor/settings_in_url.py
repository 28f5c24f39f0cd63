"""Settings as a URL query, and back: `?dataset=wine&clusters=3&band=0,0.4&clusters.number=7`.

Only values that differ from the defaults are written. A plug-in's option is written as
`plugin.option`. Invalid values get their default, so that a mistyped link still opens; `misread`
names them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from svae_core.config.plugins import Plugin
from svae_core.config.settings import check_settings
from svae_core.datasets import scan_datasets
from svae_core.methods import scan_methods
from svae_core.records import Field, RequestError, Scalar, Settings, knobs

# The field naming a plug-in, the field holding its options, and where such plug-ins are found.
_PLUGINS = (
    ("dataset", "dataset_options", scan_datasets),
    ("method", "method_options", scan_methods),
)
# Larger integers are not exact in a browser, and its widgets refuse them.
_LARGEST = 2**53 - 1
#: Characters of a value that a sentence quotes.
_QUOTED = 40


def to_query(settings: Settings) -> dict[str, str]:
    """The query that describes these settings."""
    known = knobs(Settings)
    query = {
        name: about.format(getattr(settings, name))
        for name, about in known.items()
        if getattr(settings, name) != about.default
    }
    for field, options, _ in _PLUGINS:
        owner, given = getattr(settings, field), getattr(settings, options)
        query |= {f"{owner}.{name}": known[field].format(value) for name, value in given}
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
    # Twice, since an inner radius may be valid only after the outer one has been read.
    for name, about in [*knobs(Settings).items()] * 2:
        if name not in ("dataset", "method"):
            for value in _read(about, query.get(name, "")):
                settings = _with(settings, name, value)
    return settings


def misread(query: Mapping[str, str]) -> list[str]:
    """What a query says of settings that cannot be so: a sentence each, with what is used instead.

    The sentences quote the query, which is anybody's text.
    """
    settings = from_query(query)
    used = {name: (about, getattr(settings, name)) for name, about in knobs(Settings).items()}
    for field, options, scan in _PLUGINS:
        plugin = scan()[getattr(settings, field)]
        if plugin is scan().get(query.get(field, "")):
            del used[field]  # known, perhaps by a former name
        given = dict(getattr(settings, options))
        for name, about in knobs(plugin.config).items():
            for owner in (plugin.name, *plugin.former):
                used[f"{owner}.{name}"] = about, given.get(name, about.default)
    return [
        f"The link says “{name}={text[:_QUOTED]}”, which cannot be: "
        f"it is {about.format(value)} here."
        for name, (about, value) in used.items()
        if (text := query.get(name)) and [*_read(about, text)] != [value]
    ]


def owned(query: Mapping[str, str]) -> dict[str, str]:
    """The part of a page's query that describes settings."""
    names = set(knobs(Settings))
    plugins = [plugin for _, _, scan in _PLUGINS for plugin in scan().values()]
    prefixes = tuple(f"{name}." for plugin in plugins for name in (plugin.name, *plugin.former))
    return {
        name: text for name, text in query.items() if name in names or name.startswith(prefixes)
    }


def _options(plugin: Plugin, query: Mapping[str, str]) -> tuple[tuple[str, Scalar], ...]:
    """The plug-in's options in the query that are valid and differ from their defaults."""
    return tuple(
        (name, value)
        for name, about in sorted(knobs(plugin.config).items())
        for owner in (plugin.name, *plugin.former)
        for value in _read(about, query.get(f"{owner}.{name}", ""))
        if value != about.default
    )


def _with(settings: Settings, name: str, value: Any) -> Settings:
    try:
        return check_settings(dataclasses.replace(settings, **{name: value}))
    except RequestError:
        return settings


def _read(about: Field, text: str) -> Iterator[Any]:
    """The value that a text spells; nothing if it is empty or invalid."""
    try:
        value = about.parse(text) if text else None
    except RequestError:
        return
    if value is not None and not (isinstance(value, int) and abs(value) > _LARGEST):
        yield value
