"""Train: a conventional and a spherical VAE side by side, live."""

import streamlit as st

from pages.parts import controls, hub
from pages.parts.stage import stage

summary, data, training = st.columns([6, 1, 1], vertical_alignment="center")
with data.popover("Data", width="stretch"):
    settings = controls.data_controls()
with training.popover("Training", width="stretch"):
    settings = controls.training_controls(settings, choose_method=False)
summary.markdown(
    f"**Same data, same start, two models**: {settings.dataset}, σ² = {settings.sigma2:g}, "
    f"β = {settings.beta:g}, {settings.latent_dim} latent dimensions, {settings.epochs} epochs"
)

members = hub.pair(settings)
run = st.query_params.get("run")
if run is None or hub.members_of(run) != members:
    run = st.query_params["run"] = hub.watch(members)
stage(run)
