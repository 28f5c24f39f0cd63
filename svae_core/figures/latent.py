"""Figures of one member's latent dimensions: traversals and aggregate posteriors."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from svae_core.config.shares import percent
from svae_core.figures.gallery import gallery
from svae_core.figures.names import counted, title_of
from svae_core.figures.palette import FONT_SIZE, blank, faint, ink, mark_of, veil
from svae_core.latent.results import LatentSpace, LatentSpaces

_RIDGE = 44  # height of one density, in pixels
_PEAK = 0.5  # height of the prior's density, as a fraction of a row


def describe_spaces(spaces: LatentSpaces) -> str:
    """The step and the points that the following figures refer to."""
    done = "trained to the end" if spaces.step >= spaces.steps else f"of {spaces.steps:,}"
    return (
        f"Both models as of step {spaces.step:,} ({done}), on "
        f"{counted(len(spaces.rows), 'point')}. "
        f"{_pictures_are(spaces)} These figures show what the decoders do; the "
        "certificate shows whether the latents carry information."
    )


def traversals(spaces: LatentSpaces, space: LatentSpace, dark: bool = False) -> go.Figure:
    """Rows: dimensions by decreasing KL. Columns: outputs with that dimension at −3 … 3.

    All dimensions of all models are drawn to one scale, so that what moves more looks so.
    """
    rows = [_label(space, dim) for dim in space.order[: len(space.traversals)]]
    columns = [f"{value:g}".replace("-", "−") for value in space.values]
    largest = max(float(np.abs(one.traversals).max()) for one in spaces.members)
    cells, image, symbols = space.traversals, spaces.image, spaces.symbols
    return gallery(cells, image, rows, columns, dark, largest=largest, symbols=symbols)


def describe_traversals(space: LatentSpace) -> str:
    """Which dimensions are dead, and how far active and dead ones move the output."""
    k, shown = len(space.order), space.order[: len(space.traversals)]
    dead = space.dead[shown]
    name = title_of(space.method)
    left_out = "" if k == len(shown) else f" (the {len(shown)} of most KL are drawn)"
    if space.dead.all():
        which = "its one dimension is dead," if k == 1 else f"all {k} dimensions are dead, each"
        return (
            f"{name}: {which} below 0.01 nats{left_out}. Varied from −3 "
            f"to 3, none moves the output along a path longer than {space.travel.max():.2f}."
        )
    alive = int(k - space.dead.sum())
    carry = "carries" if alive == 1 else "carry"
    best, value = shown[0], space.kl_per_dim[shown[0]]
    text = (
        f"{name}: {alive} of {counted(k, 'dimension')} {carry} information{left_out}. Dimension "
        f"{best + 1} carries most, {value:.2f} nats, and moves the output along a path of length "
        f"{space.travel[0]:.2f}."
    )
    if dead.any():
        text += f" The dead ones move it by at most {space.travel[dead].max():.2f}."
    return text


def densities(space: LatentSpace, dark: bool = False) -> go.Figure:
    """Per dimension, the aggregate posterior against the prior N(0, 1)."""
    shown = space.order[: len(space.traversals)]
    figure = blank(dark, _RIDGE * len(shown) + 70)
    mark = mark_of(space.method)
    scale = _PEAK / float(space.prior.max())
    for row, dim in enumerate(shown):
        height = np.minimum(space.aggregate[dim] * scale, 0.95)
        figure.add_trace(_ridge(space.grid, -row + height, -row, mark.colour(dark), dark))
        figure.add_trace(_prior_line(space.grid, -row + space.prior * scale, dark))
    figure.update_layout(
        xaxis={"title": {"text": "z"}, "range": [-4, 4], "fixedrange": True},
        yaxis={
            "tickvals": [-row for row in range(len(shown))],
            "ticktext": [_label(space, dim) for dim in shown],
            "range": [-len(shown) + 0.8, 1.0],
            "fixedrange": True,
            "showgrid": False,
            "tickfont": {"size": FONT_SIZE - 2},
            "ticklabelstandoff": 8,  # a prior's line begins at the axis
        },
        showlegend=False,
        margin={"l": 10, "r": 96, "t": 10, "b": 10},
    )
    for row, dim in enumerate(shown):
        figure.add_annotation(
            x=1.0,
            xref="paper",
            xanchor="left",
            y=-row + 0.2,
            text=f" s̄ = {space.variance[dim]:.2f}",
            font={"size": FONT_SIZE - 2},
        )
    return figure


def describe_densities(space: LatentSpace) -> str:
    """How far the aggregate posterior differs from the prior, and the posterior variances."""
    away = np.abs(space.aggregate - space.prior).sum(axis=1) * (space.grid[1] - space.grid[0]) / 2
    name = title_of(space.method)
    worst = int(away.argmax())
    if space.dead.all():
        return (
            f"{name}: in every dimension a point's posterior is nearly the prior, with a mean KL "
            f"below 0.01 nats and a mean variance s̄ of at least {space.variance.min():.2f}: the "
            "latents carry almost no information about the point."
        )
    alive = space.order[: int((~space.dead).sum())]
    return (
        f"{name}: in the dimensions that carry information the mean posterior variance s̄ runs from "
        f"{space.variance[alive].min():.2f} to {space.variance[alive].max():.2f}; 1 would be the "
        f"prior. The aggregate posterior differs most from the prior in dimension {worst + 1}, by "
        f"a total variation of {percent(away[worst])}: samples from the prior may fall where there "
        "are no points."
    )


def explain_densities() -> str:
    """How to read the ridges."""
    return (
        "Filled: the aggregate posterior, the mean of all points' posteriors. Dotted: the prior "
        "N(0, 1). s̄: mean variance of a single point's posterior; near 1 the dimension carries no "
        "information about the point, even if the filled and dotted curves agree."
    )


def _pictures_are(spaces: LatentSpaces) -> str:
    if spaces.image:
        return "Pictures are images in the data's own pixels."
    if spaces.symbols:
        return (
            "Pictures are texts: at each position the most probable symbol; faint ones are unsure."
        )
    count = spaces.members[0].traversals.shape[-1]
    return f"Pictures are profiles of {count} coordinates on the shell, with a line at 0."


def _label(space: LatentSpace, dim: int) -> str:
    if space.dead[dim]:
        return f"{dim + 1} · dead"
    return f"{dim + 1} · {space.kl_per_dim[dim]:.2f} nats"


def _ridge(x: np.ndarray, top: np.ndarray, base: float, colour: str, dark: bool) -> go.Scatter:
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([top, np.full(len(x), float(base))]),
        mode="lines",
        fill="toself",
        fillcolor=veil(colour, 0.55),
        line={"color": faint(dark), "width": 1},
        hoverinfo="skip",
    )


def _prior_line(x: np.ndarray, y: np.ndarray, dark: bool) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": ink(dark), "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
