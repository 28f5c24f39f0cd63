"""What the eye found: parts that were shown though hidden, and words that left their place."""

from __future__ import annotations

import io
import subprocess

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect
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


def _greys_alone(part: Locator) -> bool:
    """Whether a part of the page has no colour but greys, white and black."""
    shown = Image.open(io.BytesIO(part.screenshot())).convert("HSV")
    return shown.getchannel("S").getextrema()[1] < 60


def test_forced_colours_leave_what_is_said_by_a_fill(visit: Visit, server: Server) -> None:
    """How far a run has been played, whose shell is whose, which option is chosen."""
    page = visit.page
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    page.goto(f"{server[0]}/")
    page.wait_for_selector("[data-moment='0']")
    for part in (".svae-transport input", ".svae-mark >> nth=0", ".svae-marks >> nth=0"):
        assert not _greys_alone(page.locator(part)), part
    pressed = page.locator(".svae-tools [aria-pressed=true]").first
    assert pressed.evaluate("(button) => getComputedStyle(button).outlineStyle") == "solid"
    page.goto(f"{server[0]}/shell?{SMALL}")
    chosen = page.get_by_test_id("stRadioOption").first
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=WAIT)
    assert not _greys_alone(chosen.locator("> div > div").first)


def test_a_projectors_sidebar_shows_its_labels_whole(visit: Visit, server: Server) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{server[0]}/shell?projector=1")
    sidebar = page.get_by_test_id("stSidebar")
    chosen = sidebar.get_by_test_id("stSelectbox").locator("input").first
    expect(chosen).to_have_value("Handwritten digits, 8 × 8", timeout=WAIT)
    # The sidebar widens, and takes a moment for it.
    page.wait_for_function(
        "(input) => input.scrollWidth <= input.clientWidth + 1", arg=chosen.element_handle()
    )


# Both sentences about a run at once: their upper and lower edges, and those of the levers' switch.
SAID = """() => {
  const say = (name, text) =>
    Object.assign(document.querySelector(name), { textContent: text, hidden: false });
  const both = [
    say(".svae-trouble", "The connection to the server was lost; it is tried again every few "
      + "seconds, and nothing of the run is lost meanwhile."),
    say(".svae-notice", "σ² is 0, but must be from 1e-06 to 1,000,000."),
  ];
  return [...both, document.querySelector("label.svae-act")].map((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return [top, bottom];
  });
}"""
# Where the names of the rate–distortion plane are, and its frame: left, right, top, bottom.
PLANE = """() => {
  const box = (one) => {
    const { left, right, top, bottom } = one.getBoundingClientRect();
    return [left, right, top, bottom];
  };
  const plane = [...document.querySelectorAll(".svae-view")]
    .find((one) => one.innerText.includes("distortion"));
  const frame = plane.querySelector(".nsewdrag");
  return [...plane.querySelectorAll(".annotation-text-g"), frame].map(box);
}"""


def test_two_messages_at_once_cover_neither_each_other_nor_a_lever(
    visit: Visit, server: Server
) -> None:
    page = visit.page
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(f"{server[0]}/train?{SMALL}")
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    expect(page.locator("label.svae-act")).to_be_visible()
    trouble, notice, lower = page.evaluate(SAID)
    assert lower[1] <= trouble[0] and trouble[1] <= notice[0] and notice[1] <= 768


@pytest.mark.parametrize("width", [1366, 390])
def test_names_in_the_plane_stand_over_its_curves(visit: Visit, server: Server, width: int) -> None:
    page = visit.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{server[0]}/train?{SMALL}")
    expect(page.get_by_text("forbidden (numerical)")).to_be_attached(timeout=WAIT)
    *names, frame = page.evaluate(PLANE)
    assert len(names) == 2 and all(name[3] <= frame[2] + 1 for name in names)
    collapse, forbidden = sorted(names, key=lambda name: -name[0])
    apart = forbidden[1] < collapse[0] or forbidden[3] <= collapse[2] + 1
    assert apart and all(name[0] >= 0 and name[1] <= width for name in names)
    visit.picture(f"plane-{width}")
    assert visit.errors == []
