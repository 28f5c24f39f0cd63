"""The class board: the verdicts of all students' runs as dots in one phase diagram."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from svae_core.figures.names import counted, title_of
from svae_core.figures.palette import BLUE, FONT_SIZE, GREEN, VERMILLION, ink, template

#: Colour and symbol of each verdict.
_VERDICTS = {
    "certified": (GREEN, "circle"),
    "not certified": (BLUE, "diamond"),
    "collapsed": (VERMILLION, "x"),
}


@dataclass(frozen=True)
class Dot:
    """One trained model: its settings and measurements."""

    method: str
    seed: int
    band: float  # b, the upper edge as a fraction of the way from W to δ
    sigma2: float
    beta: float
    verdict: str  # certified | not certified | collapsed
    loss: float
    kl: float  # nats


def board(dots: tuple[Dot, ...], dark: bool = False) -> go.Figure:
    """A panel per method: βσ² against the band's upper edge, a mark for each verdict."""
    places = dot_places(dots)
    methods = sorted({dot.method for dot in dots}) or ["baseline", "spherical"]
    titles = [title_of(method) for method in methods]
    seen: set[str] = set()
    figure = make_subplots(1, len(methods), shared_yaxes=True, subplot_titles=titles)
    for column, method in enumerate(methods, start=1):
        for verdict in _VERDICTS:
            chosen = [one for one in places if (one[0].method, one[0].verdict) == (method, verdict)]
            # The legend has each verdict once: by a trace with dots, since it skips empty ones.
            named = bool(chosen) and verdict not in seen
            seen |= {verdict} if chosen else set()
            figure.add_trace(_marks(chosen, verdict, named, dark), 1, column)
    figure.update_xaxes(type="log", title_text="βσ²", dtick=1)
    figure.update_yaxes(range=[-0.05, 1.05])
    figure.update_yaxes(title_text="band's upper edge b", col=1)
    figure.update_layout(
        template=template(dark), height=480, margin={"t": 70}, legend={"orientation": "h", "y": 1.2}
    )
    figure.update_annotations(font={"size": FONT_SIZE})
    return figure


def dot_places(dots: tuple[Dot, ...]) -> list[tuple[Dot, float, float]]:
    """Each dot and its place: βσ² and b, or on a spiral around them where dots would coincide.

    A class that trains one setting thirty times is thirty dots, not one.
    """
    places: list[tuple[Dot, float, float]] = []
    there: Counter[tuple[str, float, float]] = Counter()
    for dot in dots:
        place = (dot.method, dot.beta * dot.sigma2, dot.band)
        number = there[place]
        there[place] += 1
        radius, angle = math.sqrt(number), 2.39996 * number  # the golden angle fills evenly
        across = place[1] * 10 ** (0.03 * radius * math.cos(angle))
        places.append((dot, across, place[2] + 0.022 * radius * math.sin(angle)))
    return places


def _marks(
    chosen: list[tuple[Dot, float, float]], verdict: str, named: bool, dark: bool
) -> go.Scatter:
    colour, symbol = _VERDICTS[verdict]
    return go.Scatter(
        x=[across for _, across, _ in chosen],
        y=[up for _, _, up in chosen],
        name=verdict,
        legendgroup=verdict,
        showlegend=named,
        mode="markers",
        marker={
            "color": colour,
            "symbol": symbol,
            "size": 12,
            "opacity": 0.8,
            "line": {"color": ink(dark), "width": 0.5},
        },
        customdata=[
            [dot.seed, dot.sigma2, dot.beta, dot.loss, dot.kl, dot.band] for dot, _, _ in chosen
        ],
        hovertemplate=(
            "seed %{customdata[0]}, σ² %{customdata[1]:g}, β %{customdata[2]:g}, "
            "band up to %{customdata[5]:g}<br>D %{customdata[3]:.3f}, KL %{customdata[4]:.2f} nats"
        ),
    )


def describe_board(dots: tuple[Dot, ...], training: int) -> str:
    """The counts of verdicts per method, in a sentence or two."""
    waiting = f" {training} still train{'s' * (training == 1)}." if training else ""
    if not dots:
        return f"No run has ended yet.{waiting}"
    lines = []
    for method in sorted({dot.method for dot in dots}):
        mine = [dot for dot in dots if dot.method == method]
        counts = ", ".join(
            f"{sum(dot.verdict == verdict for dot in mine)} {verdict}" for verdict in _VERDICTS
        )
        lines.append(f"{title_of(method)}, {counted(len(mine), 'model')}: {counts}.")
    return " ".join(lines) + waiting
