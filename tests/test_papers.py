"""Figures for papers: what an SVG shows is what the frames say, whoever asks for it."""

from __future__ import annotations

import asyncio
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from support.live_runs import PAIR, toy_run, until

from pages.live import viewers
from pages.live.run import LiveRun
from pages.live.run_view import view_of
from pages.server.current import server
from pages.wire import figure, routes
from svae_core.__main__ import main
from svae_core.commentary import Remark, deaths
from svae_core.figures.colouring import Colouring
from svae_core.figures.papers import clouds, latents
from svae_core.figures.papers.axes import LEFT, Axes, ticks
from svae_core.figures.papers.run_picture import Look, RunPicture
from svae_core.figures.papers.svg import Drawing
from svae_core.figures.papers.views import VIEWS, draw
from svae_core.latent.projection import Layout
from svae_core.records import RequestError

STAGE = Path(__file__).resolve().parents[1] / "assets" / "stage"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def live() -> LiveRun:
    """A finished pair of models. Nobody watches it, and a busy machine must not give it up."""

    async def run() -> LiveRun:
        run = toy_run()
        run.start()
        await until(run, lambda: run.status == "finished")
        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(viewers, "GRACE", 1e6)
        return asyncio.run(run())


@pytest.fixture(scope="module")
def run(live: LiveRun) -> RunPicture:
    found = figure.picture_of(view_of(live), -1)
    places = np.random.default_rng(5).normal(size=(2, len(found.prepared.view_points), 2))
    layout = tuple(Layout(one, "umap", 0, "UMAP.", one) for one in places.astype(np.float32))
    return replace(found, layouts=(layout,))


def stamps(svg: str) -> np.ndarray:
    """Where markers are, [n, 2], in the order in which they are painted."""
    places = [
        (float(use.attrib["x"]), float(use.attrib["y"]))
        for use in ElementTree.fromstring(svg).iter(f"{SVG}use")
        if use.attrib["href"][1] == "c"  # k: in the legend
    ]
    return np.array(places)


def seen_by_a_camera(points: np.ndarray, look: Look, centre: Any, reach: float) -> np.ndarray:
    """A pinhole camera by matrices, 3.4 outer radii (of 1) off; it looks at the centre."""
    eye = np.array(
        [
            math.cos(look.tilt) * math.cos(look.turn),
            math.cos(look.tilt) * math.sin(look.turn),
            math.sin(look.tilt),
        ]
    )
    right = np.cross([0.0, 0.0, 1.0], eye)
    right /= np.linalg.norm(right)
    up = np.cross(eye, right)
    away = 3.4 - points @ eye
    focal = reach * look.zoom * math.sqrt(3.4**2 - 1)  # the unit sphere's outline is of size reach
    flat = np.stack([points @ right, -(points @ up)], axis=1)
    return np.asarray(centre) + focal * flat / away[:, None]


@settings(max_examples=20, deadline=None)
@given(st.floats(-7, 7), st.floats(-1.45, 1.45), st.floats(0.5, 8))
def test_the_camera_is_a_pinhole(turn: float, tilt: float, zoom: float) -> None:
    look = Look(turn=turn, tilt=tilt, zoom=zoom)
    points = np.random.default_rng(1).normal(size=(30, 3)) / 2
    seen, depth = clouds.project(2.0 * points, 2.0, (100.0, 80.0), 60.0, look)
    expected = seen_by_a_camera(points, look, (100.0, 80.0), 60.0)
    np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-6)
    assert depth.min() >= 0 and depth.max() <= 1


@pytest.mark.slow
def test_points_on_the_shells_are_those_of_the_frames(run: RunPicture) -> None:
    look = Look(width=700, height=400, turn=0.3, tilt=-0.5)
    found = stamps(draw("shells", run, look))
    drawing = Drawing(700, 400, "")
    expected = []
    for number, frame in enumerate(run.frames):
        centre, reach = clouds.shell_place(run, drawing, number)
        scaled = frame.shell_view.astype(float) / run.prepared.shell.r_max
        expected.append(seen_by_a_camera(scaled, look, centre, reach))
    assert len(found) == 2 * len(run.prepared.view_points)
    for mine, theirs in zip(np.split(found, 2), expected, strict=True):
        # Painted from far to near; as sets, they are the same points.
        gaps = np.linalg.norm(mine[:, None] - theirs[None], axis=-1)
        assert gaps.min(axis=1).max() < 0.01 and gaps.min(axis=0).max() < 0.01


def test_points_on_the_maps_are_those_of_the_layout(run: RunPicture) -> None:
    found = np.split(stamps(draw("maps", run, Look(width=600, height=360))), 2)
    assert run.layout is not None
    for number, (mine, layout) in enumerate(zip(found, run.layout, strict=True)):
        there = layout.coordinates.astype(float)
        scale, offset = np.polyfit(there[:, 0], mine[:, 0], 1)
        downwards, middle = np.polyfit(there[:, 1], mine[:, 1], 1)
        assert scale > 0 and downwards == pytest.approx(-scale, rel=1e-3)  # one scale, y upwards
        np.testing.assert_allclose(mine[:, 0], scale * there[:, 0] + offset, atol=0.011)
        np.testing.assert_allclose(mine[:, 1], downwards * there[:, 1] + middle, atol=0.011)
        assert offset == pytest.approx(300 * (number + 0.5), abs=0.01)
        assert 300 * number < mine[:, 0].min() and mine[:, 0].max() < 300 * (number + 1)


def test_hidden_clusters_are_left_out_and_no_map_has_its_sentence(run: RunPicture) -> None:
    labels = run.prepared.clusters.labels
    shown = stamps(draw("maps", run, Look(hidden=frozenset({1}))))
    assert len(shown) == 2 * (labels != 1).sum()
    none = replace(run, layouts=())
    assert "No map was computed" in draw("maps", none, Look())


def test_bars_are_as_high_as_the_kl(run: RunPicture) -> None:
    svg = ElementTree.fromstring(draw("kl", run, Look()))
    for frame, mark in zip(run.frames, run.marks, strict=True):
        kl = [value for value in frame.kl_per_dim if value >= 0.01]
        boxes = [box for box in svg.iter(f"{SVG}rect") if box.attrib["fill"] == mark.light]
        heights = np.array([float(box.attrib["height"]) for box in boxes])
        seen = [one for moment in run.moments for one in moment]
        top = max(0.5, *(one.kl_per_dim.max() for one in seen))
        np.testing.assert_allclose(heights, np.maximum(1.5, 104 * np.array(kl) / top), atol=0.01)


def test_curves_go_through_every_moment(run: RunPicture) -> None:
    for name, numbers in (
        ("loss", lambda frame: (frame.step, frame.loss)),
        ("plane", lambda frame: (frame.loss, frame.kl)),
    ):
        svg = ElementTree.fromstring(draw(name, run, Look()))
        drawn = [
            np.array([pair.split(",") for pair in line.attrib["points"].split()], float)
            for line in svg.iter(f"{SVG}polyline")
            if line.attrib["stroke-width"] == "2.5"
        ]
        for number, path in enumerate(drawn):
            told = np.array([numbers(frames[number]) for frames in run.moments], float)
            for axis in (0, 1):
                slope, start = np.polyfit(told[:, axis], path[:, axis], 1)
                np.testing.assert_allclose(path[:, axis], slope * told[:, axis] + start, atol=0.02)
                assert slope > 0 if axis == 0 else slope < 0
        assert len(drawn) == 2


@pytest.mark.parametrize("width", [240, 321, 600])
def test_names_in_the_plane_stand_over_its_curves(run: RunPicture, width: int) -> None:
    svg = ElementTree.fromstring(draw("plane", run, Look(width=width, height=240)))
    clip = next(svg.iter(f"{SVG}clipPath")).find(f"{SVG}rect")
    words = {text.text: text.attrib for text in svg.iter(f"{SVG}text")}
    forbidden, collapse = words["forbidden (numerical)"], words["δ: collapse"]
    for name in (forbidden, collapse):
        assert float(name["y"]) < float(clip.attrib["y"])  # type: ignore[union-attr]
    ends = float(forbidden["x"]) + 6.4 * len("forbidden (numerical)")  # about as wide as type is
    begins = float(collapse["x"]) - 6.4 * len("δ: collapse")
    assert ends < begins or float(forbidden["y"]) < float(collapse["y"]) - 12


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_a_file_of_its_own(run: RunPicture, name: str) -> None:
    """Well-formed, of the size asked for, in light colours, and it fetches nothing."""
    svg = draw(name, run, Look(width=333, height=222))
    root = ElementTree.fromstring(svg)
    assert (root.attrib["width"], root.attrib["height"]) == ("333", "222")
    assert root.find(f"{SVG}rect").attrib["fill"] == "#ffffff"  # type: ignore[union-attr]
    words = re.sub(r'href="data:image/png;base64,[^"]*"', "", svg)  # which has any letters
    assert not re.search(r"(?<!xmlns=\")https?:|nan|inf\b|<script|rgba", words)
    defined = {one.attrib["id"] for one in root.iter() if "id" in one.attrib}
    used = {u.attrib["href"][1:] for u in root.iter(f"{SVG}use")}
    used |= {c.attrib["clip-path"][5:-1] for c in root.iter() if "clip-path" in c.attrib}
    assert used <= defined
    assert draw(name, run, Look(width=333, height=222)) == svg, "deterministic"


def test_the_stage_offers_exactly_the_views_that_are_drawn() -> None:
    offered = {
        path.stem for path in (STAGE / "views").glob("*.js") if "paper: true" in path.read_text()
    }
    assert offered == set(VIEWS)


@pytest.mark.slow
def test_figures_for_papers_need_no_plotly() -> None:
    """The command line draws them, and Plotly comes with the app only."""
    code = "import sys, svae_core.figures.papers.views; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_wrong_requests_get_one_sentence(run: RunPicture) -> None:
    with pytest.raises(RequestError, match="no figure 'pie'"):
        draw("pie", run, Look())
    for wrong in (
        {"width": 5.0},
        {"height": 1e9},
        {"zoom": 0.0},
        {"tilt": 3.0},
        {"turn": math.inf},
    ):
        with pytest.raises(RequestError):
            Look(**wrong)
    for query in ({"step": "x"}, {"turn": "nan"}, {"zoom": "inf"}):
        with pytest.raises(RequestError, match="must be a number"):
            figure.draw(object(), "shells", query)  # type: ignore[arg-type]


def test_hostile_words_stay_words() -> None:
    drawing = Drawing(200, 100, "<script>\x00&")
    drawing.words("</text><image href='x'/>\x1b", 0, 0, fill='"><b')
    root = ElementTree.fromstring(str(drawing))
    assert [one.tag.removeprefix(SVG) for one in root] == ["title", "defs", "rect", "text"]


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-6, 1e6))
def test_ticks_are_round_few_and_within(end: float) -> None:
    found = ticks(end)
    assert 2 <= len(found) <= 6 and found[0] == 0 and found[-1] <= end * (1 + 1e-6)
    digit = float(f"{found[1]:.6e}".split("e")[0])
    assert digit in (1.0, 2.0, 5.0)
    assert Axes(Drawing(200, 100, ""), end, end).place(0, 0)[0] == LEFT


def test_lightness_says_the_kl() -> None:
    def light(colour: str) -> int:
        return sum(int(colour[at : at + 2], 16) for at in (1, 3, 5))

    shades = [light(latents.shade(kl, 5.0)) for kl in np.linspace(0, 5, 40)]
    assert shades == sorted(shades, reverse=True) and len(set(shades)) == 40


def test_a_dimension_that_woke_has_no_death() -> None:
    told = [
        Remark(5, "", "died", 0, 1),
        Remark(6, "", "died", 1, 2),
        Remark(7, "", "woke", 0, 1),
        Remark(9, "", "unborn", 1, 3),
    ]
    assert deaths(told) == ((1, 1, 6), (1, 2, 9))


# ------------------------------------------------------------------------------- the doors


def test_the_browser_gets_the_moment_it_shows(
    live: LiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(server().runs.by_id, "some-run", live)
    step = live.moments[3][0].step

    def ask(view: str, query: str, **told: str) -> Any:
        headers = {"host": "lecture:8501"} | {k.replace("_", "-"): v for k, v in told.items()}
        scope = {
            "type": "http",
            "path_params": {"run": "some-run", "view": view},
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        return asyncio.run(routes.serve_figure(Request(scope)))

    answer = ask("shells", f"step={step}&width=500&height=300&turn=1")
    assert answer.status_code == 200 and answer.media_type == "image/svg+xml"
    assert "svae-clusters-shells.svg" in answer.headers["content-disposition"]
    shown = figure.picture_of(view_of(live), step)
    assert shown.index == 3
    assert answer.body.decode() == draw("shells", shown, Look(500, 300, turn=1.0))
    assert ask("pie", "").status_code == 400 and ask("shells", "step=x").status_code == 400
    assert ask("shells", "", sec_fetch_site="cross-site").status_code == 403
    tiny = ElementTree.fromstring(ask("kl", "width=1&height=99999").body.decode())
    assert (tiny.attrib["width"], tiny.attrib["height"]) == ("120", "4000")


def test_the_command_line_writes_the_same_figures(
    live: LiveRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from svae_core.runs.folder import RunWriter, SavedRun, folder_name
    from svae_core.runs.manifest import About

    monkeypatch.setenv("SVAE_HOME", str(tmp_path))
    about = About(PAIR, title="Clusters")
    folder, out = tmp_path / folder_name(about), tmp_path / "out"
    assert live.newest is not None
    RunWriter(folder).write(SavedRun(about, live.newest, tuple(live.moments)))
    ask = ["export", folder.name, "--what", "figures", "--to", str(out)]
    assert main([*ask, "--views", "shells,kl", "--step", "3"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["kl.svg", "shells.svg"]
    expected = figure.picture_of(view_of(live), 3)
    for name in ("kl", "shells"):
        assert (out / f"{name}.svg").read_text() == draw(name, expected, Look())
    for wrong, sentence in (
        (["--views", "pie"], "the views are shells"),
        (["--step", "-4"], "first moment"),
        (["--width", "1"], "from 120 to"),
    ):
        assert main([*ask, *wrong]) == 2
        assert sentence in capsys.readouterr().err


def test_a_figure_of_a_column_s_width_has_room_and_a_whole_legend() -> None:
    """85 mm, six named groups: no name is cut while all fit, and none reaches into the next."""
    names = ("B", "CD4 T", "CD8 T", "NK", "dendritic", "monocyte")
    colours = Colouring("label", names, np.arange(6, dtype=np.float32))
    drawing = Drawing(85 * 96 / 25.4, 200, "")
    clouds._legend(colours, Look(), drawing)
    root = ElementTree.fromstring(str(drawing))
    texts = [one for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [one.text for one in texts] == ["labels", *names]
    marks = [float(one.attrib["x"]) for one in root.iter("{http://www.w3.org/2000/svg}use")]
    ends = [float(one.attrib["x"]) + 5.5 * len(str(one.text)) for one in texts[1:]]
    assert all(end < mark - 4 for end, mark in zip(ends, marks[1:], strict=False))
    assert ends[-1] <= drawing.width


def test_in_millimetres_a_figure_is_not_flatter_than_its_names_need(live: LiveRun) -> None:
    run = figure.picture_of(view_of(live), -1)
    flat, tall = (
        ElementTree.fromstring(draw("kl", run, Look(321.0, millimetres=unit)))
        for unit in (False, True)
    )
    assert float(flat.attrib["height"]) < 200 * 0.62
    assert tall.attrib["viewBox"].split()[3] == "199.02"
