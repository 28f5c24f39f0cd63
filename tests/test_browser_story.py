"""The README's "Five minutes", replayed: each numbered sentence there is one step here.

make pictures      replays it and puts its screenshots where the README shows them
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from support.browser import ROOT, WAIT, Visit

pytestmark = pytest.mark.browser
README = (ROOT / "README.md").read_text(encoding="utf-8")
STORY = README.partition("## Five minutes")[2].partition("\n## ")[0]
SENTENCES = [
    " ".join(text.split())
    for text in re.findall(r"^\d+\. (.*?)(?=^\d+\. |^!|\Z)", STORY, re.S | re.M)
]


def see_the_start(page: Page) -> None:
    expect(page.get_by_role("heading", name="Spherical VAE Explorer")).to_be_visible()
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    page.wait_for_timeout(1000)


def open_the_lesson(page: Page) -> None:
    page.get_by_role("link", name="Open the lesson").first.click()
    expect(page.get_by_role("button", name="It uses none of them")).to_be_visible(timeout=WAIT)


def predict(page: Page) -> None:
    page.get_by_role("button", name="It uses none of them").click()
    page.wait_for_function("document.querySelector('.svae-stage').dataset.moment > 20")


def read_the_reveal(page: Page) -> None:
    expect(page.locator(".svae-reveal")).to_contain_text("As you predicted", timeout=WAIT)
    for method, verdict in (("baseline", "collapsed"), ("spherical", "certified")):
        badge = page.locator(f".svae-card[data-method={method}] .svae-badge")
        expect(badge).to_contain_text(verdict, timeout=WAIT)


def read_the_sentence(page: Page) -> None:
    sentence = page.locator(".svae-card[data-method=spherical] .svae-sentence")
    expect(sentence).to_contain_text("excludes")
    expect(sentence).to_contain_text("nats (proved")


def widen_the_band(page: Page) -> None:
    page.locator(".svae-stage").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("[data-moment='0']")
    handle = page.locator(".svae-upper")
    handle.scroll_into_view_if_needed()
    handle.focus()
    for _ in range(12):
        handle.press("ArrowUp")
    here = page.locator(".svae-tree [aria-current]")
    expect(here).to_contain_text("band 0–0.25 →", timeout=WAIT)
    page.wait_for_selector("[data-status=finished]")


def check_it(page: Page) -> None:
    page.get_by_role("link", name="Theory", exact=True).click()
    expect(page.get_by_text("What a measured loss excludes")).to_be_visible(timeout=WAIT)
    expect(
        page.get_by_text("the run that you watched last: σ² = 1, β = 1, band 0–0.37")
    ).to_be_visible(timeout=WAIT)
    table = page.locator("table").first
    for sign, sentence in (
        ("✗ fails", "Conventional VAE: the measured"),
        ("✓ holds", "Spherical VAE: the"),
    ):
        expect(table.get_by_role("row").filter(has_text=sentence)).to_contain_text(sign)
    page.wait_for_timeout(1500)


STEPS: tuple[Callable[[Page], None], ...] = (
    *(see_the_start, open_the_lesson, predict, read_the_reveal),
    *(read_the_sentence, widen_the_band, check_it),
)


def test_every_step_has_its_sentence() -> None:
    assert len(SENTENCES) == len(STEPS)


def test_a_newcomer_sees_one_model_collapse_and_one_live_and_why(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(server[0])
    for number, step in enumerate(STEPS, start=1):
        step(page)
        visit.picture(f"story-{number}")
    assert visit.errors == []
