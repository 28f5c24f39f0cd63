"""Small drawings for below a cell: still SVG in the text's own colour, light or dark.

    line_of_losses(marks, band);  bars(kl_per_dim)

They need no script and no package, so they survive wherever HTML is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from svae_core.figures.palette import MARKS

_WIDTH, _LINE = 640, 46
_MARGIN = 14.0
_LETTER = 7.0  # pixels of a letter, about
_FONT = 'font-size="12" fill="currentColor"'


@dataclass(frozen=True)
class Mark:
    """A loss on the line: above it a statistic of the data, below it what was measured."""

    name: str
    value: float
    colour: str
    below: bool = False
    margin: float = 0.0  # of a measurement, one-sided


def line_of_losses(marks: Sequence[Mark], band: tuple[float, float], title: str) -> str:
    """Losses from 0 on one line, with the band (lo, hi) on it where it is not empty."""
    known = [mark for mark in marks if math.isfinite(mark.value)]
    top = max([mark.value + mark.margin for mark in known] or [1.0]) * 1.12 or 1.0

    def place(value: float) -> float:
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * value / top

    parts = [_segment(_MARGIN, _LINE, _WIDTH - _MARGIN, _LINE, "currentColor", 1.0)]
    low, high = band
    if math.isfinite(low) and math.isfinite(high):
        parts.append(_band(low, high, place))
    for below in (False, True):
        level, edge = 0, -math.inf
        for mark in sorted((one for one in known if one.below == below), key=lambda m: m.value):
            x, text = place(mark.value), f"{mark.name} {mark.value:.4g}"
            half = _LETTER * len(text) / 2
            level = level + 1 if x - half < edge and level < 1 else 0
            edge = max(edge, x + half)
            parts += _marked(mark, x, min(max(x, half + 2), _WIDTH - half - 2), text, level, place)
    return _drawing("".join(parts), 2 * _LINE + 4, title)


def bars(values: Sequence[float], title: str) -> str:
    """A bar for each latent dimension, the highest first; their sum is the KL in nats."""
    height, top = 64, max([*values, 1e-12])
    width = min(40.0, (_WIDTH - 2 * _MARGIN) / max(1, len(values)))
    parts = [_segment(_MARGIN, height - 4, _WIDTH - _MARGIN, height - 4, "currentColor", 0.5)]
    for n, value in enumerate(sorted(values, reverse=True)):
        long = (height - 22) * max(0.0, value) / top
        parts.append(
            f'<rect x="{_MARGIN + n * width + 1:.1f}" y="{height - 4 - long:.1f}" '
            f'width="{max(1.0, width - 2):.1f}" height="{long:.1f}" fill="{MARKS["W"].light}">'
            f"<title>{value:.4g} nats</title></rect>"
        )
    parts.append(f'<text x="{_MARGIN}" y="12" {_FONT}>{escape(title)}</text>')
    return _drawing("".join(parts), height, title)


def _band(low: float, high: float, place: Callable[[float], float]) -> str:
    """The band as a bar on the line, with its name in it where there is room."""
    left, wide = place(low), place(high) - place(low)
    told = f"<title>band {low:.4g} … {high:.4g}</title>"
    bar = (
        f'<rect x="{left:.1f}" y="{_LINE - 8}" width="{wide:.1f}" height="16" '
        f'fill="{MARKS["band"].light}" fill-opacity=".4">{told}</rect>'
    )
    name = (
        f'<text x="{left + wide / 2:.1f}" y="{_LINE - 11}" text-anchor="middle" font-size="10" '
        'fill="currentColor">band</text>'
    )
    return bar + name if wide > 5 * _LETTER else bar


def _marked(
    mark: Mark,
    x: float,
    middle: float,
    text: str,
    level: int,
    place: Callable[[float], float],
) -> list[str]:
    """A tick with its words, and the margin of what was measured."""
    side = 1 if mark.below else -1
    parts = [_segment(x, _LINE - 8, x, _LINE + 8, mark.colour, 3.0)]
    if mark.margin > 0:
        end = place(mark.value + mark.margin)
        parts.append(_segment(x, _LINE + 4, end, _LINE + 4, mark.colour, 3.0))
    baseline = _LINE + side * (20 + 12 * level) + (4 if side > 0 else -2)
    parts.append(
        f'<text x="{middle:.1f}" y="{baseline}" text-anchor="middle" {_FONT}>{escape(text)}</text>'
    )
    return parts


def _segment(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def _drawing(content: str, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" style="width:100%;max-width:{_WIDTH}px;display:block">'
        f"{content}</svg>"
    )
