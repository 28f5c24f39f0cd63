"""A visitor's own input, in a real browser: drawn by keys, set by a slider, typed; and a lasso."""

from __future__ import annotations

import subprocess

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import WAIT, Visit

pytestmark = pytest.mark.browser
Server = tuple[str, subprocess.Popen[bytes]]
#: How many points are picked out, and where the camera of the shells is.
PICKED = """() => {
  const { selection, camera } = document.querySelector(".svae-shells .svae-place");
  return [selection.marked.length, camera.turn];
}"""


def told(page: Page) -> Locator:
    return page.locator(".svae-followed .svae-told")


def test_a_digit_is_drawn_by_keys_on_the_latent_page(visit: Visit, server: Server) -> None:
    page = visit.page
    page.goto(f"{server[0]}/latent?n_points=300&epochs=5")
    page.get_by_role("tab", name="Your own input").click()
    pad = page.locator(".svae-pad")
    pad.focus()
    page.keyboard.press("ArrowLeft")
    expect(told(page)).to_contain_text("Draw a picture here")  # the pen is up
    page.keyboard.press(" ")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    expect(told(page)).to_contain_text("Your drawing", timeout=WAIT)
    expect(page.locator(".svae-followed .svae-draws button")).to_have_count(2 * 6)
    expect(page.locator(".svae-story")).to_be_hidden()
    visit.picture("own-input")
    page.keyboard.press("Delete")
    expect(told(page)).to_contain_text("Draw a picture here")
    assert visit.errors == []


def test_a_slider_starts_from_point_1_and_a_lasso_picks_out_on_a_shell(
    visit: Visit, server: Server
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?dataset=wine&clusters=3&epochs=5")
    page.wait_for_selector("[data-status=finished]")
    slider = page.get_by_role("slider", name="alcohol", exact=True)
    before = float(slider.input_value())
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(told(page)).to_contain_text("Point 1 as you set it", timeout=WAIT)
    assert float(slider.input_value()) > before
    page.keyboard.press("Escape")
    page.locator(".svae-shells").get_by_role("button", name="Box").click()
    shells = page.locator(".svae-shells .svae-sheet")
    shells.evaluate("sheet => sheet.scrollIntoView({ block: 'center' })")  # below the page's head
    box = shells.bounding_box()
    assert box is not None
    _, turn = page.evaluate(PICKED)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.65 * box["width"], box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], middle, steps=4)
    page.mouse.move(box["x"] + 0.98 * box["width"], box["y"] + box["height"] - 2, steps=4)
    page.mouse.up()
    assert page.evaluate(PICKED) == [178, turn], "all points of a shell, seen from where it was"
    page.locator(".svae-shells").get_by_role("button", name="Turn").click()
    page.mouse.move(box["x"] + 20, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, middle, steps=4)
    page.mouse.up()
    count, turned = page.evaluate(PICKED)
    assert count == 178 and turned != turn
    assert visit.errors == []


def test_a_text_is_typed_where_the_data_are_sequences(visit: Visit, server: Server) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?dataset=names&n_points=300&epochs=3")
    page.wait_for_selector("[data-status=finished]")
    line = page.locator(".svae-typed input")
    line.fill("anna")
    expect(told(page)).to_contain_text("Your text “anna”", timeout=WAIT)
    expect(told(page).locator("canvas")).to_have_attribute(
        "aria-label", ": anna".join(["The input as the models are given it", ""])
    )
    visit.picture("typed")
    line.fill("an-na")
    expect(page.locator(".svae-notice")).to_contain_text("no symbol '-'", timeout=WAIT)
    line.press("Escape")
    expect(told(page)).to_contain_text("Type a text")
    assert visit.errors == []
