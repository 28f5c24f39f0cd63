"""Static figures, each with the sentence that describes it to screen readers."""

from __future__ import annotations

from typing import Any

# Not used here. Plotly looks into pandas as soon as any thread has begun to import it, and a table
# on another visitor's page does so: it would find half of it. Here it is whole before any figure.
import pandas  # type: ignore[import-untyped]  # noqa: F401
import streamlit as st

from pages.visitor import session
from svae_core.figures.colouring import CLUSTER, names_of
from svae_core.records import PreparedData

#: Plotly's options: one button, which saves the figure as SVG; and none, where that is useless.
#: Zooming needs no button: drag, and double-click to go back.
QUIET = {
    "displaylogo": False,
    "modeBarButtons": [["toImage"]],
    "toImageButtonOptions": {"format": "svg", "filename": "svae-figure"},
}
BARE = {"displayModeBar": False}
#: What is measured in pixels in a figure: "size" is that of letters and of marks.
_SIZES = {"size", "height", "l", "r", "t", "b", "thickness", "standoff"}
#: Pixels at the right that the button has to itself: it never covers what is drawn.
_BUTTON = 40


def is_narrow() -> bool:
    """Whether the browser is a phone's, by its User-Agent: the server knows no screen size."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def chart(figure: Any, sentence: str) -> None:
    """A figure in its own colours; screen readers read the sentence instead."""
    st.plotly_chart(for_audience(beside_button(figure)), theme=None, config=QUIET, alt=sentence)


def for_audience(figure: Any) -> Any:
    """The figure; for a projector as a dictionary in which all has grown as the page's text has.

    Letters, marks, heights and margins, but no data: those of figures are arrays.
    """
    return _enlarged(figure.to_plotly_json()) if session.projector() else figure


def _enlarged(part: Any, within: str = "") -> Any:
    if isinstance(part, dict):
        return {name: _enlarged(value, name) for name, value in part.items()}
    if isinstance(part, (list, tuple)) and any(isinstance(one, dict) for one in part):
        return [_enlarged(one) for one in part]
    if within in _SIZES and isinstance(part, (int, float)):
        return part * session.LARGE_TYPE / session.USUAL_TYPE
    return part


def beside_button(figure: Any) -> Any:
    """The figure, with the button's own room at its right."""
    return figure.update_layout(margin={"r": max(_BUTTON, figure.layout.margin.r or 0)})


def static_chart(figure: Any, sentence: str, key: str) -> None:
    """The same without any buttons; the key distinguishes it from similar figures."""
    st.plotly_chart(for_audience(figure), theme=None, config=BARE, alt=sentence, key=key)


def colour_choice(prepared: PreparedData, place: Any) -> str:
    """What points are coloured by, to choose; the same on every page, and in the URL."""
    names, kept = names_of(prepared), session.look()["colour"]
    shown = kept if kept in names else CLUSTER
    chosen = session.widget(
        "charts.colour",
        shown,
        lambda key: place.selectbox("Colour by", names, names.index(shown), key=key),
    )
    if chosen != (kept or CLUSTER) and (kept in names or chosen != CLUSTER):
        session.keep_look({"colour": "" if chosen == CLUSTER else chosen})
    return chosen
