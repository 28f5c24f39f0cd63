"""Names that this server answers to, who is behind a proxy, and what visitors see of a failure."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

import app
from pages.live import closed_tabs
from pages.visitor import hosts, session
from pages.visitor.hosts import AllowedHosts, is_allowed
from pages.wire import routes

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A server's address and allowed hosts, to be set."""
    options: dict[str, Any] = {"server.address": "localhost", "server.allowedHosts": []}
    monkeypatch.setattr(hosts.st, "get_option", options.get)
    return options


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8501", "127.0.0.1:80", "[::1]:8501"])
def test_a_server_for_one_machine_answers_to_its_names(served: dict[str, Any], host: str) -> None:
    assert is_allowed(host)


@pytest.mark.parametrize(
    "host",
    [
        *("attacker.example", "attacker.example:8501", "localhost.attacker.example", "", None),
        *("localhost@attacker.example", "localhost:x", "localhost/..", "[::1", "192.168.0.7"),
    ],
)
def test_and_to_no_others(served: dict[str, Any], host: str | None) -> None:
    assert not is_allowed(host)


def test_a_server_for_many_answers_to_the_names_it_is_given(served: dict[str, Any]) -> None:
    served["server.address"] = "0.0.0.0"
    assert is_allowed("lab.example.org") and is_allowed("192.168.0.7:8501")
    served["server.allowedHosts"] = ["Lab.example.org", "*.school.example"]
    assert is_allowed("lab.example.org:443") and is_allowed("a.school.example.")
    assert not is_allowed("school.example.attacker") and not is_allowed("localhost")
    served["server.allowedHosts"] = ["*"]
    assert is_allowed("anything") and not is_allowed("") and not is_allowed(None)


def _asked(path: str, host: str, kind: str = "http") -> list[Any]:
    """What a request of this name is answered, before any route sees it."""
    sent: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        sent.append("passed")

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "method": "GET", "path": path, "headers": [(b"host", host.encode())]}
    asyncio.run(AllowedHosts(inner)(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (routes.socket_path("some-run"), "websocket"),
        (routes.class_path("some-class"), "websocket"),
        (routes.replay_path("some-run"), "http"),
        (routes.plotly_path(), "http"),
        (routes.module_path(), "http"),
        ("/_stcore/stream", "websocket"),
        ("/_stcore/upload_file/x/y", "http"),
        ("/runs", "http"),
    ],
)
def test_every_route_asks_for_the_name(served: dict[str, Any], path: str, kind: str) -> None:
    refused = _asked(path, "attacker.example:8501", kind)
    assert refused[0]["type"] in ("http.response.start", "websocket.close")
    assert refused[0].get("status", 421) == 421 and "passed" not in refused
    assert _asked(path, "localhost:8501", kind) == ["passed"]


def test_the_app_is_behind_these_doors() -> None:
    assert next(one.cls for one in app.app._user_middleware) is AllowedHosts


# ---------------------------------------------------------------------------- behind a proxy


@pytest.mark.parametrize(
    ("headers", "all_runs"),
    [
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, True),
        ({"Host": "127.0.0.1:8501"}, True),
        ({"Host": "lab.example.org"}, False),
        ({"Host": "localhost:8501", "Origin": "https://lab.example.org"}, False),
        ({"Host": "localhost:8501", "Origin": "null"}, False),
        ({"Host": "localhost:8501", "X-Forwarded-For": "10.0.0.7"}, False),
        ({"Host": "localhost:8501", "X-Real-IP": "10.0.0.7"}, False),
        ({"Host": "localhost:8501", "Forwarded": "for=10.0.0.7"}, False),
        ({"Host": "localhost:8501", "Via": "1.1 proxy"}, False),
        ({"Host": "localhost:8501", "X-Forwarded-Host": "lab.example.org"}, False),
    ],
)
def test_behind_a_proxy_there_is_no_shared_list(
    served: dict[str, Any], monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], all_runs: bool
) -> None:
    monkeypatch.delenv("SVAE_SHARED_RUNS", raising=False)
    monkeypatch.setattr(session.st, "context", SimpleNamespace(headers=headers))
    assert hosts.sees_all_runs() is all_runs


# ------------------------------------------------------------------------------ what is told


def test_no_traceback_reaches_a_visitor() -> None:
    """Neither by the app's own sentence nor, where that could not be said, by Streamlit's."""
    options = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert options["client"]["showErrorDetails"] == "none"
    assert app.app._on_script_error is app.say_failed


def test_a_failure_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from streamlit.error_util import handle_user_script_exception

    said: list[str] = []
    monkeypatch.setattr(st, "error", said.append)
    monkeypatch.setattr(
        "streamlit.error_util.show_uncaught_app_exception", lambda *_: said.append("a traceback")
    )
    with caplog.at_level(logging.ERROR):
        handle_user_script_exception(OSError(f"{ROOT}/secret is not there"), app.say_failed)
    assert len(said) == 1 and "log says why" in said[0] and str(ROOT) not in said[0]


# ------------------------------------------------------------------------------- closed tabs


def test_what_closed_tabs_need_of_streamlit_is_there() -> None:
    """Names of Streamlit's own, which another version may change."""
    from streamlit.runtime import Runtime
    from streamlit.runtime.app_session import AppSession

    assert "_session_mgr" in Runtime.__init__.__code__.co_names
    assert {"_script_event_loop", "_scriptrunner"} <= {*AppSession.__init__.__code__.co_names}
    made = AppSession._create_scriptrunner.__code__.co_names
    assert {"is_closed", "new_event_loop"} <= {*made}, "a closed loop is replaced"


def test_only_sessions_without_a_tab_and_a_script_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = [
        SimpleNamespace(_script_event_loop=asyncio.new_event_loop(), _scriptrunner=runner)
        for runner in (None, object())
    ]
    monkeypatch.setattr(closed_tabs, "_sessions_without_a_tab", lambda: sessions)
    assert (closed_tabs.let_go(), closed_tabs.let_go()) == (1, 0)
    assert [one._script_event_loop.is_closed() for one in sessions] == [True, False]
    sessions[1]._script_event_loop.close()
