"""Figures of K-means: the choice of K, statistics per cluster, and the spread over starts."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from svae_core.config.shares import percent
from svae_core.figures.palette import FONT_SIZE, MARKS, cluster_style, ink, template
from svae_core.geometry.kmeans import how_started
from svae_core.records import Clusters, FeasibleRegion

Proposal = tuple[tuple[int, float, float], ...]


def choosing_k(proposal: Proposal, chosen: int, dark: bool = False) -> go.Figure:
    """Silhouette and W against K, the K in use marked on both."""
    # On two lines: on a phone the titles would meet.
    titles = ("silhouette<br>(higher is better)", "W<br>(falls with every K)")
    figure = _pair(titles, dark, 320).update_layout(margin={"t": 54})
    count = [row[0] for row in proposal]
    for column, (name, values, key) in enumerate(
        (
            ("silhouette", [row[2] for row in proposal], "hi"),
            ("W", [row[1] for row in proposal], "W"),
        ),
        start=1,
    ):
        mark = MARKS[key]
        figure.add_trace(
            go.Scatter(
                x=count,
                y=values,
                mode="lines+markers",
                line={"color": mark.colour(dark), "width": 3},
                marker={
                    "size": [20 if k == chosen else 7 for k in count],
                    "color": [ink(dark) if k == chosen else mark.colour(dark) for k in count],
                    "symbol": ["star" if k == chosen else mark.symbol for k in count],
                },
                name=name,
                hovertemplate=f"K = %{{x}}: {name} %{{y:.3f}}<extra></extra>",
            ),
            row=1,
            col=column,
        )
        figure.add_vline(
            x=chosen, line={"color": ink(dark), "width": 1, "dash": "dot"}, row=1, col=column
        )
    figure.update_xaxes(title_text="number of clusters K", nticks=10, tickangle=0)
    return figure


def per_cluster(clusters: Clusters, dark: bool = False) -> go.Figure:
    """Points and variance of each cluster, as bars in its colour."""
    figure = _pair(("points", "variance (dotted: W)"), dark, 280)
    names = [str(index + 1) for index in range(clusters.k)]
    colours = [cluster_style(index)[0] for index in range(clusters.k)]
    for column, (values, form) in enumerate(
        ((clusters.sizes, "%{y:,} points"), (clusters.variances, "variance %{y:.3f}")), start=1
    ):
        figure.add_trace(
            go.Bar(
                x=names,
                y=values,
                marker={"color": colours},
                hovertemplate=f"cluster %{{x}}: {form}<extra></extra>",
            ),
            row=1,
            col=column,
        )
    figure.add_hline(
        y=clusters.within, line={"color": ink(dark), "width": 2, "dash": "dot"}, row=1, col=2
    )
    figure.update_xaxes(title_text="cluster", type="category")
    return figure


def restarts(clusters: Clusters, dark: bool = False) -> go.Figure:
    """W of single K-means starts, in the order of the starts; the best one is used."""
    figure = go.Figure()
    best = float(clusters.restarts.min())
    mark = MARKS["W"]
    figure.add_trace(
        go.Scatter(
            x=np.arange(1, len(clusters.restarts) + 1),
            y=clusters.restarts,
            mode="markers",
            marker={"size": 12, "color": mark.colour(dark), "symbol": mark.symbol},
            name="W of a start",
            hovertemplate="start %{x}: W = %{y:.4f}<extra></extra>",
        )
    )
    figure.add_hline(y=best, line={"color": ink(dark), "width": 1, "dash": "dot"})
    figure.update_layout(
        template=template(dark),
        height=240,
        xaxis={
            "title": {"text": "start of K-means"},
            "range": [0.5, len(clusters.restarts) + 0.5],
            "dtick": 1,
            "tickangle": 0,
        },
        yaxis={"title": {"text": "W"}, "range": _range_of_starts(clusters)},
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
    )
    return figure


def _range_of_starts(clusters: Clusters) -> list[float]:
    """The axis of W: at least 4 % of W, so that starts which hardly differ look so."""
    low, high = float(clusters.restarts.min()), float(clusters.restarts.max())
    half = max(0.6 * (high - low), 0.02 * high) or 0.5
    return [(low + high) / 2 - half, (low + high) / 2 + half]


def statistics(clusters: Clusters) -> list[list[tuple[str, str, str]]]:
    """Two rows of two statistics each: name, value, explanation."""
    return [
        [
            ("W", f"{clusters.within:.3f}", "Mean squared distance to the own centroid."),
            ("B", f"{clusters.between:z.3f}", "Variance explained by the centroids: B = T − W."),
        ],
        [
            ("T", f"{clusters.total:.3f}", "Total variance: mean squared distance to the mean."),
            ("B/T", f"{clusters.separation:z.3f}", "Separation: share of variance explained."),
        ],
    ]


def describe_choice(proposal: Proposal, chosen: int) -> str:
    """The K that the silhouette proposes, and the K in use."""
    if not proposal:
        return "There are too few different points to propose a number of clusters."
    best = max(proposal, key=lambda row: (row[2], -row[0]))
    use = "it is in use" if best[0] == chosen else f"K = {chosen} is in use"
    return f"The silhouette is highest, {best[2]:.3f}, at K = {best[0]}; {use}."


def describe_clusters(clusters: Clusters) -> str:
    """Separation, silhouette, sizes and gaps in sentences."""
    if clusters.k == 1:
        return (
            f"With one cluster W equals T = {clusters.total:.3f} and B is zero: nothing is "
            "explained by clusters."
        )
    parts = [
        f"{clusters.k} clusters explain {percent(clusters.separation)} of the variance "
        f"(separation B/T = {clusters.separation:.3f}).",
        _silhouette_sentence(clusters.silhouette),
        f"They hold from {int(clusters.sizes.min()):,} to {int(clusters.sizes.max()):,} points, "
        f"and the two nearest centroids are {clusters.smallest_gap:.3f} apart.",
    ]
    if empty := int((clusters.sizes == 0).sum()):
        parts.append(
            f"{empty} of them {'is' if empty == 1 else 'are'} empty: there are fewer different "
            "points than clusters."
        )
    return " ".join(parts)


def describe_restarts(clusters: Clusters, region: FeasibleRegion) -> str:
    """The spread of W over starts of K-means, relative to the distance δ − W."""
    low, high = float(clusters.restarts.min()), float(clusters.restarts.max())
    spread = high - low
    count = len(clusters.restarts)
    if f"{low:.3f}" == f"{high:.3f}":
        same = f"All {count} starts of K-means end at the same W = {low:.3f}, to three digits."
        return f"{same} {how_started(clusters)}".rstrip()
    text = (
        f"K-means finds local optima: over {count} starts W lies between "
        f"{low:.3f} and {high:.3f}, and the lowest is used. {how_started(clusters)}"
    ).rstrip()
    if region.empty:
        return text
    share = spread / (region.delta - region.within)
    return f"{text} The spread of {spread:.3f} is {percent(share, '.1f')} of the way from W to δ."


def _silhouette_sentence(value: float) -> str:
    """A silhouette in words, by the thresholds of Kaufman and Rousseeuw (1990), chapter 2."""
    if not math.isfinite(value):
        return "The silhouette is undefined here."
    words = (
        (0.70, "strong structure"),
        (0.50, "reasonable structure"),
        (0.25, "weak structure"),
    )
    word = next((text for limit, text in words if value > limit), "no substantial structure")
    return f"The silhouette of {value:.2f} indicates {word}."


def _pair(titles: tuple[str, str], dark: bool, height: int) -> go.Figure:
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.12)
    figure.update_layout(
        template=template(dark),
        height=height,
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 36, "b": 10},
    )
    figure.update_annotations(font={"size": FONT_SIZE})
    return figure
