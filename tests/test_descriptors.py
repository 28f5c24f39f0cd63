"""At the 256 file descriptors of macOS, three hundred openings in a minute pass."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from support.browser import answers
from support.effort import effort
from websockets.asyncio.client import connect

from pages.live.open_files import WANTED

resource = pytest.importorskip("resource", reason="there is no such limit on Windows")
ROOT = Path(__file__).resolve().parents[1]
LIMIT, OPENINGS = 256, effort(80, 300)
WAIT = 600.0  # only ends a test that hangs: a busy machine may be slow

# What a shell's `ulimit -n` does, in the process that becomes the server.
_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
import os
os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", "app.py", *sys.argv[1:]])
"""
_RAISED = """
import resource
from pages.live.open_files import allow_many
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(128, soft), hard))
print(allow_many(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server that may have no more than LIMIT files open, soft and hard; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _LIMITED.format(limit=LIMIT), f"--server.port={port}"],
            cwd=ROOT,
            env=os.environ | {"SVAE_HOME": str(tmp_path / "home"), "SVAE_WORKERS": "2"},
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + WAIT
    while not answers(f"http://localhost:{port}/_stcore/health"):
        assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
    yield f"localhost:{port}", process
    process.terminate()
    process.wait()
    assert "Too many open files" not in (tmp_path / "log").read_text(errors="replace")


async def opened(address: str, session: str = "") -> tuple[str, list[str]]:
    """A tab that is opened and closed again: its session's id, and what its page said."""
    origin: Any = f"http://{address}"
    subprotocols: Any = (
        ["streamlit", "PLACEHOLDER_AUTH_TOKEN", session] if session else ["streamlit"]
    )
    await asyncio.to_thread(
        lambda: urllib.request.urlopen(f"http://{address}/theory", timeout=60).read()
    )
    async with connect(
        f"ws://{address}/_stcore/stream", origin=origin, subprotocols=subprotocols, max_size=None
    ) as tab:
        request = BackMsg()
        request.rerun_script.page_name = "theory"
        await tab.send(request.SerializeToString())
        said: list[str] = []
        while True:
            message = ForwardMsg()
            message.ParseFromString(await asyncio.wait_for(tab.recv(), WAIT))
            if message.WhichOneof("type") == "new_session":
                session = message.new_session.initialize.session_id
            if message.WhichOneof("type") == "delta":
                element = message.delta.new_element
                if element.WhichOneof("type") == "exception":
                    said.append(element.exception.message)
            if message.WhichOneof("type") == "script_finished":
                return session, said


async def _openings(address: str, count: int) -> list[list[str]]:
    """So many tabs one after the other, five at a time."""
    turns = asyncio.Semaphore(5)

    async def one() -> list[str]:
        async with turns:
            return (await opened(address))[1]

    return await asyncio.gather(*(one() for _ in range(count)))


def test_the_soft_limit_is_raised_as_far_as_it_may_be() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RAISED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told, soft, hard = (int(number) for number in done.stdout.split())
    assert told == soft == (WANTED if hard in (-1, resource.RLIM_INFINITY) else min(hard, WANTED))


@pytest.mark.slow
def test_hundreds_of_openings_pass(limited: tuple[str, subprocess.Popen[bytes]]) -> None:
    address, process = limited
    found = asyncio.run(_openings(address, OPENINGS))
    assert len(found) == OPENINGS and not any(found), "no page shows an error"
    if Path(f"/proc/{process.pid}/fd").exists():
        assert len(os.listdir(f"/proc/{process.pid}/fd")) < LIMIT - 60
    # A phone that slept returns to the very session it had, whose loop was closed meanwhile.
    session, _ = asyncio.run(opened(address))
    again, said = asyncio.run(opened(address, session))
    assert again == session and not said
