"""A grid of small pictures: images, texts if the data are sequences, else profiles."""

from __future__ import annotations

import html
import math

import numpy as np
import plotly.graph_objects as go

from svae_core.figures.palette import FONT_SIZE, blank, faint, ink, veil
from svae_core.latent.images import texts

#: Height of one row, in pixels.
_ROW = 48
_LINE = 14  # pixels of a line of text
_GAP = 0.12  # between cells, as a fraction of a cell


def gallery(
    cells: np.ndarray,
    image: tuple[int, int] | None,
    rows: list[str],
    columns: list[str],
    dark: bool = False,
    largest: float = 0.0,
    symbols: tuple[str, ...] = (),
) -> go.Figure:
    """Pictures [r, c, f] in a grid, with a name for each row and each column.

    Every cell is 1 wide and 1 high, row 0 on top. Images are dark (or bright) as ink; texts of
    `symbols` are the fainter, the less probable their symbols are; profiles share one scale, with
    a line at 0: that of their largest coordinate, or up to `largest`, where grids stand side by
    side.
    """
    r, c, f = cells.shape
    row = _ROW
    if symbols and not image:
        row = max(_ROW, _LINE * math.ceil(f // 2 / _letters(c)) + 10)
    figure = blank(dark, round(row * r + 44))
    if image:
        figure.add_trace(_mosaic(cells, image, dark))
    elif symbols:
        figure.add_trace(_written(cells, symbols, dark))
    else:
        for trace in _profiles(cells, dark, largest):
            figure.add_trace(trace)
    _name_cells(figure, rows, columns)
    if image:
        height, width = image
        figure.update_yaxes(scaleanchor="x", scaleratio=height / width)
    return figure


def _name_cells(figure: go.Figure, rows: list[str], columns: list[str]) -> None:
    """Axes on which each row and each column of cells has its name."""
    reach = 1 + _GAP
    r, c = len(rows), len(columns)
    figure.update_layout(
        xaxis={
            "tickvals": [column * reach + 0.5 for column in range(c)],
            "ticktext": columns,
            "range": [-0.1, c * reach],
            "side": "top",
            "tickangle": 0,
            "constrain": "domain",
            "constraintoward": "left",
        },
        yaxis={
            "tickvals": [-row * reach - 0.5 for row in range(r)],
            "ticktext": rows,
            "range": [-r * reach, 0.1],
            "constrain": "domain",
            "constraintoward": "top",
        },
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 34, "b": 6},
    )
    still = {"showgrid": False, "fixedrange": True, "showline": False}
    figure.update_xaxes(**still, tickfont_size=FONT_SIZE - 2)
    figure.update_yaxes(**still, tickfont_size=FONT_SIZE - 2)


def _mosaic(cells: np.ndarray, image: tuple[int, int], dark: bool) -> go.Heatmap:
    """All images as one heatmap, with empty gaps between them."""
    r, c, _ = cells.shape
    height, width = image
    gap_y, gap_x = (max(1, round(_GAP * side)) for side in image)
    board = np.full((r, height + gap_y, c, width + gap_x), np.nan, np.float32)
    board[:, :height, :, :width] = cells.reshape(r, c, height, width).transpose(0, 2, 1, 3)
    # Pixels are placed so that each cell with its gap has the same size as a profile's.
    x = _pixel_centres(c, width, gap_x)
    y = -_pixel_centres(r, height, gap_y)
    colour = ink(dark)
    return go.Heatmap(
        z=board.reshape(r * (height + gap_y), c * (width + gap_x)),
        x=x,
        y=y,
        zmin=0.0,
        zmax=1.0,
        colorscale=[[0.0, veil(colour, 0.05)], [1.0, veil(colour, 1.0)]],
        showscale=False,
        hoverinfo="skip",
    )


def _written(cells: np.ndarray, symbols: tuple[str, ...], dark: bool) -> go.Scatter:
    """All texts, each in the middle of its cell, in lines that fit in there."""
    r, c, f = cells.shape
    shares = cells[..., f // 2 :].mean(axis=2).ravel()
    lines = [_broken_up(text, c) for text in texts(cells.reshape(-1, f), symbols)]
    x, y = np.meshgrid(np.arange(c) * (1 + _GAP) + 0.5, -np.arange(r) * (1 + _GAP) - 0.5)
    return go.Scatter(
        x=x.ravel(),
        y=y.ravel(),
        mode="text",
        text=lines,
        textfont={
            "size": FONT_SIZE - 3,
            "color": [veil(ink(dark), 0.35 + 0.65 * share) for share in shares],
        },
        hoverinfo="skip",
    )


def _letters(columns: int) -> int:
    """How many letters fit into a cell, where two grids of so many columns stand side by side."""
    return max(7, 50 // columns)


def _broken_up(text: str, columns: int) -> str:
    """A text in lines of equal length, short enough for so many columns.

    Spaces around it are left out: as lines of their own they would push it out of the middle.
    """
    text, most = text.strip(), _letters(columns)
    count = math.ceil(len(text) / most) or 1
    size = math.ceil(len(text) / count) or 1
    # Plotly reads a part of HTML in texts.
    return "<br>".join(html.escape(text[i : i + size]) for i in range(0, len(text), size))


def _pixel_centres(count: int, pixels: int, gap: int) -> np.ndarray:
    """The coordinates of all pixels along one side, gaps included."""
    inside = (np.arange(pixels) + 0.5) / pixels
    between = 1 + _GAP * (np.arange(gap) + 0.5) / gap
    cell = np.concatenate([inside, between])
    return (np.arange(count)[:, None] * (1 + _GAP) + cell).ravel()


def _profiles(cells: np.ndarray, dark: bool, largest: float) -> list[go.Scatter]:
    """One line for all profiles and one for all zero lines, each broken between cells."""
    r, c, f = cells.shape
    largest = max(largest, float(np.abs(cells).max())) or 1.0
    left = np.arange(c)[None, :, None] * (1 + _GAP)
    middle = -np.arange(r)[:, None, None] * (1 + _GAP) - 0.5
    along = np.linspace(0.04, 0.96, f) if f > 1 else np.array([0.5])
    x = np.broadcast_to(left + along, (r, c, f))
    y = middle + 0.46 * cells / largest
    zero_x = np.broadcast_to(left + np.array([0.0, 1.0]), (r, c, 2))
    zero_y = np.broadcast_to(middle, (r, c, 2))
    return [
        _broken(zero_x, zero_y, faint(dark), 1, "lines"),
        _broken(x, y, ink(dark), 1.5, "lines" if f > 1 else "markers"),
    ]


def _broken(x: np.ndarray, y: np.ndarray, colour: str, width: float, mode: str) -> go.Scatter:
    def flat(values: np.ndarray) -> np.ndarray:
        padded = np.pad(values, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        return padded.reshape(-1).astype(np.float32)

    return go.Scatter(
        x=flat(x),
        y=flat(y),
        mode=mode,
        line={"color": colour, "width": width},
        marker={"color": colour, "size": 5},
        connectgaps=False,
        hoverinfo="skip",
    )
