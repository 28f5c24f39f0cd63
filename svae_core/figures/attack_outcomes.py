"""Outcomes of a search for counter-examples, from the summary of `studies.attack`."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from svae_core.figures.names import counted
from svae_core.figures.palette import BLUE, FONT_SIZE, GREY, VERMILLION, YELLOW, blank, veil

# Colours by the order of outcomes: held, broken, outside, no band.
_COLOURS = (BLUE, VERMILLION, YELLOW, GREY)


def outcomes(summary: dict[str, Any], dark: bool = False) -> go.Figure:
    """A bar for each outcome, with its count."""
    names, counts = list(summary["outcomes"]), list(summary["outcomes"].values())
    figure = blank(dark, 200)
    figure.add_trace(
        go.Bar(
            x=counts,
            y=names,
            orientation="h",
            marker={"color": [veil(colour, 0.85) for colour in _COLOURS]},
            text=[f" {count}" for count in counts],
            textposition="outside",
            textfont={"size": FONT_SIZE + 1},
            cliponaxis=False,
            hovertemplate="%{y}: %{x} runs<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"visible": False, "range": [0, 1.12 * max(*counts, 1)], "fixedrange": True},
        yaxis={"autorange": "reversed", "fixedrange": True},
        margin={"l": 10, "r": 10, "t": 4, "b": 4},
    )
    return figure


def describe_outcomes(summary: dict[str, Any]) -> str:
    """The counts in sentences, and how near runs inside the band came to their floor."""
    held, broken, outside, empty = summary["outcomes"].values()
    found = (
        "no counter-example"
        if broken == 0
        else f"{broken} COUNTER-EXAMPLE{'S' if broken > 1 else ''}"
    )
    text = (
        f"{counted(summary['runs'], 'run')}: {found}. {held} ended inside their band and "
        f"not collapsed, {outside} never reached it, and for {empty} "
        "the band was empty, so they were not trained."
    )
    if summary["least_kl_inside"] is None:
        return text
    return (
        f"{text} Inside the band the least KL was {summary['least_kl_inside']:.3f} nats, and no "
        f"run came nearer to its numerical floor than {summary['least_kl_above_floor']:.3f} nats."
    )


def explanation_table(summary: dict[str, Any]) -> str:
    """A Markdown table: why runs did not end inside the band."""
    lines = ["| why a run ended outside | runs |", "| --- | ---: |"]
    lines += [f"| {reason} | {count} |" for reason, count in summary["outside"].items()]
    return "\n".join(lines)
