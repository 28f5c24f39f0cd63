"""Train: a conventional and a spherical VAE side by side, live."""

import streamlit as st

from pages.live import registry
from pages.server.current import server
from pages.visitor import cache, session
from pages.visitor.markdown import plain
from pages.widgets import classroom as teaching
from pages.widgets import settings as controls
from pages.widgets import upload
from pages.wire.component import stage
from svae_core.figures.names import counted
from svae_core.records import Settings


def weights(run: str, settings: Settings) -> str:
    """σ² and β of the run, with what they were changed to in it or in the branch that it is."""
    view = server().runs.view(run)
    now = view.changeable_now if view else {}
    parts = []
    for name, symbol in (("sigma2", "σ²"), ("beta", "β")):
        first = getattr(settings, name)
        last = now.get(name, first)
        parts.append(f"{symbol} = {first:g}" + (f" → {last:g}" if last != first else ""))
    return ", ".join(parts)


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
            upload.preview(settings)
        with training.popover("Training", width="stretch"):
            settings = controls.training_controls(settings)
            st.page_link("region.py", label="Move the feasible band")
        classroom = class_.popover("Class", width="stretch")
    title = upload.title(settings)
    start = f"**{lesson.title}**" if lesson else "**Same data, same start, two models**"
    cache.wait_for_file(settings)
    run = session.run_of(registry.pair(settings), lesson.name if lesson else "")
    summary.markdown(
        f"{start}: {plain(title)}, {weights(run, settings)}, "
        f"{counted(settings.latent_dim, 'latent dimension')}, {counted(settings.epochs, 'epoch')}"
    )
    if classroom:
        with classroom:
            teaching.class_controls(run)
    stage(run, projector=session.projector(), lead=session.class_key())


if code := session.followed_class():
    teaching.follow(code)
else:
    own_run()
