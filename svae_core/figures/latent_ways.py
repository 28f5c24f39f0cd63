"""Ways between two points, and samples from the prior: pictures, and how near to the data."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from svae_core.figures.gallery import gallery
from svae_core.figures.latent import name_of
from svae_core.figures.palette import blank, ink, mark_of
from svae_core.latent.results import Drawn, Draws, Path, Ways

_KINDS = {"ideal": "great circle", "straight": "straight", "shell": "along the shell"}
_DASHES = {"ideal": "dot", "straight": "dash", "shell": "solid"}


def ways(found: Ways, image: tuple[int, int] | None, dark: bool = False) -> go.Figure:
    """A row of pictures for each way."""
    rows = [_path_name(path) for path in found.paths]
    ends = {0: "0%", len(found.shares) // 2: "50%", len(found.shares) - 1: "100%"}
    columns = [ends.get(step, "") for step in range(len(found.shares))]
    cells = np.stack([path.pictures for path in found.paths])
    return gallery(cells, image, rows, columns, dark)


def explain_ways(found: Ways) -> str:
    """What the ways are, and which one means something."""
    return (
        "**Straight**: the two latent means, mixed, and decoded. **Along the shell**: the great "
        "circle between the two shell points themselves, encoded and decoded step by step. "
        f"The great circle (here {found.angle:.0f}°) is the shortest way on the shell and needs no "
        "model, so it is what both are held against; but it crosses the data space without regard "
        "for where data lie: the chart below tells how near to data each step of each way is."
    )


def distances(found: Ways, dark: bool = False) -> go.Figure:
    """How far each step of each way is from the nearest data point."""
    figure = blank(dark, 320)
    for path in found.paths:
        mark = mark_of(path.method) if path.method else None
        colour = mark.colour(dark) if mark else ink(dark)
        figure.add_trace(
            go.Scatter(
                x=found.shares,
                y=path.nearest,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": _DASHES[path.name]},
                marker={"size": 7, "color": colour, "symbol": mark.symbol if mark else "diamond"},
                name=_path_name(path),
                hovertemplate="%{x:.0%}: %{y:.2f}<extra>" + _path_name(path) + "</extra>",
            )
        )
    figure.update_layout(
        xaxis={"title": {"text": "share of the way"}, "tickformat": ".0%"},
        yaxis={"title": {"text": "distance to nearest data"}, "rangemode": "tozero"},
        legend={"orientation": "h", "y": -0.28, "yanchor": "top", "x": 0},
    )
    return figure


def describe_ways(found: Ways) -> str:
    """Each way's mean distance to data and from the great circle, in words."""
    told = [
        f"{_path_name(path)} {path.nearest.mean():.2f} from data"
        + ("" if path.name == "ideal" else f" and {path.astray.mean():.2f} off the great circle")
        for path in found.paths
    ]
    return f"On average over the steps: {'; '.join(told)}."


def samples(drawn: Drawn, image: tuple[int, int] | None, dark: bool = False) -> go.Figure:
    """Samples from the prior, two rows at a time: decoded, and the nearest data point below."""
    half = len(drawn.samples) // 2
    cells = np.stack(
        [part[rows] for rows in (slice(0, half), slice(half, 2 * half)) for part in _parts(drawn)]
    )
    return gallery(cells, image, ["sample", "nearest"] * 2, [""] * half, dark)


def describe_samples(drawn: Drawn, found: Draws) -> str:
    """How near to the data and how far from each other samples are."""
    name = name_of(drawn.method)
    different = len(np.unique(drawn.rows))
    text = (
        f"{name[:1].upper() + name[1:]}: two samples are {drawn.apart:.2f} apart on average, two "
        f"data points {found.data_apart:.2f}. The nearest data point of a sample is "
        f"{drawn.distance.mean():.2f} away on average ({found.typical:.2f} is typical between data "
        f"points); the {len(drawn.rows)} samples shown have {different} different ones."
    )
    if drawn.apart < 0.2 * found.data_apart:
        text += " All samples are nearly the same picture: this model has no variety to give."
    return text


def _parts(drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    return drawn.samples, drawn.nearest


def _path_name(path: Path) -> str:
    kind = _KINDS[path.name]
    return f"{kind}, {name_of(path.method).removesuffix(' VAE')}" if path.method else kind
