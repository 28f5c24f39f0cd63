"""The Spherical VAE Explorer: `streamlit run app.py`.

The routes serve the live figures to the browser; the lifespan starts the worker processes with the
server and stops them with it; the middleware sets the cookie that identifies a browser's runs;
pages/router.py lists the screens.
"""

import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from pages.live import registry
from pages.visitor.owner_cookie import OwnerCookie
from pages.wire import routes

SCRIPT = Path(__file__).resolve().parent / "pages" / "router.py"
# Streamlit adds a script's folder to the path while a session runs it and then removes it, during
# which an import in another thread may fail. It does not remove a folder that was there before.
sys.path.append(str(SCRIPT.parent))

app = st.App(
    SCRIPT,
    lifespan=registry.lifespan,
    routes=routes.routes(),
    middleware=[Middleware(OwnerCookie)],
)
