"""Loss against δ, and the rate–distortion plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from svae_core.certificate.information_floors import floors_along
from svae_core.figures.palette import MARKS, Mark
from svae_core.figures.papers.axes import ABOVE, GRID, INK, LEFT, Axes
from svae_core.figures.papers.run_picture import Look, RunPicture
from svae_core.figures.papers.svg import DASHES, Corner, Drawing
from svae_core.records import FloorCurves

#: Pixels from which on both names above the plane have room in one row.
_BESIDE = 360


def loss(run: RunPicture, _look: Look, drawing: Drawing) -> None:
    """The loss of each model over the steps, with its δ and the band at each step."""
    deltas = [frame.delta for frame in run.frames]
    axes = Axes(drawing, 1.02 * run.steps, 1.15 * max(deltas))
    if run.banded:
        _draw_band(run, axes)
    axes.draw("step", "loss D")
    for delta in dict.fromkeys(deltas):
        drawing.segment(
            *(axes.place(0, delta), axes.place(axes.wide, delta)),
            **_stroke(Mark("", MARKS["delta"].light, "", dash="dot"), 2.0),
        )
        names = [name for name, own in zip(run.names, deltas, strict=True) if own == delta]
        told = "δ: collapse" if len(set(deltas)) == 1 else f"δ, {', '.join(names)}"
        x, y = axes.place(axes.wide, delta)
        drawing.words(told, x, y - 4, text_anchor="end", fill=INK)
    for number, mark in enumerate(run.marks):
        path = [(frames[number].step, frames[number].loss) for frames in run.moments]
        _curve(axes, path, mark)
    for number, (frame, mark) in enumerate(zip(run.frames, run.marks, strict=True)):
        _point(axes, (frame.step, frame.loss), mark, f"now{number}")
    _key(run, drawing)


def plane(run: RunPicture, _look: Look, drawing: Drawing) -> None:
    """The loss of each model against its KL, over the floors below which no model can be."""
    deltas = [frame.delta for frame in run.frames]
    every = [frame for frames in run.moments for frame in frames]
    largest = max([1.0, *deltas, *(one.loss for one in every if math.isfinite(one.loss))])
    nats = max([1.0, *(one.kl for one in every if math.isfinite(one.kl))])
    # A wild first moment must not shrink all others.
    wide = 1.05 * min(largest, 1.2 * max(0.1, *deltas))
    rows = 1 if drawing.width >= _BESIDE else 2
    axes = Axes(drawing, wide, 1.08 * math.ceil(nats), ABOVE + 16 * rows)
    if run.floors:
        _forbidden(axes, min(run.floors, key=lambda curves: curves.delta))
    axes.draw("loss D", "KL, nats")
    _name_collapse(axes, max(deltas))
    for curves, mark in zip(run.floors, run.marks, strict=False):
        for name, dash in (("proved", "dot"), ("tight", "solid")):
            losses, floor = _floor(curves, name)
            look = Mark("", mark.light, "", dash=dash)
            _curve(axes, list(zip(losses, floor, strict=True)), look, 1.5)
    for number, mark in enumerate(run.marks):
        _curve(axes, [(frames[number].loss, frames[number].kl) for frames in run.moments], mark)
    for number, (frame, mark) in enumerate(zip(run.frames, run.marks, strict=True)):
        _point(axes, (frame.delta, 0.0), Mark("", MARKS["delta"].light, "", "x"), f"end{number}")
        _point(axes, (frame.loss, frame.kl), mark, f"now{number}")
    _key(run, drawing)


def _draw_band(run: RunPicture, axes: Axes) -> None:
    """The band as it was at each step: a change is a stair in it."""
    edges = run.corridor
    starts = [0, *(step for step, _, _ in edges[1:])] if edges else []
    for (start, end), (_, low, high) in zip(pairwise([*starts, axes.wide]), edges, strict=True):
        left, bottom = axes.place(start, low)
        right, top = axes.place(end, high)
        axes.drawing.box(
            *(left, top, right - left, bottom - top), fill=MARKS["band"].light, fill_opacity=0.2
        )
    if edges:
        x, y = axes.place(axes.wide, edges[-1][1])
        axes.drawing.words("feasible band", x, y + 13, text_anchor="end", fill=INK)


def _forbidden(axes: Axes, curves: FloorCurves) -> None:
    losses, floor = _floor(curves, "tight")
    under = [axes.place(x, y) for x, y in zip(losses, floor, strict=True)]
    corners = [axes.place(losses[0], 0), *under, axes.place(losses[-1], 0)]
    axes.drawing.area(corners, fill=MARKS["delta"].light, fill_opacity=0.16, clip_path=axes.clip())
    # In the row below the key: no curve ever is there.
    y = ABOVE + 11
    axes.drawing.box(LEFT, y - 8, 8, 8, fill=MARKS["delta"].light, fill_opacity=0.4)
    axes.drawing.words("forbidden (numerical)", LEFT + 13, y, fill=INK)


def _name_collapse(axes: Axes, delta: float) -> None:
    """The collapse loss δ as a line, and its name above the curves."""
    x, _ = axes.place(delta, 0)
    line = _stroke(Mark("", GRID, "", dash="dot"), 1.0)
    axes.drawing.segment((x, axes.above), (x, axes.floor), **line)
    axes.drawing.words("δ: collapse", x, axes.above - 5, text_anchor="end", fill=INK)


def _floor(curves: FloorCurves, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Losses up to δ, denser where the floors approach zero, and the floor there, in nats."""
    losses = curves.delta * np.concatenate([np.linspace(0.02, 0.9, 45), np.linspace(0.91, 1, 19)])
    return losses, floors_along(curves, losses)[name]


def _curve(axes: Axes, path: Sequence[tuple[float, float]], mark: Mark, width: float = 2.5) -> None:
    """A line through numbers; broken where one is not finite."""
    piece: list[Corner] = []
    for x, y in [*path, (math.nan, math.nan)]:
        if math.isfinite(x) and math.isfinite(y):
            piece.append(axes.place(x, y))
        elif piece:
            look = {"stroke_linejoin": "round", "clip_path": axes.clip(), **_stroke(mark, width)}
            axes.drawing.line(piece, **look)
            piece = []


def _point(axes: Axes, numbers: tuple[float, float], mark: Mark, name: str) -> None:
    x, y = numbers
    if 0 <= x <= axes.wide and 0 <= y <= axes.tall:  # false of NaN as well
        axes.drawing.define_symbol(name, mark.symbol, 5.0, mark.light)
        axes.drawing.stamp(name, *axes.place(*numbers))


def _stroke(mark: Mark, width: float) -> dict[str, float | str]:
    dash = {"stroke_dasharray": DASHES[mark.dash]} if DASHES[mark.dash] else {}
    return {"stroke": mark.light, "stroke_width": width, **dash}


def _key(run: RunPicture, drawing: Drawing) -> None:
    """The models' lines and names, in a row above."""
    widths = [42.0 + 6.4 * len(name) for name in run.names]  # about as wide as the type is
    x = max(2.0, min(LEFT, drawing.width - sum(widths)))
    for name, mark, wide in zip(run.names, run.marks, widths, strict=True):
        drawing.segment((x, 13.0), (x + 24, 13.0), **_stroke(mark, 2.5))
        drawing.words(name, x + 29, 17, fill=INK)
        x += wide
