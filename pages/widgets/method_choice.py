"""The choice of several methods, kept in the URL."""

from __future__ import annotations

from typing import Any

from pages.visitor import page_parameters, session
from svae_core.methods import scan_methods


def method_choice(place: Any, name: str, label: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """A box for the names of methods; it may be left empty."""
    plugins, shown = scan_methods(), ",".join(default)
    wanted = page_parameters.list_parameter("methods", shown, plugins)
    wanted = [plugins[method].name for method in wanted or default]
    chosen = session.widget(
        name,
        wanted,
        lambda key: place.multiselect(
            label, list(plugins), wanted, key=key, format_func=lambda method: plugins[method].title
        ),
    )
    page_parameters.put_parameter("methods", ",".join(chosen) or shown, shown)
    return tuple(chosen)
