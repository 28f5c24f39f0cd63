"""The unit gauge βσ²/λ_max: whether total collapse of a conventional VAE is a stable state."""

from __future__ import annotations

import plotly.graph_objects as go

from svae_core.figures.palette import FONT_SIZE, MARKS, blank, ink, veil
from svae_core.records import PreparedData, Settings

# Decades shown on either side of the threshold at 1.
_REACH = 2


def unit_gauge(value: float, dark: bool = False) -> go.Figure:
    """A logarithmic bar with its threshold at 1: collapse is unstable to its left, stable right."""
    figure = blank(dark, 160)
    low, high = 10.0 ** (-1.05 * _REACH), 10.0 ** (1.05 * _REACH)
    _draw_side(figure, low, 1.0, MARKS["W"].light, "can stay alive")
    _draw_side(figure, 1.0, high, MARKS["delta"].light, "collapse is stable")
    figure.add_trace(
        go.Scatter(
            x=[min(max(value, low * 1.2), high / 1.2)],  # drawn inside the range
            y=[0.25],
            mode="markers+text",
            marker={"symbol": "triangle-down", "size": 18, "color": ink(dark)},
            text=[f"<b>{value:.3g}</b>"],
            textposition="top center",
            textfont={"size": FONT_SIZE + 1},
            hovertemplate=f"gauge {value:.4g}<extra></extra>",
            name="gauge",
        )
    )
    figure.update_layout(
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 4, "b": 10},
        xaxis={
            "type": "log",
            "range": [-1.05 * _REACH, 1.05 * _REACH],
            "tickvals": [0.01, 0.1, 1, 10, 100],
            "ticktext": ["0.01", "0.1", "1", "10", "100"],
            "title": {"text": "gauge βσ²/λₘₐₓ (logarithmic)"},
            "fixedrange": True,
        },
        yaxis={"range": [-1, 1], "visible": False, "fixedrange": True},
    )
    return figure


def _draw_side(figure: go.Figure, start: float, end: float, colour: str, text: str) -> None:
    figure.add_vrect(x0=start, x1=end, fillcolor=veil(colour, 0.22), line_width=0, layer="below")
    # Annotations on a logarithmic axis are placed by the exponent.
    exponent = -1 if end <= 1 else 1
    figure.add_annotation(x=exponent, y=0, yref="paper", yanchor="bottom", text=text)


def gauge_value(prepared: PreparedData, settings: Settings) -> float:
    """βσ²/λ_max."""
    return settings.beta * settings.sigma2 / prepared.lambda_max


def latents_needed(prepared: PreparedData, settings: Settings) -> int:
    """Eigenvalues of the covariance above βσ²: what a linear VAE keeps that has as many."""
    return int((prepared.eigenvalues > settings.beta * settings.sigma2).sum())


def describe_latents(prepared: PreparedData, settings: Settings) -> str:
    """How many latent dimensions these data need at this βσ²."""
    c, kept = settings.beta * settings.sigma2, latents_needed(prepared, settings)
    following = prepared.eigenvalues[kept] if kept < len(prepared.eigenvalues) else 0.0
    further = f" One more lives below βσ² = {following:.3g}." if following > 1e-9 else ""
    here = (
        f" Of the {settings.latent_dim} that are set it keeps all."
        if kept > settings.latent_dim
        else ""
    )
    return (
        f"At βσ² = {c:.3g} the covariance of these data has {kept} eigenvalues above it, so a "
        f"linear VAE keeps at most {kept} latent dimensions alive, and further ones stay dead."
        f"{here}{further} "
        "Nonlinear nets often keep fewer, as one of their dimensions can follow a curve."
    )


def _with_prefix(prepared: PreparedData, settings: Settings) -> str:
    """What an autoregressive decoder changes: it collapses at a lower βσ²; empty for others."""
    edge, c = prepared.prefix_edge, settings.beta * settings.sigma2
    if edge is None:
        return ""
    if c < edge:
        state = "lies below it too, so a linear one needs z; a stronger one may not"
    elif c < prepared.lambda_max:
        state = "lies between the two: a plain decoder lives here, and this one needs no z"
    else:
        state = "lies above both"
    return (
        f" The {settings.arch} decoder is trained on the steps before: its collapse is stable from "
        f"Λ* = {edge:.3g} on, what these leave unpredicted (a linear estimate, at most λₘₐₓ). "
        f"βσ² = {c:.3g} {state}."
    )


def describe_gauge(prepared: PreparedData, settings: Settings) -> str:
    """The gauge, and what it implies for a conventional VAE."""
    value = gauge_value(prepared, settings)
    numbers = (
        f"With β = {settings.beta:g}, σ² = {settings.sigma2:g} and λₘₐₓ = "
        f"{prepared.lambda_max:.3f} the gauge βσ²/λₘₐₓ is {value:.3g}."
    )
    numbers += _with_prefix(prepared, settings)
    alive = latents_needed(prepared, settings)
    if value >= 1:
        return (
            f"{numbers} That is above 1: for a conventional VAE total collapse is a stable state "
            "because of its units, whatever the network. The common loss ½·squared error + KL "
            "implies σ² = 1, so state σ² before blaming a model."
        )
    return (
        f"{numbers} That is below 1: total collapse is not a stable state of a conventional VAE. "
        f"A linear one keeps as many dimensions active as covariance eigenvalues exceed βσ²: "
        f"{alive}, if its latent space has that many."
    )
