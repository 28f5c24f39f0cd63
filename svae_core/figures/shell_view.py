"""The shell in three dimensions: points by cluster, centroids, and spokes between them.

Radii are exact. Directions are those of a three-dimensional projection, so with more than three
dimensions angles between points are distorted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from svae_core.figures.colouring import CLUSTER, Colouring, colouring
from svae_core.figures.names import counted, in_tens
from svae_core.figures.palette import (
    FONT_SIZE,
    SCENE_STYLES,
    blank,
    camera,
    ink,
    lines,
    scale,
    scatter,
    scene_style,
)
from svae_core.geometry.shell import shell_view as seen_on_shell
from svae_core.records import PreparedData

# More spokes than this hide the points they belong to.
_SPOKES = 400


def shell_view(
    prepared: PreparedData, dark: bool = False, narrow: bool = False, colour: str = CLUSTER
) -> go.Figure:
    """After the map: the data on the shell, with centroids and spokes; points by this colour."""
    figure = blank(dark, 560)
    for radius, name in ((prepared.shell.r_min, "inner"), (prepared.shell.r_max, "outer")):
        figure.add_trace(wireframe(radius, f"{name} shell, r = {radius:g}", dark))
    centroids = seen_on_shell(prepared.clusters.centroids, prepared.view_basis)
    for trace in _clouds(prepared, prepared.view_points, colour, dark):
        figure.add_trace(trace)
    figure.add_trace(_centroids(centroids, prepared.clusters.sizes, dark))
    figure.add_trace(_spokes(prepared, centroids, dark))
    legend = _legend_title(prepared, colour)
    return _placed(figure, 1.02 * prepared.shell.r_max, "shell", narrow, legend)


def raw_view(
    prepared: PreparedData, dark: bool = False, narrow: bool = False, colour: str = CLUSTER
) -> go.Figure:
    """Before the map: the same points, centred, seen along the same three directions."""
    figure = blank(dark, 560)
    raw = prepared.dataset.points[prepared.view_index].astype(np.float64) - prepared.shell.center
    shadow = raw @ prepared.view_basis
    for trace in _clouds(prepared, shadow, colour, dark):
        figure.add_trace(trace)
    figure.add_trace(
        scatter(
            np.zeros((1, 3)),
            mode="markers",
            marker={"symbol": "cross", "size": 8, "color": ink(dark)},
            name="centre of the data",
        )
    )
    legend = _legend_title(prepared, colour)
    return _placed(figure, 1.05 * float(np.abs(shadow).max()), "raw", narrow, legend)


def describe_shell(prepared: PreparedData) -> str:
    """The number of points, their radii, and the round-trip error of the shell map."""
    n, d = prepared.shell.points.shape
    shown = len(prepared.view_points)
    drawn = "" if shown == n else f" (a seeded sample of {shown:,} is drawn)"
    lost = prepared.shell.directionless
    directions = {
        0: "Every point has a direction.",
        1: "One point sits at the centre, has no direction, and got a fixed one.",
    }.get(lost, f"{lost:,} points sit at the centre, have no direction, and got a fixed one.")
    return (
        f"{counted(n, 'point')} in {counted(d, 'dimension')}{drawn} lie between radius "
        f"{prepared.shell.r_min:g} and {prepared.shell.r_max:g}. Mapping to the "
        "shell and back moves no point by more than "
        f"{in_tens(prepared.shell.round_trip_error)} of the largest norm. {directions} New "
        "data outside this range of norms would be clamped to it."
    )


def describe_view(prepared: PreparedData) -> str:
    """What the view shows, and what it distorts."""
    shell = prepared.shell
    text = (
        f"The two wire spheres are the edges of the shell, {shell.r_min:g} and {shell.r_max:g}. "
        "Spokes lead from points to the centroid of their cluster; W is their mean squared length."
    )
    if shell.points.shape[1] <= 3:
        return text
    return (
        f"{text} Radii are exact; directions are those of a 3-D projection, so angles are "
        "distorted."
    )


def describe_raw_view(prepared: PreparedData) -> str:
    """What the view of the data before the shell map shows."""
    return (
        "The same points before the map, about their mean, seen along the same three directions "
        "and marked by the clusters found on the shell."
    )


def _clouds(
    prepared: PreparedData, points: np.ndarray, colour: str, dark: bool
) -> list[go.Scatter3d]:
    """One trace per group: constant colour and symbol, faster than an array of colours."""
    colours, classes = colouring(prepared, colour), _classes(prepared)
    if not colours.groups:
        return [_scaled_cloud(points, classes, colours, prepared.view_index, dark)]
    slots = colours.slots[prepared.view_index]
    if len(colours.groups) > SCENE_STYLES:  # more groups than distinguishable styles
        return [_cloud(points, classes, "points", colour, 0)]
    return [
        _cloud(points[slots == index], classes[slots == index], name, colour, index)
        for index, name in enumerate(colours.groups)
        if (slots == index).any()
    ]


def _scaled_cloud(
    points: np.ndarray, classes: np.ndarray, colours: Colouring, rows: np.ndarray, dark: bool
) -> go.Scatter3d:
    """Points by a column, with the bar that tells its name and its range."""
    values = colours.low + colours.of[rows] * (colours.high - colours.low)
    marker = {"size": 3.5, "opacity": 0.9, "color": values} | scale_bar(colours, -0.02, dark)
    hover = f"{colours.name} %{{marker.color:.3~g}}<br>%{{customdata}}<extra></extra>"
    return scatter(
        points,
        mode="markers",
        marker=marker,
        name=colours.name,
        customdata=classes,
        hovertemplate=hover,
        showlegend=False,
    )


def scale_bar(colours: Colouring, y: float, dark: bool) -> dict[str, Any]:
    """Of a marker: the colours of a column, and a bar with its name and range below the figure.

    `y`: the bar's top, in heights of the figure above its foot.
    """
    bar = {"orientation": "h", "y": y, "yanchor": "top", "len": 0.6, "thickness": 12}
    title = {"text": colours.name, "side": "top", "font": {"size": FONT_SIZE - 1}}
    ends = {"cmin": colours.low, "cmax": colours.high}
    return {"colorscale": list(scale(dark)), "colorbar": {**bar, "title": title}, **ends}


def _classes(prepared: PreparedData) -> np.ndarray:
    """The hover text of each viewed point: its number, its name and its class, if there are any."""
    data = prepared.dataset
    rows = [f"point {row + 1}" for row in prepared.view_index]
    if data.row_names is not None:
        rows = [
            f"{row}: {name}" if name else row
            for row, name in zip(rows, data.row_names[prepared.view_index], strict=True)
        ]
    if data.labels is None:
        return np.array(rows)
    kinds = data.labels[prepared.view_index]
    names = [data.label_names[kind] if data.label_names else str(kind) for kind in kinds]
    return np.array([f"{row}, class {name}" for row, name in zip(rows, names, strict=True)])


def _cloud(
    points: np.ndarray, classes: np.ndarray, name: str, kind: str, index: int
) -> go.Scatter3d:
    colour, symbol = scene_style(index)
    return scatter(
        points,
        mode="markers",
        marker={"size": 3.5, "color": colour, "symbol": symbol, "opacity": 0.9},
        name=name,
        customdata=classes,
        hovertemplate=f"{kind} {name}<br>%{{customdata}}<extra></extra>",
    )


def _centroids(centroids: np.ndarray, sizes: np.ndarray, dark: bool) -> go.Scatter3d:
    return scatter(
        centroids,
        mode="markers",
        marker={
            "size": 9,
            "symbol": "diamond",
            "color": ink(dark),
            "line": {"width": 2, "color": "#FFFFFF" if not dark else "#000000"},
        },
        customdata=np.column_stack([np.arange(1, len(sizes) + 1), sizes]),
        name="centroid",
        hovertemplate="centroid of cluster %{customdata[0]}: %{customdata[1]:,} points"
        "<extra></extra>",
    )


def _spokes(prepared: PreparedData, centroids: np.ndarray, dark: bool) -> go.Scatter3d:
    """Lines from points to their centroids, as one trace; W is their mean squared length."""
    step = -(-len(prepared.view_points) // _SPOKES)
    points = prepared.view_points[::step]
    own = centroids[prepared.clusters.labels[prepared.view_index[::step]]]
    gap = np.full_like(points, np.nan)
    return lines(np.stack([points, own, gap], axis=1).reshape(-1, 3), "spokes", dark)


def wireframe(radius: float, name: str, dark: bool) -> go.Scatter3d:
    """Meridians and parallels as one broken line."""
    turn = np.linspace(0, 2 * np.pi, 49)
    rings = [
        np.column_stack([np.cos(a) * np.sin(turn), np.sin(a) * np.sin(turn), np.cos(turn)])
        for a in np.linspace(0, np.pi, 7)[:-1]
    ]
    rings += [
        np.column_stack(
            [np.cos(h) * np.cos(turn), np.cos(h) * np.sin(turn), np.full_like(turn, np.sin(h))]
        )
        for h in np.linspace(-np.pi / 2, np.pi / 2, 7)[1:-1]
    ]
    gap = np.full((1, 3), np.nan)
    return lines(
        radius * np.concatenate([part for ring in rings for part in (ring, gap)]), name, dark
    )


def _legend_title(prepared: PreparedData, colour: str) -> str:
    """What the groups of the legend are; the bar of a scale says it itself."""
    return colour if colouring(prepared, colour).groups else ""


def _placed(figure: go.Figure, reach: float, revision: str, narrow: bool, legend: str) -> go.Figure:
    """Equal, fixed ranges on all three axes, and a camera that survives updates."""
    axis = {"range": [-reach, reach], "visible": False}
    figure.update_layout(
        scene={
            "xaxis": axis,
            "yaxis": axis,
            "zaxis": axis,
            "aspectmode": "cube",
            "dragmode": "orbit",
            "camera": camera(1.1 if narrow else 1.0),
        },
        # The shell's size follows the height: on a phone the usual one would cut it at both sides.
        height=380 if narrow else figure.layout.height,
        uirevision=revision,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        legend={
            "itemsizing": "constant",
            "orientation": "h",
            "x": 0.0,
            "y": -0.01,
            "yanchor": "top",
            "title": {"text": legend, "side": "left"},
            "font": {"size": FONT_SIZE - 1},
        },
    )
    return figure
