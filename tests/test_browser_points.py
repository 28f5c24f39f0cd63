"""Points on the stage, in a real browser: hovered, clicked, followed, picked out, coloured."""

from __future__ import annotations

import subprocess

import pytest
from playwright.sync_api import expect
from support.browser import WAIT, Visit
from support.drawings import draw_on_pad
from support.points_on_stage import (
    MARKS,
    RIGHT_SHELL,
    assert_ten_marks_differ,
    colour_by_label,
    keep_and_filter,
    lasso,
)

pytestmark = pytest.mark.browser


def test_a_point_is_marked_everywhere_and_decoded(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """Hover, click, lasso and Escape; with a baseline that has structure, so both maps show it."""
    page = visit.page
    page.set_viewport_size({"width": 1280, "height": 1400})
    page.goto(f"{server[0]}/train?sigma2=0.05&epochs=40")
    page.wait_for_selector("[data-status=finished]")
    for badge in page.locator(".svae-badge").all():  # nothing moves after the verdicts
        expect(badge).to_contain_text("certified", timeout=WAIT)
    assert page.evaluate(MARKS, "shells") == [0, 0]
    x, y = max(page.evaluate(RIGHT_SHELL))  # the rightmost point
    page.mouse.move(x, y)
    for figure in ("shells", "maps"):
        page.wait_for_function(f"Math.min(...({MARKS})('{figure}')) > 0")
    page.mouse.click(x, y)
    panel = page.locator(".svae-decoded .svae-place")
    expect(panel).to_contain_text("decoded at step", timeout=WAIT)
    expect(panel.locator("canvas")).to_have_count(4)
    visit.picture("decoded")
    panel.get_by_role("button", name="Follow it").click()
    told = page.locator(".svae-followed .svae-told")
    expect(page.locator(".svae-followed .svae-draws button")).to_have_count(2 * 6)
    draw_on_pad(page, "two strokes")  # an own input takes the point's place in all views
    expect(told).to_contain_text("Your drawing", timeout=WAIT)
    page.locator(".svae-transport input").focus()
    page.keyboard.press("Home")  # the same drawing, through the models of the first moment
    expect(told).to_contain_text("the models of step 0", timeout=WAIT)
    visit.picture("followed")
    page.keyboard.press("Escape")
    expect(told).not_to_contain_text("Your drawing")
    page.keyboard.press("End")  # at the first moment a lasso holds few points
    page.evaluate("window.scrollTo(0, 0)")
    expect(panel).to_be_hidden()
    page.mouse.move(5, 5)
    page.wait_for_function(f"Math.max(...({MARKS})('maps')) === 0")
    lasso(page)
    for figure in ("shells", "maps"):
        page.wait_for_function(f"Math.min(...({MARKS})('{figure}')) > 500")
    visit.picture("lasso")
    keep_and_filter(page)
    colour_by_label(page)
    visit.picture("labels")
    page.keyboard.press("Escape")
    page.wait_for_function(f"Math.max(...({MARKS})('shells')) === 0")
    assert_ten_marks_differ(page)
    assert visit.errors == []
