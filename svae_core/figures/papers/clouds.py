"""The shells and the latent maps of both models, point by point."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from svae_core.figures.colouring import Colouring, colouring
from svae_core.figures.palette import SCALE_COLOURS, cluster_style, scale
from svae_core.figures.papers.axes import INK
from svae_core.figures.papers.run_picture import Look, RunPicture
from svae_core.figures.papers.svg import Drawing

#: The camera's distance from the centre, in outer radii, as in `orbit.js`.
_DISTANCE = 3.4
_LEVELS = 5
_FADING = 0.45  # how far the hindmost points go towards white
_MOST_DATA = 600
_GLOBE, _DATA = "#dde2e7", "#c2cad2"
_HEAD, _CAPTION, _LEGEND = 22.0, 30.0, 24.0  # room for models' names, sentences, clusters
_MARK, _LETTER = 16.0, 5.7  # width of a legend's mark with its space, and of a letter of 11 px
#: As `maps.js`: latents are measured against a prior of unit variance.
_PCA_REACH = 3.5
_SIZE = 5.8  # of a marker, in pixels
_FAINT = 0.16  # as `sheet.js`: opacity of points that were not picked out, while others are


def shells(run: RunPicture, look: Look, drawing: Drawing) -> None:
    """Sampled reconstructions of each model on the shell, by cluster; the data faintly behind."""
    radius = run.prepared.shell.r_max
    colours = colouring(run.prepared, look.colour)
    _symbols(colours, drawing, _LEVELS)
    points = run.prepared.view_points
    behind = points[:: max(1, math.ceil(len(points) / _MOST_DATA))]
    for number, frame in enumerate(run.frames):
        centre, reach = shell_place(run, drawing, number)
        for circle in _globe(radius):
            seen, _ = project(circle, radius, centre, reach, look)
            drawing.line(seen, stroke=_GLOBE, stroke_width=1.2)
        seen, _ = project(behind, radius, centre, reach, look)
        for x, y in seen:
            drawing.box(x - 0.75, y - 0.75, 1.5, 1.5, fill=_DATA)
        seen, depth = project(frame.shell_view, radius, centre, reach, look)
        levels = np.rint(depth * (_LEVELS - 1)).astype(int)
        for row in np.argsort(depth, kind="stable"):  # from far to near
            _stamp(colours, look, drawing, int(row), seen[row], int(levels[row]))
    _names(run, drawing)
    _legend(colours, look, drawing)


def maps(run: RunPicture, look: Look, drawing: Drawing) -> None:
    """Latent means of each model in two dimensions, by cluster; a sentence where there is none."""
    colours = colouring(run.prepared, look.colour)
    _symbols(colours, drawing, 1)
    for number in range(len(run.members)):
        layout = run.layout[number] if run.layout else None
        if layout is None or layout.kind == "none":
            sentence = layout.sentence if layout else "No map was computed at this moment."
            each = drawing.width / len(run.members)
            drawing.paragraph(
                sentence, (number + 0.5) * each, drawing.height / 2, 0.9 * each, fill=INK
            )
            continue
        for row, place in enumerate(map_places(run, drawing, number)):
            _stamp(colours, look, drawing, row, place, 0)
        _caption(run, drawing, number, layout.sentence)
    _names(run, drawing)
    _legend(colours, look, drawing)


def shell_place(
    run: RunPicture, drawing: Drawing, number: int
) -> tuple[tuple[float, float], float]:
    """The middle of a model's shell, and half its size, in pixels."""
    each = drawing.width / len(run.members)
    height = drawing.height - _HEAD - _LEGEND
    reach = 0.48 * min(0.96 * each, height)
    return (each * (number + 0.5), _HEAD + height / 2), reach


def map_places(run: RunPicture, drawing: Drawing, number: int) -> np.ndarray:
    """Where the points of a model's map are, [v, 2] in pixels; it must have one."""
    assert run.layout is not None
    layout = run.layout[number]
    count, points = len(run.members), layout.coordinates.astype(np.float64)
    height = drawing.height - _HEAD - _CAPTION - _LEGEND
    reach = 1.05 * float(np.abs(points).max(initial=1.0))
    reach = _PCA_REACH if layout.kind == "pca" else reach
    scale = min(drawing.width / count, height) / 2 / reach
    middle = (number + 0.5) * drawing.width / count, _HEAD + height / 2
    return np.array(middle) + scale * points * (1, -1)


def project(
    points: np.ndarray, radius: float, centre: tuple[float, float], reach: float, look: Look
) -> tuple[np.ndarray, np.ndarray]:
    """Points [n, 3] as the camera of `orbit.js` sees them: [n, 2] pixels, and depths from 0 to 1.

    A pinhole camera at `_DISTANCE` d outer radii: from there a sphere of radius 1 has the outline
    of a disk of radius 1/√(d² − 1), and `reach` is that of the outer shell.
    """
    a, b, c = points.astype(np.float64).T
    turn, tilt = look.turn, look.tilt
    ahead = a * math.cos(turn) + b * math.sin(turn)
    near = (ahead * math.cos(tilt) + c * math.sin(tilt)) / radius
    size = reach * look.zoom * math.sqrt(_DISTANCE**2 - 1) / radius / (_DISTANCE - near)
    x = centre[0] + size * (b * math.cos(turn) - a * math.sin(turn))
    y = centre[1] - size * (c * math.cos(tilt) - ahead * math.sin(tilt))
    return np.stack([x, y], axis=1), np.clip(0.5 + near / 2, 0.0, 1.0)


def _globe(radius: float) -> Iterable[np.ndarray]:
    """Circles of latitude and longitude, [73, 3] each."""
    around = np.linspace(0, 2 * math.pi, 73)
    zeros = np.zeros_like(around)
    flat = np.stack([np.cos(around), np.sin(around), zeros], axis=1)
    for latitude in (-math.pi / 4, 0.0, math.pi / 4):
        yield radius * (math.cos(latitude) * flat + (0, 0, math.sin(latitude)))
    for quarter in range(4):
        cos, sin = math.cos(quarter * math.pi / 4), math.sin(quarter * math.pi / 4)
        yield radius * np.stack([np.cos(around) * cos, np.cos(around) * sin, np.sin(around)], 1)


def _symbols(colours: Colouring, drawing: Drawing, levels: int) -> None:
    """A marker per slot and depth: what is far off is smaller and paler."""
    for slot in np.unique(colours.slots).tolist():
        colour, symbol = _style(colours, slot)
        for level in range(levels):
            near = 1.0 if levels == 1 else level / (levels - 1)
            radius = _SIZE * (0.82 + 0.18 * near) / 2
            shade = _paler(colour, _FADING * (1 - near))
            drawing.define_symbol(f"c{slot}l{level}", symbol, radius, shade)
        if colours.groups:
            drawing.define_symbol(f"k{slot}", symbol, 4.0, colour)


def _style(colours: Colouring, slot: int) -> tuple[str, str]:
    """Colour and symbol of the points in a slot."""
    return cluster_style(slot) if colours.groups else (scale()[slot], "circle")


def _paler(colour: str, share: float) -> str:
    """A #rrggbb colour on its way to white."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)


def _stamp(
    colours: Colouring, look: Look, drawing: Drawing, row: int, place: np.ndarray, level: int
) -> None:
    slot = int(colours.slots[row])
    back = look.chosen is not None and row not in look.chosen
    if (colours.groups and slot in look.hidden) or (back and look.vanish):
        return
    faint = {"opacity": _FAINT} if back else {}
    drawing.stamp(f"c{slot}l{level}", float(place[0]), float(place[1]), **faint)


def _names(run: RunPicture, drawing: Drawing) -> None:
    each = drawing.width / len(run.members)
    for number, name in enumerate(run.names):
        drawing.words(
            name, each * (number + 0.5), 15, text_anchor="middle", fill=INK, font_weight="600"
        )


def _caption(run: RunPicture, drawing: Drawing, number: int, sentence: str) -> None:
    each = drawing.width / len(run.members)
    y = drawing.height - _LEGEND - 14
    drawing.paragraph(sentence, (number + 0.5) * each, y, 0.96 * each, fill=INK)


def _legend(colours: Colouring, look: Look, drawing: Drawing) -> None:
    """The marks and names of the groups, or the scale and its ends, in one row below."""
    y = drawing.height - 9
    if not colours.groups:
        _scale_bar(colours, drawing, y)
        return
    shown = [slot for slot in np.unique(colours.slots).tolist() if slot not in look.hidden]
    title = _shortened(f"{colours.name}s", 16)
    head = 6.0 * len(title) + 12.0
    # As long as all of them fit, names are whole; else the longest are shortened.
    for most in range(14, 0, -1):
        names = [_shortened(colours.groups[slot], most) for slot in shown]
        widths = [_MARK + _LETTER * len(name) for name in names]
        if head + sum(widths) <= drawing.width:
            break
    x = max(0.0, (drawing.width - head - sum(widths)) / 2)
    drawing.words(title, x, y + 4, fill=INK)
    x += head
    for slot, name, wide in zip(shown, names, widths, strict=True):
        drawing.stamp(f"k{slot}", x, y)
        drawing.words(name, x + 7, y + 4, fill=INK, font_size=11)
        x += wide


def _scale_bar(colours: Colouring, drawing: Drawing, y: float) -> None:
    """The name of the column, and its colours between its lowest and its highest value."""
    title = _shortened(colours.name, max(8, int(drawing.width / 6 - 34)))
    wide = 120.0
    left = (drawing.width - wide) / 2
    drawing.words(f"{title}  {colours.low:.3g}", left - 6, y + 4, text_anchor="end", fill=INK)
    for place, colour in enumerate(scale()):
        x = left + wide * place / SCALE_COLOURS
        drawing.box(x, y - 5, wide / SCALE_COLOURS + 0.3, 10, fill=colour)
    drawing.words(f"{colours.high:.3g}", left + wide + 6, y + 4, fill=INK)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(1, most - 1)]}…"
