"""The README's "Five minutes", replayed: each numbered sentence there is one step here.

make pictures      replays it and puts its screenshots where the README shows them
"""

from __future__ import annotations

import subprocess

import pytest
from support.browser import Visit
from support.story import SENTENCES, STEPS

pytestmark = pytest.mark.browser


def test_every_step_has_its_sentence() -> None:
    assert len(SENTENCES) == len(STEPS)


def test_a_newcomer_kills_a_model_brings_one_back_and_learns_why(
    visit: Visit, server: tuple[str, subprocess.Popen[bytes]]
) -> None:
    page = visit.page
    page.goto(server[0])
    for number, step in enumerate(STEPS, start=1):
        step(page)
        visit.picture(f"story-{number}")
    assert visit.errors == []
