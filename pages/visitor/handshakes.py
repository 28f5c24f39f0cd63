"""New websockets one after another, for each address: who opens them by the hundred waits.

Each costs the server a session, which all others wait for. A class behind one address opens some
hundred at once when a lesson begins, and about one for each page that a student turns.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

#: Handshakes of an address that are taken at once, and a second's worth of further ones.
AT_ONCE = 150
A_SECOND = 10.0
#: Nobody waits longer than this many seconds; further ones are refused.
LONGEST_WAIT = 20.0
#: "Try again later", of the websocket protocol (RFC 6455's registry of codes).
_LATER = 1013
_MOST_ADDRESSES = 10_000


class SpacedHandshakes:
    """Lets an address wait for its turn before its next websocket is opened.

    This is the generic cell rate algorithm: for each address, the moment at which it has used up
    what it may open at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app, self._clock, self._sleep = app, clock, sleep
        self._used_up: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one websocket."""
        if scope["type"] == "websocket":
            wait = self._wait(visitor_address(scope))
            if wait > LONGEST_WAIT:
                await receive()
                await send({"type": "websocket.close", "code": _LATER, "reason": "too many"})
                return
            if wait > 0.0:
                await self._sleep(wait)
        await self._app(scope, receive, send)

    def _wait(self, address: str) -> float:
        """Seconds until this address may open another one; a turn that is taken is counted."""
        now, each = self._clock(), 1.0 / A_SECOND
        used_up = max(self._used_up.get(address, now), now) + each
        wait = round(used_up - now - AT_ONCE * each, 6)  # without the sums' rounding
        if wait <= LONGEST_WAIT:
            self._used_up[address] = used_up
        if len(self._used_up) > _MOST_ADDRESSES:
            self._used_up = {one: due for one, due in self._used_up.items() if due > now}
        return wait


def visitor_address(scope: Scope) -> str:
    """The visitor's address: what a proxy on this machine says, else where the connection is from.

    Of several that were passed on the last is the one that the proxy saw; those before it are what
    the visitor said.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    passed_on = HTTPConnection(scope).headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return passed_on if passed_on and _is_this_machine(peer) else peer


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
