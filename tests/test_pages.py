"""Pages, run by Streamlit's AppTest: they render, follow their widgets, and survive any URL."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from support.screens import SMALL, charts_of, open_page, query_of, without_exception

from pages.classroom import lessons
from pages.server.current import server
from pages.visitor import settings_in_url
from pages.visitor.markdown import for_visitors, plain
from pages.wire import replay_file
from svae_core.config.settings import check_settings
from svae_core.figures.palette import cluster_style
from svae_core.records import Settings

pytestmark = pytest.mark.usefixtures("immediate_engine")


def test_start_shows_a_recorded_run_and_its_lessons_without_asking_the_engine(
    no_engine: None,
) -> None:
    app = open_page("start")
    (stage,) = app.get("bidi_component")
    assert "/recorded_run.gz" in stage.proto.json
    assert len(app.get("page_link")) == len(lessons.LESSONS)


def test_the_recorded_run_is_a_living_model_that_dies_where_sigma2_is_raised() -> None:
    """The shipped file: alive before the change, dead at the end, and the other one is not."""
    recording = Path(__file__).parents[1] / "assets" / "recorded_run.gz"
    header, arrays = replay_file.unpack(recording.read_bytes())
    moments = header["moments"]
    raised = [one["step"] for one in moments if one["then"]["sigma2"] > 0.1]
    before = max(one["index"] for one in moments if one["step"] < raised[0])
    conventional, spherical = ([one["models"][m]["kl"] for one in moments] for m in (0, 1))
    assert moments[0]["step"] == 0 and conventional[before] > 4
    assert conventional[-1] < 0.01 and spherical[-1] > 1
    assert len(arrays["history"]) == len(arrays["shells"]) == len(moments) > 80
    certified = [one["sentence"] for one in header["moments"][-1]["certificates"]]
    assert certified[1].endswith(" nats."), "as certificates say it today"
    marks = [(one["light"], one["symbol"]) for one in header["scene"]["clusters"]]
    assert marks == [cluster_style(number) for number in range(10)], "as on all other pages"


def test_a_mistyped_class_code_is_told_so(no_engine: None) -> None:
    app = open_page("start")
    app.text_input[0].set_value("abcdef")
    app = without_exception(app.button[0].click().run())
    assert "six letters are on your teacher's screen" in app.error[0].value


def test_a_class_that_has_ended_is_no_class_of_the_visitor(no_engine: None) -> None:
    """Its code may stand in an address that the browser goes back to."""

    def page() -> None:
        import streamlit as st

        from pages.visitor import session

        st.write(f"class: {session.class_code() or 'none'}")

    app = AppTest.from_function(page)
    room = server().classes.begin("run")
    app.query_params["class"] = room.code
    assert app.run().markdown[0].value == f"class: {room.code}"
    server().classes.end(room.key)
    assert app.run().markdown[0].value == "class: none"


@pytest.mark.slow
@pytest.mark.parametrize(
    "page, charts", [("shell", 4), ("region", 5), ("theory", 1), ("phase", 2), ("compare", 0)]
)
def test_pages_open_by_url_with_what_it_asks_for(page: str, charts: int) -> None:
    app = open_page(page, SMALL)
    assert len(charts_of(app)) == charts
    assert not app.error
    assert app.selectbox(key="dataset").value == "wine"
    assert app.number_input(key="clusters").value == 3


@pytest.mark.slow
def test_every_chart_has_its_text() -> None:
    for page in ("start", "shell", "region", "theory", "phase", "compare"):
        for chart in open_page(page, SMALL).get("plotly_chart"):
            assert len(chart.proto.alt) > 20


@pytest.mark.slow
def test_figures_grow_with_the_type_of_a_projectors_page() -> None:
    usual, large = (
        charts_of(open_page("shell", {**SMALL, "projector": on}))[0] for on in ("", "1")
    )
    grown = pytest.approx(21 / 16)
    assert large["layout"]["height"] / usual["layout"]["height"] == grown
    fonts = (one["layout"]["legend"]["font"]["size"] for one in (large, usual))
    assert next(fonts) / next(fonts) == grown
    clouds = [one["data"][2] for one in (large, usual)]
    assert clouds[0]["marker"]["size"] / clouds[1]["marker"]["size"] == grown
    assert clouds[0]["x"] == clouds[1]["x"]


@pytest.mark.slow
def test_what_a_link_says_that_cannot_be_is_said_once() -> None:
    app = open_page("shell", SMALL | {"clusters": "-3", "method": "*wat*"})
    said = [toast.value for toast in app.toast]
    assert len(said) == 2 and "clusters=-3" in said[0] and "is spherical here" in said[1]
    assert "\\*wat\\*" in said[1]
    without_exception(app.run())
    assert not app.toast


@pytest.mark.slow
def test_another_dataset_gives_another_figure_and_another_url() -> None:
    app = open_page("shell", SMALL)
    before = charts_of(app)[0]
    without_exception(app.selectbox(key="dataset").set_value("clusters").run())
    assert charts_of(app)[0] != before
    assert query_of(app)["dataset"] == "clusters"


@pytest.mark.slow
def test_dataset_options_have_widgets_and_stand_in_the_url() -> None:
    app = open_page("shell", {"dataset": "clusters", "clusters.points": "200", "clusters": "3"})
    assert app.number_input(key="clusters.points").value == 200
    without_exception(app.number_input(key="clusters.number").set_value(4).run())
    assert query_of(app)["clusters.number"] == "4"
    assert "200 points" in " ".join(text.value for text in app.markdown)


@pytest.mark.slow
def test_clusters_can_be_proposed() -> None:
    app = open_page("shell", SMALL)
    without_exception(app.toggle(key="propose").set_value(True).run())
    assert query_of(app)["clusters"] == "0"
    assert any("it is in use" in text.value for text in app.markdown)
    without_exception(app.toggle(key="propose").set_value(False).run())
    assert app.number_input(key="clusters").value == Settings().clusters


@pytest.mark.slow
def test_before_and_after_are_different_pictures() -> None:
    app = open_page("shell", SMALL)
    after = charts_of(app)[0]
    without_exception(app.radio(key="shell.view").set_value("Before: the original data").run())
    assert charts_of(app)[0] != after


@pytest.mark.slow
def test_settings_follow_from_page_to_page() -> None:
    app = open_page("shell", SMALL)
    without_exception(app.number_input(key="clusters").set_value(4).run())
    app.query_params.clear()  # as the menu does
    without_exception(app.switch_page("region.py").run())
    assert app.selectbox(key="dataset").value == "wine"
    assert app.number_input(key="clusters").value == 4
    assert query_of(app) == {"dataset": "wine", "clusters": "4"}
    without_exception(app.slider(key="band").set_value((0.1, 0.6)).run())
    app.query_params.clear()
    without_exception(app.switch_page("shell.py").run())
    assert query_of(app) == {"dataset": "wine", "clusters": "4", "band": "0.1,0.6"}


@pytest.mark.slow
def test_widgets_of_settings_begin_at_their_values_in_every_browser() -> None:
    """A browser that missed a widget's first drawing begins with its default, and sends it back."""
    app = open_page("clinic", SMALL | {"sigma2": "0.3", "beta": "2"})
    drawn = {number.key: number for number in app.number_input}
    assert {"sigma2", "beta", "clusters", "latent_dim"} <= drawn.keys()
    assert all(number.proto.default == number.value for number in drawn.values())
    for box in app.selectbox:
        assert box.options[box.proto.default] == box.format_func(box.value), box.key


def test_a_link_brings_its_settings_along() -> None:
    app = open_page("shell", SMALL)
    app.query_params.clear()
    app.query_params["dataset"] = "wine"
    app.query_params["clusters"] = "5"
    without_exception(app.switch_page("region.py").run())
    assert app.number_input(key="clusters").value == 5


@pytest.mark.slow
def test_the_band_moves_hi_and_its_nats() -> None:
    app = open_page("region", SMALL)
    narrow = [float(metric.value.split()[0]) for metric in app.metric]
    without_exception(app.slider(key="band").set_value((0.0, 0.6)).run())
    wide = [float(metric.value.split()[0]) for metric in app.metric]
    assert len(narrow) == 3
    assert all(more > less for more, less in zip(narrow, wide, strict=True))


@pytest.mark.slow
def test_handles_on_top_of_each_other_are_parted() -> None:
    app = open_page("region", SMALL)
    without_exception(app.slider(key="band").set_value((0.99, 0.99)).run())
    a, b = (float(edge) for edge in query_of(app)["band"].split(","))
    assert a < b < 1
    assert not app.error


@pytest.mark.slow
def test_empty_band_is_explained() -> None:
    app = open_page("region", {"collapse_loss": "between", "clusters": "10", "n_points": "400"})
    assert "empty" in app.warning[0].value
    assert app.slider(key="band").disabled
    assert {metric.value for metric in app.metric} == {"–"}
    assert any("guaranteed" in text.value for text in app.markdown)


@pytest.mark.slow
def test_switching_the_lower_edge_off_says_what_matters() -> None:
    app = open_page("region", SMALL)
    without_exception(app.toggle(key="lower_edge").set_value(False).run())
    words = " ".join(text.value for text in [*app.markdown, *app.caption])
    assert "switched off" in words and "Only the upper edge matters" in words


@pytest.mark.slow
def test_definitions_stand_side_by_side_and_an_empty_one_is_explained() -> None:
    app = open_page("region", {"clusters": "10", "n_points": "400"})
    tables = [text.value for text in app.markdown if text.value.startswith("| δ by")]
    (table,) = tables
    assert "| **shell** |" in table and "| empty |" in table
    assert any("An empty band (between) is no error" in text.value for text in app.markdown)


@pytest.mark.slow
def test_other_numbers_of_clusters_are_compared_on_demand() -> None:
    app = open_page("region", SMALL)
    without_exception(
        next(button for button in app.button if button.label == "Compare").click().run()
    )
    assert len(charts_of(app)) == 6
    assert any("From K = 1 to K = 50" in text.value for text in app.markdown)
    without_exception(app.run())
    assert len(charts_of(app)) == 6  # it stays


@pytest.mark.slow
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
    app = open_page(page, query)
    assert not app.error
    assert len(charts_of(app)) == {"shell": 4, "region": 5}[page]


@pytest.mark.slow
def test_what_data_cannot_give_is_one_sentence_with_the_controls_at_hand() -> None:
    app = open_page("shell", {"dataset": "wine", "clusters": "5000"})
    assert "fewer clusters than points" in app.error[0].value
    without_exception(app.number_input(key="clusters").set_value(3).run())
    assert not app.error and len(charts_of(app)) == 4


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
    assert settings_in_url.from_query(settings_in_url.to_query(settings)) == check_settings(
        settings
    )
    assert settings_in_url.from_query(settings_in_url.to_link(settings)) == settings
    assert settings_in_url.misread(settings_in_url.to_link(settings)) == []
    assert settings_in_url.to_link(settings)


def test_only_what_differs_is_written() -> None:
    assert settings_in_url.to_query(Settings()) == {}
    assert settings_in_url.to_query(dataclasses.replace(Settings(), clusters=3)) == {
        "clusters": "3"
    }


def test_parameters_of_others_are_left_alone() -> None:
    assert settings_in_url.owned({"run": "x", "dataset": "wine", "wine.x": "1", "lesson": "2"}) == {
        "dataset": "wine",
        "wine.x": "1",
    }


def test_words_of_visitors_are_shown_as_they_are() -> None:
    assert plain("iris.csv, 3 × 4") == "iris.csv, 3 × 4"
    joined = "!\\[x\\](http:\u2060//y) \\<b> \\$a\\$ \\`c\\` \\*d\\*"
    assert plain("![x](http://y) <b> $a$ `c` *d*") == joined


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("--n-points is 9, but must be 4.", "“Points” is 9, but must be 4."),
        ("--delta_vae.rate asks for 2 nats.", "“Committed nats δ” asks for 2 nats."),
        ("--sigma2 is -1; --seeds is 0.", "“σ²” is -1; “Seeds” is 0."),
        (
            "They are not here; give the file again, by upload or by: python -m svae_core data "
            "FILE --key abc.",
            "They are not here; give the file again, by upload.",
        ),
        ("A dash -- like this -- stays, and so does a--b.", None),
    ],
)
def test_refusals_on_screens_name_controls_and_no_command(sentence: str, shown: str | None) -> None:
    assert for_visitors(sentence) == (shown or sentence)


@pytest.mark.slow
def test_no_refusal_of_a_setting_shows_an_option_of_the_command_line() -> None:
    for query in ({"clusters": "900"}, {"n_points": "9999"}, {"dataset": "file", "file.key": "x"}):
        app = open_page("shell", {**SMALL, **query})
        assert len(app.error) == 1
        assert "--" not in app.error[0].value and "python" not in app.error[0].value
