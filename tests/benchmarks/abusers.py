"""Three who mean harm, without browsers: K bombs, import bombs and socket floods.

Each works for as long as the class lasts, and never waits for more than the server takes. They have
a process of their own: packing a bomb would hold up whoever shares theirs, students among them.

    with abused(address, tls) as done: …     # `done` is filled at its end
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import random
import ssl
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tab import Tab
from websockets.asyncio.client import ClientConnection

#: As much clustering as is allowed at once, 58 s by the estimate, and what is refused.
BOMBS = ("clusters=900", "clusters=20000", "clusters=1000&n_points=200000")
#: An address of this machine that is not the students'.
ADDRESS = "127.0.0.2"
#: Sockets that are open at the same time.
FLOOD = 200
#: Bytes that a bomb of a few kilobytes unpacks to.
UNPACKED = 2**30


@dataclass
class Abuser:
    """Who knows the address of a server, and how often each of three things was done."""

    address: str
    tls: ssl.SSLContext | None = None
    bombs: tuple[bytes, ...] = ()
    done: Counter[str] = field(default_factory=Counter)

    async def bomb_with_clusters(self) -> None:
        """Open pages that ask for much clustering of new data, and leave."""
        for number in itertools.count():
            query = f"dataset=clusters&clusters.points=100000&data_seed={number}"
            async with self._tab() as tab:
                with suppress(TimeoutError):
                    await tab.open("shell", f"{query}&{BOMBS[number % len(BOMBS)]}", 10.0)
            self.done["pages that ask for much clustering"] += 1

    async def bomb_with_imports(self) -> None:
        """Import archives that unpack to a gigabyte, and ones that are nothing."""
        for bomb in itertools.cycle(self.bombs):
            async with self._tab() as tab:
                await self._import(tab, bomb)
            self.done["imports of bombs"] += 1

    async def flood_sockets(self) -> None:
        """Open sockets of pages and of runs, as many as allowed, and drop them all."""
        for path in itertools.cycle(("/_stcore/stream", "/stage/run/x", "/stage/class/x")):
            opening = [self._opened(path) for _ in range(FLOOD)]
            opened = [one for one in await asyncio.gather(*opening) if one]
            self.done["sockets opened"] += len(opened)
            self.done["sockets refused"] += FLOOD - len(opened)
            await asyncio.sleep(1.0)
            for one in opened:
                one.transport.abort()

    def _tab(self) -> Tab:
        # From another machine than the students, as it were, where this one has such an address.
        how = {"local_addr": (ADDRESS, 0)} if sys.platform == "linux" else {}
        return Tab(self.address, self.tls, how={"open_timeout": 30, **how})

    async def _opened(self, path: str) -> ClientConnection | None:
        protocols: Any = ["streamlit"] if "stream" in path else None
        with suppress(Exception):
            return await self._tab().socket(path, subprotocols=protocols)
        return None

    async def _import(self, tab: Tab, content: bytes) -> None:
        """What a browser does with a file that is dropped on the Runs page."""
        await tab.open("runs", seconds=60.0)
        if not tab.has("file_uploader") or not tab.has("button", "Import"):
            self.done["Runs pages without an import"] += 1
            return
        await tab.upload("Import", "run.zip", content)
        await tab.click("Import")
        self.done["imports refused in a sentence"] += bool(tab.alerts())


@contextmanager
def abused(address: str, tls: ssl.SSLContext | None) -> Iterator[Counter[str]]:
    """All three at once; what they did, refusals and lost connections included."""
    trusted = tls.get_ca_certs(binary_form=True) if tls else []
    command = [sys.executable, __file__, address]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps([ssl.DER_cert_to_PEM_cert(one) for one in trusted]) + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    done: Counter[str] = Counter()
    try:
        yield done
    finally:
        process.stdin.close()
        done.update(json.loads(process.stdout.read()))
        process.wait()


async def _abuse(abuser: Abuser) -> None:
    """Until standard input ends."""

    async def again_and_again(work: Any) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                abuser.done[f"abusers' errors ({type(error).__name__})"] += 1
                await asyncio.sleep(0.2)

    works = (abuser.bomb_with_clusters, abuser.bomb_with_imports, abuser.flood_sockets)
    going = [asyncio.create_task(again_and_again(work)) for work in works]
    await asyncio.to_thread(sys.stdin.read)
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)


def _zip_bomb() -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("run.json", "w", force_zip64=True) as file,
    ):
        for _ in range(UNPACKED >> 20):
            file.write(bytes(2**20))
    return packed.getvalue()


def main(address: str) -> None:
    """The process of the three: certificates to trust are its first line of standard input."""
    trusted = json.loads(sys.stdin.readline())
    tls = ssl.create_default_context(cadata="".join(trusted)) if trusted else None
    noise = random.Random(0).randbytes(2**20)
    abuser = Abuser(address, tls, (_zip_bomb(), b"PK\x05\x06" + bytes(2**20), noise))
    print("ready", flush=True)
    asyncio.run(_abuse(abuser))
    print(json.dumps(abuser.done))


if __name__ == "__main__":
    main(sys.argv[1])
