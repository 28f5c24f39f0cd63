"""Start: what posterior collapse is, a recorded run of it, and three lessons."""

import streamlit as st

from pages.classroom import lessons
from pages.visitor import cache, session, url
from pages.widgets.charts import chart, narrow
from svae_core.figures import recorded
from svae_core.records import Settings

LESSONS = (
    *(
        (found.title, found.text, "train.py", found.settings, {"lesson": found.name})
        for found in (lessons.LESSONS["collapse"], lessons.LESSONS["alive"])
    ),
    (
        "Try to break the guarantee",
        "A measured loss below δ excludes total collapse. Let a seeded search try hundreds of runs "
        "on hard and degenerate data for one that has both, and read what is proved and what not.",
        "theory.py",
        Settings(),
        {},
    ),
)

st.header("Spherical VAE Explorer")
st.write(
    "A variational autoencoder squeezes data through a few noisy numbers. Sometimes the decoder "
    "ignores them and answers with one and the same average, whatever went in: **posterior "
    "collapse**. On a **shell** one knows beforehand how well a model without any information "
    "could do at best, the collapse loss δ. A trained model whose measured loss lies in a **band "
    "below δ** cannot have collapsed totally. This app computes the band, trains, and checks."
)

recording = cache.recording()
sentence = recorded.describe_recorded(recording)
chart(
    recorded.recorded(recording, session.dark(), narrow()),
    sentence,
)
st.caption(
    "A recorded run. Large marks are what the decoders give back, coloured by the cluster of the "
    f"point that went in; dust is the data. {sentence}"
)

for column, (title, text, page, settings, query) in zip(st.columns(3), LESSONS, strict=True):
    with column.container(border=True, height="stretch"):
        st.markdown(f"**{title}**")
        st.write(text)
        st.page_link(page, label="Open the lesson", query_params=url.to_link(settings) | query)
