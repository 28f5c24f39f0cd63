"""The slope of a linear VAE's KL against βσ²: it jumps at every λ_i, and at λ_max to 0."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from svae_core.figures.palette import MARKS, blank, ink
from svae_core.records import Settings
from svae_core.studies.phase_cells import Theory

#: The range of βσ²/λ_max, and the number of places that are computed there.
_LOW, _HIGH, _PLACES = 0.5, 1.5, 100


def phase_transition(theory: Theory, settings: Settings, dark: bool = False) -> go.Figure:
    """dKL/d(βσ²) in nats over βσ²/λ_max, the line βσ² = λ_max and the settings' own βσ²."""
    figure, top, k = blank(dark, 220), theory.lambda_max, settings.latent_dim
    # Each λ_i is among the places, so that jumps are drawn where they are.
    edges = [v / top for v in theory.eigenvalues[:k] if _LOW < v / top <= 1]
    gauges = np.unique([*np.linspace(_LOW, _HIGH, _PLACES), *edges])
    slopes = [
        theory.linear_slope(gauge * top, k, below) for gauge in gauges for below in (True, False)
    ]
    figure.add_trace(
        go.Scatter(
            x=np.repeat(gauges, 2),
            y=slopes,
            mode="lines",
            line={"color": ink(dark), "width": 3},
            name="dKL/d(βσ²)",
            hovertemplate="βσ²/λₘₐₓ = %{x:.2f}: %{y:.3g}<extra></extra>",
        )
    )
    figure.add_vline(x=1.0, line={"color": MARKS["delta"].colour(dark), "width": 2})
    own = settings.beta * settings.sigma2 / top
    if _LOW <= own <= _HIGH:
        figure.add_trace(
            go.Scatter(
                x=[own],
                y=[theory.linear_slope(own * top, k)],
                mode="markers",
                marker={"symbol": "triangle-up", "size": 16, "color": ink(dark)},
                name="these settings",
                hovertemplate="these settings: %{y:.3g}<extra></extra>",
            )
        )
    figure.update_layout(
        showlegend=False,
        xaxis={"title": {"text": "βσ²/λₘₐₓ"}, "range": [_LOW, _HIGH], "fixedrange": True},
        yaxis={"title": {"text": "dKL/d(βσ²), linear VAE"}, "fixedrange": True},
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
    )
    return figure


def describe_transition(theory: Theory, settings: Settings) -> str:
    """What happens to the KL at λ_max, with the slope on both sides and the source."""
    c, k = settings.beta * settings.sigma2, settings.latent_dim
    slope = f"{theory.linear_slope(theory.lambda_max, k, below=True):.3g}".replace("-", "−")
    return (
        f"In a linear VAE each of the first {k} λᵢ that is above βσ² adds ½ ln(λᵢ/βσ²) nats to "
        f"the KL, together {theory.linear_kl(c, k):.3g} at βσ² = {c:.3g}. So at λₘₐₓ = "
        f"{theory.lambda_max:.3g} the KL reaches 0 without a jump, but its slope dKL/d(βσ²) jumps "
        f"there from {slope} to 0: a phase transition (arXiv 2510.01621 v2)."
    )
