"""Sample quality and diversity against the upper edge of the band, with the spread over seeds."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from svae_core.figures.names import counted
from svae_core.figures.palette import ink, mark_of, panels
from svae_core.latent.results import BandStudy, Sampling

_PANELS = {
    "coverage": "coverage (diversity)",
    "precision": "precision (quality)",
}


def diversity(study: BandStudy, dark: bool = False) -> go.Figure:
    """Coverage and precision over b: every seed a dot, their median a line."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=tuple(_PANELS.values()))
    for column, name in enumerate(_PANELS, start=1):
        for trace in _spherical(study, name, dark, legend=column == 1):
            figure.add_trace(trace, row=1, col=column)
        for trace in _references(study, name, dark, legend=column == 1):
            figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(title_text="upper edge b of the band", range=[0, 1])
    figure.update_yaxes(range=[-0.03, 1.05])
    return panels(figure, dark, 380)


def describe_diversity(study: BandStudy) -> str:
    """Coverage and precision of the runs, in sentences."""
    edges = _edges(study)
    narrow, wide = (_of_edge(study, edge) for edge in (edges[0], edges[-1]))
    seeds = len(narrow)
    text = (
        f"{study.title}, {counted(study.n_points, 'point')}, {counted(seeds, 'seed')} each "
        "(median, least – most). "
        f"From b = {edges[0]:g} to b = {edges[-1]:g} coverage goes from "
        f"{_range(narrow, 'coverage')} to {_range(wide, 'coverage')}, and precision from "
        f"{_range(narrow, 'precision')} to {_range(wide, 'precision')}; half of the data against "
        f"the other half would reach {study.best.coverage:.2f} and {study.best.precision:.2f}."
    )
    best = max(edges, key=lambda edge: _median(_of_edge(study, edge), "coverage"))
    text += f" Coverage is best at b = {best:g}."
    for sigma2, rows in _baselines(study).items():
        text += (
            f" The conventional VAE at σ² = {sigma2:g}"
            f"{' has collapsed' if _median(rows, 'kl') < 0.05 else ''}: coverage "
            f"{_range(rows, 'coverage')}, precision {_range(rows, 'precision')}."
        )
    return text


def diversity_table(study: BandStudy) -> str:
    """A Markdown table of medians: loss, KL and all measures of quality and diversity."""
    lines = [
        "| model | D | KL | coverage | precision | density | recall | of reconstructions |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    kinds = {f"spherical VAE, b = {edge:g}": _of_edge(study, edge) for edge in _edges(study)}
    kinds |= {f"conventional VAE, σ² = {key:g}": rows for key, rows in _baselines(study).items()}
    kinds["half of the data"] = [study.best]
    names = ("loss", "kl", "coverage", "precision", "density", "recall", "reconstructed")
    for kind, rows in kinds.items():
        cells = (_median(rows, name) for name in names)
        texts = ("–" if np.isnan(cell) else f"{cell:.2f}" for cell in cells)
        lines.append(f"| {kind} | {' | '.join(texts)} |")
    return "\n".join(lines)


def explain_diversity() -> str:
    """The definitions of the measures, and their limits."""
    return (
        "As many samples g(z), z ~ N(0, I), as there are points are compared with the points, by "
        "exact nearest neighbours on the shell. **Coverage**: share of the data points that have a "
        "sample nearer than their 5th neighbour; **density**: how many such balls a sample lies "
        "in (Naeem et al., arXiv 2002.09797). **Precision**: share of samples inside some data "
        "point's ball of 3 neighbours; **recall**: the same with samples and data exchanged "
        "(Kynkäänniemi et al., arXiv 1904.06991). Recall is near 0 for every model here: decoded "
        "samples have no noise, so they lie on a manifold of the latent dimension, near hardly any "
        "data point."
    )


def _spherical(study: BandStudy, name: str, dark: bool, legend: bool) -> list[go.Scatter]:
    mark = mark_of("spherical")
    edges = _edges(study)
    groups = [_of_edge(study, edge) for edge in edges]
    line = go.Scatter(
        x=edges,
        y=[_median(rows, name) for rows in groups],
        mode="lines",
        line={"color": mark.colour(dark), "width": 2},
        name="spherical VAE, median",
        showlegend=legend,
        hovertemplate="b = %{x}: %{y:.3f}<extra>median</extra>",
    )
    dots = go.Scatter(
        x=[row.edge for rows in groups for row in rows],
        y=[getattr(row, name) for rows in groups for row in rows],
        mode="markers",
        marker={"color": mark.colour(dark), "symbol": mark.symbol, "size": 6, "opacity": 0.55},
        name="each seed",
        showlegend=legend,
        hovertemplate="b = %{x}: %{y:.3f}<extra>one seed</extra>",
    )
    return [line, dots]


def _references(study: BandStudy, name: str, dark: bool, legend: bool) -> list[go.Scatter]:
    plain = mark_of("baseline")
    levels = [
        (f"{plain.name}, σ² = {sigma2:g}", _median(rows, name), plain.colour(dark), dash)
        for (sigma2, rows), dash in zip(_baselines(study).items(), ("dash", "dot"), strict=False)
    ]
    levels.append(("half of the data", getattr(study.best, name), ink(dark), "dashdot"))
    return [
        go.Scatter(
            x=[0, 1],
            y=[value, value],
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            name=text,
            showlegend=legend,
            hovertemplate="%{y:.3f}<extra>" + text + "</extra>",
        )
        for text, value, colour, dash in levels
    ]


def _edges(study: BandStudy) -> list[float]:
    return sorted({row.edge for row in study.samplings if row.method == "spherical"})


def _of_edge(study: BandStudy, edge: float) -> list[Sampling]:
    return [row for row in study.samplings if row.method == "spherical" and row.edge == edge]


def _baselines(study: BandStudy) -> dict[float, list[Sampling]]:
    plain = [row for row in study.samplings if row.method == "baseline"]
    values = sorted({row.sigma2 for row in plain})
    return {value: [row for row in plain if row.sigma2 == value] for value in values}


def _median(rows: list[Sampling], name: str) -> float:
    return float(np.median([getattr(row, name) for row in rows]))


def _range(rows: list[Sampling], name: str) -> str:
    values = [getattr(row, name) for row in rows]
    return f"{np.median(values):.2f} ({min(values):.2f} – {max(values):.2f})"
