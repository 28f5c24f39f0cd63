"""The guarantee in the rate–distortion plane: nats against loss.

A loss of at most hi requires at least the nats of each floor at hi; the elementary and the proved
floor are rigorous, the tight one relies on a numerical search. The floors fall to zero at δ: from
there on a collapsed model is possible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from svae_core.certificate.information_floors import floors_along, floors_at, how_sought
from svae_core.certificate.kernel_floors import how_proved
from svae_core.figures.palette import GREY, MARKS, blank, faint, ink, legend_below, veil
from svae_core.records import Certificate, FeasibleRegion, FloorCurves, Floors

FORBIDDEN = "no model can be here (numerical)"
_CURVES = ("elementary", "proved", "tight")


def guarantee(
    curves: FloorCurves,
    region: FeasibleRegion,
    dark: bool = False,
    certificates: Sequence[Certificate] = (),
) -> go.Figure:
    """Floors, forbidden region, reference points, the chosen upper edge, and certified models."""
    losses = _losses(curves)
    along = floors_along(curves, losses)
    figure = blank(dark, 460)
    _draw_floors(figure, losses, along, dark)
    _draw_points(figure, curves, dark)
    if not region.empty:
        _draw_edge(figure, floors_at(curves, region.hi), region.hi, dark)
    draw_specific(figure, certificates, dark)
    top = 1.5 * max(curves.cluster_entropy, floors_at(curves, curves.within).tight, 0.1)
    _draw_levels(figure, curves, region, top, dark)
    figure.update_layout(
        xaxis={
            "title": {"text": "loss D"},
            "range": [0, 1.1 * max(curves.delta, region.total)],
        },
        yaxis={"title": {"text": "nats"}, "range": [-0.04 * top, top]},
        legend=legend_below(0.18),
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
    )
    return figure


def describe_guarantee(curves: FloorCurves, region: FeasibleRegion) -> str:
    """The guaranteed nats at the upper edge, in sentences."""
    if region.empty:
        return "The band is empty, so there is no upper edge and nothing is guaranteed."
    floors = floors_at(curves, region.hi)
    if region.hi >= curves.delta:
        return (
            f"hi = {region.hi:.3f} is not below {curves.delta:.3f}, the collapse loss of this "
            "method's decoder, which is not projected on the shell: nothing is guaranteed."
        )
    return (
        f"A model whose measured loss with its margin is at most hi = {region.hi:.3f} carries at "
        f"least {floors.elementary:.3f} nats by the elementary floor, {floors.proved:.3f} by the "
        f"proved one and {floors.tight:.3f} by the tight one, which is numerical. This excludes "
        "total collapse; single latent dimensions may still be inactive."
    )


def describe_plane(curves: FloorCurves) -> str:
    """How to read the reference points and curves."""
    return (
        "No model can lie below the elementary and the proved floor; for the tight one this relies "
        "on a numerical search. Encoding only the cluster of a point reaches the "
        f"diamond: loss W = {curves.within:.3f} for H = {curves.cluster_entropy:.3f} nats. The "
        "water-filling curve is what Gaussian data of the same covariance would need; it is a "
        "reference, not a bound for these data. Information estimated from the N points can never "
        f"exceed log N = {curves.log_n:.2f} nats."
    )


def draw_specific(
    figure: go.Figure, certificates: Sequence[Certificate], dark: bool = False
) -> None:
    """The model-specific floors of measured models at their losses, where certificates have them.

    They belong to single models: at a given loss they may lie far above the floors of all models.
    """
    known = [c for c in certificates if c.floors.specific is not None]
    if not known:
        return
    name = "model-specific floor (99 %)"
    figure.add_trace(
        go.Scatter(
            x=[c.loss for c in known],
            y=[c.floors.specific for c in known],
            name=name,
            mode="markers",
            marker={"symbol": "triangle-up-open", "size": 9, "color": ink(dark)},
            customdata=[[c.method, c.seed] for c in known],
            hovertemplate=(
                "%{customdata[0]}, seed %{customdata[1]}<br>D %{x:.3f}: at least %{y:.2f} nats "
                "with 99 % confidence<extra></extra>"
            ),
        )
    )


def floor_rows(curves: FloorCurves, region: FeasibleRegion) -> list[tuple[str, str, str]]:
    """Name, value at hi, and explanation of each floor; a dash if the band is empty."""
    explained = {
        "elementary": "Needs only the size of the shell: the Bernoulli divergence of D/M from δ/M.",
        "proved": (
            "Proved for any decoder outputs, without a numerical search: the largest of several "
            f"bounds. {how_proved(curves)}"
        ).rstrip(),
        "tight": (
            f"Numerical: a mode that the search missed would overstate it. {how_sought(curves)}"
        ).rstrip(),
    }
    label = {"elementary": "Elementary", "proved": "Proved", "tight": "Tight (numerical)"}
    floors = None if region.empty else floors_at(curves, region.hi)
    return [
        (label[name], "–" if floors is None else f"{getattr(floors, name):.3f} nats", text)
        for name, text in explained.items()
    ]


def _losses(curves: FloorCurves) -> np.ndarray:
    """The losses at which curves are drawn: dense near δ, where they fall to zero."""
    share = np.concatenate([np.linspace(0.01, 0.9, 90), np.linspace(0.905, 1.0, 40)])
    return share * curves.delta


def _draw_floors(
    figure: go.Figure, losses: np.ndarray, along: dict[str, np.ndarray], dark: bool
) -> None:
    figure.add_trace(
        go.Scatter(
            x=losses,
            y=along["tight"],
            mode="lines",
            line={"width": 0},
            fill="tozeroy",
            fillcolor=veil(MARKS["delta"].colour(dark), 0.13),
            name=FORBIDDEN,
            hoverinfo="skip",
        )
    )
    for name in (*_CURVES, "reference"):
        mark = MARKS[name]
        figure.add_trace(
            go.Scatter(
                x=losses,
                y=along["water_filling" if name == "reference" else name],
                mode="lines",
                line={"color": mark.colour(dark), "width": 3, "dash": mark.dash},
                name=mark.name,
                hovertemplate="loss %{x:.3f}: %{y:.3f} nats<extra>" + mark.name + "</extra>",
            )
        )


def _draw_points(figure: go.Figure, curves: FloorCurves, dark: bool) -> None:
    """The points of total collapse and of encoding only the cluster."""
    points = (
        ("total collapse", curves.delta, 0.0, "delta"),
        ("cluster only: (W, H)", curves.within, curves.cluster_entropy, "W"),
    )
    for name, loss, nats, key in points:
        mark = MARKS[key]
        figure.add_trace(
            go.Scatter(
                x=[loss],
                y=[nats],
                mode="markers",
                marker={"symbol": mark.symbol, "size": 14, "color": mark.colour(dark)},
                name=name,
                hovertemplate=f"{name}<br>loss {loss:.3f}, {nats:.3f} nats<extra></extra>",
                cliponaxis=False,
            )
        )


def _draw_edge(figure: go.Figure, floors: Floors, hi: float, dark: bool) -> None:
    """The chosen upper edge, with a dot at each floor."""
    colour = MARKS["hi"].colour(dark)
    figure.add_vline(x=hi, line={"color": colour, "width": 2})
    values = [floors.elementary, floors.proved, floors.tight]
    figure.add_trace(
        go.Scatter(
            x=[hi] * 3,
            y=values,
            mode="markers",
            marker={
                "symbol": "circle",
                "size": 11,
                "color": [MARKS[name].colour(dark) for name in _CURVES],
                "line": {"color": colour, "width": 2},
            },
            customdata=[MARKS[name].name for name in _CURVES],
            hovertemplate="%{customdata}: %{y:.3f} nats at hi<extra></extra>",
            name=f"guaranteed at hi = {hi:.3f}",
        )
    )


def _draw_levels(
    figure: go.Figure, curves: FloorCurves, region: FeasibleRegion, top: float, dark: bool
) -> None:
    """The ceiling log N (an arrow if it lies above the axis), and labelled lines for B, T, δ."""
    figure.add_hline(y=curves.log_n, line={"color": faint(dark), "width": 2, "dash": "dot"})
    figure.add_annotation(
        x=0.985 * max(curves.delta, region.total),  # left of the last line
        xanchor="right",
        y=min(curves.log_n, top),
        yanchor="top",
        text=f"{'↑ ' * (curves.log_n > top)}log N = {curves.log_n:.2f}",
    )
    for name, value in _named_losses(curves, region).items():
        figure.add_vline(x=value, line={"color": veil(GREY, 0.7), "width": 2, "dash": "dot"})
        figure.add_annotation(x=value, y=1, yref="paper", yanchor="bottom", text=name)


def _named_losses(curves: FloorCurves, region: FeasibleRegion) -> dict[str, float]:
    """B, T and the δ in use, increasing; values too near for two labels share one."""
    near = 0.03 * max(curves.delta, region.total)
    merged: dict[str, float] = {}
    losses = {"B": region.between, "T": region.total, "δ": region.delta}
    for name, value in sorted(losses.items(), key=lambda item: item[1]):
        last = next(reversed(merged), None)
        if last is not None and value - merged[last] < near:
            merged[f"{last}, {name}"] = merged.pop(last)
        else:
            merged[name] = value
    return merged
