"""Static figures, each with the sentence that describes it to screen readers."""

from __future__ import annotations

from typing import Any

import streamlit as st

#: Plotly's options: without its logo; and without any buttons, where zooming is useless.
QUIET, BARE = {"displaylogo": False}, {"displayModeBar": False}


def is_narrow() -> bool:
    """Whether the browser is a phone's, by its User-Agent: the server knows no screen size."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def chart(figure: Any, sentence: str) -> None:
    """A figure in its own colours; screen readers read the sentence instead."""
    st.plotly_chart(figure, theme=None, config=QUIET, alt=sentence)


def static_chart(figure: Any, sentence: str, key: str) -> None:
    """The same without any buttons; the key distinguishes it from similar figures."""
    st.plotly_chart(figure, theme=None, config=BARE, alt=sentence, key=key)
