"""Phase diagram: a measure for every cell of a grid of runs, filled in while they train."""

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from pages.server.current import server
from pages.visitor import cache, session, settings_in_url
from pages.visitor.markdown import refusal
from pages.visitor.shared_job import Job
from pages.widgets import phase_axes, upload, waiting_section
from pages.widgets import settings as controls
from pages.widgets.charts import QUIET, beside_button, for_audience
from pages.widgets.downloads import download_link
from pages.widgets.presets import open_here_button
from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.figures import phase
from svae_core.figures.phase_transition import describe_transition
from svae_core.methods import guards, method_for, scan_methods
from svae_core.records import RequestError
from svae_core.studies.phase_cells import Cell, Theory
from svae_core.studies.phase_cells import cells as cells_of
from svae_core.studies.sweep import Sweep


def presets() -> None:
    """Buttons that open phase diagrams which are trained in about a minute."""
    for column, preset in zip(st.columns(4), phase_axes.PRESETS, strict=True):
        with column.container(border=True, height="stretch"):
            query = phase_axes.preset_query(preset, settings, len(problem.shell.points))
            open_here_button(f"**{preset.title}**", query)
            st.caption(preset.text.replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"))


def draw() -> bool:
    """Controls, maps and sentences; return whether the job runs."""
    view_place, button = st.columns([4, 1], vertical_alignment="bottom")
    with view_place:
        view = phase_axes.view_controls(*axes)
    key = repr(grid)
    job = cache.shared_job("phase", key, partial(Job, Sweep(grid), server().engine))
    going = waiting_section.job_controls("phase", key, job, button)
    cells = cells_of(grid, job.rows, theory)
    by_method = [[cell for cell in cells if cell.settings.method == name] for name in methods]
    maps, one_cell = st.container(), st.container()
    with one_cell:
        picked = show_cell(by_method, view)
    shared = phase.colour_range(cells, view)
    sentences = [
        phase.describe_map(mine, theory, title)
        for mine, title in zip(by_method, titles, strict=True)
    ]
    figures = [
        phase.phase_map(mine, replace(theory, steps=not guarded), view, shared, dark, picked)
        for mine, guarded in zip(by_method, guards_of, strict=True)
    ]
    with maps:
        show_maps(figures, sentences)
        if settings.arch not in AUTOREGRESSIVE and "baseline" in methods:
            st.write(phase.describe_staircase(by_method[methods.index("baseline")]))
    if not going:
        exports(cells, figures, sentences)
    return going


def show_maps(figures: list[Any], sentences: list[str]) -> None:
    """The maps side by side, each with its sentence."""
    columns = st.columns(len(figures), gap="medium")
    for column, key, title, figure, sentence in zip(
        columns, charts, titles, figures, sentences, strict=True
    ):
        with column:
            st.markdown(f"**{title}**")
            st.plotly_chart(
                for_audience(beside_button(figure)),
                theme=None,
                config=QUIET,
                alt=sentence,
                key=key,
                on_select="rerun",
                selection_mode="points",
            )
            st.write(sentence)


def show_cell(by_method: list[list[Cell]], view: phase.View) -> int | None:
    """One cell, chosen by a click on a map or by name, and a link to a run of it."""
    places = [phase.place(cell, view) for cell in by_method[0]]
    number = phase_axes.cell_choice(places, session.clicked(charts))
    if number is None:
        return None
    cells = [mine[number] for mine in by_method]
    st.markdown(phase.cell_table(cells, titles))
    st.page_link(
        "train.py",
        label=f"Open a run of this cell: {places[number]}",
        query_params=settings_in_url.to_link(cells[-1].settings),
    )
    return number


def exports(cells: tuple[Cell, ...], figures: list[Any], sentences: list[str]) -> None:
    """Downloads: the cells as CSV, the maps as HTML and JSON; each map's button saves it as SVG."""
    st.caption("The camera above a map saves it as SVG.")
    columns = st.columns(3)
    columns[0].download_button(
        "Cells (CSV)", phase.cells_csv(cells), "phase-diagram.csv", "text/csv", on_click="ignore"
    )
    page, numbers = (
        partial(phase.maps_html, figures, sentences),
        partial(phase.maps_json, figures),
    )
    download_link(columns[1], "Maps (HTML)", "phase-diagram.html", "text/html", page)
    download_link(columns[2], "Maps (JSON)", "phase-diagram.json", "application/json", numbers)


with st.sidebar:
    settings = controls.data_controls()

upload.preview(settings)
problem, dark = cache.problem(settings), session.dark()
theory = Theory(tuple(float(value) for value in problem.eigenvalues))

st.subheader("Phase diagram")
st.write(
    "Every cell is one setting, trained with one or more seeds. Total collapse is a stable state "
    f"of a conventional VAE where βσ² exceeds λₘₐₓ, which is {theory.lambda_max:.3f} on these "
    "data. The line across the maps shows this prediction before anything is trained."
)
st.caption(describe_transition(theory, settings))
st.caption("Presets on these data, with few points and short training; each takes about a minute.")
presets()
with st.popover("Training"):
    settings = controls.training_controls(settings, choose_method=False)
methods = phase_axes.method_controls()
titles = [scan_methods()[name].title for name in methods]
guards_of = [
    guards(method_for(replace(settings, method=name, method_options=()))) for name in methods
]
charts = [f"phase.map.{name}" for name in methods]
axes = phase_axes.axis_controls()
try:
    grid = phase_axes.grid_of(settings, methods, axes)
except RequestError as error:
    st.error(refusal(error))
    st.stop()
waiting_section.section("phase", draw)
