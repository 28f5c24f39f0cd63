"""What the eye found: parts that were shown though hidden, and words that left their place."""

from __future__ import annotations

import subprocess

import pytest
from playwright.sync_api import expect
from support.browser import WAIT, Visit

pytestmark = pytest.mark.browser
Server = tuple[str, subprocess.Popen[bytes]]
SMALL = "dataset=wine&clusters=3&epochs=20"
# How far the words of each lever reach beyond its track, in pixels; 0 and less: not at all.
BEYOND = """() => [...document.querySelectorAll(".svae-track")].map((track) =>
  Math.round(track.querySelector(".svae-past span").getBoundingClientRect().right
    - track.getBoundingClientRect().right))"""


def test_two_models_with_one_delta_need_no_reason_for_two(visit: Visit, server: Server) -> None:
    page = visit.page
    why = page.locator(".svae-why")
    page.goto(f"{server[0]}/train?{SMALL}&method=geco")  # projected as little as the other
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    expect(why).to_have_count(1)
    expect(why).to_be_hidden()
    page.goto(f"{server[0]}/train?{SMALL}")
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    expect(why).to_be_visible()
    assert visit.errors == []


@pytest.mark.parametrize("width", [1366, 390])
def test_words_at_the_levers_stay_under_their_tracks(
    visit: Visit, server: Server, width: int
) -> None:
    """Also where the last mark is near the end of its track."""
    page = visit.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{server[0]}/train?lesson=kill&epochs=40")
    page.wait_for_selector(".svae-past")
    past, other = page.evaluate(BEYOND)
    assert past <= 0 and other <= 0
    # The rest of the track is as short as on a phone.
    page.locator(".svae-track").first.evaluate("(track) => { track.style.width = '12rem'; }")
    assert page.evaluate(BEYOND)[0] <= 0
    starts = page.evaluate(
        "() => document.querySelector('.svae-past span').getBoundingClientRect().left"
        " - document.querySelector('.svae-marks').getBoundingClientRect().left"
    )
    assert starts > 0, "it does not begin before the track does"
