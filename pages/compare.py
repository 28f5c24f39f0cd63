"""Compare: any methods on the same data with the same nets, seeds and budget."""

import json
from functools import partial
from typing import Any

import streamlit as st

from pages.live import registry
from pages.server.current import server
from pages.visitor import cache, session, settings_in_url
from pages.visitor.markdown import plain
from pages.visitor.shared_job import Job
from pages.widgets import comparison_choice as comparison_widgets
from pages.widgets import settings as controls
from pages.widgets import upload, waiting_section
from pages.widgets.charts import chart
from svae_core.figures import comparison
from svae_core.figures.names import counted
from svae_core.methods import scan_methods
from svae_core.records import to_json
from svae_core.studies.comparison import Comparison
from svae_core.studies.scores import MEASURES, TIME_RATIO, Score, rows, to_csv, to_latex


def export(scores: list[Score]) -> None:
    """Buttons that download the scores."""
    files = (
        ("CSV", to_csv(scores), "comparison.csv", "text/csv"),
        ("LaTeX", to_latex(rows(scores)), "comparison.tex", "text/plain"),
        ("JSON", json.dumps(to_json(scores)), "comparison.json", "application/json"),
    )
    for column, (label, text, name, kind) in zip(st.columns(3), files, strict=True):
        column.download_button(label, text, name, kind, on_click="ignore", width="stretch")


def columns() -> dict[str, Any]:
    """What each column of the table holds, in three digits; the method stays in sight."""
    number = partial(st.column_config.NumberColumn, format="%.3g")
    about: dict[str, Any] = {"method": st.column_config.TextColumn(pinned=True)}
    for measure in MEASURES.values():
        unit = f", in {measure.unit}" if measure.unit else ""
        about[measure.title] = number(help=f"{measure.explanation}{unit}")
        about[f"± {measure.title}"] = number(help="standard deviation over the seeds")
    return about | {TIME_RATIO: number(help="of training steps in batches of one size")}


def show(scores: list[Score]) -> None:
    """The results so far."""
    table = rows(scores)
    sentence = comparison.describe(table)
    st.write(plain(sentence))  # a refusal may name a file
    picked = st.dataframe(
        comparison.table(table),
        hide_index=True,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key="compare.table",
        column_config=columns(),
    )
    st.caption(
        "Columns to the right come into sight by scrolling sideways; the head of each says what it "
        "holds when the pointer rests on it."
    )
    if guards := comparison.guards(table):
        st.table(guards, hide_index=True)
    chosen = [table[row].method for row in picked["selection"]["rows"] if row < len(table)]
    for method in chosen:
        chosen_settings = next(
            score.settings for score in scores if score.settings.method == method
        )
        st.page_link(
            "train.py",
            label=f"Watch {plugins[method].title} train beside the conventional VAE",
            query_params=settings_in_url.to_link(chosen_settings),
        )
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(
            "**Loss against the band** (shaded), one mark for each seed; a cross is a collapsed run"
        )
        chart(comparison.strips(scores, problem.region, dark), sentence)
    with right:
        st.markdown("**KL and mutual information**")
        chart(comparison.kl_and_information(table, dark), sentence)
    st.markdown("**Rate–distortion plane**, over the floors of any decoder in the ball")
    plane_sentence = comparison.describe_plane(scores)
    chart(comparison.plane(scores, free.floors, dark), plane_sentence)
    st.write(plane_sentence)
    export(scores)


def draw() -> bool:
    """The runs so far; return whether the job runs."""
    key = repr((settings, names, seeds))
    runs = comparison_widgets.runs_of(settings, names, seeds)
    job = cache.shared_job("compare", key, partial(Job, Comparison(runs), server().engine))
    place, button = st.columns([5, 1])
    place.caption(
        f"{counted(len(names), 'method')} × {counted(seeds, 'seed')}, "
        f"{counted(settings.epochs, 'epoch')} each."
    )
    going = waiting_section.job_controls("compare", key, job, button)
    if scores := sorted(job.rows, key=lambda score: runs.index(score.settings)):
        show(scores)
    return going


with st.sidebar:
    settings = controls.data_controls()
    with st.expander("Training"):
        settings = controls.training_controls(settings, choose_method=False)

upload.preview(settings)
problem = cache.problem(settings)
free = cache.problem(registry.pair(settings)[0])
dark = session.dark()
plugins = scan_methods()

st.subheader("Methods side by side")
st.write(
    "All methods get the same points on the shell, the same nets and first weights, the same "
    "minibatches and the same number of epochs. The table always shows both what a method "
    "**guards**, KL or information, and what was **measured** of both."
)
names, seeds = comparison_widgets.choice()
if not names:
    st.error("No method is chosen; choose at least one.")
    st.stop()
waiting_section.section("compare", draw)
