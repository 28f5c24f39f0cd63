"""Shells and maps as figures for papers, compared with what the canvases show in a browser."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from playwright.sync_api import Page

from support.sight import difference

# Where the viewed points are on the sheet of a view, which of them are shown, and its size.
SHEET = """(view) => {
  const sheet = document.querySelector(`.svae-${view} .svae-sheet`);
  const [width, height] = [sheet.clientWidth, sheet.clientHeight];
  const { seen, selection } = document.querySelector(`.svae-${view} .svae-place`);
  const points = (x) => [...x.keys()].filter((n) => selection.shows(n));
  const places = seen.filter((one) => one).map(({ x, y }) => points(x).map((n) => [x[n], y[n]]));
  return { width, height, places };
}"""
HEAD, LEGEND, CAPTION = 22.0, 24.0, 30.0  # of a figure: models' names above; below, two lines


def save_figure(page: Page, view: str, kind: str = "SVG", width: int = 0) -> Path:
    """What the button in a view's corner saves; `width` 0: as on the screen."""
    corner = page.locator(f".svae-{view} .svae-paper")
    corner.locator("summary").click()
    if width:
        corner.get_by_label("Width").fill(str(width))
    with page.expect_download() as download:
        corner.get_by_role("button", name=kind).click()
    page.keyboard.press("Escape")
    return download.value.path()


def markers(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The points of a figure; those of its legend are left out."""
    uses = root.iter("{http://www.w3.org/2000/svg}use")
    return [one for one in uses if one.attrib["href"][1] == "c"]


def assert_figure_is_the_canvas(page: Page, view: str = "shells") -> ElementTree.Element:
    """The SVG has the canvas's points: places in units of each model's own room. The SVG."""
    svg = ElementTree.parse(save_figure(page, view)).getroot()
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    drawn = np.array([(float(o.attrib["x"]), float(o.attrib["y"])) for o in markers(svg)])
    sheet = page.evaluate(SHEET, view)
    assert drawn.size and sheet["places"]
    below = LEGEND if view == "shells" else LEGEND + CAPTION
    at = np.cumsum([len(seen) for seen in sheet["places"]])[:-1]
    for m, (mine, seen) in enumerate(zip(np.split(drawn, at), sheet["places"], strict=True)):
        theirs = _from_the_middle(view, np.array(seen), m, sheet["width"], sheet["height"], 0.0)
        ours = _from_the_middle(view, mine, m, width, height - HEAD - below, HEAD)
        gaps = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
        found = max(gaps.min(axis=0).max(), gaps.min(axis=1).max())
        assert found < 5e-4, (view, m, found)
    return svg


# The markers of the shells as the canvas has them, foremost and hindmost, as RGBA pixels of 9 × 9.
ON_CANVAS = """() => {
  const { points } = document.querySelector(".svae-shells .svae-place");
  return points.markers.flatMap((levels) => [levels[0], levels[levels.length - 1]].map((marker) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 9, height: 9 });
    const pen = canvas.getContext("2d");
    pen.drawImage(marker, Math.floor((9 - marker.width) / 2), Math.floor((9 - marker.height) / 2));
    return [...pen.getImageData(0, 0, 9, 9).data];
  }));
}"""
# The same of a figure: the markers that it defines, each drawn alone.
IN_A_FIGURE = """async ({ definitions, names }) => {
  const drawn = [];
  for (const name of names) {
    const text = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">
      <defs>${definitions}</defs><use href="#${name}" x="4.5" y="4.5"/></svg>`;
    const image = new Image();
    image.src = "data:image/svg+xml," + encodeURIComponent(text);
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 9, height: 9 });
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    drawn.push([...pen.getImageData(0, 0, 9, 9).data]);
  }
  return drawn;
}"""


def marks_on_canvas(page: Page) -> np.ndarray:
    """[groups, 2, 9, 9, 4]: the markers of the shells, hindmost and foremost, from 0 to 1."""
    return np.array(page.evaluate(ON_CANVAS)).reshape(-1, 2, 9, 9, 4) / 255


def marks_of_a_figure(page: Page, svg: ElementTree.Element) -> np.ndarray:
    """The same of the figure for papers."""
    definitions = svg.find("{http://www.w3.org/2000/svg}defs")
    assert definitions is not None
    groups = sorted({int(one.attrib["href"][2:].split("l")[0]) for one in markers(svg)})
    names = [f"c{group}l{level}" for group in groups for level in (0, 4)]
    text = "".join(ElementTree.tostring(one, "unicode") for one in definitions)
    drawn = page.evaluate(IN_A_FIGURE, {"definitions": text, "names": names})
    return np.array(drawn).reshape(-1, 2, 9, 9, 4) / 255


def smallest_difference(marks: np.ndarray, sight: np.ndarray | None) -> float:
    """How far the two most similar of marks [n, 9, 9, 4] differ on white; see `difference`."""
    on_white = marks[..., :3] * marks[..., 3:] + 1 - marks[..., 3:]
    return min(difference(one, other, sight) for one, other in combinations(on_white, 2))


def _from_the_middle(
    view: str, places: np.ndarray, m: int, width: float, height: float, above: float
) -> np.ndarray:
    fitted = 0.96 * min(0.96 * width / 2, height) / 2, min(width / 2, height) / 2
    reach = fitted[0 if view == "shells" else 1]
    middle = np.array([width * (m + 0.5) / 2, above + height / 2])
    return (places - middle) / reach
