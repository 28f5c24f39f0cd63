"""Phase maps: a number for each cell of a grid of runs, with the lines predicted by theory.

Colour is never the only cue: each cell shows its number, with a cross where every seed collapsed
and a ring where the seeds' verdicts differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.figures.palette import FONT_SIZE, MARKS, blank, ink
from svae_core.figures.phase.axes import AXES, Axis, View, axis_of, label
from svae_core.figures.phase.words import SHARES, hover, mixed
from svae_core.studies.phase_cells import MEASURES, Cell, Theory

_SCALE = "Cividis"  # readable for colour-blind people, with monotone brightness
_UNSEEN = "rgba(0,0,0,0)"
_DARK_HALF = 0.55  # below this fraction of the scale, text is white
# With more characters per row the numbers would overlap and are left out; colour, marks and hover
# remain.
_ROW_CHARACTERS = 48


def phase_map(
    cells: Sequence[Cell],
    theory: Theory,
    view: View,
    shared: tuple[float, float],
    dark: bool = False,
    picked: int | None = None,
) -> go.Figure:
    """The map of one method's cells; `shared`: the ends of the colour scale of all maps in a row.

    A click returns a point whose `customdata` is the cell's index in `cells`; the `picked` cell has
    a frame.
    """
    xs, ys = axis_of(cells, view.x), axis_of(cells, view.y)
    figure = blank(dark, 440)
    figure.add_trace(_colours(cells, view, xs, ys, shared))
    _draw_lines(figure, cells, theory, xs, ys, dark)
    _draw_cells(figure, cells, view, xs, ys, shared, dark)
    if picked is not None:
        _draw_frame(figure, cells[picked], xs, ys, dark)
    figure.update_layout(
        xaxis=_drawn(xs),
        yaxis=_drawn(ys),
        hovermode="closest",
        hoverlabel={"font": {"size": FONT_SIZE - 3}, "align": "left"},
        hoverdistance=60,
        clickmode="event+select",
        dragmode=False,
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
    )
    return figure


def colour_range(cells: Sequence[Cell], view: View) -> tuple[float, float]:
    """The ends of the colour scale for all these cells; 0 to 1 for shares of verdicts."""
    if view.measure in SHARES:
        return 0.0, 1.0
    values = [shown(cell, view) for cell in cells if cell.values]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low = min(0.0, *finite)
    return low, max(max(finite), low + 1e-3)


def shown(cell: Cell, view: View) -> float:
    """The number that a cell shows; nan before any of its seeds has ended."""
    found = cell.values.get(view.measure)
    if found is None:
        return math.nan
    return found.high - found.low if view.statistic == "range" else found.mean


def _drawn(axis: Axis) -> dict[str, Any]:
    return {
        "title": {"text": AXES[axis.name]},
        "tickvals": list(axis.positions),
        "ticktext": [label(value, 2) for value in axis.values],
        "range": [axis.edges[0], axis.edges[-1]],
        "showgrid": False,
        "fixedrange": True,
    }


# ------------------------------------------------------------------------- cells and lines


def _draw_line(
    figure: go.Figure, name: str, places: Sequence[Any], dash: str, width: float, dark: bool
) -> None:
    """A line through places (x, y), on a wider one of the page's colour, which parts it from cells.

    A place (None, None) interrupts it.
    """
    under = "#11161C" if dark else "#FFFFFF"
    for colour, across, kind in (
        (under, 2 * width, "solid"),
        (MARKS["delta"].colour(dark), width, dash),
    ):
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in places],
                y=[y for _, y in places],
                mode="lines",
                line={"color": colour, "width": across, "dash": kind},
                name=name,
                hoverinfo="skip",
            )
        )


def _draw_cells(
    figure: go.Figure,
    cells: Sequence[Cell],
    view: View,
    xs: Axis,
    ys: Axis,
    shared: tuple[float, float],
    dark: bool,
) -> None:
    """A number and a mark for each cell, which also receive the clicks."""
    numbers = [_short(shown(c, view)) if c.seeds else "–" if c.refused else "" for c in cells]
    if len(xs.values) * max(map(len, numbers)) > _ROW_CHARACTERS:
        numbers = [number if number == "–" else "" for number in numbers]
    figure.add_trace(
        go.Scatter(
            x=[xs.positions[xs.index(cell)] for cell in cells],
            y=[ys.positions[ys.index(cell)] for cell in cells],
            mode="markers+text",
            marker={
                "symbol": [_symbol(cell) for cell in cells],
                "size": 13,
                "color": [
                    _UNSEEN if _symbol(cell) == "square" else _text_colour(cell, view, shared, dark)
                    for cell in cells
                ],
                "line": {"width": [0 if _symbol(cell) == "square" else 2 for cell in cells]},
            },
            text=numbers,
            textposition="top center",
            textfont={
                "size": FONT_SIZE - 2,
                "color": [_text_colour(cell, view, shared, dark) for cell in cells],
                "shadow": "auto",  # an outline, where a line of theory runs under a number
            },
            customdata=list(range(len(cells))),
            hovertext=[hover(cell, view) for cell in cells],
            hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            cliponaxis=False,
        )
    )


def _colours(
    cells: Sequence[Cell], view: View, xs: Axis, ys: Axis, shared: tuple[float, float]
) -> go.Heatmap:
    """The colour of each cell, with its scale below the map; cells not trained have none."""
    rows = [[math.nan] * len(xs.values) for _ in ys.values]
    for cell in cells:
        rows[ys.index(cell)][xs.index(cell)] = shown(cell, view)
    return go.Heatmap(
        x=xs.edges,
        y=ys.edges,
        z=rows,
        zmin=shared[0],
        zmax=shared[1],
        colorscale=_SCALE,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
        colorbar={
            "title": {"text": _title(view), "side": "top", "font": {"size": FONT_SIZE}},
            "tickfont": {"size": FONT_SIZE - 1},
            "orientation": "h",
            "thickness": 12,
            "y": -0.24,
            "yanchor": "top",
        },
    )


def _draw_lines(
    figure: go.Figure, cells: Sequence[Cell], theory: Theory, xs: Axis, ys: Axis, dark: bool
) -> None:
    """βσ² = λ_max and the staircase of theory, every further λ_i, where σ² or β is an axis.

    The staircase is for losses D/(2σ²) + β·KL. An autoregressive decoder has none: its thresholds
    depend on what it tells without latents.
    """
    first = cells[0].settings
    count = first.latent_dim if theory.steps and first.arch not in AUTOREGRESSIVE else 1
    known = [_line(value, first.sigma2, first.beta, xs, ys) for value in theory.eigenvalues[:count]]
    # One trace for all steps but the first: there may be hundreds.
    steps = [place for ends in known[1:] if ends for place in (*ends, (None, None))]
    # The lines of the steps are thin, since several of them may cross the numbers of a cell. Dashes
    # grow with a line's width, so that what lies under them is not dashed.
    for name, places, dash, wide in (
        ("βσ² = λᵢ", steps, "dot", 1.5),
        ("βσ² = λₘₐₓ", known[0] if known else None, "solid", 3),
    ):
        if places:
            _draw_line(figure, name, places, dash, wide, dark)
    if known and known[0] and (at := _label_place(known[0], xs, ys)):
        figure.add_annotation(
            x=at[0],
            y=ys.edges[-1],
            yanchor="bottom",
            text="βσ² = λₘₐₓ",
            font={"color": ink(dark)},
        )


def _draw_frame(figure: go.Figure, cell: Cell, xs: Axis, ys: Axis, dark: bool) -> None:
    column, row = xs.index(cell), ys.index(cell)
    for colour, width in ((ink(dark), 7), (ink(not dark), 3)):  # visible on bright and dark cells
        figure.add_shape(
            type="rect",
            x0=xs.edges[column],
            x1=xs.edges[column + 1],
            y0=ys.edges[row],
            y1=ys.edges[row + 1],
            line={"color": colour, "width": width},
        )


def _line(
    value: float, sigma2: float, beta: float, xs: Axis, ys: Axis
) -> list[tuple[float, float]] | None:
    """The ends of the line βσ² = value in the map's coordinates; None if it is not on the map."""
    named = {axis.name: axis for axis in (xs, ys) if not axis.even}
    whole_x, whole_y = (xs.edges[0], xs.edges[-1]), (ys.edges[0], ys.edges[-1])
    c = math.log10(value) if value > 0 else -math.inf
    if not math.isfinite(c):
        return None
    if {"sigma2", "beta"} <= named.keys():
        low = max(whole_x[0], c - whole_y[1])
        high = min(whole_x[1], c - whole_y[0])
        return [(low, c - low), (high, c - high)] if low < high else None
    for name, fixed in (("sigma2", beta), ("beta", sigma2)):
        at = c - math.log10(fixed)
        if xs is named.get(name) and whole_x[0] <= at <= whole_x[1]:
            return [(at, whole_y[0]), (at, whole_y[1])]
        if ys is named.get(name) and whole_y[0] <= at <= whole_y[1]:
            return [(whole_x[0], at), (whole_x[1], at)]
    return None


def _label_place(ends: list[tuple[float, float]], xs: Axis, ys: Axis) -> tuple[float, float] | None:
    """The point at which the line leaves the map at its top, if it does."""
    top = max(ends, key=lambda end: end[1])
    return top if abs(top[1] - ys.edges[-1]) < 1e-9 else None


def _symbol(cell: Cell) -> str:
    if mixed(cell):
        return "circle-open"
    return "x-thin-open" if cell.seeds and cell.verdicts["collapsed"] else "square"


def _text_colour(cell: Cell, view: View, shared: tuple[float, float], dark: bool) -> str:
    value = shown(cell, view)
    if not math.isfinite(value):
        return ink(dark)
    return "#FFFFFF" if (value - shared[0]) / (shared[1] - shared[0]) < _DARK_HALF else "#11161C"


def _short(value: float) -> str:
    """A number that fits into a cell."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:z.2f}"


def _title(view: View) -> str:
    measure = MEASURES[view.measure]
    unit = f", {measure.unit}" if measure.unit else ""
    return f"{measure.title}{unit}" + (" (range)" if view.statistic == "range" else "")
