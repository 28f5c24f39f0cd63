"""Latent: what each dimension does, what lies at a place, between points, and around them."""

from functools import partial

import streamlit as st

from pages.live import registry
from pages.visitor import cache, session
from pages.widgets import background
from pages.widgets import settings as controls
from pages.widgets.charts import BARE, picture
from pages.widgets.latent_run import trained
from svae_core.config.settings import settings_key
from svae_core.figures import diversity, latent, latent_map, latent_ways
from svae_core.latent.results import (
    SHORT_EPOCHS,
    SHORT_POINTS,
    SHORT_SEEDS,
    BandStudy,
    Draw,
    Here,
    Looks,
    Overview,
    Plane,
    Way,
)
from svae_core.records import State

POINT_HELP = "Which of the points that are drawn, counted from 1."
DRAW_HELP = "Another number gives another draw; both models get the same one."
PCA = "Principal directions of the means"
BY_DIMENSION = "Two dimensions"


def point(label: str, key: str, value: int, count: int) -> int:
    """One of the points in the picture, counted from 1 on screen."""
    number = st.number_input(label, 1, count, min(value, count), key=key, help=POINT_HELP)
    return number - 1


def dimensions(looks: Looks) -> None:
    """Traversals, and what each dimension holds, both models side by side."""
    st.subheader("What each dimension does")
    st.caption(
        "Each row starts from the latent mean of one data point and moves a single dimension from "
        "−3 to 3. Rows are sorted by KL. A dead dimension gives the same picture all along."
    )
    for column, look in zip(st.columns(2, gap="medium"), looks.members, strict=True):
        with column:
            sentence = latent.describe_traversals(look)
            picture(latent.traversals(looks, look, dark), sentence, f"traversals.{look.method}")
            st.write(sentence)
    st.subheader("What each dimension holds")
    st.caption(latent.explain_densities())
    for column, look in zip(st.columns(2, gap="medium"), looks.members, strict=True):
        with column:
            sentence = latent.describe_densities(look)
            picture(latent.densities(look, dark), sentence, f"densities.{look.method}")
            st.write(sentence)


def plane(k: int) -> Plane:
    """Which plane of the latent spaces the maps show."""
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


def maps(state: State, looks: Looks) -> None:
    """The map of each model, and what is decoded where it was clicked."""
    for index, column in enumerate(st.columns(len(looks.members), gap="medium")):
        with column:
            sentence = latent_map.describe_map(looks, index)
            event = st.plotly_chart(
                latent_map.latent_map(looks, index, dark),
                theme=None,
                config=BARE,
                alt=sentence,
                key=f"map.{index}.{looks.step}.{looks.plane}",
                on_select="rerun",
                selection_mode="points",
            )
            st.write(sentence)
            place = latent_map.clicked(event)
            found = cache.explored(state, Here(index, looks.plane, place))
            words = latent_map.describe_decoding(found, place)
            picture(latent_map.decoding(found, looks, dark), words, f"decoded.{index}")
            st.caption(words)


def ways(state: State, looks: Looks) -> None:
    """From one point to another, straight and along the shell."""
    count = len(looks.rows)
    left, right, _ = st.columns([1, 1, 3])
    with left:
        start = point("From point", "latent.from", 1, count)
    with right:
        end = point("To point", "latent.to", latent_map.other_point(looks), count)
    found = cache.explored(state, Way(start, end))
    st.caption(latent_ways.explain_ways(found))
    sentence = latent_ways.describe_ways(found)
    picture(latent_ways.ways(found, looks.image, dark), sentence, "ways")
    st.write(sentence)
    picture(latent_ways.distances(found, dark), sentence, "distances")


def samples(state: State, looks: Looks) -> None:
    """Samples from the prior in both models, each with its nearest data point."""
    left, _ = st.columns([1, 4])
    seed = left.number_input("Draw", 0, 10_000, 0, key="latent.draw", help=DRAW_HELP)
    found = cache.explored(state, Draw(seed))
    for column, drawn in zip(st.columns(2, gap="medium"), found.members, strict=True):
        with column:
            sentence = latent_ways.describe_samples(drawn, found)
            figure = latent_ways.samples(drawn, looks.image, dark)
            picture(figure, sentence, f"samples.{drawn.method}")
            st.write(sentence)


def show_study(study: BandStudy, key: str) -> None:
    """Samples against the width of the band: the plot, the words, the table."""
    sentence = diversity.describe_diversity(study)
    picture(diversity.diversity(study, dark), sentence, f"study.{key}")
    st.write(sentence)
    with st.expander("All measures, medians over seeds"):
        st.markdown(diversity.diversity_table(study))


def own_study() -> bool:
    """The same on the data chosen here, on demand; whether it is being computed."""
    return background.background_task(
        f"study.{settings_key(settings)}",
        "Measure on my data",
        partial(registry.engine().band_study, settings),
        partial(show_study, key="own"),
    )


with st.sidebar:
    settings = controls.data_controls()
    with st.expander("Training"):
        settings = controls.training_controls(settings, choose_method=False)

dark = session.dark()
members = registry.pair(settings)
st.subheader("Two latent spaces, looked into")
state = trained(members)
if state is not None:
    picker, _ = st.columns([1, 3])
    with picker:
        start = point("Traversals start from point", "latent.start", 1, 100_000)
    looks = cache.explored(state, Overview(start, plane=Plane()))
    st.write(latent.describe_looks(looks))
    dimensions(looks)
    st.subheader("Decode where you click")
    chosen = plane(settings.latent_dim)
    looks = cache.explored(state, Overview(start, chosen))
    st.caption(latent_map.explain_map(looks))
    maps(state, looks)
    st.subheader("From one point to another")
    ways(state, looks)
    st.subheader("Samples from the prior")
    samples(state, looks)

st.subheader("Are samples better in a wider band?")
st.caption(diversity.explain_diversity())
for number, study in enumerate(cache.studies()):
    show_study(study, str(number))
st.write(
    f"The same on the data chosen at the left: at most {SHORT_POINTS:,} points and {SHORT_EPOCHS} "
    f"epochs, {SHORT_SEEDS} seeds; half a minute or so."
)
background.section("own study", own_study)
