"""Make assets/tour.webp, the README's "Five minutes" as a picture that moves, one minute long.

    PYTHONPATH=. python tests/benchmarks/record_tour.py

Not a benchmark; it is here because it also makes a shipped file from the real app: Chromium walks
the story (support/story.py) and casts its screen. Each step is shown for a time that its sentence
takes to read, whatever time it took here, so the tour is the same length on every machine.
"""

from __future__ import annotations

import base64
import io
import sys
import textwrap
from pathlib import Path
from typing import Any

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import CDPSession, Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from students import server
from support.browser import chromium
from support.story import SENTENCES, STEPS

_TARGET = Path(__file__).parents[2] / "assets" / "tour.webp"
_SECONDS, _RATE = 60.0, 3.0
_SIZE, _STRIP, _WRAP = (960, 600), 78, 104
_INK, _GROUND = "#f5f5f5", "#1f2430"
_FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


class Cast:
    """The screen's frames as they are painted: (seconds since the epoch, JPEG)."""

    def __init__(self, page: Page) -> None:
        self.frames: list[tuple[float, bytes]] = []
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._painted)
        self._session.send("Page.startScreencast", {"format": "jpeg", "quality": 90})

    def _painted(self, frame: dict[str, Any]) -> None:
        when = float(frame["metadata"]["timestamp"])
        self.frames.append((when, base64.b64decode(frame["data"])))
        self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})


def walked(page: Page, address: str) -> list[list[bytes]]:
    """The frames of each step, evenly spread over it, as many as its sentence is shown for.

    Of a page that is opened, those from when it is in sight: before, it prepares.
    """
    cast = Cast(page)
    page.goto(address)
    page.wait_for_selector(".svae-stage[data-moment]")
    shown = []
    for step in STEPS:
        first = len(cast.frames)
        since = step(page) or 0.0
        page.wait_for_timeout(1_000)
        painted = [frame for frame in cast.frames[first:] if frame[0] >= since]
        shown.append(painted or cast.frames[-1:])  # a page at rest is not painted again
    words = [len(sentence.split()) + 8 for sentence in SENTENCES]
    steps = []
    for part, count in zip(shown, words, strict=True):
        wanted = round(_SECONDS * _RATE * count / sum(words))
        start, length = part[0][0], part[-1][0] - part[0][0]
        picked = []
        for index in range(wanted):
            until = start + length * (index + 1) / wanted
            picked.append([jpeg for when, jpeg in part if when <= until][-1])
        steps.append(picked)
    return steps


def framed(jpeg: bytes, sentence: str, number: int) -> Image.Image:
    """A frame of the tour: the screen, and below it the sentence of its step."""
    screen = Image.open(io.BytesIO(jpeg)).convert("RGB").resize(_SIZE, Image.Resampling.LANCZOS)
    whole = Image.new("RGB", (_SIZE[0], _SIZE[1] + _STRIP), _GROUND)
    whole.paste(screen)
    plain = f"{number}. " + sentence.replace("*", "").replace("`", "")
    lines = textwrap.wrap(plain, _WRAP, max_lines=3, placeholder=" …")
    draw = ImageDraw.Draw(whole)
    draw.multiline_text(
        (16, _SIZE[1] + 8), "\n".join(lines), _INK, ImageFont.truetype(_FONT, 16), spacing=5
    )
    return whole


def main() -> None:
    with server() as (address, _), chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(180_000)
        steps = walked(page, f"http://{address}")
    frames: list[Image.Image] = []
    durations: list[int] = []
    shown = b""
    for number, (jpegs, sentence) in enumerate(zip(steps, SENTENCES, strict=True), start=1):
        for index, jpeg in enumerate(jpegs):
            if jpeg == shown and index:
                durations[-1] += round(1_000 / _RATE)
                continue
            shown = jpeg
            frames.append(framed(jpeg, sentence, number))
            durations.append(round(1_000 / _RATE))
    frames[0].save(
        _TARGET, save_all=True, append_images=frames[1:], duration=durations, loop=0,
        quality=55, method=6, minimize_size=True,
    )  # fmt: skip
    megabytes = _TARGET.stat().st_size / 1e6
    print(f"{len(frames)} frames, {sum(durations) / 1e3:.0f} s, {megabytes:.2f} MB")


if __name__ == "__main__":
    main()
