"""The Latent page: it waits for a run, looks into it, and follows its widgets."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest
from support.screens import charts_of, open_page, query_of, without_exception

from pages.live import registry
from pages.live.run import LiveRun
from pages.server.current import server
from pages.visitor import cache
from svae_core.records import Budget, Settings, State
from svae_core.training import loop

pytestmark = pytest.mark.usefixtures("immediate_engine")

_WINE = {"dataset": "wine", "clusters": "3", "epochs": "30", "latent_dim": "3"}
_MEMBERS = registry.pair(Settings(dataset="wine", clusters=3, epochs=30, latent_dim=3))
#: Of the part shown first: traversals and densities of two models.
_CHARTS = 2 * 2


@pytest.fixture(scope="module")
def states() -> tuple[State, State]:
    """In the middle of training, and at its end."""
    middle = loop.advance(loop.begin(_MEMBERS), Budget(steps=20, frames=False)).state
    return middle, loop.advance(middle, Budget(frames=False)).state


def _with(monkeypatch: pytest.MonkeyPatch, state: State | None, status: str) -> None:
    """Every run there is stands like this."""
    monkeypatch.setattr(LiveRun, "newest", property(lambda _: state))
    monkeypatch.setattr(LiveRun, "status", status, raising=False)
    begin = LiveRun.__init__

    def init(self: LiveRun, *args: object, **kwargs: object) -> None:
        begin(self, *args, **kwargs)  # type: ignore[arg-type]
        self.status = status

    monkeypatch.setattr(LiveRun, "__init__", init)


def _open_part(app: AppTest, name: str) -> None:
    """Open a tab, as a click does."""
    app.session_state["latent.part"] = name
    without_exception(app.run())


@pytest.mark.slow
def test_it_trains_when_there_is_no_run_and_shows_the_study_meanwhile() -> None:
    app = open_page("latent", _WINE)
    live = server().runs.find(query_of(app)["run"])
    assert live is not None and live.request.members == _MEMBERS
    assert len(charts_of(app)) == len(cache.studies())
    assert any("Are samples better" in text.value for text in app.subheader)


@pytest.mark.slow
def test_a_finished_run_is_looked_into(
    monkeypatch: pytest.MonkeyPatch, states: tuple[State, State]
) -> None:
    _with(monkeypatch, states[1], "finished")
    app = open_page("latent", _WINE)
    assert len(charts_of(app)) == _CHARTS
    words = ""
    for part, count in {
        "Each dimension": 2 * 2,
        "Decode where you click": 2 * 2,
        "Between two points": 2,
        "Your own input": 0,
        "Samples from the prior": 2,
        "Are samples better in a wider band?": len(cache.studies()),
    }.items():
        _open_part(app, part)
        assert len(charts_of(app)) == count and not app.error
        assert all(len(chart.proto.alt) > 20 for chart in app.get("plotly_chart"))
        words += " ".join(text.value for text in [*app.markdown, *app.caption])
    assert "Conventional VAE: all 3" in words
    assert "dimensions carry information" in words and "nearest data point is row" in words


@pytest.mark.slow
def test_its_widgets_ask_other_questions(
    monkeypatch: pytest.MonkeyPatch, states: tuple[State, State]
) -> None:
    _with(monkeypatch, states[1], "finished")
    app = open_page("latent", _WINE)
    before = charts_of(app)
    without_exception(app.number_input(key="latent.start").set_value(9).run())
    assert charts_of(app)[0] != before[0]
    _open_part(app, "Decode where you click")
    without_exception(app.segmented_control(key="latent.plane").set_value("Two dimensions").run())
    assert charts_of(app)[0]["layout"]["xaxis"]["title"]["text"] == "dimension 1"
    without_exception(app.number_input(key="latent.up").set_value(3).run())
    assert charts_of(app)[0]["layout"]["yaxis"]["title"]["text"] == "dimension 3"
    _open_part(app, "Between two points")
    now = charts_of(app)
    without_exception(app.number_input(key="latent.to").set_value(5).run())
    assert charts_of(app)[0] != now[0]
    _open_part(app, "Samples from the prior")
    now = charts_of(app)
    without_exception(app.number_input(key="latent.draw").set_value(1).run())
    assert charts_of(app)[0] != now[0]


@pytest.mark.slow
def test_a_point_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, states: tuple[State, State]
) -> None:
    _with(monkeypatch, states[1], "finished")
    app = open_page("latent", _WINE)
    without_exception(app.number_input(key="latent.start").set_value(5000).run())
    assert "no point 5000 in the picture; there are 178" in app.error[0].value


@pytest.mark.slow
def test_a_run_that_trains_is_waited_for_unless_one_looks_now(
    monkeypatch: pytest.MonkeyPatch, states: tuple[State, State]
) -> None:
    _with(monkeypatch, states[0], "playing")
    monkeypatch.setattr(LiveRun, "moments", property(lambda _: [loop.first_frames(states[0])]))
    app = open_page("latent", _WINE)
    assert len(charts_of(app)) == len(cache.studies())
    without_exception(app.button(key="trained.now").click().run())
    assert len(charts_of(app)) == _CHARTS
    assert any("as of step 20 (of 60)" in text.value for text in app.markdown)
    _with(monkeypatch, states[1], "playing")  # it goes on; what is looked at stays
    without_exception(app.run())
    assert any("as of step 20 (of 60)" in text.value for text in app.markdown)


@pytest.mark.slow
def test_a_paused_run_is_looked_into_and_can_be_trained_on(
    monkeypatch: pytest.MonkeyPatch, states: tuple[State, State]
) -> None:
    _with(monkeypatch, states[0], "paused")
    app = open_page("latent", _WINE)
    assert len(charts_of(app)) == _CHARTS
    assert any("paused at step 20" in text.value for text in app.info)
    played: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        server().runs, "keep_alive", lambda run, play=False: played.append((run, play))
    )
    without_exception(app.button(key="trained.on").click().run())
    assert played == [(query_of(app)["run"], True)]


@pytest.mark.slow
def test_a_newer_state_is_offered(
    monkeypatch: pytest.MonkeyPatch, states: tuple[State, State]
) -> None:
    _with(monkeypatch, states[0], "paused")
    app = open_page("latent", _WINE)
    monkeypatch.setattr(LiveRun, "newest", property(lambda _: states[1]))
    without_exception(app.run())
    without_exception(app.button(key="trained.again").click().run())
    assert any("(trained to the end)" in text.value for text in app.markdown)


@pytest.mark.slow
def test_a_run_that_failed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, None, "failed")
    begin = LiveRun.__init__

    def init(self: LiveRun, *args: object, **kwargs: object) -> None:
        begin(self, *args, **kwargs)  # type: ignore[arg-type]
        self.error = "Refused."

    monkeypatch.setattr(LiveRun, "__init__", init)
    app = open_page("latent", _WINE)
    assert app.error[0].value == "Refused."
    assert len(charts_of(app)) == len(cache.studies())


@pytest.mark.slow
def test_the_study_can_be_made_on_ones_own_data() -> None:
    app = open_page("latent", {**_WINE, "epochs": "3"})
    before = len(charts_of(app))
    measure = next(button for button in app.button if button.label == "Measure on my data")
    without_exception(measure.click().run())
    assert len(charts_of(app)) == before + 1
    assert any("Wine" in text.value and "coverage goes from" in text.value for text in app.markdown)


@pytest.mark.slow
def test_a_lesson_s_run_is_the_run_at_hand() -> None:
    app = open_page("train", {"lesson": "alive"})
    run = json.loads(app.get("bidi_component")[0].proto.json)["run"]
    query = query_of(app)
    del app.query_params["lesson"]
    app.query_params["run"] = run
    for name in ("beta", "epochs"):
        if name in query:
            app.query_params[name] = query[name]
    without_exception(app.switch_page("latent.py").run())
    assert query_of(app)["run"] == run
