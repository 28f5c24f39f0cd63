"""Which names this server answers to, and whether somebody passes its visitors on to it.

A page from elsewhere can have its own name lead to this machine (DNS rebinding); its requests are
then of the same origin, and only the name in `Host` tells them. Streamlit asks for that name where
its own websocket is opened; here it is asked for in front of every route, ours included.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from svae_core.config.machine import network_address

LOCAL = ("localhost", "127.0.0.1", "::1")
#: What proxies tell of those whose requests they pass on.
_PASSED_ON = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Real-IP", "Forwarded", "Via"),
)
_SENTENCE = (
    "This server is not known by that name; start it with --server.allowedHosts NAME to allow it."
)


class AllowedHosts:
    """Refuses requests that come by a name that is not this server's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one websocket."""
        if scope["type"] == "lifespan" or _is_for_all(scope) or is_allowed(_host(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})
        else:
            await PlainTextResponse(_SENTENCE, 421)(scope, receive, send)


def _is_for_all(scope: Scope) -> bool:
    """Whether this asks how the server is: whoever watches it knows it by another name."""
    return scope["type"] == "http" and str(scope["path"]).endswith("/healthz")


def _host(scope: Scope) -> str | None:
    return HTTPConnection(scope).headers.get("host")


def answers_this_machine_only() -> bool:
    """Whether the server listens at this machine's own address."""
    return st.get_option("server.address") in LOCAL


def is_allowed(host: str | None) -> bool:
    """Whether a `Host` header names this server.

    As `server.allowedHosts` says; where that is empty, a server that answers this machine only has
    this machine's names, and any other has any name.
    """
    patterns = [str(one).strip().lower().rstrip(".") for one in _configured()]
    if not patterns:
        return not answers_this_machine_only() or is_local(host)
    name = _name(f"//{host or ''}")
    return name is not None and any(
        pattern == "*" or name == pattern or (pattern[:2] == "*." and name.endswith(pattern[1:]))
        for pattern in patterns
    )


def is_local(host: str | None) -> bool:
    """Whether this is a name of the machine itself."""
    return _name(f"//{host or ''}") in LOCAL


def reachable_from_outside(address: str) -> str:
    """The address of a page with this machine's name in the network in place of its own one.

    Unchanged where the page was opened by another name, or the server answers this machine only.
    """
    parts = urlsplit(address)
    if answers_this_machine_only() or not is_local(parts.netloc):
        return address
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{network_address()}{port}").geturl()


def unreachable(address: str) -> str:
    """Why other machines cannot open this address; "" where they can."""
    if not is_local(urlsplit(address).netloc):
        return ""
    return (
        "This server answers this machine only. For others, start it with "
        "`streamlit run app.py --server.address 0.0.0.0`."
    )


def is_passed_on(headers: Mapping[str, str]) -> bool:
    """Whether a request reached this server through a proxy, as far as that shows.

    Most say so in a header. One that does not leaves the name that the visitor's browser knows the
    server by, in `Host` or, where it rewrites that, in `Origin`.
    """
    if any(name in headers for name in _PASSED_ON):
        return True
    host, origin = headers.get("Host"), headers.get("Origin")
    return (host is not None and not is_local(host)) or (
        origin is not None and _name(origin) not in LOCAL
    )


def _configured() -> list[str]:
    return list(st.get_option("server.allowedHosts") or ())


def _name(address: str) -> str | None:
    """The host in an address; None where it names none, or more than host and port."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # ValueError where it is no number
    except ValueError:
        return None
    if "@" in parts.netloc or parts.path or parts.query or not parts.hostname:
        return None
    return parts.hostname.lower().rstrip(".")


def sees_all_runs() -> bool:
    """Whether the Runs page lists all runs of this machine, as on a server for one person.

    Such a server answers this machine only, without a proxy; SVAE_SHARED_RUNS=1 or =0 overrides it.
    """
    chosen = os.environ.get("SVAE_SHARED_RUNS", "")
    if chosen in ("0", "1"):
        return chosen == "1"
    return answers_this_machine_only() and not is_passed_on(st.context.headers)
