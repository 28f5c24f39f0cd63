"""Phase diagrams: a number for each cell of a grid of runs, the lines of theory across it.

Colour is said twice: the number stands in its cell, with a cross where every seed collapsed and a
ring where the seeds' verdicts differ.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from svae_core.cells import MEASURES, Cell, Spread, Theory
from svae_core.figures.palette import FONT_SIZE, MARKS, blank, ink

AXES = {
    "sigma2": "decoder variance σ²",
    "beta": "KL weight β",
    "band": "upper edge b of the band",
    "clusters": "number of clusters K",
}
SYMBOLS = {"sigma2": "σ²", "beta": "β", "band": "b", "clusters": "K"}
STATISTICS = {"mean": "mean over seeds", "range": "spread over seeds"}
_SHARES = ("certified", "collapsed")  # of verdicts, which are told in words as well
_LOGARITHMIC = ("sigma2", "beta", "clusters")
_SCALE = "Cividis"  # made for colour-blind readers, and rising in brightness
_UNSEEN = "rgba(0,0,0,0)"
_DARK_HALF = 0.55  # below this share of the scale, text must be white
# Where a row would need more characters, numbers would run into each other; colour, marks and
# hover remain.
_ROW_CHARACTERS = 48


@dataclass(frozen=True)
class View:
    """What a map shows: two fields of Settings, a measure, and its mean or its range over seeds."""

    x: str
    y: str
    measure: str
    statistic: str = "mean"


def phase_map(
    cells: Sequence[Cell],
    theory: Theory,
    view: View,
    shared: tuple[float, float],
    dark: bool = False,
    picked: int | None = None,
) -> go.Figure:
    """The map of one method's cells; `shared`: the ends of the colour scale, for maps in a row.

    A click gives the point whose `customdata` is the cell's number in `cells`; the one that is
    `picked` has a frame.
    """
    xs, ys = _axis(cells, view.x), _axis(cells, view.y)
    figure = blank(dark, 440)
    rows = [[math.nan] * len(xs.values) for _ in ys.values]
    for cell in cells:
        rows[ys.index(cell)][xs.index(cell)] = shown(cell, view)
    figure.add_trace(
        go.Heatmap(
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
    )
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
    """The ends of the colour scale that all these cells need; shares always have the whole."""
    if view.measure in _SHARES:
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


# ---------------------------------------------------------------------------------- words


def describe_map(cells: Sequence[Cell], theory: Theory, name: str) -> str:
    """What one method's cells say about the line βσ² = λ_max, from the data drawn."""
    done = [cell for cell in cells if cell.seeds]
    if not done:
        return f"{name}: nothing is trained yet. The line is βσ² = λ_max = {theory.lambda_max:.3f}."
    beyond = [cell for cell in done if cell.gauge >= 1]
    before = [cell for cell in done if cell.gauge < 1]
    parts = []
    if beyond:
        parts.append(
            f"Beyond the line βσ² = λ_max every seed collapsed in {_all(beyond, 'collapsed')} and "
            f"every seed is certified in {_all(beyond, 'certified')}."
        )
    if before:
        alive = sum(cell.verdicts["collapsed"] == 0 for cell in before)
        parts.append(
            f"Before it no seed collapsed in {alive} of {_count(before)} and every seed is "
            f"certified in {_all(before, 'certified')}."
        )
    mixed = sum(_mixed(cell) for cell in done)
    if len(done[0].seeds) > 1 or mixed:
        parts.append(f"The seeds' verdicts differ in {mixed} of {_count(done)}.")
    if left := len(cells) - len(done):
        parts.append(f"{_count(left)} without a result so far.")
    return f"{name}. {' '.join(parts)}"


def describe_linear(cells: Sequence[Cell]) -> str:
    """How many cells of a linear conventional VAE have as many active units as theory says."""
    done = [cell for cell in cells if cell.seeds]
    agree = sum(
        cell.values["active_units"].low
        == cell.values["active_units"].high
        == cell.eigenvalues_above
        for cell in done
    )
    return (
        f"For a linear VAE theory counts the active units: as many as eigenvalues λ_i > βσ². Every "
        f"seed has that number in {agree} of {len(done)} cells; dotted lines are the λ_i."
    )


def place(cell: Cell, view: View) -> str:
    """Where on the map a cell is, in words."""
    return ", ".join(f"{SYMBOLS[name]} = {_label(_value(cell, name))}" for name in (view.x, view.y))


def cell_table(cells: Sequence[Cell], names: Sequence[str]) -> str:
    """A Markdown table: every measure of one place, a column for each method."""
    lines = [
        f"| | {' | '.join(names)} |",
        f"| --- |{' ---: |' * len(names)}",
        f"| seeds | {' | '.join(str(len(cell.seeds)) for cell in cells)} |",
        f"| verdicts | {' | '.join(_verdicts(cell) for cell in cells)} |",
    ]
    for name, measure in MEASURES.items():
        if name in _SHARES:
            continue
        unit = f", {measure.unit}" if measure.unit else ""
        values = " | ".join(_spread(cell.values.get(name)) for cell in cells)
        lines.append(f"| {measure.title}{unit} | {values} |")
    return "\n".join(lines)


def cells_csv(cells: Sequence[Cell]) -> str:
    """All cells as CSV: coordinates, then mean, low and high of every measure."""
    head = ["method", *SYMBOLS, "seeds", "gauge", "eigenvalues_above", "refused"]
    head += [f"{name}_{end}" for name in MEASURES for end in ("mean", "low", "high")]
    lines = [",".join(head)]
    for cell in cells:
        settings = cell.settings
        row: list[Any] = [settings.method, settings.sigma2, settings.beta]
        row += [f"{settings.band[0]:g} {settings.band[1]:g}", settings.clusters]
        row += [" ".join(map(str, cell.seeds)), cell.gauge, cell.eigenvalues_above]
        row.append('"' + cell.refused.replace('"', "'") + '"')
        for name in MEASURES:
            found = cell.values.get(name)
            row += ["", "", ""] if found is None else [found.mean, found.low, found.high]
        lines.append(",".join(str(value) for value in row))
    return "\n".join(lines) + "\n"


def maps_html(figures: Sequence[go.Figure], sentences: Sequence[str]) -> str:
    """The maps as one page that needs no network, with what they say."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=index == 0)
        for index, figure in enumerate(figures)
    ]
    body = "\n".join(
        f"{part}\n<p>{words}</p>" for part, words in zip(parts, sentences, strict=True)
    )
    return f"<!doctype html><meta charset=utf-8><title>Phase diagram</title>\n{body}\n"


# ------------------------------------------------------------------------------- the axes


@dataclass(frozen=True)
class _Axis:
    name: str
    values: tuple[Any, ...]  # in the order of their positions
    positions: tuple[float, ...]  # logarithms, or the values themselves
    even: bool  # whether positions are no more than ranks, so that nothing can be placed between

    def index(self, cell: Cell) -> int:
        return self.values.index(_value(cell, self.name))

    @property
    def edges(self) -> list[float]:
        """Of the cells: half-way between neighbours."""
        at = self.positions
        if len(at) == 1:
            return [at[0] - 0.5, at[0] + 0.5]
        inner = [(a + b) / 2 for a, b in itertools.pairwise(at)]
        return [2 * at[0] - inner[0], *inner, 2 * at[-1] - inner[-1]]


def _axis(cells: Sequence[Cell], name: str) -> _Axis:
    values = sorted({_value(cell, name) for cell in cells})
    numbers = [value[1] if isinstance(value, tuple) else float(value) for value in values]
    logarithmic = name in _LOGARITHMIC
    usable = len(set(numbers)) == len(numbers) and (not logarithmic or min(numbers) > 0)
    if not usable:
        return _Axis(name, tuple(values), tuple(map(float, range(len(values)))), True)
    at = [math.log10(number) if logarithmic else number for number in numbers]
    order = sorted(range(len(at)), key=at.__getitem__)
    return _Axis(name, tuple(values[i] for i in order), tuple(at[i] for i in order), False)


def _value(cell: Cell, name: str) -> Any:
    return getattr(cell.settings, name)


def _label(value: Any, digits: int = 3) -> str:
    if isinstance(value, tuple):
        return f"{value[1]:g}" if value[0] == 0 else f"{value[0]:g}–{value[1]:g}"
    if value == 0:
        return "auto"
    return f"{value:.{digits}g}" if value < 100 else f"{value:.0f}"


def _drawn(axis: _Axis) -> dict[str, Any]:
    return {
        "title": {"text": AXES[axis.name]},
        "tickvals": list(axis.positions),
        "ticktext": [_label(value, 2) for value in axis.values],
        "range": [axis.edges[0], axis.edges[-1]],
        "showgrid": False,
        "fixedrange": True,
    }


# ------------------------------------------------------------------------- cells and lines


def _draw_cells(
    figure: go.Figure,
    cells: Sequence[Cell],
    view: View,
    xs: _Axis,
    ys: _Axis,
    shared: tuple[float, float],
    dark: bool,
) -> None:
    """A number and a mark for each cell, which also take the clicks."""
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
            },
            customdata=list(range(len(cells))),
            hovertext=[_hover(cell, view) for cell in cells],
            hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            cliponaxis=False,
        )
    )


def _draw_lines(
    figure: go.Figure, cells: Sequence[Cell], theory: Theory, xs: _Axis, ys: _Axis, dark: bool
) -> None:
    """βσ² = λ_max, and for a linear VAE every λ_i, where σ² or β is an axis."""
    first = cells[0].settings
    count = first.latent_dim if first.arch == "linear" else 1
    for index, value in reversed(list(enumerate(theory.eigenvalues[:count]))):
        ends = _line(value, first.sigma2, first.beta, xs, ys)
        if ends is None:
            continue
        name = "βσ² = λ_max" if index == 0 else f"βσ² = λ_{index + 1}"
        under = "#11161C" if dark else "#FFFFFF"
        dash = "solid" if index == 0 else "dot"
        for colour, width in ((under, 6), (MARKS["delta"].colour(dark), 3)):
            figure.add_trace(
                go.Scatter(
                    x=[x for x, _ in ends],
                    y=[y for _, y in ends],
                    mode="lines",
                    line={"color": colour, "width": width, "dash": dash},
                    name=name,
                    hoverinfo="skip",
                )
            )
        if index == 0 and (at := _label_place(ends, xs, ys)):
            figure.add_annotation(
                x=at[0], y=ys.edges[-1], yanchor="bottom", text=name, font={"color": ink(dark)}
            )


def _draw_frame(figure: go.Figure, cell: Cell, xs: _Axis, ys: _Axis, dark: bool) -> None:
    column, row = xs.index(cell), ys.index(cell)
    for colour, width in ((ink(dark), 7), (ink(not dark), 3)):  # seen on bright and dark cells
        figure.add_shape(
            type="rect",
            x0=xs.edges[column],
            x1=xs.edges[column + 1],
            y0=ys.edges[row],
            y1=ys.edges[row + 1],
            line={"color": colour, "width": width},
        )


def _line(
    value: float, sigma2: float, beta: float, xs: _Axis, ys: _Axis
) -> list[tuple[float, float]] | None:
    """The ends of the line βσ² = value in the map's coordinates; None where it is not there."""
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


def _label_place(
    ends: list[tuple[float, float]], xs: _Axis, ys: _Axis
) -> tuple[float, float] | None:
    """Where the line leaves the map at its top, if it does there."""
    top = max(ends, key=lambda end: end[1])
    return top if abs(top[1] - ys.edges[-1]) < 1e-9 else None


def _symbol(cell: Cell) -> str:
    if _mixed(cell):
        return "circle-open"
    return "x-thin-open" if cell.seeds and cell.verdicts["collapsed"] else "square"


def _mixed(cell: Cell) -> bool:
    """Whether the seeds' verdicts differ."""
    return sum(count > 0 for count in cell.verdicts.values()) > 1


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


def _hover(cell: Cell, view: View) -> str:
    head = f"<b>{place(cell, view)}</b><br>βσ²/λ_max = {cell.gauge:.3g}"
    if cell.refused:
        return f"{head}<br>{cell.refused}"
    if not cell.seeds:
        return f"{head}<br>not trained yet"
    lines = [
        f"{measure.title}: {_spread(cell.values[name])} {measure.unit}"
        for name, measure in MEASURES.items()
        if name not in _SHARES
    ]
    return "<br>".join([head, f"{len(cell.seeds)} seeds: {_verdicts(cell)}", *lines])


def _verdicts(cell: Cell) -> str:
    counts = [f"{count} {name}" for name, count in cell.verdicts.items() if count]
    return ", ".join(counts) or cell.refused or "–"


def _spread(found: Spread | None) -> str:
    if found is None:
        return "–"
    mean, low, high = (
        f"{value:.0f}" if value == round(value) else f"{value:z.3f}"
        for value in (found.mean, found.low, found.high)
    )
    return mean if low == high else f"{mean} ({low} … {high})"


def _all(cells: Sequence[Cell], verdict: str) -> str:
    """In how many of these cells all seeds got that verdict."""
    count = sum(cell.verdicts[verdict] == len(cell.seeds) for cell in cells)
    return f"{count} of {_count(cells)}"


def _count(cells: Sequence[Cell] | int) -> str:
    count = cells if isinstance(cells, int) else len(cells)
    return "1 cell" if count == 1 else f"{count} cells"


def _title(view: View) -> str:
    measure = MEASURES[view.measure]
    unit = f", {measure.unit}" if measure.unit else ""
    return f"{measure.title}{unit}" + (" (range)" if view.statistic == "range" else "")
