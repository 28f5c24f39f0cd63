"""Train: a conventional and a spherical VAE side by side, live."""

import streamlit as st

from pages.parts import controls, hub, session
from pages.parts.stage import stage
from svae_core.datasets import scan_datasets

lesson = session.lesson()
if session.locked():
    settings = session.settings()
    summary = st.container()
else:
    summary, data, training = st.columns([6, 1, 1], vertical_alignment="center")
    with data.popover("Data", width="stretch"):
        settings = controls.data_controls()
    with training.popover("Training", width="stretch"):
        settings = controls.training_controls(settings, choose_method=False)
        st.page_link("region.py", label="Move the feasible band")
title = scan_datasets()[settings.dataset].title
start = f"**{lesson.title}**" if lesson else "**Same data, same start, two models**"
summary.markdown(
    f"{start}: {title}, σ² = {settings.sigma2:g}, "
    f"β = {settings.beta:g}, {settings.latent_dim} latent dimensions, {settings.epochs} epochs"
)

run = session.run_of(hub.pair(settings), lesson.name if lesson else "")
stage(run, projector=session.projector())
