"""The Spherical VAE Explorer: `streamlit run app.py`.

The routes serve the live figures to the browser; the lifespan starts the worker processes with the
server and stops them with it; the middleware refuses foreign host names, spaces new websockets,
says what browsers may do with pages, frees what closed tabs held, and sets the cookie that
identifies a browser's runs; pages/router.py lists the screens.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from pages.live.closed_tabs import ClosedTabs
from pages.live.open_files import allow_many
from pages.server import health, log
from pages.server.current import server
from pages.visitor.handshakes import SpacedHandshakes
from pages.visitor.hosts import AllowedHosts
from pages.visitor.owner_cookie import OwnerCookie
from pages.visitor.policies import Policies
from pages.wire import routes

SCRIPT = Path(__file__).resolve().parent / "pages" / "router.py"
# Streamlit adds a script's folder to the path while a session runs it and then removes it, during
# which an import in another thread may fail. It does not remove a folder that was there before.
sys.path.append(str(SCRIPT.parent))


def say_failed(_error: Exception) -> bool:
    """What visitors are told of a failure that no page foresaw; Streamlit has logged it by now."""
    st.error("This page failed; the server's log says why. Reload it, or go on from another page.")
    return True


@asynccontextmanager
async def lifespan(app: object) -> AsyncIterator[None]:
    """The runs and the engine, and the log's lines on them."""
    async with server().runs.lifespan(app):
        reporting = asyncio.create_task(log.report_forever())
        try:
            yield
        finally:
            reporting.cancel()


log.to_standard_error()
allow_many()
app = st.App(
    SCRIPT,
    lifespan=lifespan,
    routes=[*routes.routes(), health.route()],
    middleware=[
        Middleware(AllowedHosts),
        Middleware(SpacedHandshakes),
        *(Middleware(one) for one in (Policies, ClosedTabs, OwnerCookie)),
    ],
    on_script_error=say_failed,
)
