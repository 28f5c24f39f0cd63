"""The cookie that identifies the browser a run was started in.

A run records the key of its browser, and the Runs page lists a visitor's own runs only. The cookie
holds nothing but a random key, cannot be read by scripts, and is set with the first page. It gives
no other right: anyone with a run's link may open that run.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from svae_core.runs.manifest import new_id

COOKIE = "svae_owner"
_KEY = re.compile(r"[A-Za-z0-9_-]{22}")
_YEAR = 365 * 24 * 3600


class OwnerCookie:
    """Middleware that sets the cookie on a page request that has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or key_of(HTTPConnection(scope)):
            await self._app(scope, receive, send)
            return

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                cookie = f"{COOKIE}={new_id()}; Max-Age={_YEAR}; Path=/; HttpOnly; SameSite=Lax"
                message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
            await send(message)

        await self._app(scope, receive, with_cookie)


def is_key(found: Any) -> bool:
    """Whether a value has the form of a key."""
    return isinstance(found, str) and bool(_KEY.fullmatch(found))


def key_of(connection: HTTPConnection) -> str:
    """The key in a request's cookie; empty without one."""
    key = connection.cookies.get(COOKIE, "")
    return key if is_key(key) else ""


def _is_page(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html")
        for name, value in message["headers"]
    )
