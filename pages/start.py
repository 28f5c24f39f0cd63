"""Start: what posterior collapse is, a recorded run of it, and three lessons."""

import streamlit as st

from pages.classroom import lessons
from pages.visitor import cache, session, url
from pages.widgets.charts import chart, is_narrow
from svae_core.figures import start_animation

st.header("Spherical VAE Explorer")
st.write(
    "A variational autoencoder passes data through a few noisy numbers. Sometimes the decoder "
    "ignores them and gives the same average output for every input: **posterior collapse**. "
    "For data on a **shell**, the best loss of a model that passes no information is known "
    "before training: the collapse loss δ. A trained model whose measured loss lies in a **band "
    "below δ** cannot have collapsed totally. This app computes the band, trains, and checks."
)

recording = cache.recording()
sentence = start_animation.describe_recorded(recording)
chart(
    start_animation.recorded(recording, session.dark(), is_narrow()),
    sentence,
)
st.caption(
    "A recorded run. Large marks are the decoders' outputs, coloured by the cluster of the input "
    f"point; small dots are the data. {sentence}"
)

for column, lesson in zip(st.columns(3), lessons.LESSONS.values(), strict=True):
    with column.container(border=True, height="stretch"):
        st.markdown(f"**{lesson.title}**")
        st.write(lesson.text)
        query = url.to_link(lesson.settings) | {"lesson": lesson.name}
        st.page_link("train.py", label="Open the lesson", query_params=query)
