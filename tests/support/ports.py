"""A port for a server that a test or a benchmark starts."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port of this machine on which nothing listens.

    It is below those that systems give to clients: while a server is restarted, one of the clients
    that look for it could otherwise be given its port, and be connected with itself.
    """
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
