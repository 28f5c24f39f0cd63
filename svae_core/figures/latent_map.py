"""A clickable two-dimensional map of a latent space, and the decoded place."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from svae_core.config.shares import percent
from svae_core.figures.colouring import Colouring
from svae_core.figures.gallery import gallery
from svae_core.figures.names import name_of, title_of
from svae_core.figures.palette import (
    CLUSTER_STYLES,
    FONT_SIZE,
    blank,
    cluster_style,
    faint,
    ink,
    legend_below,
)
from svae_core.figures.shell_view import scale_bar
from svae_core.latent.results import Decoding, LatentSpaces, Plane

_LATTICE = 41  # clickable places along one side
_LEAST_REACH = 3.5  # smallest half-width of the map, in standard deviations of the prior


def latent_map(
    spaces: LatentSpaces, member: int, colours: Colouring, dark: bool = False
) -> go.Figure:
    """Latent means by group or column; all maps of a comparison share one scale.

    An invisible lattice of points lies over the map, so that every click hits one of them.
    """
    space = spaces.members[member]
    reach = _reach(spaces)
    figure = blank(dark, 480)
    figure.add_trace(_lattice(reach, dark))
    if colours.groups:
        slots = colours.slots[spaces.rows]
        for slot in np.unique(slots).tolist():
            chosen = slots == slot
            figure.add_trace(_group(space.map[chosen], spaces.rows[chosen], colours, slot, dark))
    else:
        figure.add_trace(_by_column(space.map, spaces.rows, colours, dark))
    for radius in (1, 2):
        figure.add_shape(
            type="circle",
            x0=-radius,
            x1=radius,
            y0=-radius,
            y1=radius,
            line={"color": faint(dark), "width": 1.5, "dash": "dot"},
        )
    names = axis_names(spaces.plane)
    axis = {"range": [-reach, reach], "fixedrange": True, "constrain": "domain"}
    figure.update_layout(
        xaxis={**axis, "title": {"text": names[0]}},
        yaxis={**axis, "title": {"text": names[1]}, "scaleanchor": "x"},
        legend=legend_below(0.14),  # without a title, with which Plotly cuts it off at the right
        clickmode="event+select",
        dragmode=False,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
    )
    return figure


def clicked(event: Any) -> tuple[float, float]:
    """The place of the last click; the origin before any click."""
    points = event.selection.points
    if not points:
        return 0.0, 0.0
    return float(points[0]["x"]), float(points[0]["y"])


def other_point(spaces: LatentSpaces) -> int:
    """The first point, counted from 1, of another cluster than the first one's."""
    return int((spaces.labels != spaces.labels[0]).argmax()) + 1


def axis_names(plane: Plane) -> tuple[str, str]:
    """The names of the two directions of a map."""
    if plane.dims is None:
        return "1st principal direction", "2nd"
    return f"dimension {plane.dims[0] + 1}", f"dimension {plane.dims[1] + 1}"


def describe_map(spaces: LatentSpaces, member: int) -> str:
    """The extent of the latent means, and the fraction of their variance in the plane."""
    space = spaces.members[member]
    name = title_of(space.method)
    widest = float(np.abs(space.map).max())
    if space.dead.all():
        return (
            f"{name}: all {len(space.map):,} latent means lie within {widest:.2f} of the middle, "
            "with a prior of width 1: the map is one spot, which does not distinguish points."
        )
    return (
        f"{name}: {len(space.map):,} latent means, up to {widest:.1f} from the middle; this plane "
        f"holds {percent(space.explained)} of their variance."
    )


def explain_map(spaces: LatentSpaces) -> str:
    """What a click on the map does."""
    rest = "other dimensions at the average of the means"
    return (
        f"Click anywhere on a map to decode that place ({rest}). Beside it you see the nearest "
        "data point and the decoded picture, encoded and decoded again by each model. Places in "
        "two latent spaces cannot be compared, but these reconstructions can. Dotted circles: one "
        "and two standard deviations of the prior."
    )


def decoding(found: Decoding, spaces: LatentSpaces, dark: bool = False) -> go.Figure:
    """The decoded place, its nearest data point, and its reconstruction by each model."""
    pictures = [found.decoded, found.nearest, *found.reconstructions]
    short = [name_of(space.method).removesuffix(" VAE") for space in spaces.members]
    columns = ["here", f"point {found.row + 1}", *short]
    cells, image = np.stack(pictures)[None], spaces.image
    figure = gallery(cells, image, [""], columns, dark, symbols=spaces.symbols)
    figure.update_layout(height=150)
    return figure


def describe_decoding(found: Decoding, place: tuple[float, float]) -> str:
    """The decoded place and its nearest data point, in a sentence."""
    return (
        f"Decoded at ({place[0]:.1f}, {place[1]:.1f}); the nearest data point is row "
        f"{found.row + 1}, at distance {found.distance:.2f} on the shell."
    ).replace("-", "−")


def _reach(spaces: LatentSpaces) -> float:
    widest = max(float(np.abs(space.map).max()) for space in spaces.members)
    return max(_LEAST_REACH, 1.08 * widest)


def _lattice(reach: float, dark: bool) -> go.Scattergl:
    side = np.linspace(-reach, reach, _LATTICE, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    return go.Scattergl(
        x=x.ravel(),
        y=y.ravel(),
        mode="markers",
        marker={"size": 12, "color": ink(dark), "opacity": 0.0},
        selected={"marker": {"opacity": 1.0, "size": 14}},
        unselected={"marker": {"opacity": 0.0}},
        name="",
        showlegend=False,
        hovertemplate="(%{x:.1f}, %{y:.1f})<extra></extra>",
    )


def _group(
    points: np.ndarray, rows: np.ndarray, colours: Colouring, slot: int, dark: bool
) -> go.Scattergl:
    colour, symbol = cluster_style(slot % CLUSTER_STYLES, dark)
    name = colours.groups[slot]
    hover = f"point %{{customdata}}<extra>{colours.name} {name}</extra>"
    return _cloud(points, rows, name, {"color": colour, "symbol": symbol}, hover)


def _by_column(
    points: np.ndarray, rows: np.ndarray, colours: Colouring, dark: bool
) -> go.Scattergl:
    """On a scale of colours, whose bar tells the column and its range."""
    values = colours.low + colours.of[rows] * (colours.high - colours.low)
    look = {"color": values} | scale_bar(colours, -0.14, dark)
    hover = f"point %{{customdata}}<extra>{colours.name} %{{marker.color:.3~g}}</extra>"
    return _cloud(points, rows, colours.name, look, hover, showlegend=False)


def _cloud(
    points: np.ndarray, rows: np.ndarray, name: str, look: dict[str, Any], hover: str, **more: Any
) -> go.Scattergl:
    return go.Scattergl(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        marker={"size": 6, "opacity": 0.8} | look,
        selected={"marker": {"opacity": 1.0, "size": 14}},
        unselected={"marker": {"opacity": 0.8}},
        customdata=rows + 1,
        name=name,
        hovertemplate=hover,
        hoverlabel={"font": {"size": FONT_SIZE}},
        **more,
    )
