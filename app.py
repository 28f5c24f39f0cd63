"""The Spherical VAE Explorer: `streamlit run app.py`.

The routes give the browser its live figures; the lifespan starts the worker processes and ends
them with the server; the screens are in pages/, where router.py leads to each.
"""

import streamlit as st

from pages.parts import hub, live

app = st.App("pages/router.py", lifespan=hub.lifespan, routes=live.routes())
