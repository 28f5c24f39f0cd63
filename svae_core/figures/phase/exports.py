"""Exports of phase maps: cells as CSV, figures as an HTML page or as JSON."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from svae_core.figures.phase.axes import SYMBOLS
from svae_core.studies.phase_cells import MEASURES, Cell


def cells_csv(cells: Sequence[Cell]) -> str:
    """All cells as CSV: coordinates, then mean, low and high of every measure."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    head = ["method", *SYMBOLS, "seeds", "gauge", "eigenvalues_above", "refused"]
    write([*head, *(f"{name}_{end}" for name in MEASURES for end in ("mean", "low", "high"))])
    for cell in cells:
        settings = cell.settings
        row: list[Any] = [settings.method, settings.sigma2, settings.beta]
        row += [f"{settings.band[0]:g} {settings.band[1]:g}", settings.clusters]
        row += [" ".join(map(str, cell.seeds)), cell.gauge, cell.eigenvalues_above, cell.refused]
        for name in MEASURES:
            found = cell.values.get(name)
            row += ["", "", ""] if found is None else [found.mean, found.low, found.high]
        write(row)
    return text.getvalue()


def maps_html(figures: Sequence[go.Figure], sentences: Sequence[str]) -> str:
    """The maps and their descriptions as one HTML page that needs no network."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=index == 0)
        for index, figure in enumerate(figures)
    ]
    body = "\n".join(
        f"{part}\n<p>{html.escape(words)}</p>" for part, words in zip(parts, sentences, strict=True)
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Phase diagram</title>\n'
        f"{body}\n</html>\n"
    )


def maps_json(figures: Sequence[go.Figure]) -> str:
    """The maps as a JSON list of figures; cells without a number hold null."""
    return f"[{','.join(figure.to_json() for figure in figures)}]"
