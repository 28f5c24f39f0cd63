"""Pages, opened by Streamlit's AppTest with an engine that works at once: for tests of screens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.live import registry
from svae_core import objections
from svae_core.latent import explore as exploration
from svae_core.latent.results import Question
from svae_core.problem import prepare
from svae_core.records import Problem, RequestError, Settings, State
from svae_core.studies import attack, band_study, comparison, sweep
from svae_core.studies.grid import Grid
from svae_core.studies.k_sensitivity import sensitivity

_ROUTER = str(Path(__file__).parents[1] / "pages" / "router.py")
_SMALL = {"dataset": "wine", "clusters": "3"}


class _Engine:
    """Works at once, in this process: what a page asks for is the same."""

    cluster_lost = ""

    def prepare(self, settings: Settings) -> Future[Problem]:
        return _done(lambda: prepare(settings))

    def explore(self, state: State, question: Question[Any]) -> Future[Any]:
        return _done(lambda: exploration.answer(state, question))

    def band_study(self, settings: Settings) -> Future[Any]:
        return _done(lambda: band_study.short_study(settings))

    def sensitivity(self, settings: Settings) -> Future[Any]:
        return _done(lambda: sensitivity(settings))

    def objection(self, number: int, settings: Settings) -> Future[Any]:
        return _done(lambda: objections.answer(number, settings))

    def attack_plan(self, count: int, seed: int) -> Future[Any]:
        return _done(lambda: attack.plan(count, seed))

    def attempt(self, members: tuple[Settings, ...]) -> Future[Any]:
        return _done(lambda: attack.attempt(members))

    def contest_plan(self, runs: tuple[Settings, ...]) -> Future[Any]:
        return _done(lambda: comparison.bouts(runs))

    def contest(self, bout: comparison.Bout, seconds: float) -> Future[Any]:
        return _done(lambda: comparison.go_on(bout, seconds))

    def sweep_plan(self, grid: Grid) -> Future[Any]:
        return _done(lambda: tuple(map(sweep.Work, sweep.plan(grid))))

    def sweep(self, work: sweep.Work, seconds: float) -> Future[Any]:
        return _done(lambda: sweep.go_on(work, seconds))


def _done(call: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(call())
    except RequestError as error:
        future.set_exception(error)
    return future


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "engine", _Engine)
    yield
    st.cache_resource.clear()


def _open(page: str, query: dict[str, str] | None = None) -> AppTest:
    """A visitor who opens this page by its URL."""
    app = AppTest.from_file(_ROUTER, default_timeout=60)
    if page != "start":
        app.switch_page(f"{page}.py")
    for name, text in (query or {}).items():
        app.query_params[name] = text
    return _quiet(app.run())


def _quiet(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].message
    return app


def _charts(app: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def _query(app: AppTest) -> dict[str, str]:
    """The URL's parameters, each with its one value."""
    pairs = app.query_params.items()
    return {name: text if isinstance(text, str) else text[-1] for name, text in pairs}


def _press(app: AppTest, label: str) -> AppTest:
    return _quiet(next(button for button in app.button if button.label == label).click().run())


def _words(app: AppTest) -> str:
    return " ".join(text.value for text in app.markdown)


def _state(app: AppTest) -> str:
    """What stands beside the progress bar."""
    return str(app.get("progress")[0].proto.text)


def _finished(app: AppTest, runs: int = 24) -> list[str]:
    """Looks at the map until it is whole; what stood beside the progress bar meanwhile."""
    seen = [_state(app)]
    while not seen[-1].startswith(f"{runs} of {runs}"):
        assert len(seen) < 40
        seen.append(_state(_quiet(app.run())))
    return seen
