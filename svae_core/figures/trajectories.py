"""Trajectories of runs in the rate–distortion plane, with the floors of both decoder domains.

The floor of a free decoder holds for every model, since the shell is part of the ball; a projected
decoder has a higher floor, which ends at a larger collapse loss. So a conventional run can reach
points that a spherical one cannot.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from svae_core.certificate.information_floors import floors_along
from svae_core.figures.names import title_of
from svae_core.figures.palette import FONT_SIZE, GREY, MARKS, blank, legend_below, mark_of, veil
from svae_core.records import FeasibleRegion, FloorCurves, Frame, Moment

FORBIDDEN = "no model can be here (numerical)"
ON_SHELL = "floor of a projected decoder (numerical)"
# Marks on a path show their moments on hover; more marks would hide the path.
_MARKS = 40


def trajectories(
    free: FloorCurves,
    projected: FloorCurves,
    region: FeasibleRegion,
    moments: tuple[Moment, ...],
    dark: bool = False,
) -> go.Figure:
    """Loss against KL of every member from its first moment to its last; `moments` may be empty."""
    figure = blank(dark, 460)
    _draw_floor(figure, free, "dash", dark, filled=True)
    _draw_floor(figure, projected, "dot", dark, filled=False)
    for key, delta in (("T", free.delta), ("δ shell", projected.delta)):
        _draw_collapse(figure, key, delta, dark)
    if not region.empty:
        _draw_band(figure, region, dark)
    for frames in _members(moments):
        _draw_path(figure, frames, dark)
    figure.update_layout(
        xaxis={"title": {"text": "loss D"}, "range": [0, _reach(free, projected, moments)]},
        yaxis={"title": {"text": "KL, nats"}, "range": [-0.04 * (top := _top(moments)), top]},
        legend=legend_below(0.18),
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
    )
    return figure


def describe_trajectories(moments: tuple[Moment, ...]) -> str:
    """The first and last loss and KL of each member, in sentences."""
    if not moments:
        return (
            "The floors of a free decoder (dashed) and of a projected one (dotted) in the plane "
            "of loss and nats. No run of these settings has been watched yet."
        )
    paths = [
        f"{title_of(frames[0].method)}: from loss {frames[0].loss:.3f} and {frames[0].kl:.2f} nats "
        f"to loss {frames[-1].loss:.3f} and {frames[-1].kl:.2f} nats (epoch {frames[-1].epoch})."
        for frames in _members(moments)
    ]
    return " ".join(paths)


def describe_two_floors(free: FloorCurves, projected: FloorCurves) -> str:
    """The two floors, and the loss at which each ends."""
    return (
        f"The floor of a free decoder (dashed) ends at T = {free.delta:.3f}, where a conventional "
        "VAE collapses; no model can lie below it. A decoder that is projected on the shell has a "
        f"higher one (dotted) that ends at δ shell = {projected.delta:.3f}. Both are numerical. "
        "Open marks: where a run started; large ones: where it is now."
    )


def _members(moments: tuple[Moment, ...]) -> list[tuple[Frame, ...]]:
    return list(zip(*moments, strict=True))


def _draw_floor(
    figure: go.Figure, curves: FloorCurves, dash: str, dark: bool, *, filled: bool
) -> None:
    losses = np.linspace(0.01, 1.0, 120) * curves.delta
    colour = MARKS["delta"].colour(dark)
    figure.add_trace(
        go.Scatter(
            x=losses,
            y=floors_along(curves, losses)["tight"],
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            fill="tozeroy" if filled else None,
            fillcolor=veil(colour, 0.13) if filled else None,
            name=FORBIDDEN if filled else ON_SHELL,
            hovertemplate="loss %{x:.3f}: at least %{y:.3f} nats<extra></extra>",
        )
    )


def _draw_collapse(figure: go.Figure, name: str, delta: float, dark: bool) -> None:
    mark = MARKS["delta"]
    figure.add_trace(
        go.Scatter(
            x=[delta],
            y=[0.0],
            mode="markers",
            marker={"symbol": mark.symbol, "size": 14, "color": mark.colour(dark)},
            name=f"total collapse, {name}",
            showlegend=False,
            hovertemplate=f"total collapse at {name} = {delta:.3f}<extra></extra>",
            cliponaxis=False,
        )
    )
    figure.add_vline(x=delta, line={"color": veil(GREY, 0.7), "width": 2, "dash": "dot"})
    figure.add_annotation(x=delta, y=1, yref="paper", yanchor="bottom", text=name)


def _draw_band(figure: go.Figure, region: FeasibleRegion, dark: bool) -> None:
    start = region.lo if region.lower_edge else 0.0
    figure.add_vrect(
        x0=start,
        x1=region.hi,
        fillcolor=veil(MARKS["band"].light, 0.12),
        line={"color": MARKS["band"].colour(dark), "width": 1},
        layer="below",
    )
    figure.add_annotation(
        x=(start + region.hi) / 2, y=0.99, yref="paper", yanchor="top", text="feasible band"
    )


def _draw_path(figure: go.Figure, frames: tuple[Frame, ...], dark: bool) -> None:
    """One member: its path, an open mark at its start, a large mark at its current point."""
    name = title_of(frames[0].method)
    mark = mark_of(frames[0].method)
    colour = mark.colour(dark)
    losses, nats = [frame.loss for frame in frames], [frame.kl for frame in frames]
    every = max(1, len(frames) // _MARKS)
    sizes = [6.0 if at % every == 0 else 0.0 for at in range(len(frames))]
    sizes[0], sizes[-1] = 12.0, 15.0
    figure.add_trace(
        go.Scatter(
            x=losses,
            y=nats,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": mark.dash},
            marker={
                "symbol": [mark.symbol + "-open", *[mark.symbol] * (len(frames) - 1)],
                "size": sizes,
                "color": colour,
                "opacity": 1,
                "line": {"width": [3.0, *[0.0] * (len(frames) - 1)], "color": colour},
            },
            customdata=[frame.epoch for frame in frames],
            hovertemplate="epoch %{customdata}: loss %{x:.3f}, %{y:.3f} nats"
            f"<extra>{name}</extra>",
            name=name,
            cliponaxis=False,
        )
    )
    figure.add_annotation(
        x=losses[-1],
        y=nats[-1],
        yshift=14,
        yanchor="bottom",
        text=f"<b>{name}</b>",
        font={"size": FONT_SIZE - 1},
    )


def _reach(free: FloorCurves, projected: FloorCurves, moments: tuple[Moment, ...]) -> float:
    """The right end of the loss axis: δ, or the largest loss up to twice δ shell."""
    furthest = max((frame.loss for moment in moments for frame in moment), default=0.0)
    return 1.1 * max(free.delta, projected.delta, min(furthest, 2 * projected.delta))


def _top(moments: tuple[Moment, ...]) -> float:
    highest = max((frame.kl for moment in moments for frame in moment), default=0.0)
    return 1.15 * max(highest, 2.0)
