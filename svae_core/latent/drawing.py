"""A drawing made into a picture as the data's pictures are made.

    picture(strokes, habits_of(images)) -> [h, w], 0 where there is no ink, 1 where all is ink

Pictures of one data set have habits: digits fill a box of one size, and stand with their centre of
mass or the middle of their box in one place. Both are measured on the data, and a drawing gets the
same size and place, whatever corner of the pad it was drawn in. MNIST, for example, fits digits
into 20 × 20 pixels and centres their mass in 28 × 28; the 8 × 8 digits fill the height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svae_core.config.fields import RequestError

#: A drawing: lines through points (x, y), x to the right and y downwards, on a pad from 0 to 1.
Strokes = tuple[tuple[tuple[float, float], ...], ...]

#: Points of a drawing, at most: many times what a hand draws.
MOST_POINTS = 2000
#: No point is further from the pad's corner than so many times its side.
_FAR = 4.0
#: Brightness above which a pixel belongs to what is drawn.
_INK = 0.2
#: The pen's width, as a fraction of the box: threes drawn with it hold as much ink as those of the
#: 8 × 8 digits (those of MNIST: with 0.14).
_PEN = 0.15
#: A drawing is magnified as if its longer side were this fraction of the pad at least.
_LEAST_SIDE = 0.2
#: Places per pixel and direction that are asked whether the pen covers them: the 8 × 8 digits
#: count the dots of 4 × 4.
_FINE = 4


@dataclass(frozen=True)
class Habits:
    """How the pictures of a data set are made, in pixels."""

    shape: tuple[int, int]
    side: float  # longer side of the box around what is drawn: the median
    centre: tuple[float, float]  # (y, x) of where it stands
    by_mass: bool  # whether its centre of mass stands there, else the middle of its box


def habits_of(images: np.ndarray) -> Habits:
    """Measure the habits of pictures [n, h, w] of brightness 0 to 1.

    Of the two centres, the one that varies less over the pictures is the one that was fixed.
    """
    height, width = images.shape[1:]
    inked = images > _INK
    some = images[inked.any(axis=(1, 2))]
    if not len(some):
        return Habits((height, width), float(min(height, width)), (height / 2, width / 2), False)
    spans = [_span(np.asarray((some > _INK).any(axis=axis))) for axis in (2, 1)]
    side = np.median(np.maximum(*(last - first for first, last in spans)))
    boxes = np.stack([(first + last) / 2 for first, last in spans], axis=1)
    masses = np.stack([_mass(some, axis) for axis in (2, 1)], axis=1)
    by_mass = bool(masses.var(axis=0).sum() < boxes.var(axis=0).sum())
    y, x = (masses if by_mass else boxes).mean(axis=0)
    return Habits((height, width), float(side), (float(y), float(x)), by_mass)


def _span(inked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where ink begins and ends along lines [n, length] of pixels, [n] each."""
    length = inked.shape[1]
    return inked.argmax(axis=1), length - inked[:, ::-1].argmax(axis=1)


def _mass(images: np.ndarray, axis: int) -> np.ndarray:
    """The centre of mass [n] along the axis that remains when `axis` is summed up."""
    along = images.sum(axis=axis, dtype=np.float64)
    places = np.arange(along.shape[1]) + 0.5
    return np.asarray(along @ places / along.sum(axis=1))


def check_strokes(strokes: Strokes) -> None:
    """RequestError unless these are points near the pad, not none and not too many."""
    count = sum(map(len, strokes))
    if count == 0 or not all(strokes):
        raise RequestError("There is nothing drawn yet: draw a line first.")
    if count > MOST_POINTS:
        raise RequestError(
            f"The drawing has {count:,} points, and at most {MOST_POINTS:,} are read; clear it and "
            "draw it with fewer lines."
        )
    if not all(abs(value) <= _FAR for stroke in strokes for point in stroke for value in point):
        raise RequestError("A point of the drawing is not on the pad; clear it and draw again.")


def picture(strokes: Strokes, habits: Habits) -> np.ndarray:
    """The drawing as a picture [h, w] float32 of brightness 0 to 1."""
    check_strokes(strokes)
    pen = max(1.0, _PEN * habits.side)
    lines = [np.asarray(stroke, np.float64) for stroke in strokes]
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    longest = max(float((high - low).max()), _LEAST_SIDE)
    scale = max(habits.side - pen, 1.0) / longest
    y, x = habits.centre
    lines = [(line - (low + high) / 2) * scale + (x, y) for line in lines]
    drawn = _inked(lines, habits.shape, pen)
    if habits.by_mass and drawn.sum() > 0:
        mass = np.array([_mass(drawn[None], axis)[0] for axis in (1, 2)])  # x, then y
        lines = [line + (np.array([x, y]) - mass) for line in lines]
        drawn = _inked(lines, habits.shape, pen)
    return drawn.astype(np.float32)


def _inked(lines: list[np.ndarray], shape: tuple[int, int], pen: float) -> np.ndarray:
    """The fraction of each pixel [h, w] that a round pen of this width covers."""
    height, width = (_FINE * side for side in shape)
    rows, columns = ((np.arange(side) + 0.5) / _FINE for side in (height, width))
    covered = np.zeros((height, width), bool)
    for line in lines:
        for start, end in zip(line, np.vstack([line[1:], line[-1:]]), strict=True):
            # Only the places that the pen can reach from this piece of the line.
            low, high = np.minimum(start, end) - pen, np.maximum(start, end) + pen
            across = slice(*np.searchsorted(columns, (low[0], high[0])))
            down = slice(*np.searchsorted(rows, (low[1], high[1])))
            gap = _squared_distance(columns[None, across], rows[down, None], start, end)
            covered[down, across] |= gap <= pen**2 / 4
    return covered.reshape(shape[0], _FINE, shape[1], _FINE).mean(axis=(1, 3))


def _squared_distance(
    x: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Of places (x, y), broadcast, from the piece of line between two points."""
    way = end - start
    length = float(way @ way)
    along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / length if length else 0.0
    along = np.clip(along, 0.0, 1.0)
    gap: np.ndarray = (x - start[0] - along * way[0]) ** 2 + (y - start[1] - along * way[1]) ** 2
    return gap
