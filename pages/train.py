"""Train: a conventional and a spherical VAE side by side, live."""

import streamlit as st

from pages.live import registry
from pages.visitor import cache, session
from pages.visitor.markdown import plain
from pages.widgets import classroom as teaching
from pages.widgets import settings as controls
from pages.widgets import sharing, upload
from pages.wire.component import stage
from svae_core.figures.names import counted


def own_run() -> None:
    """A run with the visitor's settings, with controls unless they are locked."""
    lesson = session.lesson()
    share = None
    if session.locked():
        settings = session.settings()
        summary = st.container()
    else:
        row = st.container(horizontal=True, vertical_alignment="center", key="train.head")
        summary = row.container(width="stretch")
        with row.popover("Data"):
            settings = controls.data_controls()
            upload.preview(settings)
        with row.popover("Training"):
            settings = controls.training_controls(settings)
            st.page_link("region.py", label="Move the feasible band")
        share = row.popover("Share")
    title, trained_on = upload.title(settings), upload.in_short(settings)
    title += f" ({trained_on})" if trained_on else ""
    start = f"**{lesson.title}**" if lesson else "**Same data, same start, two models**"
    cache.wait_for_file(settings, "under Data")
    if lesson:
        run = session.run_of(lesson.members(settings), lesson.name, lesson.pace)
    else:
        run = session.run_of(registry.pair(settings))
    summary.markdown(
        f"{start}: {plain(title)}, "
        f"{counted(settings.latent_dim, 'latent dimension')}, {counted(settings.epochs, 'epoch')}"
    )
    if share:
        with share:
            teaching.class_controls(run)
            sharing.read_only_link(run)
    stage(run, projector=session.projector(), lead=session.class_key())


if code := session.followed_class():
    teaching.follow(code)
elif token := sharing.watched():
    sharing.watch(token)
else:
    own_run()
