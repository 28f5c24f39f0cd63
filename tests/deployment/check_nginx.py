"""The example of docs/deployment/nginx.conf with a real nginx: TLS, a path prefix, sockets.

Needs nginx (apt-get install nginx-light) and openssl; `make deployment` runs this.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.nginx import Proxy, in_front_of
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from students import Student, server

#: As docs/deployment/svae.service has them; its name is this machine's here.
OPTIONS = ("--server.baseUrlPath=svae", "--server.allowedHosts=localhost")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with server(*OPTIONS, "--server.address=127.0.0.1") as (address, _):
        port = int(address.partition("/")[0].rpartition(":")[2])
        with in_front_of(port, tmp_path_factory.mktemp("nginx")) as found:
            yield found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def asked(proxy: Proxy, path: str, method: str = "GET", **headers: str) -> Answer:
    host = proxy.address.partition("/")[0]
    return _answer(
        http.client.HTTPSConnection(host, context=proxy.tls, timeout=60), method, path, headers
    )


def _answer(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str]
) -> Answer:
    with closing(connection):
        connection.request(method, path, headers={**headers})
        found = connection.getresponse()
        return Answer(found.status, found.headers, found.read())


def test_a_student_trains_behind_it(proxy: Proxy) -> None:
    student = Student(proxy.address, "dataset=wine&clusters=3&epochs=200", 0, proxy.tls)
    asyncio.run(_until_it_trains(student))
    assert not student.errors and student.moments > 3


async def _until_it_trains(student: Student) -> None:
    attending = asyncio.create_task(student.attend(time.monotonic() + 600))
    while student.moments <= 3 and not student.errors:
        await asyncio.sleep(0.1)
    attending.cancel()
    await asyncio.gather(attending, return_exceptions=True)


def test_pages_are_found_at_the_prefix_with_their_policies(proxy: Proxy) -> None:
    page = asked(proxy, "/svae/train")
    assert page.status == 200 and b"<title>Streamlit" in page.body
    assert "frame-ancestors 'self'" in str(page.headers["Content-Security-Policy"])
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Strict-Transport-Security"]
    for path in ("/", "/svae"):
        assert asked(proxy, path).headers["Location"].endswith("/svae/")
    moved = _answer(http.client.HTTPConnection(proxy.plain, timeout=60), "GET", "/svae/", {})
    assert moved.status == 308 and moved.headers["Location"].startswith("https://")


def test_health_is_for_this_machine_and_metrics_for_nobody(proxy: Proxy) -> None:
    health = asked(proxy, "/svae/healthz")
    assert health.status == 200 and json.loads(health.body)["well"]
    assert asked(proxy, "/svae/_stcore/metrics").status == 404


def test_a_page_from_elsewhere_gets_no_socket(proxy: Proxy) -> None:
    async def foreign(path: str) -> int:
        origin: Any = "https://attacker.example"
        try:
            async with connect(f"wss://{proxy.address}{path}", origin=origin, ssl=proxy.tls):
                return 101
        except InvalidStatus as refused:
            return int(refused.response.status_code)

    for path in ("/_stcore/stream", "/stage/run/x"):
        assert asyncio.run(foreign(path)) == 403
    assert asked(proxy, "/svae/", Host="attacker.example").status in (404, 421)


def test_uploads_beyond_the_limit_end_at_the_proxy(proxy: Proxy) -> None:
    much = {"Content-Length": str(102 * 2**20)}
    assert asked(proxy, "/svae/_stcore/upload_file/a/b", "PUT", **much).status == 413
