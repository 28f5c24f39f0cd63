"""New websockets are spaced for each address; other addresses do not wait for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pages.visitor.handshakes import (
    A_SECOND,
    AT_ONCE,
    LONGEST_WAIT,
    SpacedHandshakes,
    visitor_address,
)


class _Server:
    """Counts what reaches it; the clock is moved by hand."""

    def __init__(self) -> None:
        self.now, self.reached, self.sent = 1_000.0, 0, []
        self.waited: list[float] = []
        self.middleware = SpacedHandshakes(self._app, lambda: self.now, self._sleep)

    async def _app(self, _scope: Any, _receive: Any, _send: Any) -> None:
        self.reached += 1

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    def ask(self, address: str, kind: str = "websocket", **headers: str) -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            self.sent.append(message)

        asyncio.run(self.middleware(_scope(address, kind, **headers), receive, send))


def _scope(address: str, kind: str = "websocket", **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return {"type": kind, "client": (address, 1234), "headers": named}


def test_a_class_behind_one_address_opens_all_its_sockets_at_once() -> None:
    server = _Server()
    for _ in range(AT_ONCE):
        server.ask("10.0.0.1")
    assert server.reached == AT_ONCE and not server.waited


def test_a_flood_waits_for_its_turn_and_then_is_refused_while_others_do_not_wait() -> None:
    server = _Server()
    taken = AT_ONCE + int(LONGEST_WAIT * A_SECOND)
    for _ in range(taken + 50):
        server.ask("10.0.0.1")
    assert server.reached == taken
    assert server.waited == pytest.approx([n / A_SECOND for n in range(1, taken - AT_ONCE + 1)])
    assert [message["code"] for message in server.sent] == [1013] * 50
    waits = len(server.waited)
    server.ask("10.0.0.2")
    assert server.reached == taken + 1 and len(server.waited) == waits
    server.now += LONGEST_WAIT + AT_ONCE / A_SECOND  # the flood has ended
    server.ask("10.0.0.1")
    assert server.reached == taken + 2 and len(server.waited) == waits


def test_pages_and_pictures_do_not_count() -> None:
    server = _Server()
    for _ in range(3 * AT_ONCE):
        server.ask("10.0.0.1", "http")
    server.ask("10.0.0.1")
    assert server.reached == 3 * AT_ONCE + 1 and not server.waited


def test_behind_a_proxy_on_this_machine_the_visitor_is_whom_the_proxy_saw() -> None:
    seen = _scope("127.0.0.1", x_forwarded_for="1.2.3.4, 192.168.0.7")
    assert visitor_address(seen) == "192.168.0.7"
    assert visitor_address(_scope("127.0.0.1")) == "127.0.0.1"
    # Who is no proxy of ours may say anything.
    assert visitor_address(_scope("10.0.0.1", x_forwarded_for="1.2.3.4")) == "10.0.0.1"
