"""What browsers may do with our pages, and what outsiders may not ask: one middleware.

Pages may be framed by this server's own pages only, and load nothing from other servers: not a
script, not a picture, not a font. `/_stcore/metrics`, which would tell everybody of the server's
memory and sessions, is closed.
"""

from __future__ import annotations

import os
import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from svae_core.config.fields import RequestError

#: Sites that may frame the app, separated by blanks, as a hosted demo needs it.
VARIABLE = "SVAE_FRAMED_BY"
_SITE = re.compile(r"https://(\*\.)?[a-z0-9.-]+(:\d+)?")
_METRICS = "/_stcore/metrics"


def framed_by() -> str:
    """The sources that may frame our pages; RequestError if SVAE_FRAMED_BY names no sites."""
    sites = os.environ.get(VARIABLE, "").split()
    for site in sites:
        if not _SITE.fullmatch(site):
            raise RequestError(f"{VARIABLE} has {site!r}, but must have sites: https://NAME.")
    return " ".join(["'self'", *sites])


def content_policy() -> str:
    """The content policy. Streamlit needs inline styles and scripts; Plotly makes functions."""
    own = "'self' data: blob:"
    return "; ".join(
        [
            f"default-src {own}",
            f"script-src {own} 'unsafe-inline' 'unsafe-eval'",
            f"style-src {own} 'unsafe-inline'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {framed_by()}",
        ]
    )


class Policies:
    """Adds policies to all answers, and closes what is for nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [
            (name.encode(), value.encode())
            for name, value in (
                ("content-security-policy", content_policy()),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),  # a run's address is all that opens it
            )
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one websocket, which has no such headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].rstrip("/").endswith(_METRICS):
            await PlainTextResponse("There is nothing here.", 404)(scope, receive, send)
            return

        async def with_policies(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in self._headers}
                kept = [one for one in message["headers"] if one[0].lower() not in ours]
                message["headers"] = [*kept, *self._headers]
            await send(message)

        await self._app(scope, receive, with_policies)
