"""What is drawn on the Train page: ten threes as ten hands draw them, and a lasso."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from svae_core.latent.drawing import Strokes

if TYPE_CHECKING:
    from playwright.sync_api import Page

_KEPT = Path(__file__).parents[1] / "drawings" / "threes.json"


def threes() -> dict[str, Strokes]:
    """Strokes on a pad from 0 to 1, by what is special about the hand."""
    kept = json.loads(_KEPT.read_text(encoding="utf-8"))["drawings"]
    return {
        name: tuple(
            tuple((x / 100, y / 100) for x, y in zip(line[::2], line[1::2], strict=True))
            for line in lines
        )
        for name, lines in kept.items()
    }


def draw_on_pad(page: Page, name: str) -> None:
    """One of them on the pad of the Train page, by mouse."""
    pad = page.locator(".svae-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    for line in threes()[name]:
        for n, (x, y) in enumerate(line):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if n == 0:
                page.mouse.down()
        page.mouse.up()
