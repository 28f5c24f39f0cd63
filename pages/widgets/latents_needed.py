"""How many latent dimensions are needed at a βσ²: by the data, and by the model trained last."""

from __future__ import annotations

import streamlit as st

from pages.live import registry
from pages.visitor import cache, session
from pages.visitor.markdown import plain
from pages.widgets import settings as controls
from svae_core.figures.unit_gauge import describe_latents, latents_needed
from svae_core.methods import title_of
from svae_core.records import Settings


def section(settings: Settings) -> None:
    """βσ² by its two widgets, the number for these data, and what the last run kept."""
    st.subheader("How many latent dimensions do I need at this σ²?")
    left, middle, right = st.columns(3)
    with left:
        settings = controls.fields(settings, ("sigma2",))
    with middle:
        settings = controls.fields(settings, ("beta",))
    settings = session.keep(settings)
    problem = cache.problem(settings)
    right.metric(
        "A linear VAE keeps",
        f"{min(latents_needed(problem, settings), settings.latent_dim)} of {settings.latent_dim}",
        help="eigenvalues of the covariance of these data, on the shell, that exceed βσ², and at "
        "most the latent dimensions that are set",
    )
    st.write(describe_latents(problem, settings))
    told = [
        f"{title_of(one.method)}, as trained last: {one.forecast.latents}"
        for one in session.last_run(registry.pair(settings)).certificates
        if one.forecast is not None
    ]
    st.write(
        plain(" ".join(told))
        or "Train says of a model, under “What is next”, how many it keeps and whether one more "
        "would live; on the command line svae forecast does."
    )
