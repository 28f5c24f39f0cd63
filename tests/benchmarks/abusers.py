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
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

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
            async with self._stream() as tab:
                await self._rerun(tab, "shell", f"{query}&{BOMBS[number % len(BOMBS)]}")
                await self._until(tab, "script_finished", 10.0)
            self.done["pages that ask for much clustering"] += 1

    async def bomb_with_imports(self) -> None:
        """Import archives that unpack to a gigabyte, and ones that are nothing."""
        for bomb in itertools.cycle(self.bombs):
            async with self._stream() as tab:
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

    # ------------------------------------------------------------------------ by websocket

    @property
    def _s(self) -> str:
        return "s" if self.tls else ""

    def _how(self) -> dict[str, Any]:
        origin = f"http{self._s}://{self.address.partition('/')[0]}"
        how = {"origin": origin, "max_size": None, "ssl": self.tls, "open_timeout": 30}
        # From another machine than the students, as it were, where this one has such an address.
        return how | ({"local_addr": (ADDRESS, 0)} if sys.platform == "linux" else {})

    def _stream(self) -> Any:
        protocols: Any = ["streamlit"]
        return connect(
            f"ws{self._s}://{self.address}/_stcore/stream", subprotocols=protocols, **self._how()
        )

    async def _opened(self, path: str) -> ClientConnection | None:
        protocols: Any = ["streamlit"] if "stream" in path else None
        with suppress(Exception):
            url = f"ws{self._s}://{self.address}{path}"
            return await connect(url, subprotocols=protocols, **self._how())
        return None

    async def _rerun(self, tab: Any, page: str, query: str = "", *widgets: WidgetState) -> None:
        request = BackMsg()
        request.rerun_script.page_name, request.rerun_script.query_string = page, query
        request.rerun_script.widget_states.widgets.extend(widgets)
        await tab.send(request.SerializeToString())

    async def _until(self, tab: Any, kind: str, seconds: float) -> list[ForwardMsg]:
        """All messages up to one of this kind, or to the end of these seconds."""
        found: list[ForwardMsg] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not found or found[-1].WhichOneof("type") != kind:
                    message = ForwardMsg()
                    message.ParseFromString(await tab.recv())
                    found.append(message)
        return found

    async def _import(self, tab: Any, content: bytes) -> None:
        """What a browser does with a file that is dropped on the Runs page."""
        await self._rerun(tab, "runs")
        elements = [
            message.delta.new_element
            for message in await self._until(tab, "script_finished", 60.0)
            if message.WhichOneof("type") == "delta"
        ]
        uploaders = [one.file_uploader.id for one in elements if one.file_uploader.id]
        buttons = [one.button.id for one in elements if one.button.label == "Import"]
        if not uploaders or not buttons:
            self.done["Runs pages without an import"] += 1
            return
        request = BackMsg()
        request.file_urls_request.request_id = "one"
        request.file_urls_request.file_names.append("run.zip")
        await tab.send(request.SerializeToString())
        urls = (await self._until(tab, "file_urls_response", 60.0))[-1]
        where = urls.file_urls_response.file_urls[0]
        await asyncio.to_thread(self._put, where.upload_url, content)
        state = WidgetState(id=uploaders[0])
        file = state.file_uploader_state_value.uploaded_file_info.add()
        file.file_id, file.name, file.size = where.file_id, "run.zip", len(content)
        file.file_urls.CopyFrom(where)
        await self._rerun(tab, "runs", "", state, WidgetState(id=buttons[0], trigger_value=True))
        answers = await self._until(tab, "script_finished", 60.0)
        refused = [one.delta.new_element.alert.body for one in answers]
        self.done["imports refused in a sentence"] += any(refused)

    def _put(self, path: str, content: bytes) -> None:
        host = self.address.partition("/")[0]
        prefix = self.address.removeprefix(host)
        url = f"http{self._s}://{host}{path if path.startswith(f'{prefix}/') else prefix + path}"
        boundary = "x" * 32
        head = (
            f"--{boundary}\r\nContent-Disposition: form-data; "
            'name="file"; filename="run.zip"\r\n\r\n'
        )
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        # As a browser has it: the server's cookie, told once more in a header.
        health = f"http{self._s}://{self.address}/_stcore/health"
        with urllib.request.urlopen(health, timeout=60, context=self.tls) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        sent = urllib.request.Request(url, body, method="PUT")
        sent.add_header("Cookie", cookie)
        sent.add_header("X-Xsrftoken", cookie.partition("=")[2].strip('"'))
        sent.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
        sent.add_header("Origin", f"http{self._s}://{host}")
        urllib.request.urlopen(sent, timeout=60, context=self.tls).close()


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
