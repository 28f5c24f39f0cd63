"""Buttons that open the page that is shown with other settings."""

from __future__ import annotations

import streamlit as st

#: Parameters that stay in the URL: which class the visitor belongs to or leads.
_KEPT = ("class", "teach")


def open_here_button(label: str, query: dict[str, str]) -> None:
    """A button that shows this page with this query.

    A link would not do: a link to the page that is open leaves the browser's URL as it is, so the
    next rerun, as by Start, would bring back the settings from before.
    """
    st.button(label, on_click=_open_here, args=(query,))


def _open_here(query: dict[str, str]) -> None:
    kept = {name: st.query_params[name] for name in _KEPT if name in st.query_params}
    st.query_params.from_dict(kept | query)
