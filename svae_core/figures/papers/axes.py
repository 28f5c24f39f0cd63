"""Two axes with ticks and titles, and where numbers are between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from svae_core.figures.palette import ink
from svae_core.figures.papers.svg import Corner, Drawing

#: Room for ticks and titles at the left and below, for half a tick's number, and for a key.
LEFT, BELOW, RIGHT, ABOVE = 52.0, 42.0, 14.0, 28.0


@dataclass(frozen=True)
class Axes:
    """A rectangle in a drawing that stands for x from 0 to `wide` and y from 0 to `tall`."""

    drawing: Drawing
    wide: float
    tall: float
    above: float = ABOVE  # pixels over the rectangle: for the key, and for what else stands there

    @property
    def right(self) -> float:
        """The x of the right edge, in pixels."""
        return self.drawing.width - RIGHT

    @property
    def floor(self) -> float:
        """The y of the lower edge, in pixels."""
        return self.drawing.height - BELOW

    def place(self, x: float, y: float) -> Corner:
        """Where a pair of numbers is, in pixels."""
        return (
            LEFT + x / self.wide * (self.right - LEFT),
            self.floor - y / self.tall * (self.floor - self.above),
        )

    def clip(self) -> str:
        """The attribute value that cuts off what lies outside."""
        width, height = self.right - LEFT, self.floor - self.above
        return self.drawing.define_clip("inside", LEFT, self.above, width, height)

    def draw(self, x_title: str, y_title: str) -> None:
        """Lines at the ticks of y, numbers at those of both, and titles."""
        drawing = self.drawing
        for value in ticks(self.tall):
            _, y = self.place(0, value)
            drawing.segment((LEFT, y), (self.right, y), stroke=GRID, stroke_width=1)
            drawing.words(f"{value:g}", LEFT - 6, y + 4, text_anchor="end", fill=INK)
        for value in ticks(self.wide):
            x, _ = self.place(value, 0)
            drawing.words(f"{value:g}", x, self.floor + 16, text_anchor="middle", fill=INK)
        middle = (LEFT + self.right) / 2
        drawing.words(x_title, middle, drawing.height - 8, text_anchor="middle", fill=INK)
        across, up = 14.0, (self.above + self.floor) / 2
        turned = f"rotate(-90 {across:.2f} {up:.2f})"
        drawing.words(y_title, across, up, text_anchor="middle", transform=turned, fill=INK)


INK = ink(False)
#: As `faint` is on white: printers and editors are unsure of transparent lines.
GRID = "#dddedf"


def ticks(end: float, most: int = 6) -> list[float]:
    """Round numbers from 0 up to `end`, `most` at most, at steps of 1, 2 or 5 times a power of 10.

    >>> ticks(1.15)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = end / (most - 0.5)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))
    return [round(n * step, 12) for n in range(int(end / step * (1 + 1e-9)) + 1)]
