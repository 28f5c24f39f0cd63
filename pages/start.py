"""Start: what posterior collapse is, four lessons, and a recorded run that plays by itself."""

import streamlit as st

from pages.classroom import lessons
from pages.visitor import settings_in_url
from pages.widgets import classroom
from pages.wire import component

title, code = st.columns([3, 2], vertical_alignment="center")
title.subheader("Spherical VAE Explorer")
with code:  # in sight on a phone, and above what moves while the recorded run loads
    classroom.join()
st.write(
    "A VAE passes data through a few noisy numbers. Sometimes its decoder ignores them and gives "
    "one output for every input: **posterior collapse**. For data on a **shell**, the best loss of "
    "a model that passes no information, δ, is known beforehand, and **a measured loss below δ** "
    "excludes total collapse. Four lessons:"
)
for column, lesson in zip(st.columns(4), lessons.LESSONS.values(), strict=True):
    with column.container(border=True, height="stretch"):
        query = settings_in_url.to_link(lesson.settings) | {"lesson": lesson.name}
        st.page_link("train.py", label=f"**{lesson.title} →**", query_params=query)
        st.caption(lesson.text)
with st.container(key="start.run"):  # has its height before it is loaded: nothing below moves
    component.recorded()
st.caption(
    "A recorded run of both models on handwritten digits: at step 900 σ² is raised past λₘₐₓ, and "
    "the conventional VAE dies. Marks on the shells are the decoders' outputs, coloured by the "
    "cluster of the input; small dots are the data."
)
component.tour()
