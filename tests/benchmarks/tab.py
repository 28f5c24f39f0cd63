"""A tab of a browser without a browser: it opens pages, types, clicks and uploads.

    async with Tab(address) as tab:
        await tab.open("runs")
        await tab.upload("Import an exported run", "run.zip", content)
        await tab.click("Import")
        tab.alerts()

It speaks Streamlit's own protocol as its browser code does: every rerun tells all widgets, the
address that the server last asked for, and the page; parts of a page are run again when due.
"""

from __future__ import annotations

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

#: Seconds until a page must be drawn, on two cores that thirty visitors and test suites share.
PATIENCE = 600.0
#: What app.py says of a page whose script failed.
FAILED = "This page failed"


class Missing(Exception):
    """A page does not show what is looked for; with what it shows."""


@dataclass(eq=False)
class Tab:
    """One session.

    `address`: host, port and prefix; `tls`: where it is spoken to by https; `cookie`: what this
    browser was told by the server before; `how`: more on how sockets are opened.
    """

    address: str
    tls: ssl.SSLContext | None = None
    cookie: str = ""
    how: dict[str, Any] = field(default_factory=dict)
    query: str = ""  # of the page's address, as the server has written it
    failures: list[str] = field(default_factory=list)  # what pages failed of

    def __post_init__(self) -> None:
        self._page, self._hash = "", ""
        self._shown: dict[tuple[int, ...], Any] = {}  # elements by their places
        self._due: set[str] = set()  # parts of the page that are run again by themselves
        self._states: dict[str, WidgetState] = {}

    async def __aenter__(self) -> Tab:
        protocols: Any = ["streamlit"]
        self._socket = await self.socket("/_stcore/stream", subprotocols=protocols)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._socket.close()

    @property
    def _s(self) -> str:
        return "s" if self.tls else ""

    @property
    def _host(self) -> str:
        return self.address.partition("/")[0]

    async def socket(self, path: str, **more: Any) -> ClientConnection:
        """A websocket of this server, as this browser opens it."""
        known: dict[str, Any] = {"max_size": None, "ssl": self.tls, "open_timeout": 60}
        if self.cookie:
            known["additional_headers"] = {"Cookie": self.cookie}
        known |= {"origin": f"http{self._s}://{self._host}", **self.how, **more}
        return await connect(f"ws{self._s}://{self._host}{self._whole(path)}", **known)

    # ------------------------------------------------------------------------ what is shown

    def elements(self, kind: str) -> Iterator[Any]:
        """The page's elements of one kind, in their order."""
        for place in sorted(self._shown):
            element = self._shown[place]
            if element.WhichOneof("type") == kind:
                yield getattr(element, kind)

    def find(self, kind: str, label: str = "") -> Any:
        """The first element of a kind whose label begins so; Missing if there is none."""
        for one in self.elements(kind):
            if not label or one.label.startswith(label):
                return one
        raise Missing(f"no {kind} {label!r} on page {self._page!r}, which shows: {self.text()!r}")

    def has(self, kind: str, label: str = "") -> bool:
        """Whether there is such an element."""
        with suppress(Missing):
            return bool(self.find(kind, label))
        return False

    def text(self) -> str:
        """All sentences of the page."""
        said = [one.body for kind in ("alert", "markdown", "text") for one in self.elements(kind)]
        return "\n".join([*said, *(one.body for one in self.elements("heading"))])

    def alerts(self, *kinds: Alert.Format.ValueType) -> list[str]:
        """The sentences in boxes, all or of some kinds."""
        return [one.body for one in self.elements("alert") if not kinds or one.format in kinds]

    def errors(self) -> list[str]:
        """The sentences in red boxes."""
        return self.alerts(Alert.ERROR)

    # ------------------------------------------------------------------------- what is done

    async def open(self, page: str, query: str = "", seconds: float = PATIENCE) -> None:
        """Go to a page, with that query in its address."""
        self._page, self.query, self._hash = page, query, ""
        self._states.clear()
        self._shown.clear()
        self._due.clear()
        await self.rerun(seconds=seconds)

    async def rerun(self, *clicks: WidgetState, part: str = "", seconds: float = PATIENCE) -> None:
        """Run the page's script, or a part of it, and wait until it is drawn."""
        request = BackMsg()
        run = request.rerun_script
        run.query_string, run.page_script_hash, run.fragment_id = self.query, self._hash, part
        run.page_name, run.is_auto_rerun = "" if self._hash else self._page, bool(part)
        run.widget_states.widgets.extend([*self._states.values(), *clicks])
        await self._socket.send(request.SerializeToString())
        await self._until("script_finished", seconds)

    async def poll(self, there: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Run the parts that are due, once a second, until that is there; whether it is."""
        until = asyncio.get_running_loop().time() + seconds
        while not there() and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(1.0)
            for part in sorted(self._due):
                await self.rerun(part=part)
            if not self._due and not there():
                await self.rerun()
        return there()

    async def click(self, label: str, kind: str = "button") -> None:
        """Click a button; the files of its form are given once."""
        button = self.find(kind, label)
        files = [one.id for one in self.elements("file_uploader") if one.form_id]
        if not button.form_id:
            files = []
        clicked = WidgetState(id=button.id, trigger_value=True)
        try:
            await self.rerun(clicked)
        finally:
            for one in files:
                self._states.pop(one, None)

    def put(self, kind: str, label: str, **value: Any) -> None:
        """Give a widget a value, such as string_value="…"; the next rerun tells it."""
        widget = self.find(kind, label)
        self._states[widget.id] = WidgetState(id=widget.id, **value)

    async def upload(self, label: str, name: str, content: bytes) -> None:
        """Drop a file where it is asked for; the page is run, unless a form waits for a click."""
        uploader = self.find("file_uploader", label)
        request = BackMsg()
        request.file_urls_request.request_id = "one"
        request.file_urls_request.file_names.append(name)
        await self._socket.send(request.SerializeToString())
        answer = await self._until("file_urls_response", PATIENCE)
        where = answer.file_urls_response.file_urls[0]
        await asyncio.to_thread(self._send_file, where.upload_url, name, content)
        state = WidgetState(id=uploader.id)
        file = state.file_uploader_state_value.uploaded_file_info.add()
        file.file_id, file.name, file.size = where.file_id, name, len(content)
        file.file_urls.CopyFrom(where)
        self._states[uploader.id] = state
        if not uploader.form_id:
            await self.rerun()

    async def get(self, path: str) -> bytes:
        """A file of this server."""
        return await asyncio.to_thread(self._get, path)

    # -------------------------------------------------------------------------- by the wire

    async def _until(self, kind: str, seconds: float) -> ForwardMsg:
        """The next message of this kind; runs that another run replaced do not count."""
        try:
            async with asyncio.timeout(seconds):
                return await self._next(kind)
        except TimeoutError:
            raise TimeoutError(f"{self._page!r}: no {kind} within {seconds:.0f} s") from None

    async def _next(self, kind: str) -> ForwardMsg:
        while True:
            message = ForwardMsg()
            message.ParseFromString(await self._socket.recv())
            self._take(message)
            replaced = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
            if message.WhichOneof("type") == kind and not (kind == "script_finished" and replaced):
                return message

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self._shown.clear()
            self._due.clear()
        elif kind == "navigation":
            self._go(message.navigation)
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._due.add(message.auto_rerun.fragment_id)
        elif kind == "delta":
            element, place = message.delta.new_element, tuple(message.metadata.delta_path)
            self._shown[place] = element
            if element.WhichOneof("type") == "exception":
                self.failures.append(f"{self._page}: {element.exception.message}")
            if FAILED in element.alert.body:
                self.failures.append(f"{self._page}: {element.alert.body}")

    def _go(self, to: Any) -> None:
        """The script says which page this is; on another one, nothing is known of its widgets."""
        if self._hash and to.page_script_hash != self._hash:
            self._states.clear()
        self._hash = to.page_script_hash
        for page in to.app_pages:
            if page.page_script_hash == self._hash:
                self._page = page.url_pathname

    def _url(self, path: str) -> str:
        return f"http{self._s}://{self._host}{self._whole(path)}"

    def _whole(self, path: str) -> str:
        """A path with the server's prefix, once."""
        prefix = self.address.removeprefix(self._host)
        return path if path.startswith(f"{prefix}/") else prefix + path

    def _get(self, path: str) -> bytes:
        asked = urllib.request.Request(self._url(path))
        asked.add_header("Cookie", self.cookie)
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE, context=self.tls) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as refused:
            return bytes(refused.read())  # its sentence

    def _send_file(self, path: str, name: str, content: bytes) -> None:
        boundary = "x" * 32
        head = (
            f"--{boundary}\r\nContent-Disposition: form-data; "
            f'name="file"; filename="{name}"\r\n\r\n'
        )
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        # As a browser has it: the server's cookie, told once more in a header.
        health = self._url("/_stcore/health")
        with urllib.request.urlopen(health, timeout=60, context=self.tls) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        sent = urllib.request.Request(self._url(path), body, method="PUT")
        sent.add_header("Cookie", "; ".join(filter(None, (cookie, self.cookie))))
        sent.add_header("X-Xsrftoken", cookie.partition("=")[2].strip('"'))
        sent.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
        sent.add_header("Origin", f"http{self._s}://{self._host}")
        urllib.request.urlopen(sent, timeout=60, context=self.tls).close()
