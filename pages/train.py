"""Train: a conventional and a spherical VAE side by side, live."""

import streamlit as st

from pages.live import registry
from pages.visitor import session
from pages.visitor.markdown import plain
from pages.widgets import classroom as teaching
from pages.widgets import settings as controls
from pages.widgets import upload
from pages.wire.component import stage


def own_run() -> None:
    """A run with the visitor's settings, with controls unless they are locked."""
    lesson = session.lesson()
    classroom = None
    if session.locked():
        settings = session.settings()
        summary = st.container()
    else:
        summary, data, training, class_ = st.columns([6, 1, 1, 1], vertical_alignment="center")
        with data.popover("Data", width="stretch"):
            settings = controls.data_controls()
        with training.popover("Training", width="stretch"):
            settings = controls.training_controls(settings)
            st.page_link("region.py", label="Move the feasible band")
        classroom = class_.popover("Class", width="stretch")
    title = upload.title(settings)
    start = f"**{lesson.title}**" if lesson else "**Same data, same start, two models**"
    summary.markdown(
        f"{start}: {plain(title)}, σ² = {settings.sigma2:g}, "
        f"β = {settings.beta:g}, {settings.latent_dim} latent dimensions, {settings.epochs} epochs"
    )
    run = session.run_of(registry.pair(settings), lesson.name if lesson else "")
    if classroom:
        with classroom:
            teaching.class_controls(run)
    stage(run, projector=session.projector(), lead=session.class_key())


if code := session.followed_class():
    teaching.follow(code)
else:
    own_run()
