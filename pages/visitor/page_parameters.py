"""A page's own parameters in the URL, beside the settings."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st


def parameter(name: str, default: str) -> str:
    """The value of a page's own URL parameter."""
    return str(st.query_params.get(name, default))


def list_parameter(name: str, default: str, known: Iterable[str]) -> list[str]:
    """The known names in a URL parameter that is a list, each once."""
    names = parameter(name, default).split(",")
    return [one for one in dict.fromkeys(names) if one in known]


def put_parameter(name: str, value: str, default: str) -> None:
    """Write a page's own parameter into the URL, unless it has this value already."""
    if value != parameter(name, default):
        if value == default:
            del st.query_params[name]
        else:
            st.query_params[name] = value
