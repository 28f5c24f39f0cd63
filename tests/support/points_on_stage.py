"""What a visitor does with the points on the stage: picks out, keeps, filters, colours."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from support.shell_figure import (
    assert_figure_is_the_canvas,
    markers,
    marks_of_a_figure,
    marks_on_canvas,
    save_figure,
    smallest_difference,
)
from support.sight import DEUTERANOPE, TOLD_APART

# Where the viewed points are on the right shell.
RIGHT_SHELL = """() => {
  const { x, y } = document.querySelector(".svae-shells .svae-place").seen[1];
  const box = document.querySelector(".svae-shells .svae-sheet").getBoundingClientRect();
  return [...x].map((left, n) => [box.left + left, box.top + y[n]]);
}"""
# How many pixels the marks of a figure cover, on its left and its right half.
MARKS = """(figure) => {
  const canvas = document.querySelector(`.svae-${figure} .svae-sheet canvas + canvas`);
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const covered = [0, 0];
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    covered[pixel % width < width / 2 ? 0 : 1] += data[4 * pixel + 3] > 0;
  }
  return covered;
}"""


def lasso(page: Page) -> None:
    """Around the middle of the right map."""
    page.locator(".svae-maps .svae-sheet").scroll_into_view_if_needed()
    box = page.locator(".svae-maps .svae-sheet").bounding_box()
    assert box is not None
    x, y, reach = box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"], 60
    page.mouse.move(x - reach, y - reach)
    page.mouse.down()
    for dx, dy in ((1, -1), (1, 1), (-1, 1)):
        page.mouse.move(x + reach * dx, y + reach * dy, steps=3)
    page.mouse.up()


def keep_and_filter(page: Page) -> None:
    """What the lasso holds is kept under a name, found again, and all that figures show."""
    panel = page.locator(".svae-picked")
    panel.locator("summary").click()
    expect(panel.locator("p")).to_contain_text("of 1797 points")
    panel.get_by_label("Name of the selection").fill("some <b>threes</b>")
    panel.get_by_role("button", name="Keep").click()
    kept = panel.locator("li button").first
    expect(kept).to_contain_text("some <b>threes</b> (")
    count = int(re.findall(r"\d+", kept.inner_text())[-1])
    for _ in range(2):  # closes the panel, clears what was picked out
        page.keyboard.press("Escape")
    page.wait_for_function(f"Math.max(...({MARKS})('maps')) === 0")
    panel.locator("summary").click()
    kept.click()
    panel.get_by_label("hide all other points").check()
    page.keyboard.press("Escape")
    for view in ("shells", "maps"):
        svg = assert_figure_is_the_canvas(page, view)
        assert len(markers(svg)) == 2 * count
        title = svg.findtext("{http://www.w3.org/2000/svg}title")
        assert f"some <b>threes</b>: {count:,} points" in str(title)
    panel.locator("summary").click()
    panel.get_by_label("hide all other points").uncheck()
    panel.locator("li button").last.click()
    expect(kept).to_have_count(0)
    page.keyboard.press("Escape")


def colour_by_label(page: Page) -> None:
    """The choice goes into the URL and into figures; pictures take the places of points."""
    page.get_by_label("Colour by").select_option("label")
    page.wait_for_url(re.compile("colour=label"))
    expect(page.locator(".svae-groups")).to_have_text("0123456789")
    shells = assert_figure_is_the_canvas(page)
    assert "labels" in "".join(shells.itertext())
    png = save_figure(page, "maps", "PNG", width=900).read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(png[16:20], "big") == 900
    assert "data:image/png" in save_figure(page, "pictures").read_text()
    page.get_by_role("button", name="pictures", exact=True).click()
    page.wait_for_url(re.compile("pictures=1"))
    page.wait_for_function(
        "document.querySelector('.svae-shells .svae-place').points.pictures.size > 100"
    )
    page.get_by_role("button", name="pictures", exact=True).click()


def assert_ten_marks_differ(page: Page) -> None:
    """On the canvas and in the figure, in grey print and to a deuteranope, near and far."""
    drawn = {
        "canvas": marks_on_canvas(page),
        "figure": marks_of_a_figure(page, assert_figure_is_the_canvas(page)),
    }
    for place, marks in drawn.items():
        assert len(marks) == 10
        for name, sight in (("grey", None), ("deuteranope", DEUTERANOPE)):
            for level in ("hindmost", "foremost"):
                found = smallest_difference(marks[:, int(level == "foremost")], sight)
                print(f"{place}, {name}, {level}: {found:.1f}")
                assert found > TOLD_APART, (place, name, level, found)
