"""What all tests share: one thread, and repeatable Hypothesis examples."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before numpy or torch are imported, by this process or by one it starts: one thread each, since
# that is what runs use, it keeps sums in one order, and parallel tests do not fight for cores.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

# Workers stand behind what else runs; beside other busy tests they would get hardly any time.
os.environ.setdefault("SVAE_NICE", "0")

# Started with "&" by a script, tests ignore Ctrl-C, and so would the commands that they send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

if TYPE_CHECKING:
    from pages.live.run import LiveRun
    from pages.server.current import Server

pytest.register_assert_rewrite("support")
pytest_plugins = ["support.browser"]

# The same examples every time, and no verdict by the clock: a busy machine must not fail a test.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs and data are kept while a test lasts."""
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def immediate_engine() -> Iterator[None]:
    """Pages get an engine that works at once, in this process; what they cached is forgotten."""
    from support.screens import ImmediateEngine

    from pages.server.current import Server, serving

    with serving(Server(ImmediateEngine)):  # type: ignore[arg-type]
        yield


@pytest.fixture
def no_engine() -> Iterator[None]:
    """Pages that must do without an engine."""

    from pages.server.current import Server, serving

    with serving(Server(lambda: pytest.fail("the engine was asked"))):
        yield


@pytest.fixture
def host() -> Iterator[Server]:
    """A server of this test, whose engine works where it is called."""
    from support.live_runs import Inline

    from pages.server.current import Server, serving

    with serving(Server(Inline)) as own:  # type: ignore[arg-type]
        yield own


@pytest.fixture
def watched(host: Server) -> LiveRun:
    """The run "run" of that server."""
    from support.live_runs import PAIR

    from pages.live.run import LiveRun

    live = LiveRun(PAIR, host.runs.trainings)
    host.runs.register("run", live, {})
    return live


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that nobody watches are kept: here none has viewers, and a busy machine may be slow."""
    from pages.live import viewers

    monkeypatch.setattr(viewers, "GRACE", 1e6)
