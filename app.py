"""The Spherical VAE Explorer: `streamlit run app.py`.

The routes give the browser its live figures; the lifespan starts the worker processes and ends
them with the server; the middleware gives every browser a key, by which it finds its own runs; the
screens are in pages/, where router.py leads to each.
"""

import streamlit as st
from starlette.middleware import Middleware

from pages.parts import hub, live
from pages.parts.owning import OwnerCookie

app = st.App(
    "pages/router.py",
    lifespan=hub.lifespan,
    routes=live.routes(),
    middleware=[Middleware(OwnerCookie)],
)
