"""Ten clusters are told apart in print and by colour-blind readers: by shape, or else by colour."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support.sight import DEUTERANOPE, EYES, TOLD_APART, difference, rgb_of
from support.sight import lab as sight_lab

from svae_core.figures.palette import cluster_style, scale, scene_style
from svae_core.figures.papers.clouds import _FADING as FADING
from svae_core.figures.papers.clouds import _SIZE as SIZE
from svae_core.figures.papers.svg import Drawing

SPRITES = Path(__file__).resolve().parents[1] / "assets" / "stage" / "sprites.js"
TEN = [cluster_style(index)[1] for index in range(10)]
#: Differences of L* or L*a*b* that are seen at a glance; about 2 can be seen at all.
CLEAR = 10.0


def lab(colour: str, sight: np.ndarray = EYES) -> np.ndarray:
    """CIE L*a*b* of a #rrggbb colour."""
    return sight_lab(rgb_of(colour), sight)


def in_grey(one: str, other: str) -> float:
    return abs(float(lab(one)[0] - lab(other)[0]))


def to_a_deuteranope(one: str, other: str) -> float:
    return float(np.linalg.norm(lab(one, DEUTERANOPE) - lab(other, DEUTERANOPE)))


def outline(symbol: str) -> np.ndarray | None:
    """Corners of the marker in an SVG file, [n, 2] at radius 1; None: a circle."""
    drawing = Drawing(10, 10, "")
    drawing.define_symbol("it", symbol, 100.0, "#000000")
    shape = next(one for one in ElementTree.fromstring(str(drawing)).iter() if "id" in one.attrib)
    if "points" not in shape.attrib:
        return None
    return np.array([pair.split(",") for pair in shape.attrib["points"].split()], float) / 100


def covered(corners: np.ndarray | None, size: int = 61) -> np.ndarray:
    """Which cells of a grid over ±1.4 lie within."""
    x, y = np.meshgrid(*[np.linspace(-1.4, 1.4, size)] * 2)
    if corners is None:
        return x * x + y * y <= 1
    return inside(corners, x, y)


def inside(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether places lie within a polygon: an odd number of its sides are to the right."""
    odd = np.zeros_like(x, bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        if ay != by:
            odd ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) / (by - ay) * (bx - ax))
    return odd


def test_ten_clusters_have_ten_shapes_that_look_unlike() -> None:
    """Of two filled or two open ones, 15 % of what they cover together is covered by one only."""
    assert len(set(TEN)) == 10
    for one, other in combinations(TEN, 2):
        if one.endswith("-open") != other.endswith("-open"):
            continue
        mine, theirs = covered(outline(one)), covered(outline(other))
        assert (mine & theirs).sum() / (mine | theirs).sum() < 0.85, (one, other)


def drawn(symbol: str, colour: str, page: str, size: float, side: int = 13) -> np.ndarray:
    """The marker of a figure on its page, [side, side, 3]: 8 × 8 dots for each pixel."""
    fine = 8 * side
    x, y = np.meshgrid(*[((np.arange(fine) + 0.5) / 8 - side / 2) / (size / 2)] * 2)
    corners = outline(symbol)
    within = x * x + y * y <= 1 if corners is None else inside(corners, x, y)
    if symbol.endswith("-open"):
        width = max(1.2, size / 4) / size  # half of the line's width, in radii
        within = from_edge(corners, x, y) <= width
    on = np.where(within[..., None], rgb_of(colour), rgb_of(page))
    return np.asarray(on.reshape(side, 8, side, 8, 3).mean(axis=(1, 3)))


def from_edge(corners: np.ndarray | None, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far places are from the outline, in radii."""
    if corners is None:
        return np.abs(np.hypot(x, y) - 1)
    gaps = []
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        wx, wy = bx - ax, by - ay
        along = np.clip(((x - ax) * wx + (y - ay) * wy) / (wx * wx + wy * wy), 0, 1)
        gaps.append(np.hypot(x - ax - along * wx, y - ay - along * wy))
    return np.asarray(np.min(gaps, axis=0))


@pytest.mark.parametrize("sight", [None, DEUTERANOPE], ids=["grey", "deuteranope"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("near", [0.0, 1.0], ids=["hindmost", "foremost"])
def test_ten_clusters_are_told_apart_as_they_are_drawn(
    sight: np.ndarray | None, dark: bool, near: float
) -> None:
    """Each of the 45 pairs, as small and as pale as shells draw it."""
    page = "#11161d" if dark else "#ffffff"
    size = SIZE * (0.82 + 0.18 * near)
    styles = [cluster_style(index, dark) for index in range(10)]
    marks = [drawn(symbol, mixed(colour, page, near), page, size) for colour, symbol in styles]
    apart = {
        (one + 1, other + 1): difference(marks[one], marks[other], sight)
        for one, other in combinations(range(10), 2)
    }
    assert min(apart.values()) > TOLD_APART, min(apart.items(), key=lambda item: item[1])


def mixed(colour: str, page: str, near: float) -> str:
    """The colour on its way to the page's, as depth fades it."""
    parts = rgb_of(colour) + (rgb_of(page) - rgb_of(colour)) * FADING * (1 - near)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


@pytest.mark.parametrize("style", [cluster_style, scene_style])
@pytest.mark.parametrize("difference", [in_grey, to_a_deuteranope])
def test_no_two_of_ten_clusters_share_shape_and_colour(
    style: Callable[[int], tuple[str, str]], difference: Callable[[str, str], float]
) -> None:
    marks = [style(index) for index in range(10)]
    close = [
        (one, other)
        for one, other in combinations(marks, 2)
        if one[1] == other[1] and difference(one[0], other[0]) < CLEAR
    ]
    assert not close


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("sight", [EYES, DEUTERANOPE], ids=["all", "deuteranope"])
def test_a_scale_rises_in_even_steps_and_stands_out_from_its_page(
    dark: bool, sight: np.ndarray
) -> None:
    """Lightness alone says the number, in print and to colour-blind readers."""
    colours = [lab(colour, sight) for colour in scale(dark)]
    lightness = np.array([colour[0] for colour in colours])
    steps = np.diff(lightness)
    assert steps.min() > 0.6 * steps.mean() and steps.max() < 1.5 * steps.mean()
    seen = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    assert seen.max() < 2.5 * seen.mean()
    page = lab("#11161C" if dark else "#FFFFFF", sight)[0]
    assert np.abs(lightness - page).min() > 2 * CLEAR


def test_the_measures_of_colour_are_right() -> None:
    np.testing.assert_allclose(lab("#ffffff"), (100, 0, 0), atol=0.02)
    np.testing.assert_allclose(lab("#ff0000"), (53.24, 80.09, 67.20), atol=0.02)
    # Red and green that a deuteranope confuses; a grey has no colour to lose.
    assert (
        to_a_deuteranope("#a06000", "#7a7a00")
        < 12
        < np.linalg.norm(lab("#a06000") - lab("#7a7a00"))
    )
    np.testing.assert_allclose(lab("#808080", DEUTERANOPE), lab("#808080"), atol=0.1)


def test_the_stage_draws_the_same_shapes() -> None:
    """The browser's own code, run on a canvas that writes down the corners it is given."""
    node = shutil.which("node")
    assert node, "There is no Node.js here, and this test needs it: make node"
    code = f"""
      import {{ outline }} from {json.dumps(SPRITES.as_uri())};
      const drawn = {json.dumps([name.removesuffix("-open") for name in TEN])}.map((symbol) => {{
        const corners = [];
        const pen = {{ beginPath() {{}}, closePath() {{}}, arc() {{}} }};
        pen.lineTo = (x, y) => corners.push([x, y]);
        outline(pen, symbol, 0, 1);
        return corners;
      }});
      console.log(JSON.stringify(drawn));
    """
    done = subprocess.run(
        [node, "--input-type=module", "-e", code], capture_output=True, text=True, check=True
    )
    drawn: Sequence[Sequence[Sequence[float]]] = json.loads(done.stdout)
    for symbol, corners in zip(TEN, drawn, strict=True):
        expected = outline(symbol)
        if expected is None:
            assert corners == []
        else:
            np.testing.assert_allclose(corners, expected, atol=1e-3)
