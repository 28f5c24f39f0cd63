"""Latent: traversals, maps, interpolations and samples of two trained latent spaces."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.live import registry
from pages.visitor import cache, session
from pages.widgets import settings as controls
from pages.widgets import upload, waiting_section
from pages.widgets.charts import BARE, colour_choice, for_audience, static_chart
from pages.widgets.latent_run import trained_state
from pages.wire.component import stage
from svae_core.compute import tasks
from svae_core.config.settings import settings_key
from svae_core.figures import diversity, latent, latent_map, latent_ways
from svae_core.figures.colouring import colouring
from svae_core.latent.results import (
    SHORT_EPOCHS,
    SHORT_POINTS,
    SHORT_SEEDS,
    BandStudy,
    DecodeAt,
    Interpolate,
    LatentSpaces,
    Overview,
    Plane,
    SamplePrior,
)
from svae_core.methods import title_of
from svae_core.records import State

POINT_HELP = "The number of a point in the figures, counted from 1."
DRAW_HELP = "The seed of the samples. Both models get the same noise."
PCA = "Principal components of the means"
BY_DIMENSION = "Two dimensions"
WIDTH = "Are samples better in a wider band?"


def point(label: str, key: str, value: int, count: int) -> int:
    """The index of a data point; on screen, points are counted from 1."""
    number = st.number_input(label, 1, count, min(value, count), key=key, help=POINT_HELP)
    return number - 1


def dimensions(state: State) -> None:
    """Traversals, and the posterior of each dimension, both models side by side."""
    picker, _ = st.columns([1, 3])
    with picker:
        start = point("Traversals start from point", "latent.start", 1, 100_000)
    spaces = cache.explore(state, Overview(start, plane=Plane()))
    st.caption(
        "Each row starts from the latent mean of one data point and moves a single dimension from "
        "−3 to 3, and all rows of both models are drawn to one scale. Rows are sorted by KL. A "
        "dimension is called dead below 0.01 nats; how far it still moves the output is told below."
    )
    for column, space in zip(st.columns(2, gap="medium"), spaces.members, strict=True):
        with column:
            st.markdown(f"**{title_of(space.method)}**")
            sentence = latent.describe_traversals(space)
            static_chart(
                latent.traversals(spaces, space, dark), sentence, f"traversals.{space.method}"
            )
            st.write(sentence)
    st.subheader("What each dimension encodes")
    st.caption(latent.explain_densities())
    for column, space in zip(st.columns(2, gap="medium"), spaces.members, strict=True):
        with column:
            st.markdown(f"**{title_of(space.method)}**")
            sentence = latent.describe_densities(space)
            static_chart(latent.densities(space, dark), sentence, f"densities.{space.method}")
            st.write(sentence)


def plane(k: int) -> Plane:
    """The plane of the latent spaces that the maps show."""
    kind, across, up = st.columns([3, 1, 1], vertical_alignment="bottom")
    choices = [PCA, BY_DIMENSION] if k > 1 else [PCA]
    chosen = kind.segmented_control(
        "Plane", choices, default=PCA, required=True, key="latent.plane"
    )
    if chosen == PCA:
        return Plane()
    one = across.number_input("Across", 1, k, 1, key="latent.across")
    other = up.number_input("Up", 1, k, 2, key="latent.up")
    return Plane((one - 1, other - 1))


def maps(state: State) -> None:
    """The map of each model, and the decoded point where it was clicked."""
    across, colours = st.columns([3, 1], vertical_alignment="bottom")
    with across:
        spaces = cache.explore(state, Overview(0, plane(settings.latent_dim)))
    problem = cache.problem(settings)
    colour = colouring(problem, colour_choice(problem, colours))
    st.caption(latent_map.explain_map(spaces))
    for index, column in enumerate(st.columns(len(spaces.members), gap="medium")):
        with column:
            st.markdown(f"**{title_of(spaces.members[index].method)}**")
            sentence = latent_map.describe_map(spaces, index)
            event = st.plotly_chart(
                for_audience(latent_map.latent_map(spaces, index, colour, dark)),
                theme=None,
                config=BARE,
                alt=sentence,
                key=f"map.{index}.{spaces.step}.{spaces.plane}.{colour.name}",
                on_select="rerun",
                selection_mode="points",
            )
            st.write(sentence)
            place = latent_map.clicked(event)
            found = cache.explore(state, DecodeAt(index, spaces.plane, place))
            words = latent_map.describe_decoding(found, place)
            static_chart(latent_map.decoding(found, spaces, dark), words, f"decoded.{index}")
            st.caption(words)


def own_input() -> None:
    """A drawing, a text or set features on their way through the models of the run."""
    st.caption(
        "Enter a point of your own, or click one in the maps: its latent means, draws of z, and "
        "what both decoders make of them, at any moment of the run."
    )
    stage(session.current_run(members), views=("maps", "followed"))


def ways(state: State, spaces: LatentSpaces) -> None:
    """Interpolation between two points, straight and along the shell."""
    count = len(spaces.rows)
    left, right, _ = st.columns([1, 1, 3])
    with left:
        start = point("From point", "latent.from", 1, count)
    with right:
        end = point("To point", "latent.to", latent_map.other_point(spaces), count)
    found = cache.explore(state, Interpolate(start, end))
    st.caption(latent_ways.explain_ways(found))
    sentence = latent_ways.describe_ways(found)
    static_chart(latent_ways.ways(found, spaces.image, dark, spaces.symbols), sentence, "ways")
    st.write(sentence)
    static_chart(latent_ways.distances(found, dark), sentence, "distances")


def samples(state: State, spaces: LatentSpaces) -> None:
    """Samples from the prior in both models, each with its nearest data point."""
    left, _ = st.columns([1, 4])
    seed = left.number_input("Draw", 0, 10_000, 0, key="latent.draw", help=DRAW_HELP)
    found = cache.explore(state, SamplePrior(seed))
    for column, drawn in zip(st.columns(2, gap="medium"), found.members, strict=True):
        with column:
            st.markdown(f"**{title_of(drawn.method)}**")
            sentence = latent_ways.describe_samples(drawn, found)
            figure = latent_ways.samples(drawn, spaces.image, dark, spaces.symbols)
            static_chart(figure, sentence, f"samples.{drawn.method}")
            st.write(sentence)


def show_study(study: BandStudy, key: str) -> None:
    """Sample quality against the width of the band: plot, sentence, table."""
    sentence = diversity.describe_diversity(study)
    static_chart(diversity.diversity(study, dark), sentence, f"study.{key}")
    st.write(sentence)
    with st.expander("All measures, medians over seeds"):
        st.markdown(diversity.diversity_table(study))


def studies() -> None:
    """Sample quality by the width of the band, as recorded, and on the visitor's data."""
    st.caption(diversity.explain_diversity())
    for number, study in enumerate(cache.studies()):
        show_study(study, str(number))
    st.write(
        f"Measure the same on the data chosen at the left, with at most {SHORT_POINTS:,} points, "
        f"{SHORT_EPOCHS} epochs and {SHORT_SEEDS} seeds. This takes about half a minute."
    )
    waiting_section.section("own study", own_study)


def own_study() -> bool:
    """The same study on the visitor's data, on request; return whether it is running."""
    return waiting_section.background_task(
        f"study.{settings_key(settings)}",
        "Measure on my data",
        cache.in_background(tasks.band_study, settings),
        partial(show_study, key="own"),
    )


def draw_parts(state: State) -> None:
    """The parts of the page as tabs, of which only the open one is computed and drawn."""
    spaces = cache.explore(state, Overview(0, plane=Plane()))
    st.write(latent.describe_spaces(spaces))
    parts: dict[str, Callable[[], None]] = {
        "Each dimension": lambda: dimensions(state),
        "Decode where you click": lambda: maps(state),
        "Between two points": lambda: ways(state, spaces),
        "Your own input": own_input,
        "Samples from the prior": lambda: samples(state, spaces),
        WIDTH: studies,
    }
    tabs = st.tabs(list(parts), key="latent.part", on_change="rerun")
    for tab, draw in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                draw()


with st.sidebar:
    settings = controls.data_controls()
    with st.expander("Training"):
        settings = controls.training_controls(settings, choose_method=False)

upload.preview(settings)
dark = session.dark()
members = registry.pair(settings)
st.subheader("Explore two latent spaces")
cache.wait_for_file(settings)
state = trained_state(members)
if state is None:
    st.subheader(WIDTH)
    studies()
else:
    draw_parts(state)
