"""What each latent dimension does to the output, and what it holds: one member's view."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from svae_core.figures.gallery import gallery
from svae_core.figures.palette import FONT_SIZE, blank, faint, ink, mark_of, veil
from svae_core.latent.results import Look, Looks

_RIDGE = 44  # height of one density, in pixels
_PEAK = 0.5  # of the prior's density, as a share of a row


def name_of(method: str) -> str:
    """What a model is called here."""
    return mark_of(method).name


def describe_looks(looks: Looks) -> str:
    """What is looked at."""
    done = "trained to the end" if looks.step >= looks.steps else f"of {looks.steps:,}"
    return (
        f"Both models as of step {looks.step:,} ({done}), seen by {len(looks.rows):,} points. "
        f"{_pictures_are(looks)} What follows shows what decoders do; whether something passes is "
        "the certificate's question."
    )


def traversals(looks: Looks, look: Look, dark: bool = False) -> go.Figure:
    """Rows: dimensions by falling KL. Columns: what is decoded with that one at −3 … 3."""
    rows = [_label(look, dim) for dim in look.order[: len(look.traversals)]]
    columns = [f"{value:g}".replace("-", "−") for value in look.values]
    return gallery(look.traversals, looks.image, rows, columns, dark)


def describe_traversals(look: Look) -> str:
    """Which dimensions are dead, and how far the living and the dead move the output."""
    k, shown = len(look.order), look.order[: len(look.traversals)]
    dead = look.dead[shown]
    name = _sentence_name(look)
    left_out = "" if k == len(shown) else f" (the {len(shown)} of most KL are drawn)"
    if look.dead.all():
        return (
            f"{name}: all {k} dimensions are dead, each below 0.01 nats{left_out}. Taken from −3 "
            f"to 3, none moves the output further than {look.travel.max():.2f}; it is nearly the "
            "same picture everywhere."
        )
    best, value = shown[0], look.kl_per_dim[shown[0]]
    text = (
        f"{name}: {k - look.dead.sum()} of {k} dimensions carry information{left_out}. Dimension "
        f"{best + 1} carries most, {value:.2f} nats, and moves the output along a way of "
        f"{look.travel[0]:.2f}."
    )
    if dead.any():
        text += f" The dead ones move it by at most {look.travel[dead].max():.2f}."
    return text


def densities(look: Look, dark: bool = False) -> go.Figure:
    """Per dimension, the aggregate posterior against the prior N(0, 1)."""
    shown = look.order[: len(look.traversals)]
    figure = blank(dark, _RIDGE * len(shown) + 70)
    mark = mark_of(look.method)
    scale = _PEAK / float(look.prior.max())
    for row, dim in enumerate(shown):
        height = np.minimum(look.aggregate[dim] * scale, 0.95)
        figure.add_trace(_ridge(look.grid, -row + height, -row, mark.colour(dark), dark))
        figure.add_trace(_prior_line(look.grid, -row + look.prior * scale, dark))
    figure.update_layout(
        xaxis={"title": {"text": "z"}, "range": [-4, 4], "fixedrange": True},
        yaxis={
            "tickvals": [-row for row in range(len(shown))],
            "ticktext": [_label(look, dim) for dim in shown],
            "range": [-len(shown) + 0.8, 1.0],
            "fixedrange": True,
            "showgrid": False,
            "tickfont": {"size": FONT_SIZE - 2},
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
            text=f" s̄ = {look.variance[dim]:.2f}",
            font={"size": FONT_SIZE - 2},
        )
    return figure


def describe_densities(look: Look) -> str:
    """Whether the aggregate posterior is the prior, and what that does and does not say."""
    away = np.abs(look.aggregate - look.prior).sum(axis=1) * (look.grid[1] - look.grid[0]) / 2
    name = _sentence_name(look)
    worst = int(away.argmax())
    if look.dead.all():
        return (
            f"{name}: in every dimension a point's posterior is the prior, but for less than 0.01 "
            f"nats on average: its mean variance s̄ is at least {look.variance.min():.2f}, so next "
            "to nothing is said of the point."
        )
    alive = look.order[: int((~look.dead).sum())]
    return (
        f"{name}: in the dimensions that carry information the mean posterior variance s̄ runs from "
        f"{look.variance[alive].min():.2f} to {look.variance[alive].max():.2f}; 1 would be the "
        f"prior. All points together lie furthest from the prior in dimension {worst + 1}, where "
        f"{away[worst]:.0%} of their mass would have to move: samples from the prior may fall "
        "where no point does."
    )


def explain_densities() -> str:
    """How to read the ridges."""
    return (
        "Filled: all points' posteriors together (the aggregate posterior, exactly). Dotted: the "
        "prior N(0, 1). s̄: mean variance of a single point's posterior; near 1 a dimension says "
        "nothing of its point, even where filled and dotted agree."
    )


def _pictures_are(looks: Looks) -> str:
    if looks.image:
        return "Pictures are images as the data came."
    count = looks.members[0].traversals.shape[-1]
    return f"Pictures are profiles of {count} coordinates on the shell, about a line at 0."


def _label(look: Look, dim: int) -> str:
    if look.dead[dim]:
        return f"{dim + 1} · dead"
    return f"{dim + 1} · {look.kl_per_dim[dim]:.2f} nats"


def _sentence_name(look: Look) -> str:
    name = name_of(look.method)
    return name[:1].upper() + name[1:]


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
