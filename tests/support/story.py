"""The README's "Five minutes": its numbered sentences, and each as a step in the browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from support.browser import ROOT, WAIT

README = (ROOT / "README.md").read_text(encoding="utf-8")
STORY = README.partition("## Five minutes")[2].partition("\n## ")[0]
SENTENCES = [
    " ".join(text.split())
    for text in re.findall(r"^\d+\. (.*?)(?=^\d+\. |^!|\Z)", STORY, re.S | re.M)
]


def see_the_start(page: Page) -> None:
    expect(page.get_by_role("heading", name="Spherical VAE Explorer")).to_be_visible()
    page.wait_for_function("document.querySelector('.svae-stage')?.dataset.moment > 60")


def _in_sight(page: Page, option: str) -> float:
    """When the page of a lesson that was just opened shows its question, and a run."""
    expect(page.get_by_role("button", name=option)).to_be_enabled(timeout=WAIT)
    page.wait_for_selector(".svae-stage[data-moment]")
    return time.time()


def open_the_lesson(page: Page) -> float:
    page.get_by_role("link", name="Kill it").click()
    return _in_sight(page, "At the last mark")


def predict(page: Page) -> None:
    page.get_by_role("button", name="At the last mark").click()
    page.wait_for_selector("[data-status=paused]")


def kill_it(page: Page) -> None:
    slider = page.get_by_label("σ², decoder variance")
    box = slider.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.1 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.72 * box["width"], y, steps=5)
    page.mouse.up()
    expect(page.locator(".svae-reveal")).to_contain_text("As you predicted", timeout=WAIT)


def go_on(page: Page) -> float:
    page.get_by_role("link", name="Next: Bring it back").click()
    option = "It comes back to life, and its loss falls"
    since = _in_sight(page, option)
    page.get_by_role("button", name=option).click()
    page.wait_for_selector("[data-status=paused]")
    return since


def bring_it_back(page: Page) -> None:
    handle = page.locator(".svae-upper")
    handle.focus()
    for _ in range(10):
        handle.press("PageDown")
    expect(page.locator(".svae-guarantee")).to_contain_text("≥ 0.2", timeout=WAIT)
    expect(page.locator(".svae-reveal")).to_contain_text("As you predicted", timeout=WAIT)


def check_it(page: Page) -> float:
    for method, verdict in (("baseline", "collapsed"), ("spherical", "certified")):
        badge = page.locator(f".svae-card[data-method={method}] .svae-badge")
        expect(badge).to_contain_text(verdict, timeout=WAIT)
    page.get_by_role("link", name="Theory", exact=True).click()
    expect(page.get_by_text("What a measured loss excludes")).to_be_visible(timeout=WAIT)
    expect(
        page.get_by_text("the run that you watched last: σ² = 1, β = 1, band 0–0.49")
    ).to_be_visible(timeout=WAIT)
    table = page.locator("table").first
    for sign, sentence in (
        ("✗ fails", "Conventional VAE: the measured"),
        ("✓ holds", "Spherical VAE: the"),
    ):
        expect(table.get_by_role("row").filter(has_text=sentence)).to_contain_text(sign)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=WAIT)
    since = time.time()
    page.wait_for_timeout(1500)
    return since


#: Those that open a page return when it was in sight, in seconds since the epoch.
STEPS: tuple[Callable[[Page], float | None], ...] = (
    *(see_the_start, open_the_lesson, predict, kill_it),
    *(go_on, bring_it_back, check_it),
)
