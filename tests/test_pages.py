"""Pages, run by Streamlit's AppTest: they render, follow their widgets, and survive any URL."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from laws import assert_information_laws
from streamlit.testing.v1 import AppTest

from pages.parts import address, hub, session
from pages.parts.searching import Search
from svae_core import (
    attack,
    band_study,
    comparison,
    exploration,
    objections,
    sweep,
    training,
)
from svae_core.cells import MEASURES
from svae_core.explored import Question
from svae_core.grid import Grid
from svae_core.problem import prepare
from svae_core.records import Problem, RequestError, Settings, State, check_settings
from svae_core.sensitivity import sensitivity
from svae_core.workers import WorkerLost

_ROUTER = str(Path(__file__).parents[1] / "pages" / "router.py")
_SMALL = {"dataset": "wine", "clusters": "3"}
PAIR = hub.pair(Settings(dataset="wine", clusters=3))


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
    monkeypatch.setattr(hub, "engine", _Engine)
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


def test_start_shows_a_recorded_run_and_three_lessons_without_asking_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "engine", lambda: pytest.fail("the engine was asked"))
    app = _open("start")
    assert len(_charts(app)) == 1
    assert len(app.get("page_link")) == 3


@pytest.mark.parametrize(
    "page, charts", [("shell", 4), ("region", 4), ("theory", 1), ("phase", 2), ("compare", 0)]
)
def test_pages_open_by_url_with_what_it_asks_for(page: str, charts: int) -> None:
    app = _open(page, _SMALL)
    assert len(_charts(app)) == charts
    assert not app.error
    assert app.selectbox(key="dataset").value == "wine"
    assert app.number_input(key="clusters").value == 3


def test_every_chart_has_its_text() -> None:
    for page in ("start", "shell", "region", "theory", "phase", "compare"):
        for chart in _open(page, _SMALL).get("plotly_chart"):
            assert len(chart.proto.alt) > 20


def test_another_dataset_gives_another_figure_and_another_url() -> None:
    app = _open("shell", _SMALL)
    before = _charts(app)[0]
    _quiet(app.selectbox(key="dataset").set_value("clusters").run())
    assert _charts(app)[0] != before
    assert _query(app)["dataset"] == "clusters"


def test_dataset_options_have_widgets_and_stand_in_the_url() -> None:
    app = _open("shell", {"dataset": "clusters", "clusters.points": "200", "clusters": "3"})
    assert app.number_input(key="clusters.points").value == 200
    _quiet(app.number_input(key="clusters.number").set_value(4).run())
    assert _query(app)["clusters.number"] == "4"
    assert "200 points" in " ".join(text.value for text in app.markdown)


def test_clusters_can_be_proposed() -> None:
    app = _open("shell", _SMALL)
    _quiet(app.toggle(key="propose").set_value(True).run())
    assert _query(app)["clusters"] == "0"
    assert any("it is in use" in text.value for text in app.markdown)
    _quiet(app.toggle(key="propose").set_value(False).run())
    assert app.number_input(key="clusters").value == Settings().clusters


def test_before_and_after_are_different_pictures() -> None:
    app = _open("shell", _SMALL)
    after = _charts(app)[0]
    _quiet(app.radio(key="shell.view").set_value("Before: as the data came").run())
    assert _charts(app)[0] != after


def test_settings_follow_from_page_to_page() -> None:
    app = _open("shell", _SMALL)
    _quiet(app.number_input(key="clusters").set_value(4).run())
    app.query_params.clear()  # as the menu does
    _quiet(app.switch_page("region.py").run())
    assert app.selectbox(key="dataset").value == "wine"
    assert app.number_input(key="clusters").value == 4
    assert _query(app) == {"dataset": "wine", "clusters": "4"}
    _quiet(app.slider(key="band").set_value((0.1, 0.6)).run())
    app.query_params.clear()
    _quiet(app.switch_page("shell.py").run())
    assert _query(app) == {"dataset": "wine", "clusters": "4", "band": "0.1,0.6"}


def test_a_link_brings_its_settings_along() -> None:
    app = _open("shell", _SMALL)
    app.query_params.clear()
    app.query_params["dataset"] = "wine"
    app.query_params["clusters"] = "5"
    _quiet(app.switch_page("region.py").run())
    assert app.number_input(key="clusters").value == 5


def test_the_band_moves_hi_and_its_nats() -> None:
    app = _open("region", _SMALL)
    narrow = [float(metric.value.split()[0]) for metric in app.metric]
    _quiet(app.slider(key="band").set_value((0.0, 0.6)).run())
    wide = [float(metric.value.split()[0]) for metric in app.metric]
    assert len(narrow) == 3
    assert all(more > less for more, less in zip(narrow, wide, strict=True))


def test_handles_on_top_of_each_other_are_parted() -> None:
    app = _open("region", _SMALL)
    _quiet(app.slider(key="band").set_value((0.99, 0.99)).run())
    a, b = (float(edge) for edge in _query(app)["band"].split(","))
    assert a < b < 1
    assert not app.error


def test_empty_band_is_explained() -> None:
    app = _open("region", {"collapse_loss": "between", "clusters": "10", "n_points": "400"})
    assert "The band is empty" in app.warning[0].value
    assert app.slider(key="band").disabled
    assert {metric.value for metric in app.metric} == {"–"}
    assert any("nothing is guaranteed" in text.value for text in app.markdown)


def test_switching_the_lower_edge_off_says_what_matters() -> None:
    app = _open("region", _SMALL)
    _quiet(app.toggle(key="lower_edge").set_value(False).run())
    words = " ".join(text.value for text in [*app.markdown, *app.caption])
    assert "switched off" in words and "Only the upper edge matters" in words


def test_definitions_stand_side_by_side_and_an_empty_one_is_explained() -> None:
    app = _open("region", {"clusters": "10", "n_points": "400"})
    tables = [text.value for text in app.markdown if text.value.startswith("| δ by")]
    (table,) = tables
    assert "| **shell** |" in table and "| empty |" in table
    assert any("An empty band (between) is no error" in text.value for text in app.markdown)


def test_other_numbers_of_clusters_are_compared_on_demand() -> None:
    app = _open("region", _SMALL)
    _quiet(next(button for button in app.button if button.label == "Compare").click().run())
    assert len(_charts(app)) == 5
    assert any("From K = 1 to K = 50" in text.value for text in app.markdown)
    _quiet(app.run())
    assert len(_charts(app)) == 5  # it stays


def _table(app: AppTest) -> str:
    return next(text.value for text in app.markdown if "here and now" in text.value)


def test_theory_checks_what_it_can_without_a_run() -> None:
    table = _table(_open("theory", _SMALL))
    assert table.count("✓ holds") == 1 and table.count("○ open") == 5
    assert "above 1" in table  # the gauge of the plain settings
    table = _table(_open("theory", {**_SMALL, "collapse_loss": "between", "sigma2": "0.01"}))
    assert "✗ fails" in table and "The band is empty" in table and "below 1" in table


def test_theory_checks_the_run_that_was_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    members = hub.pair(Settings(dataset="wine", clusters=3, epochs=30))
    state = training.begin(members)
    advance = training.advance(state)
    certificates = training.certify(advance.state)
    for certificate in certificates:
        assert_information_laws(certificate)
    seen = session.Seen((training.first_frames(state), *advance.moments), certificates)
    monkeypatch.setattr(session, "run_seen", lambda _members: seen)
    app = _open("theory", {**_SMALL, "epochs": "30"})
    table = _table(app)
    assert "○ open" not in table
    for certificate in certificates:
        assert f"{certificate.loss:.3f} + {certificate.loss_margin:.3f}" in table
        assert any(certificate.sentence in text.value for text in app.markdown)
    assert len(app.get("download_button")) == 4
    assert {"Baseline VAE", "Spherical VAE"} <= {
        trace.get("name") for trace in _charts(app)[0]["data"]
    }


def test_an_objection_is_measured_when_asked_and_stays() -> None:
    app = _open("theory", _SMALL)
    assert len(app.expander) == len(objections.objections()) + 2  # and two in the sidebar
    measure = [button for button in app.button if button.label == "Measure"]
    assert len(measure) == 6
    _quiet(measure[0].click().run())
    assert any("The best constant answer on the shell" in text.value for text in app.markdown)
    _quiet(app.run())
    assert sum(button.label == "Measure" for button in app.button) == 5
    _quiet(app.number_input(key="clusters").set_value(4).run())
    assert sum(button.label == "Measure" for button in app.button) == 6  # other data


def test_a_refused_objection_is_one_sentence() -> None:
    app = _open("theory", {**_SMALL, "collapse_loss": "between"})
    _quiet(app.button[3].click().run())
    assert "The band is empty" in app.error[0].value


def test_the_search_runs_to_its_end_and_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack, "_STEPS", 20)
    app = _open("theory", _SMALL)
    _quiet(app.select_slider(key="attack.runs").set_value(16).run())
    _quiet(next(button for button in app.button if button.label == "Start").click().run())
    assert any("16 runs: no counter-example" in text.value for text in app.markdown)
    assert len(_charts(app)) == 2 and not app.error
    assert any(button.label == "Start" for button in app.button)


def test_a_search_rests_when_cancelled_and_goes_on_when_resumed() -> None:
    search = Search(32, 3, _Slow())
    series = search.series
    assert not series.begun
    series.go_on()
    series.go_on()
    assert not series.over and search.attempts == () and series.seconds_left is None
    assert series.begun and "paused; what is done is kept" in series.state(going=False)
    waiting = _Slow.waiting
    assert len(waiting) == 2
    waiting.pop(0).set_result(tuple(_attempts(16)))
    series.resume()
    series.go_on()
    assert (len(search.attempts), series.share) == (16, 0.5)
    assert "16 of 32 runs" in series.state(going=True)
    waiting.pop(0).set_exception(WorkerLost("gone"))
    series.go_on()
    assert series.over and "resume to try again" in series.error
    series.resume()
    series.go_on()
    waiting.pop(0).set_result(tuple(_attempts(16)))
    series.go_on()
    assert series.over and series.error is None and len(search.broken()) == 2


class _Slow:
    """Plans at once; batches end when the test says so."""

    waiting: list[Future[Any]] = []  # noqa: RUF012

    def attack_plan(self, count: int, seed: int) -> Future[Any]:
        return _done(lambda: attack.plan(count, seed))

    def attempt(self, members: tuple[Settings, ...]) -> Future[Any]:
        self.waiting.append(Future())
        return self.waiting[-1]


def _attempts(count: int) -> list[attack.Attempt]:
    """Runs without a band, and one counter-example among them."""
    ends = [attack.BROKEN, *[attack.NO_BAND] * (count - 1)]
    return [attack.Attempt(Settings(), end, "because", None) for end in ends]


def test_a_counter_example_is_loud_and_leads_to_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attack, "attempt", lambda members: tuple(_attempts(len(members))))
    app = _open("theory", _SMALL)
    _quiet(app.select_slider(key="attack.runs").set_value(16).run())
    _quiet(next(button for button in app.button if button.label == "Start").click().run())
    assert "Counter-example" in app.error[0].value
    assert any("1 COUNTER-EXAMPLE" in text.value for text in app.markdown)
    assert any(link.proto.label == "Train it" for link in app.get("page_link"))


_MAP = {
    **_SMALL,
    **{"epochs": "2", "latent_dim": "2", "hidden": "8"},
    **{"grid.sigma2": "0.05:5:3", "grid.band": "0.2:0.6:2"},
}


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


def _numbers(chart: dict) -> list[float | None]:
    return [number for row in chart["data"][0]["z"] for number in row]


def test_a_map_is_empty_but_for_its_line_and_fills_in_until_it_is_whole() -> None:
    app = _open("phase", _MAP)
    for chart in _charts(app):
        _, under, line, cells = chart["data"]
        assert set(_numbers(chart)) == {None}
        assert under["x"] == line["x"] == [line["x"][0]] * 2
        assert len(cells["x"]) == 6
    assert "nothing is trained yet" in _words(app)
    seen = _finished(_press(app, "Start"))
    assert seen[-1] == "24 of 24 runs" and "of 24 runs, about" in seen[0]
    assert next(button for button in app.button if button.label == "Start").disabled
    for chart in _charts(app):
        assert None not in _numbers(chart)
    assert _charts(app)[0]["data"][0]["zmax"] == _charts(app)[1]["data"][0]["zmax"]
    assert "of 4 cells" in _words(app) and len(app.get("download_button")) == 3
    other = _open("phase", {**_MAP, "x": "band", "y": "sigma2"})
    assert _state(other) == "24 of 24 runs"  # turned round, it is the same map, for everybody


def test_a_map_rests_when_cancelled_and_goes_on_when_resumed() -> None:
    app = _press(_open("phase", _MAP), "Start")
    _press(app, "Cancel")
    assert "paused; what is done is kept" in _state(app)
    kept = _state(_quiet(app.run()))
    assert kept == _state(_quiet(app.run()))
    assert _finished(_press(app, "Resume"))[-1] == "24 of 24 runs"


def test_a_cell_is_shown_in_full_and_leads_to_a_run_of_it() -> None:
    app = _press(_open("phase", _MAP), "Start")
    _finished(app)
    _quiet(app.selectbox(key="phase.cell").set_value("2").run())
    assert _query(app)["cell"] == "2"
    assert "| verdicts |" in _words(app)
    assert all(len(chart["layout"]["shapes"]) == 2 for chart in _charts(app))
    link = next(link for link in app.get("page_link") if "Open a run" in link.proto.label)
    assert "σ² = 5, b = 0.2" in link.proto.label
    assert "sigma2=5" in link.proto.query_string and "epochs=2" in link.proto.query_string


@pytest.mark.parametrize("measure", list(MEASURES))
def test_every_measure_can_be_the_colour(measure: str) -> None:
    app = _open("phase", {**_MAP, "measure": measure, "statistic": "range"})
    assert MEASURES[measure].title in _charts(app)[0]["data"][0]["colorbar"]["title"]["text"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"grid.sigma2": "many"}, "--sigma2"),
        ({"grid.band": "0.5,0.2 0,0.1"}, "--band"),
        ({"seeds": "-1"}, "--seeds"),
        ({"grid.sigma2": "0.01:1:999", "grid.band": "0.1:0.9:9"}, "SVAE_MAX_MAP_RUNS"),
        ({"y": "clusters", "grid.clusters": "900"}, ""),
        ({"x": "nosuch", "y": "nosuch", "methods": "nosuch", "measure": "x", "cell": "99"}, ""),
        ({"x": "band", "y": "band", "methods": ",,", "cell": "x"}, ""),
    ],
)
def test_a_map_that_makes_no_sense_is_one_sentence_with_the_controls_at_hand(
    query: dict[str, str], says: str
) -> None:
    app = _open("phase", {**_MAP, **query})
    assert bool(app.error) == bool(says) and (not says or says in app.error[0].value)
    assert app.selectbox(key="phase.x").value in ("sigma2", "band")
    if not says and "grid.clusters" in query:
        _press(app, "Start")
        assert "178 points" in app.error[0].value


def test_a_map_of_the_linear_vae_has_every_line_and_counts_its_units() -> None:
    query = {"arch": "linear", "y": "beta", "grid.beta": "0.5 2", "methods": "baseline"}
    app = _open("phase", {**_MAP, **query})
    (chart,) = _charts(app)
    names = {trace.get("name") for trace in chart["data"]}
    assert {"βσ² = λ_max", "βσ² = λ_2"} <= names
    assert "Every seed has that number in 0 of 0 cells" in _words(app)


def test_presets_keep_the_data_and_stay_small() -> None:
    app = _open("phase", {"dataset": "digits", "clusters": "7"})
    links = [link.proto.query_string for link in app.get("page_link")]
    assert len(links) == 4
    for link in links:
        assert "clusters=7" in link and "n_points=400" in link
    assert "epochs=200" in links[0] and "epochs=1500" in links[2]  # of 4 steps, of 2
    small = _open("phase", _SMALL)
    assert all("n_points" not in link.proto.query_string for link in small.get("page_link"))


@pytest.mark.parametrize("page", ["shell", "region"])
@pytest.mark.parametrize(
    "query",
    [
        {"clusters": "many", "n_points": "9" * 40, "data_seed": "-1"},
        {"band": "0.5,0.2", "r_min": "nan", "r_max": "-3"},
        {"band": "0,0.9999", "collapse_loss": "none", "lower_edge": "perhaps"},
        {"dataset": "../../etc/passwd", "method": "x", "dataset.option": "1"},
        {"dataset": "clusters", "clusters.points": "1", "clusters.nothing": "1"},
        {"sigma2": "inf", "beta": "", "epochs": "1e3"},
    ],
)
def test_nonsense_in_the_url_opens_the_page_all_the_same(page: str, query: dict[str, str]) -> None:
    app = _open(page, query)
    assert not app.error
    assert len(_charts(app)) == 4


def test_what_data_cannot_give_is_one_sentence_with_the_controls_at_hand() -> None:
    app = _open("shell", {"dataset": "wine", "clusters": "5000"})
    assert "fewer clusters than points" in app.error[0].value
    _quiet(app.number_input(key="clusters").set_value(3).run())
    assert not app.error and len(_charts(app)) == 4


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(dataset="clusters", dataset_options=(("number", 7), ("radial_noise", 0.25))),
        Settings(r_min=1.5, r_max=2.0, band=(0.125, 0.75), lower_edge=False, sigma2=1e-3),
        Settings(method="baseline", clusters=0, collapse_loss="between", radial_map="rank"),
    ],
)
def test_settings_survive_the_way_through_a_url(settings: Settings) -> None:
    assert address.from_query(address.to_query(settings)) == check_settings(settings)
    assert address.from_query(address.to_link(settings)) == settings
    assert address.to_link(settings)


def test_only_what_differs_is_written() -> None:
    assert address.to_query(Settings()) == {}
    assert address.to_query(dataclasses.replace(Settings(), clusters=3)) == {"clusters": "3"}


def test_parameters_of_others_are_left_alone() -> None:
    assert address.owned({"run": "x", "dataset": "wine", "wine.x": "1", "lesson": "2"}) == {
        "dataset": "wine",
        "wine.x": "1",
    }


def _run(app: AppTest) -> str:
    """The run that the stage of this page shows."""
    stage = app.get("bidi_component")[0]
    return str(json.loads(stage.proto.json)["run"])


def test_train_keeps_its_run_until_a_setting_is_touched() -> None:
    """Also a run that was changed, or branched off: to its page it is the same."""
    app = _open("train", _SMALL)
    run = _run(app)
    assert _query(app)["run"] == run
    assert _run(_quiet(app.run())) == run
    watch = hub.find(run)
    assert watch is not None
    watch.members = tuple(dataclasses.replace(one, changes=((3, "beta", 2.0),)) for one in PAIR)
    assert _run(_quiet(app.run())) == run
    app.query_params["run"] = child = hub.reseed(run)
    app.query_params["seed"] = "1"
    assert _run(_quiet(app.run())) == child
    _quiet(app.number_input(key="beta").set_value(2.0).run())
    assert _run(app) not in (run, child)


def test_a_lesson_brings_its_settings_and_its_question() -> None:
    app = _open("train", {"lesson": "alive"})
    assert _query(app)["beta"] == "4"
    watch = hub.find(_run(app))
    assert watch is not None
    assert watch.wish.lesson == "alive" and watch.members[1].beta == 4.0 and not watch.training
    assert "Keep it alive" in app.markdown[0].value
    assert _run(_quiet(app.run())) == _run(app)
    own = _open("train", {"lesson": "alive", "beta": "2", "epochs": "9"})
    seen = hub.find(_run(own))
    assert seen is not None and (seen.members[1].beta, seen.members[1].epochs) == (2.0, 9)


def test_controls_can_be_locked_and_the_stage_made_big_by_a_link() -> None:
    app = _open("train", {**_SMALL, "lock": "1", "projector": "1"})
    assert not app.selectbox and not app.number_input
    assert json.loads(app.get("bidi_component")[0].proto.json)["projector"] is True
    watch = hub.find(_run(app))
    assert watch is not None and watch.members[0].dataset == "wine"


def test_labels_that_begin_with_a_symbol_keep_it() -> None:
    app = _open("train", _SMALL)
    assert app.number_input(key="beta").label == "β"
    assert app.number_input(key="sigma2").label == "σ²"
    assert app.number_input(key="epochs").label == "Epochs"


# -------------------------------------------------------------------------------- compare

_BRIEF = {**_SMALL, "epochs": "3", "seeds": "2", "methods": "baseline,spherical,free_bits"}


def test_methods_are_compared_run_by_run_and_lead_to_training() -> None:
    app = _open("compare", _BRIEF)
    assert not _charts(app)
    assert _finished(_press(app, "Start"), 6)[-1] == "6 of 6 runs"
    table = app.dataframe[0].value
    assert list(table["method"]) == ["baseline", "spherical", "free_bits"]
    assert {"guards KL", "guards information", "KL", "I(x;z)", "± KL"} <= set(table.columns)
    strips, bars, plane = _charts(app)
    assert [len(trace["x"]) for trace in strips["data"]] == [2, 2, 2]
    assert len(bars["data"]) == 2 and len(plane["data"]) == 5
    assert "lies under its proved floor" in _words(app)
    assert len(app.get("download_button")) == 3
    again = _open("compare", _BRIEF)  # by the link, and for everybody
    assert _state(again) == "6 of 6 runs"


def test_a_comparison_without_methods_says_so_and_unknown_ones_are_left_out() -> None:
    app = _open("compare", {**_BRIEF, "methods": "nonsense,baseline"})
    assert app.multiselect(key="compare.methods").value == ["baseline"]
    app.multiselect(key="compare.methods").set_value([]).run()
    assert "name at least one" in app.error[0].value
