"""The number line of losses: W, B, T, the three collapse losses, and the feasible band.

Above the line are the statistics of the data, below it the collapse loss by each of its three
definitions; the one in use is filled and bold.
"""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from svae_core.figures.palette import FONT_SIZE, MARKS, blank, faint, ink, veil
from svae_core.records import FeasibleRegion

#: Names of the three definitions, as every screen shows them.
DEFINITIONS = {
    "shell": "best constant on the shell",
    "free": "best constant anywhere, T",
    "between": "literal reading, B = T − W",
}
# Width of a label as a fraction of the line, per character, to keep labels from overlapping.
_CHARACTER = 0.0125
_NARROW = 2.4  # factor on that width on a narrow screen
_LEVEL = 0.34
_HEIGHT = 270


@dataclass(frozen=True)
class _Label:
    value: float
    text: str
    mark: str
    strong: bool = False


def number_line(region: FeasibleRegion, dark: bool = False, narrow: bool = False) -> go.Figure:
    """W, B and T above the line, δ by each definition below, the band on it."""
    top = _span(region)
    letter = top * _CHARACTER * (_NARROW if narrow else 1.0)
    above, below = _labels(region)
    figure = blank(dark, _HEIGHT)
    figure.add_trace(_line(0.0, top, faint(dark), 3, "losses"))
    if region.empty:
        _draw_emptiness(figure, region, dark)
    else:
        _draw_band(figure, region, dark)
    _draw_danger(figure, region, top, dark)
    up = _draw_labels(figure, above, letter, 1, dark)
    down = _draw_labels(figure, below, letter, -1, dark)
    more = max(0, up - 2), max(0, down - 1)
    figure.update_layout(
        height=_HEIGHT * (1 + 0.13 * sum(more)),
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 4, "b": 40},
        xaxis={
            "range": [-0.02 * top, top],
            "title": {"text": "loss: summed squared error, mean over points"},
            "showgrid": False,
            "fixedrange": True,
        },
        yaxis={
            "range": [-1.05 - _LEVEL * more[1], 1.45 + _LEVEL * more[0]],
            "visible": False,
            "fixedrange": True,
        },
    )
    return figure


def describe_number_line(region: FeasibleRegion) -> str:
    """The band with its numbers, or why it is empty."""
    if region.empty:
        return region.explanation
    edges = (
        f"Training aims at a loss between lo = {region.lo:.3f} and hi = {region.hi:.3f}."
        if region.lower_edge
        else f"Training aims at a loss below hi = {region.hi:.3f}; the lower edge is switched off."
    )
    return f"{region.explanation} {edges}"


def describe_edges(region: FeasibleRegion) -> str:
    """The δ in use, and the purpose of each edge."""
    return (
        f"In use is δ {region.collapse_loss} = {region.delta:.3f}; a loss from there on (shaded) "
        "does not exclude a model that ignores its input. Only the upper edge matters for the "
        "guarantee. The lower one merely forbids reconstructions better than the K-means centroids."
    )


def _labels(region: FeasibleRegion) -> tuple[list[_Label], list[_Label]]:
    above = [
        _Label(region.within, f"W {region.within:.3f}", "W"),
        _Label(region.between, f"B {region.between:z.3f}", "B"),
        _Label(region.total, f"T {region.total:.3f}", "T"),
    ]
    if not region.empty:
        above.append(_Label(region.hi, f"hi {region.hi:.3f}", "hi", strong=True))
        if region.lower_edge and region.lo > region.within:
            above.append(_Label(region.lo, f"lo {region.lo:.3f}", "lo", strong=True))
    below = [
        _Label(value, f"δ {name} {value:z.3f}", "delta", strong=name == region.collapse_loss)
        for name, value in region.deltas.items()
    ]
    return above, below


def _span(region: FeasibleRegion) -> float:
    return 1.12 * max(region.total, *region.deltas.values())


def _line(start: float, end: float, colour: str, width: float, name: str) -> go.Scatter:
    return go.Scatter(
        x=[start, end],
        y=[0, 0],
        mode="lines",
        line={"color": colour, "width": width},
        name=name,
        hoverinfo="skip",
    )


def _draw_band(figure: go.Figure, region: FeasibleRegion, dark: bool) -> None:
    colour = MARKS["band"].colour(dark)
    figure.add_trace(_line(region.within, region.delta, veil(colour, 0.25), 22, "W to δ"))
    start = region.lo if region.lower_edge else region.within
    figure.add_trace(_line(start, region.hi, colour, 22, MARKS["band"].name))
    if region.hi - start > 0.16 * _span(region):
        figure.add_annotation(
            x=(start + region.hi) / 2,
            y=0,
            text="feasible band",
            font={"color": "#000000" if dark else "#FFFFFF", "size": FONT_SIZE},
            showarrow=False,
        )


def _draw_emptiness(figure: go.Figure, region: FeasibleRegion, dark: bool) -> None:
    """An empty band: it would extend from W up to δ, but δ is not above W."""
    colour = MARKS["delta"].colour(dark)
    figure.add_trace(_line(region.delta, region.within, veil(colour, 0.35), 22, "empty band"))
    figure.add_annotation(
        x=region.within,
        xshift=12,
        xanchor="left",
        y=0.16,
        text="<b>no band: δ ≤ W</b>",
        font={"color": ink(dark), "size": FONT_SIZE},
        showarrow=False,
    )


def _draw_danger(figure: go.Figure, region: FeasibleRegion, top: float, dark: bool) -> None:
    """From δ on, a model that ignores its input is not excluded."""
    colour = MARKS["delta"].colour(dark)
    figure.add_vrect(
        x0=region.delta,
        x1=top,
        fillcolor=veil(colour, 0.10),
        line_width=0,
        layer="below",
    )


def _draw_labels(
    figure: go.Figure, labels: list[_Label], letter: float, side: int, dark: bool
) -> int:
    """Stems and labels on one side of the line; overlapping labels are moved to higher levels.

    Returns the highest level.
    """
    placed = _levels(labels, letter)
    for label, level in placed:
        mark = MARKS[label.mark]
        height = side * (0.42 + _LEVEL * level)
        colour = mark.colour(dark)
        figure.add_trace(
            go.Scatter(
                x=[label.value, label.value],
                y=[0, height],
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": mark.dash},
                marker={
                    "symbol": mark.symbol if label.strong or side > 0 else mark.symbol + "-open",
                    "color": colour,
                    "size": [0, 12],
                    "opacity": 1,
                },
                name=label.text,
                hovertemplate=f"{mark.name}<br>{label.value:.4f}<extra></extra>",
            )
        )
        figure.add_annotation(
            x=label.value,
            y=height + side * 0.19,
            text=f"<b>{label.text}</b>" if label.strong else label.text,
            font={"size": FONT_SIZE + label.strong, "color": ink(dark)},
            showarrow=False,
        )
    return max(level for _, level in placed)


def _levels(labels: list[_Label], letter: float) -> list[tuple[_Label, int]]:
    """Each label with the lowest level at which it overlaps no other; `letter`: width of one."""
    ends: list[float] = []
    placed = []
    for label in sorted(labels, key=lambda item: item.value):
        half = 0.5 * letter * len(label.text)
        level = next((at for at, end in enumerate(ends) if label.value - half > end), len(ends))
        end = label.value + half
        ends[level : level + 1] = [end]
        placed.append((label, level))
    return placed
