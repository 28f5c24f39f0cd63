"""Figures of interpolations and of samples from the prior, with their distances to the data."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from svae_core.config.shares import percent
from svae_core.figures.gallery import gallery
from svae_core.figures.names import name_of, title_of
from svae_core.figures.palette import blank, ink, legend_below, mark_of
from svae_core.latent.results import Interpolation, Interpolations, MemberSamples, PriorSamples

_KINDS = {"ideal": "great circle", "straight": "straight", "shell": "along the shell"}
_DASHES = {"ideal": "dot", "straight": "dash", "shell": "solid"}


def ways(
    found: Interpolations,
    image: tuple[int, int] | None,
    dark: bool = False,
    symbols: tuple[str, ...] = (),
) -> go.Figure:
    """A row of pictures for each interpolation."""
    rows = [_path_name(path) for path in found.paths]
    ends = {0: percent(0), len(found.shares) // 2: percent(0.5), len(found.shares) - 1: percent(1)}
    columns = [ends.get(step, "") for step in range(len(found.shares))]
    cells = np.stack([path.pictures for path in found.paths])
    return gallery(cells, image, rows, columns, dark, symbols=symbols)


def explain_ways(found: Interpolations) -> str:
    """How the interpolations are computed, and how to compare them."""
    return (
        "**Straight**: the straight line between the two latent means, decoded. **Along the "
        "shell**: the great circle between the two shell points, encoded and decoded step by step. "
        f"The great circle (here {found.angle:.0f}°) is the shortest path on the shell and needs "
        "no model, so it is the reference for both; but it does not follow the data: the chart "
        "below shows the distance of each step to the nearest data point."
    )


def distances(found: Interpolations, dark: bool = False) -> go.Figure:
    """The distance of each step of each interpolation to the nearest data point."""
    figure = blank(dark, 320)
    for path in found.paths:
        mark = mark_of(path.method) if path.method else None
        colour = mark.colour(dark) if mark else ink(dark)
        figure.add_trace(
            go.Scatter(
                x=100 * np.asarray(found.shares),
                y=path.nearest,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": _DASHES[path.name]},
                marker={"size": 7, "color": colour, "symbol": mark.symbol if mark else "diamond"},
                name=_path_name(path),
                hovertemplate="%{x:.0f} %: %{y:.2f}<extra>" + _path_name(path) + "</extra>",
            )
        )
    figure.update_layout(
        xaxis={"title": {"text": "fraction of the path"}, "ticksuffix": " %"},
        yaxis={"title": {"text": "distance to nearest data"}, "rangemode": "tozero"},
        legend=legend_below(0.28),
    )
    return figure


def describe_ways(found: Interpolations) -> str:
    """Each interpolation's mean distance to the data and to the great circle, in a sentence."""
    parts = [
        f"{_path_name(path)} {path.nearest.mean():.2f} from data"
        + (
            ""
            if path.name == "ideal"
            else f" and {path.deviation.mean():.2f} from the great circle"
        )
        for path in found.paths
    ]
    return f"On average over the steps: {'; '.join(parts)}."


def samples(
    drawn: MemberSamples,
    image: tuple[int, int] | None,
    dark: bool = False,
    symbols: tuple[str, ...] = (),
) -> go.Figure:
    """Samples from the prior, two rows at a time: decoded, and the nearest data point below."""
    half = len(drawn.samples) // 2
    cells = np.stack(
        [part[rows] for rows in (slice(0, half), slice(half, 2 * half)) for part in _parts(drawn)]
    )
    return gallery(cells, image, ["sample", "nearest"] * 2, [""] * half, dark, symbols=symbols)


def describe_samples(drawn: MemberSamples, found: PriorSamples) -> str:
    """The distances of samples to the data and to each other, in sentences."""
    different = len(np.unique(drawn.rows))
    text = (
        f"{title_of(drawn.method)}: two samples are {drawn.mean_distance:.2f} apart on "
        f"average, two data points {found.data_mean_distance:.2f}. The nearest data point of a "
        f"sample is {drawn.distance.mean():.2f} away on average "
        f"({found.data_nearest_distance:.2f} is typical between data points); the "
        f"{len(drawn.rows)} samples shown have {different} different ones."
    )
    if drawn.mean_distance < 0.2 * found.data_mean_distance:
        text += " All samples are nearly the same picture: this model's samples have no variety."
    return text


def _parts(drawn: MemberSamples) -> tuple[np.ndarray, np.ndarray]:
    return drawn.samples, drawn.nearest


def _path_name(path: Interpolation) -> str:
    kind = _KINDS[path.name]
    return f"{kind}, {name_of(path.method).removesuffix(' VAE')}" if path.method else kind
