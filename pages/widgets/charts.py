"""Figures that only show, each with the sentence that says the same."""

from __future__ import annotations

from typing import Any

import streamlit as st

#: Without the maker's mark; and without any buttons, where there is nothing to zoom into.
QUIET, BARE = {"displaylogo": False}, {"displayModeBar": False}


def narrow() -> bool:
    """Whether the page is seen on a telephone; only the browser's own word tells the server."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def chart(figure: Any, sentence: str) -> None:
    """A figure where it is called, in its own colours; the sentence is read aloud in its place."""
    st.plotly_chart(figure, theme=None, config=QUIET, alt=sentence)


def picture(figure: Any, sentence: str, key: str) -> None:
    """The same without any buttons; the key tells it from others that look alike."""
    st.plotly_chart(figure, theme=None, config=BARE, alt=sentence, key=key)
