"""The Spherical VAE Explorer: `streamlit run app.py`.

The routes give the browser its live figures; the lifespan starts the worker processes and ends
them with the server; the middleware gives every browser a key, by which it finds its own runs; the
screens are in pages/, where router.py leads to each.
"""

import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from pages.live import registry
from pages.visitor.owner_cookie import OwnerCookie
from pages.wire import routes

SCRIPT = Path(__file__).resolve().parent / "pages" / "router.py"
# Streamlit puts a script's folder on the path while a session runs it, and takes it off again:
# what another thread imports at that moment may then not be found. A folder that is there stays.
sys.path.append(str(SCRIPT.parent))

app = st.App(
    SCRIPT,
    lifespan=registry.lifespan,
    routes=routes.routes(),
    middleware=[Middleware(OwnerCookie)],
)
