"""Beside a live run: its forecast, copies of it on request, and what a page is told of both."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from support.live_runs import Inline, in_a_loop, toy_run, until

from pages.live import companions
from pages.live.run_view import view_of
from pages.wire import messages
from svae_core.compute import tasks
from svae_core.records import Budget, Settings, State, to_json
from svae_core.training import loop


def told(live: Any) -> dict[str, Any]:
    """What a page that has nothing yet is told of the run's outlook."""
    header, _ = messages.moment(view_of(live), 0, messages.FrameRequest("newest"))
    return header["outlook"]


@pytest.mark.slow
@in_a_loop
async def test_the_newest_state_is_forecast_and_copies_are_trained_on_request() -> None:
    live = toy_run()
    with live.viewed():
        await until(live, lambda: live.status == "finished" and live.outlook.step == 8)
        conventional, spherical = told(live)["models"]
        assert "of 2 dimensions alive" in conventional["sentence"] and spherical is None
        assert conventional == to_json(live.certificates[0].forecast)
        companions.try_nearby(live)
        companions.try_nearby(live)  # while copies are trained, asking again changes nothing
        assert told(live)["trying"]
        await until(live, lambda: not live.outlook.trying)
        found = told(live)
        assert found["triedStep"] == 8 and found["tried"][1] is None
        assert "Tried with 4 steps each" in found["tried"][0]["sentence"]


@pytest.mark.slow
@in_a_loop
async def test_a_run_goes_on_where_its_forecast_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    Inline.lose(monkeypatch, tasks.forecasts, tasks.try_nearby)
    live = toy_run()
    with live.viewed():
        await until(live, lambda: live.status == "finished")
        companions.try_nearby(live)
        await until(live, lambda: not live.outlook.trying)
        assert told(live)["tried"] == [] and live.error is None


def diverged() -> State:
    settings = Settings(dataset="clusters", n_points=60, clusters=3, epochs=2, method="baseline")
    state = loop.advance(loop.begin((settings,)), Budget(steps=1, frames=False)).state
    return dataclasses.replace(state, parameters=np.full_like(state.parameters, np.nan))


def test_a_model_that_diverged_has_no_forecast() -> None:
    assert loop.forecasts(diverged()) == (None,)
