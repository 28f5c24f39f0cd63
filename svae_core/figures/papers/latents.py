"""KL of each latent dimension: as bars at one moment, and as strips over time."""

from __future__ import annotations

import math

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.figures.papers.axes import GRID, INK
from svae_core.figures.papers.run_picture import Look, RunPicture
from svae_core.figures.papers.svg import Drawing

#: From the page to the strongest contrast, as in `lifelines.js`: read by lightness alone.
_SCALE = ("#eef3f8", "#a9cbe3", "#4f97c9", "#1b5c9e", "#08204a")
_NICE = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_DEATH = "#d55e00"
_LEFT, _GAP = 34.0, 14.0


def kl_bars(run: RunPicture, _look: Look, drawing: Drawing) -> None:
    """KL per dimension of each model at this moment; a cross for a dimension that is out."""
    # As on the stage: the scale is that of all moments so far, so that bars can be compared.
    seen = [frame for frames in run.moments[: run.index + 1] for frame in frames]
    top = max([0.5, *(float(one.kl_per_dim.max()) for one in seen)])
    each = (drawing.width - _GAP * (len(run.members) - 1)) / len(run.members)
    high, floor = 26.0, drawing.height - 20.0
    for number, (frame, mark) in enumerate(zip(run.frames, run.marks, strict=True)):
        left = number * (each + _GAP) + _LEFT
        width = each - _LEFT
        told = sum(kl >= COLLAPSED_KL for kl in frame.kl_per_dim)
        title = f"{run.names[number]}: {told} of {len(frame.kl_per_dim)} dimensions alive"
        drawing.words(title, left, 14, fill=INK, font_weight="600")
        for y, value in ((high, f"{top:.1f}"), (floor, "0")):
            drawing.segment((left, y), (left + width, y), stroke=GRID, stroke_width=1)
            drawing.words(value, left - 5, y + 4, text_anchor="end", fill=INK)
        slot = width / len(frame.kl_per_dim)
        every = math.ceil(22 / slot)
        for dimension, kl in enumerate(frame.kl_per_dim.tolist()):
            x, alive = left + slot * dimension, kl >= COLLAPSED_KL
            tall = max(1.5 if alive else 0.0, (floor - high) * kl / top)
            if tall > 0:
                colour = mark.light if alive else GRID
                drawing.box(x + 0.14 * slot, floor - tall, 0.72 * slot, tall, fill=colour)
            if dimension % every == 0:
                sign = str(dimension + 1) if alive or slot < 9 else "✕"
                drawing.words(sign, x + slot / 2, floor + 15, text_anchor="middle", fill=INK)


def lifelines(run: RunPicture, _look: Look, drawing: Drawing) -> None:
    """KL of each dimension at every moment, a strip per model, and where each one died."""
    every = [frame for frames in run.moments for frame in frames]
    highest = max(float(frame.kl_per_dim.max()) for frame in every)
    top = next((value for value in _NICE if value >= highest), math.ceil(highest))
    below = 24.0
    each = (drawing.height - below) / len(run.members)
    for number, name in enumerate(run.names):
        _strip(run, drawing, number, (number * each + 20.0, each - 26.0), top)
        bars = run.frames[number].kl_per_dim
        alive = f"{sum(kl >= COLLAPSED_KL for kl in bars)} of {len(bars)} alive"
        drawing.words(f"{name}: {alive}", 0, number * each + 14, fill=INK, font_weight="600")
    y = drawing.height - 8
    drawing.words("0", 0, y, fill=INK)
    for step in range(64):
        colour = shade((step / 63) ** 2 * top, top)
        drawing.box(12 + 1.5 * step, y - 9, 1.6, 10, fill=colour, shape_rendering="crispEdges")
    drawing.words(f"{top:g} nats", 114, y, fill=INK)
    told = f"✕ died, below {COLLAPSED_KL:g} nats"
    drawing.words(told, drawing.width, y, text_anchor="end", fill=_DEATH)


def _strip(
    run: RunPicture, drawing: Drawing, number: int, place: tuple[float, float], top: float
) -> None:
    """`place`: the upper edge and the height of the strip."""
    upper, height = place
    count = len(run.frames[number].kl_per_dim)
    row = height / count
    drawing.box(0, upper, drawing.width, height, fill="#f2f5f8")
    before = 0.0
    for frames in run.moments:
        here = drawing.width * frames[0].step / run.steps
        wide = max(here - before, 0.5)
        for dimension, kl in enumerate(frames[number].kl_per_dim.tolist()):
            colour = shade(kl, top)
            cell = before, upper + row * dimension, wide + 0.1, row
            drawing.box(*cell, fill=colour, shape_rendering="crispEdges")
        before = here
    now = drawing.width * run.frames[0].step / run.steps
    drawing.segment((now, upper - 2), (now, upper + height + 2), stroke=INK, stroke_width=2)
    for model, dimension, step in run.deaths:
        if model == number:
            x, y = drawing.width * step / run.steps, upper + row * (dimension + 0.5)
            size = max(8.0, min(13.0, 76 / count))
            look: dict[str, float | str] = {"font_size": size, "fill": _DEATH}
            drawing.words("✕", x, y + 0.35 * size, text_anchor="middle", font_weight="700", **look)


def shade(kl: float, top: float) -> str:
    """The colour of a KL in nats; the square root tells the nearly dead from the dead."""
    at = min(1.0, math.sqrt(max(0.0, kl) / top)) * (len(_SCALE) - 1) if math.isfinite(kl) else 0.0
    first = min(len(_SCALE) - 2, int(at))
    ends = zip(_channels(_SCALE[first]), _channels(_SCALE[first + 1]), strict=True)
    return "#" + "".join(f"{round(low + (high - low) * (at - first)):02x}" for low, high in ends)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
