"""Screens that stopped people, in a real browser: lessons, presets, verdicts, branches."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, TimeoutError, expect
from support.browser import WAIT, Visit
from support.effort import effort
from support.layout import assert_all_is_whole

from pages.widgets import comparison_choice, phase_axes

pytestmark = pytest.mark.browser
Server = tuple[str, subprocess.Popen[bytes]]
SMALL = "dataset=wine&clusters=3&epochs=20"
# A click on any preset goes the same way and starts dozens of runs; test_pages_series starts each
# without a browser.
FIRST = effort(1, 100)


def _query(page: Page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_the_verdict_of_a_short_run_appears_by_itself(visit: Visit, server: Server) -> None:
    """Runs that end before their moments have all arrived; no key is pressed."""
    page = visit.page
    for seed in range(effort(3, 12)):
        page.goto(f"{server[0]}/train?{SMALL}&seed={seed}")
        expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
        expect(page.locator(".svae-badge:not(:empty)")).to_have_count(2, timeout=WAIT)
        expect(page.get_by_role("heading", name="Certificate")).to_be_visible(timeout=WAIT)
    assert visit.errors == []


def _cancel(page: Page, runs: int) -> None:
    """Cancel a job of so many runs."""
    expect(page.get_by_text(re.compile(rf" of {runs} runs"))).to_be_visible(timeout=WAIT)
    ended = page.get_by_text(re.compile(rf" of {runs} runs, paused|^{runs} of {runs} runs"))
    deadline = time.monotonic() + WAIT / 1000
    # A quick machine has ended them all before anybody can cancel; on a busy one the button is
    # drawn anew so often that a click may find no moment.
    while not ended.count():
        assert time.monotonic() < deadline, "it was not cancelled"
        with suppress(TimeoutError):
            page.get_by_role("button", name="Cancel").click(timeout=5_000)


@pytest.mark.parametrize("preset", phase_axes.PRESETS[:FIRST], ids=lambda preset: preset.title)
def test_a_preset_of_the_map_is_what_start_trains(
    visit: Visit, server: Server, preset: phase_axes.Preset
) -> None:
    """At once, too: Start is clicked while most of the page is still as it was."""
    page = visit.page
    page.goto(f"{server[0]}/phase?{SMALL}&seeds=3&y=band&grid.band=0.2:0.6:3")
    with visit.slow_line():
        page.get_by_role("button", name=preset.title, exact=True).click()
        page.wait_for_function("!location.search.includes('grid.band=0.2')")
        page.get_by_role("button", name="Start", exact=True).click()
    across, up, seeds = re.search(r"(\d+) × (\d+) cells, (\d+|one) seed", preset.text).groups()  # type: ignore[union-attr]
    methods = len(preset.query.get("methods", "baseline,spherical").split(","))
    _cancel(page, int(across) * int(up) * int(seeds.replace("one", "1")) * methods)
    assert _query(page)["dataset"] == "wine"
    for name, value in preset.query.items():
        assert _query(page).get(name, value) == value


@pytest.mark.parametrize("title", list(comparison_choice.PRESETS)[:FIRST])
def test_a_preset_of_the_comparison_is_what_start_trains(
    visit: Visit, server: Server, title: str
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/compare?{SMALL}&methods=geco")
    with visit.slow_line():
        page.get_by_role("button", name=title, exact=True).click()
        page.wait_for_function("!location.search.includes('methods=geco')")
        page.get_by_role("button", name="Start", exact=True).click()
    _cancel(page, 3 * len(comparison_choice.PRESETS[title].methods))
    assert _query(page)["epochs"] == "20"
    assert_all_is_whole(page)


def test_claims_of_theory_are_drawn_and_answer_to_keys(visit: Visit, server: Server) -> None:
    page = visit.page
    page.goto(f"{server[0]}/theory?dataset=wine&clusters=3")
    claims = page.locator(".svae-claims section")
    expect(claims).to_have_count(4)
    value = claims.first.locator("output").first
    before = value.inner_text()
    claims.first.locator("input").first.press("End")
    expect(value).not_to_have_text(before)
    assert visit.errors == []


def test_a_run_opened_by_its_link_is_branched_and_back_returns_to_it(
    visit: Visit, server: Server
) -> None:
    page = visit.page
    page.goto(f"{server[0]}/train?{SMALL}&seed=3")
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    run = _query(page)["run"]
    page.goto("about:blank")
    page.goto(f"{server[0]}/train?run={run}")
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    page.locator(".svae-stage").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("[data-moment='0']")
    field = page.get_by_label("β as a number")
    expect(field).to_have_value("1")
    field.fill("4")
    field.press("Enter")
    here = page.locator(".svae-tree [aria-current]")
    expect(here).to_contain_text("β 1 → 4", timeout=WAIT)
    expect(field).to_have_value("4")
    page.wait_for_url(lambda url: run not in url)  # the server writes it, one answer later
    branch = _query(page)["run"]
    expect(page.locator(".svae-tree li")).to_have_count(2)
    page.wait_for_timeout(1000)  # whatever the page would do with the URL, it has done
    assert _query(page)["run"] == branch
    page.go_back()
    expect(here).to_contain_text("the start", timeout=WAIT)
    assert _query(page)["run"] == run
    expect(field).to_have_value("1", timeout=WAIT)
    page.go_forward()
    expect(here).to_contain_text("β 1 → 4", timeout=WAIT)
    expect(page.locator(".svae-tree li")).to_have_count(2)
    assert visit.errors == []
