"""The Train page: which run it shows, its lessons, and what a link may ask of it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from streamlit.testing.v1 import AppTest
from support.screens import SMALL, open_page, query_of, without_exception

from pages.live import registry
from pages.server.current import server
from pages.wire import message_fields
from svae_core.figures.members import member_name, member_names
from svae_core.records import Settings

pytestmark = pytest.mark.usefixtures("immediate_engine")

PAIR = registry.pair(Settings(dataset="wine", clusters=3))


def _run(app: AppTest) -> str:
    """The run that the stage of this page shows."""
    stage = app.get("bidi_component")[0]
    return str(json.loads(stage.proto.json)["run"])


@pytest.mark.slow
def test_train_keeps_its_run_until_a_setting_is_touched() -> None:
    """Also a run that was changed, or branched off: to its page it is the same."""
    app = open_page("train", SMALL)
    run = _run(app)
    assert query_of(app)["run"] == run
    assert _run(without_exception(app.run())) == run
    live = server().runs.find(run)
    assert live is not None
    live.members = tuple(dataclasses.replace(one, changes=((3, "beta", 2.0),)) for one in PAIR)
    assert _run(without_exception(app.run())) == run
    app.query_params["run"] = child = server().runs.reseed(run)
    app.query_params["seed"] = "1"
    assert _run(without_exception(app.run())) == child
    without_exception(app.number_input(key="beta").set_value(2.0).run())
    assert _run(app) not in (run, child)


@pytest.mark.slow
def test_a_lesson_brings_its_settings_and_its_question() -> None:
    app = open_page("train", {"lesson": "break"})
    assert query_of(app)["beta"] == "16"
    live = server().runs.find(_run(app))
    assert live is not None
    assert live.request.lesson == "break" and live.members[1].beta == 16.0 and not live.training
    assert "Break the guarantee" in app.markdown[0].value
    assert _run(without_exception(app.run())) == _run(app)
    own = open_page("train", {"lesson": "break", "beta": "2", "epochs": "9"})
    seen = server().runs.find(_run(own))
    assert seen is not None and (seen.members[1].beta, seen.members[1].epochs) == (2.0, 9)


def test_controls_can_be_locked_and_the_stage_made_big_by_a_link() -> None:
    app = open_page("train", {**SMALL, "lock": "1", "projector": "1"})
    assert not app.selectbox and not app.number_input
    assert json.loads(app.get("bidi_component")[0].proto.json)["projector"] is True
    live = server().runs.find(_run(app))
    assert live is not None and live.members[0].dataset == "wine"


def test_a_teacher_finds_large_type_without_a_link() -> None:
    app = open_page("train", SMALL)
    for expected in (True, False):
        without_exception(app.button(key="class.projector").click().run())
        assert json.loads(app.get("bidi_component")[0].proto.json)["projector"] is expected
        assert query_of(app).get("projector") == ("1" if expected else None)


@pytest.mark.slow
def test_labels_that_begin_with_a_symbol_keep_it() -> None:
    app = open_page("train", SMALL)
    assert app.number_input(key="beta").label == "β"
    assert app.number_input(key="sigma2").label == "σ²"
    assert app.number_input(key="epochs").label == "Epochs"


@pytest.mark.slow
def test_a_class_is_led_by_its_key_only_and_as_long_as_there_is_one() -> None:
    def led_with(key: str) -> str:
        app = open_page("train", {**SMALL, "teach": key})
        return str(json.loads(app.get("bidi_component")[0].proto.json)["lead"])

    room = server().classes.begin("run")
    assert led_with(room.key) == room.key
    assert led_with("œ") == led_with("wrong") == ""
    server().classes.end(room.key)
    assert led_with(room.key) == ""


@pytest.mark.slow
def test_a_link_to_a_run_that_is_gone_says_so() -> None:
    app = open_page("train", {**SMALL, "run": "gone"})
    assert [toast.value for toast in app.toast] == [
        "The link's run is not on this server: a new one begins."
    ]
    assert query_of(app)["run"] != "gone"
    assert not open_page("train", query_of(app)).toast
    server().runs.evict(query_of(app)["run"])
    app.query_params.clear()  # as by the menu: there is no link
    without_exception(app.switch_page("train.py").run())
    assert not app.toast


@pytest.mark.slow
def test_a_teacher_who_comes_by_the_menu_keeps_the_class_over_a_reload() -> None:
    """The menu leads to pages without a query; a reload or a lesson's next link has only that."""
    app = open_page("train", {**SMALL, "projector": "1"})
    without_exception(app.button(key="class.begin").click().run())
    led = query_of(app)
    app.query_params.clear()
    without_exception(app.switch_page("train.py").run())
    kept = query_of(app)
    for name in ("teach", "class", "projector"):
        assert kept.get(name) == led[name], name
    app.query_params.clear()
    without_exception(app.switch_page("board.py").run())
    assert query_of(app) == {name: led[name] for name in ("teach", "class", "projector")}


def _go_to(app: AppTest, run: str) -> AppTest:
    """What the stage does when its viewer goes to another run of the tree."""
    told = message_fields.moved(run, server().runs.view(run))
    for name, text in {**told["query"], "run": run}.items():
        if text is None:
            app.query_params.pop(name, None)
        else:
            app.query_params[name] = text
    return without_exception(app.run())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_a_run_opened_by_its_link_alone_stays_the_page_s_in_all_its_branches(seed: int) -> None:
    members = tuple(dataclasses.replace(one, seed=seed) for one in PAIR)
    run = server().runs.start_run(members)
    app = open_page("train", {"run": run})
    assert _run(app) == run
    child = server().runs.reseed(run)
    for there in (child, run, child):
        assert _run(_go_to(app, there)) == there
    grandchild = server().runs.reseed(child)
    assert _run(_go_to(app, grandchild)) == grandchild
    live = server().runs.find(grandchild)
    assert live is not None and list(live.tree) == [run, child, grandchild]


def test_the_header_leaves_to_the_stage_what_a_lever_may_change() -> None:
    app = open_page("train", SMALL)
    assert "β" not in app.markdown[0].value and "150 epochs" in app.markdown[0].value


def test_a_lesson_may_have_three_models_of_one_method() -> None:
    app = open_page("train", {**SMALL, "lesson": "units", "sigma2": "0.05"})
    live = server().runs.find(_run(app))
    assert live is not None and [one.method for one in live.members] == ["baseline"] * 3
    assert member_names(live.members)[1:] == (
        "VAE with D + 0.1·KL",
        "VAE with D/64 + 0.1·KL",
    )
    assert len(set(map(member_name, live.members))) == 1


@pytest.mark.slow
def test_a_link_that_names_the_default_data_is_left_as_it_is() -> None:
    """Each write of the URL is an entry of the browser's history, to which Back would lead."""
    app = open_page("shell", {"dataset": "digits", "epochs": "7"})
    assert query_of(app) == {"dataset": "digits", "epochs": "7"}
    without_exception(app.number_input(key="n_points").set_value(300).run())
    assert query_of(app) == {"n_points": "300", "epochs": "7"}
