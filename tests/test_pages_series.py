"""Pages that follow a series of runs: the phase diagram and the comparison of methods."""

from __future__ import annotations

import json
import re

import pytest
from support.screens import (
    SMALL,
    charts_of,
    look_until_whole,
    open_page,
    press,
    progress_of,
    query_of,
    widget,
    without_exception,
    words_of,
)

from pages.server.current import server
from pages.server.offered_files import OfferedFile
from pages.widgets import comparison_choice, phase_axes
from svae_core.methods import scan_methods
from svae_core.studies.phase_cells import MEASURES

pytestmark = pytest.mark.usefixtures("immediate_engine")

_MAP = {
    **SMALL,
    **{"epochs": "2", "latent_dim": "2", "hidden": "8"},
    **{"grid.sigma2": "0.05:5:3", "grid.band": "0.2:0.6:2"},
}


def _offered(address: str) -> OfferedFile:
    """The file that this address leads to."""
    file = server().offered.find(address.rpartition("/")[2])
    assert file is not None
    return file


def _numbers(chart: dict) -> list[float | None]:
    return [number for row in chart["data"][0]["z"] for number in row]


@pytest.mark.slow
def test_a_map_is_empty_but_for_its_line_and_fills_in_until_it_is_whole() -> None:
    app = open_page("phase", _MAP)
    for chart in charts_of(app):
        *_, under, line, cells = chart["data"]  # lines of the staircase lie before that of λ_max
        assert set(_numbers(chart)) == {None}
        assert under["x"] == line["x"] == [line["x"][0]] * 2
        assert len(cells["x"]) == 6
    assert "trained yet" in words_of(app)
    seen = look_until_whole(press(app, "Start"))
    assert seen[-1] == "24 of 24 runs" and "of 24 runs, about" in seen[0]
    assert next(button for button in app.button if button.label == "Start").disabled
    for chart in charts_of(app):
        assert None not in _numbers(chart)
    assert charts_of(app)[0]["data"][0]["zmax"] == charts_of(app)[1]["data"][0]["zmax"]
    assert "of 4 cells" in words_of(app) and len(app.get("download_button")) == 1
    page, numbers = (_offered(link.proto.url) for link in app.get("link_button"))
    assert page.name == "phase-diagram.html" and "Conventional VAE" in page.make()
    assert [json.loads(numbers.make())[0]["data"][0]["z"]] == [charts_of(app)[0]["data"][0]["z"]]
    other = open_page("phase", {**_MAP, "x": "band", "y": "sigma2"})
    assert progress_of(other) == "24 of 24 runs"  # turned round, it is the same map, for everybody


@pytest.mark.slow
def test_a_map_rests_when_cancelled_and_goes_on_when_resumed() -> None:
    app = press(open_page("phase", _MAP), "Start")
    press(app, "Cancel")
    assert "paused" in progress_of(app)
    kept = progress_of(without_exception(app.run()))
    assert kept == progress_of(without_exception(app.run()))
    assert look_until_whole(press(app, "Resume"))[-1] == "24 of 24 runs"


@pytest.mark.slow
def test_a_cell_is_shown_in_full_and_leads_to_a_run_of_it() -> None:
    app = press(open_page("phase", _MAP), "Start")
    look_until_whole(app)
    without_exception(app.selectbox(key="phase.cell").set_value("2").run())
    assert query_of(app)["cell"] == "2"
    assert "| verdicts |" in words_of(app)
    assert all(len(chart["layout"]["shapes"]) == 2 for chart in charts_of(app))
    link = next(link for link in app.get("page_link") if "Open a run" in link.proto.label)
    assert "σ² = 5, b = 0.2" in link.proto.label
    assert "sigma2=5" in link.proto.query_string and "epochs=2" in link.proto.query_string


@pytest.mark.slow
@pytest.mark.parametrize("measure", list(MEASURES))
def test_every_measure_can_be_the_colour(measure: str) -> None:
    app = open_page("phase", {**_MAP, "measure": measure, "statistic": "range"})
    assert MEASURES[measure].title in charts_of(app)[0]["data"][0]["colorbar"]["title"]["text"]
    assert MEASURES[measure].explanation in widget(app.selectbox, "phase.measure").help


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"grid.sigma2": "many"}, "“σ²”"),
        ({"grid.band": "0.5,0.2 0,0.1"}, "“Band”"),
        ({"seeds": "-1"}, "“Seeds”"),
        ({"grid.sigma2": "0.01:1:999", "grid.band": "0.1:0.9:9"}, "SVAE_MAX_MAP_RUNS"),
        ({"y": "clusters", "grid.clusters": "900"}, ""),
        ({"x": "nosuch", "y": "nosuch", "methods": "nosuch", "measure": "x", "cell": "99"}, ""),
        ({"x": "band", "y": "band", "methods": ",,", "cell": "x"}, ""),
        ({"methods": "baseline,baseline"}, ""),
    ],
)
def test_a_map_that_makes_no_sense_is_one_sentence_with_the_controls_at_hand(
    query: dict[str, str], says: str
) -> None:
    app = open_page("phase", {**_MAP, **query})
    assert bool(app.error) == bool(says) and (not says or says in app.error[0].value)
    assert app.selectbox(key="phase.x").value in ("sigma2", "band")
    if not says and "grid.clusters" in query:
        press(app, "Start")
        assert "178 points" in app.error[0].value


def test_a_map_of_the_linear_vae_has_every_line_and_counts_its_units() -> None:
    query = {"arch": "linear", "y": "beta", "grid.beta": "0.5 2", "methods": "baseline"}
    app = open_page("phase", {**_MAP, **query})
    (chart,) = charts_of(app)
    traces = {trace.get("name"): trace for trace in chart["data"]}
    assert "βσ² = λₘₐₓ" in traces
    assert sum(place is None for place in traces["βσ² = λᵢ"]["x"]) >= 1  # a gap behind each line
    said = words_of(app)
    assert "the number of eigenvalues λᵢ > βσ²" in said and "Every seed has" not in said


@pytest.mark.slow
def test_presets_keep_the_data_and_stay_small() -> None:
    query = {"clusters": "7", "class": "a class"}
    opened = [
        query_of(press(open_page("phase", {"dataset": "digits", **query}), f"**{preset.title}**"))
        for preset in phase_axes.PRESETS
    ]
    for found in opened:
        assert query.items() <= found.items() and found["n_points"] == "400"
    epochs = [found["epochs"] for found in opened]
    assert epochs == ["200", "200", "1500", "200"]  # of 4 steps, but of 2 in the third
    small = press(open_page("phase", SMALL), f"**{phase_axes.PRESETS[0].title}**")
    assert "n_points" not in query_of(small)


@pytest.mark.slow
@pytest.mark.parametrize("preset", phase_axes.PRESETS, ids=lambda preset: preset.title)
def test_a_preset_of_the_map_is_what_start_trains(preset: phase_axes.Preset) -> None:
    """Opened on a page whose link has other settings, and still there when it is drawn again."""
    other = {**_MAP, "seeds": "3", "x": "band", "y": "sigma2", "measure": "certified", "cell": "1"}
    app = press(open_page("phase", other), f"**{preset.title}**")
    shown = query_of(app)
    assert preset.query.items() <= shown.items()
    assert "cell" not in shown and ("seeds" in shown) == ("seeds" in preset.query)
    press(press(app, "Start"), "Cancel")
    across, up, seeds = re.search(r"(\d+) × (\d+) cells, (\d+|one) seed", preset.text).groups()  # type: ignore[union-attr]
    methods = len(preset.query.get("methods", "baseline,spherical").split(","))
    runs = int(across) * int(up) * int(seeds.replace("one", "1")) * methods
    assert query_of(app) == shown
    assert f" of {runs} runs, paused" in progress_of(app)


# -------------------------------------------------------------------------------- compare

_BRIEF = {**SMALL, "epochs": "3", "seeds": "2", "methods": "baseline,spherical,free_bits"}


@pytest.mark.slow
def test_methods_are_compared_run_by_run_and_lead_to_training() -> None:
    app = open_page("compare", _BRIEF)
    assert not charts_of(app)
    assert look_until_whole(press(app, "Start"), 6)[-1] == "6 of 6 runs"
    table = app.dataframe[0].value
    assert list(table["method"]) == ["Conventional VAE", "Spherical VAE", "Free bits"]
    assert {"KL", "I(x;z)", "± KL"} <= set(table.columns)
    assert "proved lower bound on the information" in app.dataframe[0].proto.columns
    said = json.loads(app.dataframe[0].proto.columns)
    assert said["method"]["pinned"], "numbers whose method is out of sight say nothing"
    assert all(said[name]["help"] for name in table.columns[3:]), "each measure says what it is"
    assert any("scrolling sideways" in text.value for text in app.caption)
    assert [*app.table[0].value.columns] == ["method", "guards KL", "guards information"]
    strips, bars, plane = charts_of(app)
    assert [len(trace["x"]) for trace in strips["data"]] == [2, 2, 2]
    assert len(bars["data"]) == 2 and len(plane["data"]) == 6
    assert "lies below its proved floor" in words_of(app)
    assert len(app.get("download_button")) == 3
    again = open_page("compare", _BRIEF)  # by the link, and for everybody
    assert progress_of(again) == "6 of 6 runs"


def test_methods_name_the_comparisons_that_they_belong_to() -> None:
    presets = {one.name: one.methods for one in comparison_choice.PRESETS.values()}
    assert {name for one in scan_methods().values() for name in one.comparisons} == set(presets)
    assert presets["pair"] == ("baseline", "spherical")
    for methods in presets.values():
        assert {"baseline", "spherical"} <= set(methods)


@pytest.mark.slow
@pytest.mark.parametrize("title", list(comparison_choice.PRESETS))
def test_a_preset_of_the_comparison_is_what_start_trains(title: str) -> None:
    methods = comparison_choice.PRESETS[title].methods
    app = press(open_page("compare", {**_BRIEF, "methods": "geco"}), f"**{title}**")
    assert tuple(widget(app.multiselect, "compare.methods").value) == methods
    assert query_of(app)["epochs"] == "3"
    press(app, "Start")
    assert tuple(widget(app.multiselect, "compare.methods").value) == methods
    assert progress_of(app).split()[2] == str(3 * len(methods))


@pytest.mark.slow
def test_one_seed_and_one_method_are_spoken_of_in_the_singular_and_have_no_spread() -> None:
    query = {**_BRIEF, "seeds": "1", "methods": "spherical", "epochs": "1"}
    app = press(open_page("compare", query), "Start")
    seen = look_until_whole(app, 1)
    assert seen[-1] == "1 of 1 run"
    assert "1 method × 1 seed, 1 epoch each." in [text.value for text in app.caption]
    table = app.dataframe[0].value
    assert not [name for name in table.columns if name.startswith("±")]
    assert app.dataframe[0].proto.placeholder == "–"
    assert "The run lies at or above its proved floor." in words_of(app)
    assert not re.search(r"\b1 (?!of )[a-z]+s\b", words_of(app))


def test_a_comparison_without_methods_says_so_and_unknown_ones_are_left_out() -> None:
    app = open_page("compare", {**_BRIEF, "methods": "nonsense,baseline"})
    assert widget(app.multiselect, "compare.methods").value == ["baseline"]
    widget(app.multiselect, "compare.methods").set_value([]).run()
    assert "choose at least one" in app.error[0].value


@pytest.mark.slow
@pytest.mark.parametrize("seeds", ["0", "-1", "21", "²", "1.5", "9" * 5000])
def test_a_number_of_seeds_that_makes_no_sense_is_as_usual(seeds: str) -> None:
    app = open_page("compare", {**SMALL, "seeds": seeds, "methods": "baseline,baseline"})
    assert app.number_input(key="compare.seeds").value == 3
    assert widget(app.multiselect, "compare.methods").value == ["baseline"]
