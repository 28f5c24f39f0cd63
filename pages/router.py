"""The router: which screens there are, and the one that was asked for."""

import streamlit as st

st.set_page_config(page_title="Spherical VAE Explorer", layout="wide")
st.navigation(
    [
        st.Page("start.py", title="Start", default=True),
        st.Page("shell.py", title="Shell"),
        st.Page("region.py", title="Region"),
        st.Page("train.py", title="Train"),
        st.Page("theory.py", title="Theory"),
    ],
    position="top",
).run()
