"""Every page in both themes under axe-core: no serious or critical finding in what we render.

Findings in Streamlit's own parts are excepted one by one below, each with its reason; a finding of
any other kind, or in any other element, fails.
"""

from __future__ import annotations

import subprocess
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from support.browser import WAIT, Visit
from support.effort import effort

pytestmark = pytest.mark.browser
GRAVE = ("serious", "critical")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: Rule → parts of the target's place or markup, and whose they are.
EXCEPTIONS = {
    # st.latex: KaTeX makes a formula scroll sideways on narrow pages, without a tab stop.
    # st.popover: its body scrolls on a low screen; it holds buttons, by which a keyboard moves it.
    # st.markdown: its tables scroll sideways on a phone (pages/router.py), and take no tabindex;
    # Chromium and Firefox give a tab stop of their own to what scrolls and holds nothing else.
    "scrollable-region-focusable": ("katex-display", "stPopoverBody", "<table>"),
    # st.slider writes its values in the primary colour, which must also lie under white text:
    # no blue does both on a dark page. The same values stand in the sentence beside the slider.
    "color-contrast": ("stSliderThumbValue",),
    # st.toast: Streamlit gives its alertdialog no name; all that it holds is read out.
    "aria-dialog-name": ("stToast",),
}

BACKGROUND = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


def pages(page: Page, url: str) -> list[str]:
    """Addresses of all pages in the menu."""
    page.goto(url)
    page.get_by_role("heading", name="Spherical VAE Explorer").wait_for()
    links = page.get_by_test_id("stTopNavLink")
    return [str(link.get_attribute("href")) for link in links.all()]


def settle(page: Page) -> None:
    """Until the page has nothing more to say: no script runs and nothing is added any more.

    Counted in frames drawn, of which a busy machine draws fewer, and not in seconds.
    """
    page.evaluate("window.calm = {frames: 0, elements: 0}")
    page.wait_for_function(
        """() => {
          const running = "[data-testid=stApp][data-test-script-state=running]";
          const busy = `${running}, [data-testid=stSkeleton]`;
          const elements = document.querySelectorAll("*").length;
          const same = elements === window.calm.elements && !document.querySelector(busy);
          window.calm = {frames: same ? window.calm.frames + 1 : 0, elements};
          return window.calm.frames > 30;
        }"""
    )


def grave(page: Page, *rules: str) -> list[str]:
    """Serious and critical findings that are ours, one line each; of these rules, or of all."""
    found = Axe().run(page, options={"runOnly": rules} if rules else None).response["violations"]
    return [
        f"{page.url}: {finding['id']} at {node['target']}: {node['html'][:120]}"
        for finding in found
        if finding["impact"] in GRAVE
        for node in finding["nodes"]
        if not excepted(finding, node)
    ]


def excepted(finding: dict[str, Any], node: dict[str, Any]) -> bool:
    about = f"{node['target']} {node['html']}"
    return any(part in about for part in EXCEPTIONS.get(finding["id"], ()))


def test_no_page_shuts_anybody_out(
    browser: Browser, visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """One page by day, the next at night; in soaks each is looked at in the other theme, too."""
    addresses = pages(visit.page, server[0])
    assert len(addresses) >= 5
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    for number, address in enumerate(addresses):
        page = context.new_page()
        page.emulate_media(color_scheme=THEMES[number % 2])
        page.set_default_timeout(WAIT)
        quick = "?dataset=wine&clusters=3&epochs=20" if address.endswith("train") else ""
        page.goto(f"{server[0]}/{address.rsplit('/', 1)[-1]}{quick}")
        if quick:
            page.wait_for_selector("[data-status=finished]")
        settle(page)
        problems += grave(page)
        for _ in range(effort(0, 1)):
            before = page.evaluate(BACKGROUND)
            page.emulate_media(color_scheme=THEMES[1 - number % 2])
            page.wait_for_function(f"{BACKGROUND} !== {before!r}")
            settle(page)
            problems += grave(page, "color-contrast")
        page.close()
    context.close()
    assert problems == []


def test_a_class_s_code_and_links_shut_nobody_out(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """The picture of the link has words, and no link has to be scrolled sideways."""
    page = visit.page
    page.goto(f"{server[0]}/train?dataset=wine&clusters=3&epochs=20")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Begin a class").click()
    page.locator("h2 code").wait_for()
    settle(page)
    assert grave(page) == []


def test_what_is_wrong_or_missing_shuts_nobody_out_either(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    """On a phone, whose narrow page scrolls most: links that lead nowhere, and a page with code."""
    page = visit.page
    page.set_viewport_size({"width": 390, "height": 844})
    problems: list[str] = []
    for address, said in (
        ("board?class=gone", "There is no class here"),
        ("train?follow=gone", "There is no class with this code"),
        ("region?dataset=wine&clusters=many", "clusters=many"),
        ("region?dataset=file", "Give your file"),
        ("clinic", "From your own code"),
    ):
        page.goto(f"{server[0]}/{address}")
        page.get_by_text(said).first.wait_for()
        settle(page)
        problems += grave(page)
    assert problems == []
