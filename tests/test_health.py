"""What those see who watch a server: its health, its log, its policies."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

import app
from pages.classroom import sessions
from pages.live.run import LiveRun
from pages.server import health, log
from pages.server.current import Server
from pages.visitor import policies
from pages.visitor.policies import Policies
from svae_core.config.machine import Descriptors
from svae_core.records import RequestError


def healthy() -> tuple[int, Any]:
    answer = asyncio.run(health.serve_health(Request({"type": "http"})))
    return answer.status_code, json.loads(bytes(answer.body))


@pytest.fixture
def engine(host: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An engine whose trouble a test decides."""
    one = SimpleNamespace(trouble="", size=2, runs_in_training=0, stop=lambda: None)
    monkeypatch.setattr(type(host), "engine", one)
    return one


def test_a_server_is_well_until_workers_or_files_are_exhausted(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health.machine, "descriptors", lambda: Descriptors(40, 256))
    status, said = healthy()
    assert status == 200 and said["well"] and said["problems"] == [] and said["workers"] == 2
    monkeypatch.setattr(health.machine, "descriptors", lambda: Descriptors(240, 256))
    status, said = healthy()
    assert status == 503 and "240 of 256 files" in said["problems"][0]
    monkeypatch.setattr(health.machine, "descriptors", lambda: None)
    engine.trouble = "No worker can be started; the server's log says why."
    assert healthy() == (503, {**said, "problems": [engine.trouble], "open_files": None})


def test_workers_that_come_no_more_are_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    from support.bench import opened

    from svae_core.compute import engine as engines
    from svae_core.compute.engine import Engine
    from svae_core.compute.scheduler import FairShare, Priority

    one = Engine(workers=0, scheduler="")
    scheduler, bench = opened()
    monkeypatch.setattr(one, "_local", scheduler)
    scheduler.in_turn(Priority(), int)  # at work
    scheduler.in_turn(Priority(FairShare()), int)  # a run in training may wait
    assert scheduler.longest_wait == 0 and one.trouble == ""
    scheduler.in_turn(Priority(), int)  # a person waits
    monkeypatch.setattr(engines, "_STUCK", 0.0)
    assert one.trouble.startswith("A visitor's call has waited for")
    bench.failed = True
    assert one.trouble == "No worker can be started; the server's log says why."
    bench.failed = False
    one.stop()


# ------------------------------------------------------------------------------------ log


@pytest.fixture
def own_handlers() -> Any:
    loggers = [logging.getLogger(name) for name in ("svae_core", "pages")]
    before = [(one, one.handlers, one.level) for one in loggers]
    yield
    for one, handlers, level in before:
        one.handlers = handlers
        one.setLevel(level)


def test_the_log_has_times_levels_and_sentences(
    own_handlers: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SVAE_LOG", "warning")
    log.to_standard_error()
    logging.getLogger("svae_core.compute.workers").warning("A worker process was lost.")
    logging.getLogger("pages.live").info("not asked for")
    (line,) = capsys.readouterr().err.splitlines()
    assert line[10] == " " and line.endswith("  warning   A worker process was lost.")
    monkeypatch.setenv("SVAE_LOG", "loud")
    with pytest.raises(RequestError, match="debug, info, warning, error"):
        log.to_standard_error()


def test_what_is_wrong_is_said_once_and_so_is_its_end(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(["", "No worker.", "No worker.", ""])
    said: list[str] = []

    async def next_look(_seconds: float) -> None:
        engine.trouble = next(looks, None)
        if engine.trouble is None:
            raise asyncio.CancelledError

    monkeypatch.setattr(log.asyncio, "sleep", next_look)
    written = SimpleNamespace(error=said.append, info=lambda line, *_: said.append(line))
    monkeypatch.setattr(log, "_log", written)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(log.report_forever())
    assert said[1:] == ["No worker.", "The server is well again."]


# ------------------------------------------------------------------------------- policies


def answered(path: str) -> list[Any]:
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    asyncio.run(Policies(inner)(scope, None, send))  # type: ignore[arg-type]
    return sent


def test_pages_are_framed_by_ourselves_and_load_nothing_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = dict(answered("/train")[0]["headers"])[b"content-security-policy"].decode()
    assert "frame-ancestors 'self'" in policy and "https:" not in policy
    monkeypatch.setenv("SVAE_FRAMED_BY", "https://huggingface.co https://*.school.example")
    assert "'self' https://huggingface.co https://*.school.example" in policies.content_policy()
    monkeypatch.setenv("SVAE_FRAMED_BY", "*; script-src *")
    with pytest.raises(RequestError, match="SVAE_FRAMED_BY"):
        policies.content_policy()


def test_metrics_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/_stcore/metrics", "/svae/_stcore/metrics", "/_stcore/metrics/"):
        assert answered(path)[0]["status"] == 404
    assert answered("/_stcore/health")[0]["status"] == 200
    assert Policies in [one.cls for one in app.app._user_middleware]


def test_copies_of_a_class_are_bounded(
    host: Server, watched: LiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LARGEST_CLASS", 2)
    classroom = host.classes.begin("run")
    first = host.classes.copy(classroom, "")
    host.classes.copy(classroom, "")
    with pytest.raises(RequestError, match="2 copies of this class are open"):
        host.classes.copy(classroom, "")
    host.runs.evict(first)
    host.classes.copy(classroom, "")
