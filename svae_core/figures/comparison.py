"""Figures that compare methods: losses against the band, KL and information in the latents."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from svae_core.certificate.information_floors import floors_along
from svae_core.figures.names import counted, title_of
from svae_core.figures.palette import blank, faint, ink, legend_below, mark_of, veil
from svae_core.figures.rate_distortion import draw_specific
from svae_core.records import Certificate, FeasibleRegion, FloorCurves
from svae_core.studies.scores import MEASURES, REFERENCE, TIME_RATIO, Row, Score

_ROW_HEIGHT = 34


def strips(scores: Sequence[Score], region: FeasibleRegion, dark: bool = False) -> go.Figure:
    """One strip per method, one mark per seed: the loss between W (0) and δ (1), over the band."""
    names = list(dict.fromkeys(score.settings.method for score in scores))
    figure = blank(dark, 120 + _ROW_HEIGHT * len(names))
    if not region.empty:
        low, high = region.band
        colour = mark_of("band").colour(dark)
        figure.add_vrect(low, high, fillcolor=veil(colour, 0.18), line_width=0)
    # Outside of the two lines, which are close together where a loss lies far beyond δ.
    for position, text, side in ((0.0, "W", "right"), (1.0, "δ", "left")):
        figure.add_vline(position, line={"color": ink(dark), "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=position, xanchor=side, y=1.0, yref="paper", yanchor="bottom", text=text
        )
    for name in names:
        mine = [score for score in scores if score.settings.method == name and score.certificate]
        figure.add_trace(_strip(name, mine, dark))
    figure.update_layout(
        showlegend=False,
        xaxis={"title": {"text": "loss, from W (0) to δ (1)"}},
        yaxis={
            "categoryorder": "array",
            "categoryarray": [title_of(name) for name in reversed(names)],
            "gridcolor": faint(dark),
        },
        margin={"t": 30},
    )
    return figure


def _strip(name: str, mine: list[Score], dark: bool) -> go.Scatter:
    mark = mark_of(name)
    return go.Scatter(
        x=[score.position for score in mine],
        y=[title_of(name)] * len(mine),
        name=mark.name,
        mode="markers",
        marker={
            "color": mark.colour(dark),
            "symbol": [
                "x" if score.certificate and score.certificate.verdict == "collapsed" else "circle"
                for score in mine
            ],
            "size": 11,
            "opacity": 0.85,
            "line": {"color": ink(dark), "width": 0.5},
        },
        customdata=[
            [score.settings.seed, score.certificate.loss, score.certificate.verdict]
            for score in mine
            if score.certificate
        ],
        hovertemplate=(
            "%{y}, seed %{customdata[0]}<br>D %{customdata[1]:.3f}, %{customdata[2]}<extra></extra>"
        ),
    )


def _draw_floors(figure: go.Figure, floors: FloorCurves, dark: bool) -> None:
    """The proved and the tight floor from 2 % of δ to δ."""
    losses = [floors.delta * step / 100 for step in range(2, 101)]
    along = floors_along(floors, losses)
    for name in ("proved", "tight"):
        mark = mark_of(name)
        figure.add_trace(
            go.Scatter(
                x=losses,
                y=along[name],
                name=mark.name,
                mode="lines",
                line={"color": mark.colour(dark), "dash": mark.dash, "width": 1.5},
                hoverinfo="skip",
            )
        )


def _draw_runs(
    figure: go.Figure,
    method: str,
    seeds: Sequence[int],
    certificates: Sequence[Certificate],
    dark: bool,
) -> None:
    """A method's runs, one for each seed."""
    mark = mark_of(method)
    figure.add_trace(
        go.Scatter(
            x=[one.loss for one in certificates],
            y=[one.kl for one in certificates],
            name=mark.name,
            mode="markers",
            marker={
                "color": mark.colour(dark),
                "symbol": mark.symbol,
                "size": 10,
                "line": {"color": ink(dark), "width": 0.5},
            },
            customdata=[
                [seed, one.mutual_information]
                for seed, one in zip(seeds, certificates, strict=True)
            ],
            hovertemplate=(
                f"{title_of(method)}, seed %{{customdata[0]}}<br>"
                "D %{x:.3f}, KL %{y:.2f} nats, "
                "I(x;z) %{customdata[1]:.2f} nats<extra></extra>"
            ),
        )
    )


def plane(scores: Sequence[Score], floors: FloorCurves, dark: bool = False) -> go.Figure:
    """Each run's loss against its KL, with the proved and the tight floor of these decoders.

    An open triangle under a run is its model-specific floor.
    """
    figure = blank(dark, 420)
    _draw_floors(figure, floors, dark)
    certificates = [s.certificate for s in scores if s.certificate]
    highest = max([1.0, *(certificate.kl for certificate in certificates)])
    # Projected decoders may lie beyond the δ of free ones, whose floors these are.
    furthest = max([floors.delta, *(certificate.loss for certificate in certificates)])
    for method in dict.fromkeys(score.settings.method for score in scores):
        seeds = [s.settings.seed for s in scores if s.settings.method == method and s.certificate]
        mine = [s.certificate for s in scores if s.settings.method == method and s.certificate]
        _draw_runs(figure, method, seeds, mine, dark)
    draw_specific(figure, certificates, dark)
    figure.update_layout(
        xaxis={"title": {"text": "loss D"}, "range": [0, 1.1 * furthest]},
        yaxis={"title": {"text": "KL, nats"}, "range": [-0.05 * highest, 1.15 * highest]},
        legend=legend_below(0.25),  # beside the plane it would leave a phone none of it
    )
    return figure


def kl_and_information(found: Sequence[Row], dark: bool = False) -> go.Figure:
    """Two bars per method: the KL, and the mutual information I(x;z)."""
    figure = blank(dark, 120 + _ROW_HEIGHT * max(2, len(found)))
    bars = (("kl", "KL", "reference"), ("mutual_information", "I(x;z)", "spherical"))
    for name, title, look in bars:
        mark = mark_of(look)
        figure.add_trace(
            go.Bar(
                y=[title_of(row.method) for row in found],
                x=[row.means[name] for row in found],
                error_x={"array": [row.spreads[name] for row in found], "color": ink(dark)},
                orientation="h",
                name=title,
                marker={
                    "color": mark.colour(dark),
                    "pattern": {"shape": "/" if name == "kl" else ""},
                },
                hovertemplate=f"%{{y}}: {title} %{{x:.2f}} nats<extra></extra>",
            )
        )
    figure.update_layout(
        barmode="group",
        xaxis={"title": {"text": "nats"}},
        yaxis={"autorange": "reversed", "ticklabelstandoff": 6},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def table(found: Sequence[Row]) -> list[dict[str, object]]:
    """One dictionary per method, for a data frame: means, and the spread of the main measures.

    One seed has no spread, so there are no columns of it.
    """
    listed = []
    spread = any(row.runs > 1 for row in found)
    for row in found:
        cells: dict[str, object] = {
            "method": title_of(row.method),
            "certified": f"{row.verdicts['certified']} of {row.runs}",
            "collapsed": f"{row.verdicts['collapsed']} of {row.runs}",
        }
        for name, measure in MEASURES.items():
            cells[measure.title] = row.means[name]
            if spread and name in ("loss", "kl", "mutual_information"):
                cells[f"± {measure.title}"] = row.spreads[name]
        cells[TIME_RATIO] = row.time_ratio
        listed.append(cells)
    return listed


def guards(found: Sequence[Row]) -> list[dict[str, str]]:
    """What each method guards, in words; none of methods that guard nothing."""
    return [
        {
            "method": title_of(row.method),
            "guards KL": row.guards_kl or "–",
            "guards information": row.guards_information or "–",
        }
        for row in found
        if row.guards_kl or row.guards_information
    ]


def describe(found: Sequence[Row]) -> str:
    """The result of a comparison in sentences."""
    measured = [row for row in found if row.runs]
    if not measured:
        return "Nothing is measured yet."
    certified = [title_of(row.method) for row in measured if row.verdicts["certified"] == row.runs]
    collapsed = [title_of(row.method) for row in measured if row.verdicts["collapsed"] == row.runs]
    lines = []
    if certified:
        lines.append(f"Certified in every run: {', '.join(certified)}.")
    if collapsed:
        lines.append(f"Collapsed in every run: {', '.join(collapsed)}.")
    hollow = [
        title_of(row.method)
        for row in measured
        if row.means["kl"] > 0.1 and row.means["mutual_information"] < 0.1 * row.means["kl"]
    ]
    if hollow:
        lines.append(
            f"Large KL but hardly any information: {', '.join(hollow)}. A KL that is large by "
            "construction does not show that the decoder uses the latents."
        )
    lines.append(_describe_time(measured))
    refused = [row for row in found if row.refused]
    lines += [f"{title_of(row.method)} was not trained: {row.refused}" for row in refused]
    return " ".join(filter(None, lines)) or "No method was certified or collapsed in every run."


def _describe_time(measured: Sequence[Row]) -> str:
    """Each method's training time over the conventional VAE's, and what was measured.

    Empty where there is nothing to compare with, or on several data sets.
    """
    others = [row for row in measured if row.method != REFERENCE]
    if len(others) + 1 != len(measured) or not others:
        return ""
    timed = [row for row in others if not math.isnan(row.time_ratio)]
    parts = []
    if timed:
        ratios = ", ".join(f"{title_of(row.method)} {row.time_ratio:.2f}×" for row in timed)
        parts.append(
            f"Processor time of the training steps, relative to the {title_of(REFERENCE)}: {ratios}"
            " (the same engine and batches; this run only)."
        )
    if left := [title_of(row.method) for row in others if row not in timed]:
        parts.append(
            f"No ratio of training times for {', '.join(left)}: trained by another engine or in "
            "batches of another size, on a GPU, or for too short a time."
        )
    return " ".join(parts)


def describe_plane(scores: Sequence[Score]) -> str:
    """How many runs have a KL below their proved floor, which would contradict the theorem."""
    measured = [score.certificate for score in scores if score.certificate]
    under = sum(c.kl < c.floors.proved for c in measured)
    if under:
        lie = "lies" if under == 1 else "lie"
        return (
            f"{under} of {counted(len(measured), 'run')} {lie} BELOW the proved floor: "
            "please report it."
        )
    if len(measured) == 1:
        return "The run lies at or above its proved floor."
    return f"None of the {len(measured)} runs lies below its proved floor."
