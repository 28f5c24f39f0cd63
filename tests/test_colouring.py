"""What points are coloured by: the same in pages, figures, messages and replays."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support.figure_subjects import three_clusters
from support.live_runs import toy_run, until
from support.screens import SMALL, charts_of, open_page, query_of, without_exception

from pages.live import viewers
from pages.live.run_view import RunView, view_of
from pages.wire import figure, messages, replay_file
from svae_core.__main__ import main
from svae_core.figures import shell_view
from svae_core.figures.colouring import colouring, names_of
from svae_core.figures.palette import SCALE_COLOURS, cluster_style, scale
from svae_core.figures.papers.run_picture import Look
from svae_core.figures.papers.views import draw
from svae_core.records import PreparedData, RequestError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def view() -> RunView:
    """A finished pair of models. Nobody watches it, and a busy machine must not give it up."""

    async def run() -> RunView:
        run = toy_run()
        run.start()
        await until(run, lambda: run.status == "finished")
        return view_of(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(viewers, "GRACE", 1e6)
        return asyncio.run(run())


@pytest.fixture(scope="module")
def data() -> PreparedData:
    """Three clusters of six columns, of which two are called what something else is called."""
    found = three_clusters()
    names = ("height", "label", "height", "cluster", "age", "α & β")
    dataset = dataclasses.replace(found.dataset, feature_names=names)
    return dataclasses.replace(found, dataset=dataset)


def test_every_name_is_its_own_and_colours_by_what_it_says(data: PreparedData) -> None:
    names = names_of(data)
    assert len(set(names)) == len(names) == 2 + 6
    assert names[:4] == ("cluster", "label", "height", "label (column 2)")
    np.testing.assert_array_equal(colouring(data, "cluster").slots, data.clusters.labels)
    np.testing.assert_array_equal(colouring(data, "label").slots, data.dataset.labels)
    for column, name in enumerate(names[2:]):
        found = colouring(data, name)
        told = found.low + found.of * (found.high - found.low)
        np.testing.assert_allclose(told, data.dataset.points[:, column], atol=1e-5)
        assert (found.slots.min(), found.slots.max()) == (0, SCALE_COLOURS - 1)
    assert names_of(data, most=2) == names[:4]
    with pytest.raises(RequestError, match="cannot be coloured by 'weight', only by cluster"):
        colouring(data, "weight")


def test_points_without_a_label_are_a_group_and_a_constant_is_no_division_by_zero() -> None:
    found = three_clusters()
    labels, points = found.dataset.labels, found.dataset.points.copy()
    assert labels is not None
    points[:, 0] = 7
    some = np.where(np.arange(len(labels)) < 5, -1, labels)
    dataset = dataclasses.replace(found.dataset, labels=some, points=points, feature_names=())
    prepared = dataclasses.replace(found, dataset=dataset)
    by_label = colouring(prepared, "label")
    assert by_label.groups[-1] == "none" and (by_label.slots[:5] == len(by_label.groups) - 1).all()
    constant = colouring(prepared, "column 1")
    assert (constant.low, constant.high) == (7, 7) and set(constant.of.tolist()) == {0.5}


@pytest.mark.slow
def test_a_page_and_a_replay_get_the_same_colours(view: RunView) -> None:
    assert view.prepared is not None
    header, arrays = replay_file.unpack(replay_file.packed(view))
    names = header["scene"]["colours"]
    assert names == list(names_of(view.prepared)) and len(names) > 3
    rows = {"groups": 0, "scales": 0}
    for told, name in zip(header["coloured"], names, strict=True):
        [(live, sent)] = messages.looks(view.prepared, {"colour": names.index(name)})
        assert told == messages.to_json(live)
        kind = "groups" if told["groups"] else "scales"
        packed = arrays[f"coloured.{kind}"][rows[kind]]
        np.testing.assert_allclose(packed, sent["of"], atol=1 / 32_000)
        rows[kind] += 1
    assert messages.looks(view.prepared, {"small": 1}) == [], "these are no images"
    for wrong in (99, "x"):
        with pytest.raises((IndexError, ValueError)):
            messages.looks(view.prepared, {"colour": wrong})


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_a_figure_has_the_colours_and_the_points_asked_for(view: RunView, number: int) -> None:
    run = figure.picture_of(view, -1)
    name = names_of(run.prepared)[number]
    found = colouring(run.prepared, name)
    svg = ElementTree.fromstring(draw("shells", run, Look(colour=name)))
    marks = [u.attrib["href"] for u in svg.iter(f"{SVG}use") if u.attrib["href"][1] == "c"]
    drawn = Counter(int(re.split("[cl]", mark)[1]) for mark in marks)
    assert drawn == Counter({slot: 2 * n for slot, n in Counter(found.slots.tolist()).items()})
    defined = {one.attrib["id"]: one.attrib for one in svg.iter() if "id" in one.attrib}
    for slot in drawn:  # the foremost is not paled
        colour = cluster_style(slot)[0] if found.groups else scale()[slot]
        look = defined[f"c{slot}l4"]
        assert colour.lower() in (look["fill"].lower(), look.get("stroke", "").lower())
    words = "".join(svg.itertext())
    assert name in words
    assert all(text in words for text in found.groups or (f"{found.low:.3g}", f"{found.high:.3g}"))


def test_points_picked_out_stand_out_or_are_alone(view: RunView) -> None:
    run = figure.picture_of(view, -1)
    chosen = {0, 3, 64, 119}
    bits = np.zeros(120, np.uint8)
    bits[list(chosen)] = 1
    code = base64.urlsafe_b64encode(np.packbits(bits, bitorder="little")).decode().rstrip("=")
    look = figure.look_of({"chosen": code, "others": "fade", "selection": "odd ones"})
    assert look.chosen == chosen and not look.vanish
    svg = ElementTree.fromstring(draw("shells", run, look))
    uses = [one for one in svg.iter(f"{SVG}use") if one.attrib["href"][1] == "c"]
    assert len(uses) == 240 and sum("opacity" not in one.attrib for one in uses) == 8
    assert "odd ones: 4 points" in str(svg.findtext(f"{SVG}title"))
    alone = figure.look_of({"chosen": code, "others": "vanish"})
    svg = ElementTree.fromstring(draw("shells", run, alone))
    assert sum(one.attrib["href"][1] == "c" for one in svg.iter(f"{SVG}use")) == 8
    with pytest.raises(RequestError, match="not a set"):
        figure.look_of({"chosen": "?"})


def test_the_command_line_has_colours_points_and_millimetres(
    view: RunView,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from svae_core.runs.folder import RunWriter, SavedRun, folder_name
    from svae_core.runs.manifest import About

    monkeypatch.setenv("SVAE_HOME", str(tmp_path))
    about = About(view.members, title="Clusters")
    folder, out = tmp_path / folder_name(about), tmp_path / "out"
    assert view.newest is not None
    RunWriter(folder).write(SavedRun(about, view.newest, tuple(view.moments)))
    ask = ["export", folder.name, "--what", "figures", "--to", str(out), "--views", "shells"]
    more = ["--colour", "label", "--points", "1-3,9", "--others", "vanish", "--width", "85mm"]
    assert main([*ask, *more]) == 0
    svg = ElementTree.parse(out / "shells.svg").getroot()
    assert svg.attrib["width"] == "85mm"
    wide, tall = (float(side) for side in svg.attrib["viewBox"].split()[2:])
    assert wide == pytest.approx(85 * 96 / 25.4, abs=0.01)
    assert tall / wide == pytest.approx(0.62, abs=1e-3), "not flatter than names and legend need"
    assert sum(one.attrib["href"][1] == "c" for one in svg.iter(f"{SVG}use")) == 8
    for wrong, sentence in (
        (["--colour", "weight"], "cannot be coloured by 'weight'"),
        (["--points", "0"], "from 1 to 120"),
        (["--points", "a-b"], "as in 1-20,45"),
        (["--width", "wide"], "must be a number of pixels"),
    ):
        assert main([*ask, *wrong]) == 2
        assert sentence in capsys.readouterr().err


def test_the_shell_of_the_page_is_coloured_by_a_column_and_says_its_range() -> None:
    problem = three_clusters()
    column = names_of(problem)[-1]
    figure = shell_view.shell_view(problem, colour=column)
    [trace] = [one for one in figure.data if one.name == column]
    values = problem.dataset.points[problem.view_index, -1]
    np.testing.assert_allclose(trace.marker.color, values, atol=1e-5)
    assert trace.marker.colorbar.title.text == column
    assert (trace.marker.cmin, trace.marker.cmax) == pytest.approx((values.min(), values.max()))


@pytest.mark.slow
@pytest.mark.usefixtures("immediate_engine")
def test_the_choice_on_the_shell_page_is_the_url_s() -> None:
    app = open_page("shell", SMALL | {"colour": "alcohol"})
    assert app.selectbox(key="charts.colour").value == "alcohol"
    assert charts_of(app)[0]["data"][2]["marker"]["colorbar"]["title"]["text"] == "alcohol"
    app = without_exception(app.selectbox(key="charts.colour").select("label").run())
    assert query_of(app)["colour"] == "label" and query_of(app)["dataset"] == "wine"
    assert charts_of(app)[0]["layout"]["legend"]["title"]["text"] == "label"
    app = without_exception(app.selectbox(key="charts.colour").select("cluster").run())
    assert "colour" not in query_of(app)
