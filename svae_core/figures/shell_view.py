"""The shell in three dimensions: points by cluster, centroids, and W as spokes between them.

Radii are true. Directions are those of a three-dimensional shadow, so with more than three
dimensions angles between points only hint.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from svae_core.figures.palette import (
    CLUSTER_STYLES,
    FONT_SIZE,
    blank,
    camera,
    cluster_style,
    ink,
    quiet,
)
from svae_core.geometry.shell import shell_view as seen_on_shell
from svae_core.records import PreparedData

# More spokes than this hide the points they belong to.
_SPOKES = 400


def shell_view(ground: PreparedData, dark: bool = False, narrow: bool = False) -> go.Figure:
    """After the map: the data on the shell, with centroids and spokes."""
    figure = blank(dark, 560)
    for radius, name in ((ground.shell.r_min, "inner"), (ground.shell.r_max, "outer")):
        figure.add_trace(wireframe(radius, f"{name} shell, r = {radius:g}", dark))
    centroids = seen_on_shell(ground.clusters.centroids, ground.view_basis)
    for trace in _clouds(ground, ground.view_points):
        figure.add_trace(trace)
    figure.add_trace(_centroids(centroids, ground.clusters.sizes, dark))
    figure.add_trace(_spokes(ground, centroids, dark))
    return _placed(figure, 1.02 * ground.shell.r_max, "shell", narrow)


def raw_view(ground: PreparedData, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Before the map: the same points, centred, seen along the same three directions."""
    figure = blank(dark, 560)
    raw = ground.dataset.points[ground.view_index].astype(np.float64) - ground.shell.center
    shadow = raw @ ground.view_basis
    for trace in _clouds(ground, shadow):
        figure.add_trace(trace)
    figure.add_trace(
        go.Scatter3d(
            x=[0],
            y=[0],
            z=[0],
            mode="markers",
            marker={"symbol": "cross", "size": 8, "color": ink(dark)},
            name="centre of the data",
        )
    )
    return _placed(figure, 1.05 * float(np.abs(shadow).max()), "raw", narrow)


def describe_shell(ground: PreparedData) -> str:
    """How much of what is on the shell, and how exact the way back is."""
    n, d = ground.shell.points.shape
    shown = len(ground.view_points)
    drawn = "" if shown == n else f" (a seeded sample of {shown:,} is drawn)"
    lost = ground.shell.directionless
    directions = {
        0: "Every point has a direction.",
        1: "One point sits at the centre, has no direction, and got a fixed one.",
    }.get(lost, f"{lost:,} points sit at the centre, have no direction, and got a fixed one.")
    return (
        f"{n:,} points in {d} dimensions{drawn} lie between radius {ground.shell.r_min:g} and "
        f"{ground.shell.r_max:g}. The way there and back moves no point by more than "
        f"{ground.shell.round_trip_error:.1g} of the largest norm. {directions} New "
        "data outside this range of norms would be clamped to it."
    )


def describe_view(ground: PreparedData) -> str:
    """What the picture shows, and what it cannot keep."""
    shell = ground.shell
    text = (
        f"The two wire spheres are the edges of the shell, {shell.r_min:g} and {shell.r_max:g}. "
        "Spokes lead from points to the centroid of their cluster; W is their mean squared length."
    )
    if shell.points.shape[1] <= 3:
        return text
    return f"{text} Radii are true; directions are those of a 3-D shadow, so angles only hint."


def describe_raw_view(ground: PreparedData) -> str:
    """What the picture of the data before the map shows."""
    return (
        "The same points before the map, about their mean, seen along the same three directions "
        "and marked by the clusters found on the shell."
    )


def _clouds(ground: PreparedData, points: np.ndarray) -> list[go.Scatter3d]:
    """One trace per cluster: constant colour and symbol, faster than an array of colours."""
    labels = ground.clusters.labels[ground.view_index]
    classes = _classes(ground)
    if ground.clusters.k > CLUSTER_STYLES:  # a legend of so many helps nobody
        return [_cloud(points, classes, "points", 0)]
    return [
        _cloud(points[labels == index], classes[labels == index], str(index + 1), index)
        for index in range(ground.clusters.k)
        if (labels == index).any()
    ]


def _classes(ground: PreparedData) -> np.ndarray:
    """What a drawn point is called on hover: its row, and its class where data have one."""
    data = ground.dataset
    rows = [f"row {row + 1}" for row in ground.view_index]
    if data.labels is None:
        return np.array(rows)
    kinds = data.labels[ground.view_index]
    names = [data.label_names[kind] if data.label_names else str(kind) for kind in kinds]
    return np.array([f"{row}, class {name}" for row, name in zip(rows, names, strict=True)])


def _cloud(points: np.ndarray, classes: np.ndarray, name: str, index: int) -> go.Scatter3d:
    colour, symbol = cluster_style(index)
    x, y, z = points.T.astype(np.float32)
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="markers",
        marker={"size": 3.5, "color": colour, "symbol": symbol, "opacity": 0.9},
        name=name,
        customdata=classes,
        hovertemplate=f"cluster {name}<br>%{{customdata}}<extra></extra>",
    )


def _centroids(centroids: np.ndarray, sizes: np.ndarray, dark: bool) -> go.Scatter3d:
    x, y, z = centroids.T
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
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


def _spokes(ground: PreparedData, centroids: np.ndarray, dark: bool) -> go.Scatter3d:
    """Point to own centroid, as one line broken by gaps: W is their mean squared length."""
    step = -(-len(ground.view_points) // _SPOKES)
    points = ground.view_points[::step]
    own = centroids[ground.clusters.labels[ground.view_index[::step]]]
    gap = np.full_like(points, np.nan)
    x, y, z = np.stack([points, own, gap], axis=1).reshape(-1, 3).T.astype(np.float32)
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="lines",
        line={"width": 1.5, "color": quiet(dark)},
        name="spokes",
        hoverinfo="skip",
        showlegend=False,
    )


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
    x, y, z = radius * np.concatenate([part for ring in rings for part in (ring, gap)]).T
    return go.Scatter3d(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        z=z.astype(np.float32),
        mode="lines",
        line={"width": 1.5, "color": quiet(dark)},
        name=name,
        hoverinfo="skip",
        showlegend=False,
    )


def _placed(figure: go.Figure, reach: float, revision: str, narrow: bool) -> go.Figure:
    """The same cube on all three axes, fixed, with a camera that survives updates."""
    axis = {"range": [-reach, reach], "visible": False}
    figure.update_layout(
        scene={
            "xaxis": axis,
            "yaxis": axis,
            "zaxis": axis,
            "aspectmode": "cube",
            "dragmode": "orbit",
            "camera": camera(1.25 if narrow else 1.0),
        },
        uirevision=revision,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        legend={
            "itemsizing": "constant",
            "orientation": "h",
            "x": 0.0,
            "y": -0.01,
            "yanchor": "top",
            "title": {"text": "cluster", "side": "left"},
            "font": {"size": FONT_SIZE - 1},
        },
    )
    return figure
