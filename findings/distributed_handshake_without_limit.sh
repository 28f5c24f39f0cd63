#!/usr/bin/env bash
# distributed 2026.8.0, seen on 2026-11-30.
#
# What happens: distributed.comm.core.connect(address, timeout=1) waits for ever at a port where
# something listens that is no scheduler, such as a web server, which waits for a request in its turn.
# The limit holds for connecting only, not for the handshake that follows; Client(address, timeout=…)
# inherits that and neither returns nor raises.
#
# One would guess: that the limit holds until the connection can be used, as it does where nobody
# listens.
#
# Why it matters here: whoever mistypes a port is to be told in ten seconds. A connection of our own,
# within asyncio.timeout, is made before the client (svae_core/compute/dask_cluster.py).
#
# Output seen:
#   connect(timeout=1) ended by our own limit of 6 s, after 6.0 s
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
"$PYTHON" -W ignore - <<'PYTHON'
import asyncio
import os
import socket
import time

from distributed.comm.core import connect

silent = socket.create_server(("127.0.0.1", 0))
address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"


async def shake_hands() -> str:
    try:
        async with asyncio.timeout(6):
            await connect(address, timeout=1)
    except TimeoutError:
        return "ended by our own limit of 6 s"
    except OSError as error:
        return f"ended by its own: {error}"
    return "connected"


began = time.monotonic()
said = asyncio.run(shake_hands())
print(f"connect(timeout=1) {said}, after {time.monotonic() - began:.1f} s", flush=True)
os._exit(0 if "our own" in said else 1)
PYTHON
