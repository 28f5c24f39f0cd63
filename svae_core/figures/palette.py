"""The colour, symbol and name of everything that is drawn, each given once.

Colours are Okabe and Ito's (2008), told apart by colour-blind readers; a symbol or a dash always
says the same thing once more. Text is drawn in ink, never in these colours, so it stays legible.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from svae_core.config.plugins import scan

if TYPE_CHECKING:  # figures for papers are drawn without it
    import plotly.graph_objects as go

FONT_SIZE = 15
_FONT = "Source Sans, Source Sans Pro, Segoe UI, Helvetica, Arial, sans-serif"

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"


@dataclass(frozen=True)
class Mark:
    """How one thing looks and what it is called, on every screen."""

    name: str
    light: str
    dark: str
    symbol: str = "circle"
    dash: str = "solid"

    def colour(self, dark: bool) -> str:
        return self.dark if dark else self.light


#: Blue is the one colour of the set too dark for a dark page; there it is lightened.
_BLUE_ON_DARK = "#4DA3DB"

MARKS = {
    "W": Mark("W, within clusters", GREEN, "#1FC296", "diamond"),
    "T": Mark("T, total variance", SKY, SKY, "square"),
    "B": Mark("B, between clusters", PURPLE, PURPLE, "cross"),
    "delta": Mark("δ, collapse loss", VERMILLION, "#F0772B", "x"),
    "band": Mark("feasible band", BLUE, _BLUE_ON_DARK),
    "lo": Mark("lo, lower edge", BLUE, _BLUE_ON_DARK, "circle", "dot"),
    "hi": Mark("hi, upper edge", BLUE, _BLUE_ON_DARK, "circle", "solid"),
    "elementary": Mark("elementary floor", SKY, SKY, "circle", "dot"),
    "proved": Mark("proved floor", PURPLE, PURPLE, "circle", "dash"),
    "tight": Mark("tight floor (numerical)", BLUE, _BLUE_ON_DARK, "circle", "solid"),
    "reference": Mark("Gaussian water-filling", GREY, GREY, "circle", "dashdot"),
}

# Black is missing from the eight and grey stands in, so that one set serves light and dark pages.
# Of all orders this one sets the ten marks furthest apart in grey: shapes that are much alike when
# small, such as circle and square, get colours of unlike lightness (tests/test_marks.py).
_CLUSTER_COLOURS = (BLUE, GREEN, ORANGE, VERMILLION, PURPLE, SKY, GREY)
# Plotly's 3-D scenes have these symbols, and "x", which some machines have no glyph for …
_SCENE_SYMBOLS = (
    *("circle", "square", "diamond", "cross"),
    *("circle-open", "square-open", "diamond-open"),
)
# … and everything else has these as well: ten shapes, so that ten clusters differ by shape alone.
_CLUSTER_SYMBOLS = (*_SCENE_SYMBOLS, "triangle-up", "triangle-down", "star")
# By how many symbols a second round of colours moves on in a scene: of all numbers, by this one the
# eighth, ninth and tenth cluster differ most, in grey, from those of the same shape.
_SCENE_STEP = 1
#: What a method's file calls the colours. Yellow is missing: as a line it is lost on white.
METHOD_COLOURS = {
    "orange": ORANGE,
    "sky": SKY,
    "green": GREEN,
    "vermillion": VERMILLION,
    "blue": BLUE,
    "purple": PURPLE,
    "grey": GREY,
}
METHOD_SYMBOLS = ("diamond", "cross", "circle", "square")
METHOD_DASHES = ("solid", "dash", "dot", "dashdot")
# Cividis (Nuñez, Anderton and Renslow 2018): even steps of lightness, and nearly the same to
# colour-blind readers. On a white page its light end is lost, on a dark one its dark end.
_CIVIDIS = (
    *("#00224E", "#123570", "#3B496C", "#575D6D", "#707173"),
    *("#8A8678", "#A59C74", "#C3B369", "#E1CC55", "#FEE838"),
)
_ON_LIGHT, _ON_DARK = (0.0, 0.8), (0.25, 1.0)
#: Colours of a scale from its low to its high end.
SCALE_COLOURS = 24
#: So many clusters look unlike one another: 7 and 10 have no common divisor.
CLUSTER_STYLES = len(_CLUSTER_COLOURS) * len(_CLUSTER_SYMBOLS)
#: The same in a 3-D scene.
SCENE_STYLES = len(_CLUSTER_COLOURS) * len(_SCENE_SYMBOLS)


def cluster_style(index: int, dark: bool = False) -> tuple[str, str]:
    """Colour and symbol of a cluster (or class): no two of ten in a row have the same symbol."""
    colour = _CLUSTER_COLOURS[index % len(_CLUSTER_COLOURS)]
    if dark and colour == BLUE:
        colour = _BLUE_ON_DARK
    return colour, _CLUSTER_SYMBOLS[index % len(_CLUSTER_SYMBOLS)]


def scale(dark: bool = False) -> tuple[str, ...]:
    """The `SCALE_COLOURS` colours of a number, from its lowest value to its highest."""
    parts = np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in _CIVIDIS])
    places = np.linspace(*(_ON_DARK if dark else _ON_LIGHT), SCALE_COLOURS)
    stops = np.linspace(0, 1, len(_CIVIDIS))
    mixed = np.stack([np.interp(places, stops, channel) for channel in parts.T], axis=1)
    return tuple("#" + "".join(f"{round(part):02x}" for part in colour) for colour in mixed)


def scene_style(index: int) -> tuple[str, str]:
    """The same in Plotly's 3-D scenes, which have seven symbols: as `cluster_style` up to seven."""
    colour, _ = cluster_style(index)
    rounds = index // len(_CLUSTER_COLOURS)
    return colour, _SCENE_SYMBOLS[(index + _SCENE_STEP * rounds) % len(_SCENE_SYMBOLS)]


def mark_of(name: str) -> Mark:
    """The mark of a thing or of a training method.

    A method's mark depends on its own file alone, so that no other method changes its look: it is
    what `Method.mark` says, or, where a file says nothing, what the file's name decides.
    """
    if name in MARKS:
        return MARKS[name]
    plugin = scan("svae_core.methods", "Method").get(name)
    if plugin is None:  # of a saved run, whose method is gone
        return _method_mark(name.replace("_", " "), _look_of_name(name))
    look = getattr(plugin.module.Method, "mark", None) or _look_of_name(name)
    allowed = (METHOD_COLOURS, METHOD_SYMBOLS, METHOD_DASHES)
    if len(look) != len(allowed) or any(
        a not in names for a, names in zip(look, allowed, strict=True)
    ):
        raise TypeError(
            f"svae_core.methods.{name}: Method.mark needs a colour, a symbol and a dash of "
            f"{', '.join(METHOD_COLOURS)}; {', '.join(METHOD_SYMBOLS)}; {', '.join(METHOD_DASHES)}."
        )
    return _method_mark(_in_a_sentence(plugin.title), look)


def mark_apart(number: int) -> Mark:
    """A mark for one of several models of the same method, which would look alike by its own."""
    looks = (
        ("orange", "square", "dash"),
        ("green", "circle", "solid"),
        ("purple", "diamond", "dot"),
    )
    return _method_mark("", looks[number % len(looks)])


def _method_mark(title: str, look: tuple[str, str, str]) -> Mark:
    colour, symbol, dash = look
    light = METHOD_COLOURS[colour]
    return Mark(title, light, _BLUE_ON_DARK if light == BLUE else light, symbol, dash)


def _look_of_name(name: str) -> tuple[str, str, str]:
    """The same on every machine and in every process, as Python's own hash is not."""
    number = zlib.crc32(name.encode())
    colours = tuple(METHOD_COLOURS)
    colour = colours[number % len(colours)]
    return colour, METHOD_SYMBOLS[number // len(colours) % len(METHOD_SYMBOLS)], "dot"


def _in_a_sentence(title: str) -> str:
    """Conventional VAE → conventional VAE, but GECO, β-VAE and VaDE; without what brackets add."""
    short = title.split(" (")[0]
    first, _, rest = short.partition(" ")
    return f"{first.lower()} {rest}".rstrip() if first[1:].islower() else short


def ink(dark: bool) -> str:
    """Colour of text and axes."""
    return "#E8EAED" if dark else "#1F2328"


def faint(dark: bool) -> str:
    """Colour of grids and of what stands in the background."""
    return "rgba(200,205,212,0.25)" if dark else "rgba(60,66,74,0.18)"


def quiet(dark: bool) -> str:
    """Colour of what stands back in a 3-D scene; opaque, since scenes blend alpha to white."""
    return "#3E4854" if dark else "#CDD3DA"


def veil(colour: str, opacity: float) -> str:
    """A #RRGGBB colour made translucent."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


@functools.cache  # figures copy it, and making it takes as long as a small figure
def template(dark: bool) -> go.layout.Template:
    """Axes, fonts and legend of every figure; backgrounds are transparent."""
    from plotly import graph_objects

    axis = {
        "gridcolor": faint(dark),
        "linecolor": faint(dark),
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "title": {"font": {"size": FONT_SIZE}, "standoff": 8},
        "tickfont": {"size": FONT_SIZE - 1},
    }
    scene_axis = {"showbackground": False, "gridcolor": faint(dark), "zeroline": False}
    layout = graph_objects.Layout(
        font={"family": _FONT, "size": FONT_SIZE, "color": ink(dark)},
        title={"font": {"size": FONT_SIZE + 2}, "x": 0.0, "xanchor": "left"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis=axis,
        yaxis=axis,
        scene={"xaxis": scene_axis, "yaxis": scene_axis, "zaxis": scene_axis},
        legend={"font": {"size": FONT_SIZE - 1}, "bgcolor": "rgba(0,0,0,0)"},
        margin={"l": 10, "r": 10, "t": 36, "b": 10},
        hoverlabel={"font": {"size": FONT_SIZE}},
        # Phones show it all the time, and by itself it is a grey box.
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": ink(dark), "activecolor": ink(dark)},
        annotationdefaults={"font": {"size": FONT_SIZE, "color": ink(dark)}, "showarrow": False},
    )
    return graph_objects.layout.Template(layout=layout)


def camera(distance: float = 1.0) -> dict[str, dict[str, float]]:
    """Where a shell is seen from; from further away where the page is narrow, to see all of it."""
    return {"eye": {"x": 0.86 * distance, "y": 0.86 * distance, "z": 0.5 * distance}}


def scatter(points: np.ndarray, **look: Any) -> go.Scatter3d:
    """Points [n, 3] as one 3-D trace, sent as float32; `look` are the trace's other properties."""
    from plotly import graph_objects

    x, y, z = points.T.astype(np.float32)
    return graph_objects.Scatter3d(x=x, y=y, z=z, **look)


def lines(points: np.ndarray, name: str, dark: bool) -> go.Scatter3d:
    """Quiet lines through points [n, 3], broken where a row is NaN."""
    return scatter(
        points,
        mode="lines",
        line={"width": 1.5, "color": quiet(dark)},
        name=name,
        hoverinfo="skip",
        showlegend=False,
    )


def legend_below(depth: float) -> dict[str, Any]:
    """A legend in one row, its top `depth` of the plot's height below the plot."""
    return {"orientation": "h", "y": -depth, "yanchor": "top", "x": 0}


def panels(figure: go.Figure, dark: bool, height: int) -> go.Figure:
    """The common look of a figure with panels side by side and one legend for all."""
    figure.update_layout(
        template=template(dark),
        height=height,
        legend=legend_below(0.25),
        margin={"l": 10, "r": 10, "t": 36, "b": 10},
    )
    figure.update_annotations(font={"size": FONT_SIZE})
    return figure


def blank(dark: bool, height: int) -> go.Figure:
    """An empty figure in the house style."""
    from plotly import graph_objects

    figure = graph_objects.Figure()
    figure.update_layout(template=template(dark), height=height)
    return figure
