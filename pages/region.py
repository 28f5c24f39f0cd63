"""Region: the feasible band between W and the collapse loss, and the nats it guarantees."""

import streamlit as st

from pages.visitor import cache, session
from pages.visitor.markdown import plain
from pages.widgets import settings as controls
from pages.widgets import upload, waiting_section
from pages.widgets.charts import chart, is_narrow
from svae_core.compute import tasks
from svae_core.config.settings import settings_key
from svae_core.figures import cluster_curves, number_line, rate_distortion, sensitivity, unit_gauge
from svae_core.figures.phase_transition import describe_transition, phase_transition
from svae_core.geometry.dominant_rows_columns import describe_dominance
from svae_core.geometry.kmeans import too_many
from svae_core.geometry.region import BandAtK
from svae_core.studies.phase_cells import Theory

with st.sidebar:
    settings = controls.data_controls()

upload.preview(settings)
problem = cache.problem(settings)
dark = session.dark()

st.subheader("The feasible band")
dominant = describe_dominance(
    problem.shell.dominance, problem.dataset.feature_names, *problem.shell.points.shape
)
for warning in filter(None, (dominant, too_many(problem.clusters))):
    st.warning(plain(warning))
settings = controls.band_controls(settings, problem)
problem = cache.problem(settings)
region = problem.region

sentence = number_line.describe_number_line(region)
chart(number_line.number_line(region, dark, is_narrow()), sentence)
if region.empty:
    st.warning(sentence)
else:
    st.write(sentence)
st.caption(number_line.describe_edges(region))

st.subheader("What the upper edge guarantees")


def show_floors() -> bool:
    """The floors, those of the closed form until the kernel bounds are there; whether they wait."""
    sharper = cache.sharpened(settings)
    ready = sharper.done() and not sharper.cancelled() and sharper.exception() is None
    floors = sharper.result()[0] if ready else problem.floors
    for column, (name, value, help) in zip(
        st.columns(3), rate_distortion.floor_rows(floors, region), strict=True
    ):
        column.metric(name, value, help=help)
    sentence = rate_distortion.describe_guarantee(floors, region)
    st.write(sentence)
    chart(rate_distortion.guarantee(floors, region, dark), sentence)
    st.caption(rate_distortion.describe_plane(floors))
    if not sharper.done():
        st.caption("Sharper proved floors are being computed in the background …")
    return not sharper.done()


waiting_section.section("floors", show_floors)

st.subheader("Three definitions of the collapse loss")
regions_by_definition = cache.regions_by_definition(problem, settings)
st.markdown(sensitivity.definition_table(regions_by_definition, settings.collapse_loss))
st.write(sensitivity.describe_definitions(regions_by_definition))

left, right = st.columns(2, gap="medium")
with left:
    st.subheader("Units: βσ² against λₘₐₓ")
    sentence = unit_gauge.describe_gauge(problem, settings)
    chart(unit_gauge.unit_gauge(unit_gauge.gauge_value(problem, settings), dark), sentence)
    st.write(sentence)
    theory = Theory(tuple(float(value) for value in problem.eigenvalues))
    sentence = describe_transition(theory, settings)
    chart(phase_transition(theory, settings, dark), sentence)
    st.write(sentence)
with right:
    st.subheader("How stable is W?")
    sentence = cluster_curves.describe_restarts(problem.clusters, region)
    chart(cluster_curves.restarts(problem.clusters, dark), sentence)
    st.write(sentence)


def show_sensitivity(bands: tuple[BandAtK, ...]) -> None:
    """Losses and nats against K."""
    sentence = sensitivity.describe_sensitivity(bands, problem.floors)
    figure = sensitivity.sensitivity(bands, problem.floors, problem.clusters.k, dark)
    chart(figure, sentence)
    st.write(sentence)


def compare() -> bool:
    """The band for other K, on request; return whether it is being computed."""
    return waiting_section.background_task(
        f"sensitivity.{settings_key(settings, cache.REGION_FIELDS)}",
        "Compare",
        cache.in_background(tasks.sensitivity, settings),
        show_sensitivity,
    )


st.subheader("W, δ and the nats for other numbers of clusters")
waiting_section.section("sensitivity", compare)
