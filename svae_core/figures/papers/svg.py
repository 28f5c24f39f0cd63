"""An SVG drawing: shapes and texts in pixels of 1/96 inch, written as one text."""

from __future__ import annotations

import base64
import math
import textwrap
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

Corner = tuple[float, float]
Value = float | int | str

FONT = "Source Sans, Source Sans 3, Segoe UI, Helvetica, Arial, sans-serif"
#: Pixels in a millimetre.
PER_MILLIMETRE = 96 / 25.4
#: Dashes of lines by their names in `palette`, in multiples of 1 px.
DASHES = {"solid": "", "dot": "2 4", "dash": "7 4", "dashdot": "7 4 2 4"}


def _cross(long: float, half: float) -> list[Corner]:
    """The twelve corners of a cross: a quarter of them, turned three times."""
    corners = [(half, -half), (long, -half), (long, half)]
    turned = list(corners)
    for _ in range(3):
        corners = [(-y, x) for x, y in corners]
        turned += corners
    return turned


def _star(long: float, short: float) -> list[Corner]:
    """The ten corners of a star, clockwise from its top."""
    turns = [(n * math.pi / 5, short if n % 2 else long) for n in range(10)]
    return [(radius * math.sin(angle), -radius * math.cos(angle)) for angle, radius in turns]


#: Corners of each symbol at radius 1, as `sprites.js` draws them; a circle has none.
_OUTLINES: dict[str, list[Corner]] = {
    "circle": [],
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "diamond": [(0, -1.15), (1.15, 0), (0, 1.15), (-1.15, 0)],
    "cross": _cross(1.1, 0.4),
    "triangle-up": [(0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
    "triangle-down": [(0, 1.2), (-1.1, -0.8), (1.1, -0.8)],
    "star": _star(1.35, 0.55),
    "x": [(0.71 * (x - y), 0.71 * (x + y)) for x, y in _cross(1.1, 0.3)],
}


class Drawing:
    """Elements of an SVG file, in the order in which they are painted."""

    def __init__(self, width: float, height: float, title: str, millimetres: bool = False) -> None:
        self.width, self.height = width, height
        self._millimetres = millimetres  # whether the file tells its size in them
        self._title = title
        self._definitions: list[str] = []
        self._elements: list[str] = []

    def add(self, tag: str, text: str = "", /, **attributes: Value) -> None:
        """An element; `_` in the name of an attribute is written as `-`."""
        self._elements.append(_element(tag, text, attributes))

    def line(self, points: Iterable[Corner], **attributes: Value) -> None:
        """A line through points, not filled."""
        self.add("polyline", points=_pairs(points), **{"fill": "none", **attributes})

    def segment(self, start: Corner, end: Corner, /, **attributes: Value) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)

    def area(self, points: Iterable[Corner], **attributes: Value) -> None:
        """A filled polygon."""
        self.add("polygon", points=_pairs(points), **attributes)

    def box(self, x: float, y: float, width: float, height: float, **attributes: Value) -> None:
        """A filled rectangle."""
        self.add("rect", x=x, y=y, width=width, height=height, **attributes)

    def words(self, text: str, x: float, y: float, **attributes: Value) -> None:
        """A line of text whose baseline begins, or by `text_anchor` ends, at x, y."""
        self.add("text", text, x=x, y=y, **attributes)

    def paragraph(self, text: str, x: float, y: float, width: float, **attributes: Value) -> None:
        """Lines of text about so wide, centred on x, their middle at y; in 11 px."""
        lines = textwrap.wrap(_printable(text), max(8, int(width / 5.8)))
        for number, line in enumerate(lines):
            place = y + 14 * (number - (len(lines) - 1) / 2) + 4
            look = {"text_anchor": "middle", "font_size": 11, **attributes}
            self.words(line, x, place, **look)

    def define_symbol(self, name: str, symbol: str, radius: float, colour: str) -> None:
        """A marker that `stamp` repeats; the name of an open symbol ends in -open."""
        shape = symbol.removesuffix("-open")
        look: dict[str, Value] = {"id": name, "fill": colour}
        if shape != symbol:
            look |= {"fill": "none", "stroke": colour, "stroke_width": max(1.2, radius / 2)}
        corners = [(radius * x, radius * y) for x, y in _OUTLINES[shape]]
        if corners:
            self._definitions.append(_element("polygon", "", {"points": _pairs(corners), **look}))
        else:
            self._definitions.append(_element("circle", "", {"r": radius, **look}))

    def define_clip(self, name: str, x: float, y: float, width: float, height: float) -> str:
        """A rectangle outside which elements with this `clip_path` are not painted."""
        box = _element("rect", "", {"x": x, "y": y, "width": width, "height": height})
        definition = f'<clipPath id="{name}">{box}</clipPath>'
        if definition not in self._definitions:
            self._definitions.append(definition)
        return f"url(#{name})"

    def stamp(self, name: str, x: float, y: float, **attributes: Value) -> None:
        """The defined symbol of that name at x, y."""
        self.add("use", href=f"#{name}", x=x, y=y, **attributes)

    def picture(self, png: bytes, box: tuple[float, float, float, float]) -> None:
        """A picture in the file itself; `box`: left, top, width and height."""
        x, y, width, height = box
        data = "data:image/png;base64," + base64.b64encode(png).decode()
        look = {"preserveAspectRatio": "none", "style": "image-rendering:pixelated"}
        self.add("image", href=data, x=x, y=y, width=width, height=height, **look)

    def __str__(self) -> str:
        unit, pixel = ("mm", 1 / PER_MILLIMETRE) if self._millimetres else ("", 1.0)
        sides = (self.width * pixel, self.height * pixel)
        size = f'width="{_text(sides[0])}{unit}" height="{_text(sides[1])}{unit}"'
        view = f'viewBox="0 0 {_text(self.width)} {_text(self.height)}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} '
                f'font-family="{FONT}" font-size="12">',
                _element("title", self._title, {}),
                "<defs>",
                *self._definitions,
                "</defs>",
                '<rect width="100%" height="100%" fill="#ffffff"/>',
                *self._elements,
                "</svg>",
                "",
            ]
        )


def _element(tag: str, text: str, attributes: dict[str, Value]) -> str:
    told = "".join(
        f" {name.replace('_', '-')}={quoteattr(_text(value))}" for name, value in attributes.items()
    )
    return f"<{tag}{told}>{escape(_printable(text))}</{tag}>" if text else f"<{tag}{told}/>"


def _pairs(points: Iterable[Corner]) -> str:
    return " ".join(f"{_text(float(x))},{_text(float(y))}" for x, y in points)


def _text(value: Value) -> str:
    """A number to a hundredth of a pixel; XML has no control characters."""
    if isinstance(value, str):
        return _printable(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
