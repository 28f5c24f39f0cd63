"""The three definitions of the collapse loss, and the band against K and starts of K-means."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from svae_core.certificate.information_floors import floors_at
from svae_core.config.shares import percent
from svae_core.figures.palette import MARKS, ink, panels
from svae_core.geometry.region import BandAtK
from svae_core.records import FeasibleRegion, FloorCurves

_READINGS = {
    "shell": ("best constant on the shell", "decoder projected on the shell"),
    "free": ("best constant anywhere: T", "decoder not projected"),
    "between": ("literal reading: B = T − W", "the paper's own words; needs W < T/2"),
}


def definition_table(regions: dict[str, FeasibleRegion], used: str) -> str:
    """A Markdown table: δ by each definition, and the band of each."""
    lines = [
        "| δ by | what it is | when | δ | band |",
        "| --- | --- | --- | ---: | ---: |",
    ]
    for name, (meaning, when) in _READINGS.items():
        region = regions[name]
        band = "empty" if region.empty else f"{region.lo:.3f} – {region.hi:.3f}"
        cells = (name, meaning, when, f"{region.delta:z.3f}", band)
        strong = [f"**{cell}**" for cell in cells] if name == used else list(cells)
        lines.append(f"| {' | '.join(strong)} |")
    return "\n".join(lines)


def describe_definitions(regions: dict[str, FeasibleRegion]) -> str:
    """What the definitions have in common, how they differ, and what an empty band means."""
    empty = [name for name, region in regions.items() if region.empty]
    text = (
        "Each of the three is at most the loss of a collapsed projected decoder, so a measured "
        "loss below any of them excludes total collapse; they differ in the width of the band. A "
        "decoder that is not projected may collapse at T: for it, choose free or between."
    )
    if not empty:
        return text
    region = regions[empty[0]]
    share = region.within / region.total if region.total > 0 else 1.0
    return (
        f"{text} An empty band ({', '.join(empty)}) is no error: at W = {region.within:.3f}, "
        f"{percent(share)} of T, not even the K-means centroids have a loss below that δ, so no "
        "loss lies between the two. The spherical method then gives this reason and does not train."
    )


def sensitivity(
    bands: tuple[BandAtK, ...], curves: FloorCurves, chosen: int, dark: bool = False
) -> go.Figure:
    """Losses and guaranteed nats against K; error bars extend to the worst start of K-means."""
    figure = make_subplots(
        rows=1,
        cols=2,
        subplot_titles=("losses", "nats guaranteed at hi"),
        horizontal_spacing=0.12,
    )
    count = [band.k for band in bands]
    for key, name in (("W", "within"), ("hi", "hi"), ("delta", "delta")):
        best = [getattr(band.best, name) for band in bands]
        worst = [getattr(band.worst, name) for band in bands]
        figure.add_trace(_line(count, best, worst, key, dark), row=1, col=1)
    for key in ("proved", "tight"):
        best, worst = (
            [
                None if region.empty else getattr(floors_at(curves, region.hi), key)
                for region in ends
            ]
            for ends in ([band.best for band in bands], [band.worst for band in bands])
        )
        figure.add_trace(_line(count, best, worst, key, dark), row=1, col=2)
    figure.add_vline(x=chosen, line={"color": ink(dark), "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="number of clusters K", type="log", tickvals=count)
    figure.update_yaxes(rangemode="tozero")
    return panels(figure, dark, 340)


def describe_sensitivity(bands: tuple[BandAtK, ...], curves: FloorCurves) -> str:
    """How W, hi and the guaranteed nats vary with K and with the start of K-means."""
    open_bands = [band for band in bands if not band.best.empty and not band.worst.empty]
    low, high = bands[0], bands[-1]
    moves = (
        f"goes from {low.best.delta:z.3f} to {high.best.delta:.3f}"
        if low.best.collapse_loss == "between"
        else f"stays at {low.best.delta:.3f}"
    )
    text = (
        f"From K = {low.k} to K = {high.k}, W falls from {low.best.within:.3f} to "
        f"{high.best.within:.3f} while δ {low.best.collapse_loss} {moves}. "
    )
    if not open_bands:
        return text + "By this definition the band is empty for all of these K."
    nats = [floors_at(curves, band.best.hi).proved for band in open_bands]
    swing = max(open_bands, key=lambda band: band.worst.within - band.best.within)
    lost = floors_at(curves, swing.best.hi).proved - floors_at(curves, swing.worst.hi).proved
    closed = len(bands) - len(open_bands)
    tail = f" For {closed} of the {len(bands)} K the band is empty." if closed else ""
    return (
        f"{text}The proved nats at hi run from {min(nats):.2f} to {max(nats):.2f}: the same edges "
        "of the band guarantee more with more clusters. The start of K-means matters "
        f"most at K = {swing.k}, where the worst one raises W by "
        f"{swing.worst.within - swing.best.within:.3f} and costs {lost:.2f} proved nats.{tail}"
    )


def _line(
    count: list[int], best: list[float | None], worst: list[float | None], key: str, dark: bool
) -> go.Scatter:
    mark = MARKS[key]
    gaps = [0.0 if a is None or b is None else b - a for a, b in zip(best, worst, strict=True)]
    return go.Scatter(
        x=count,
        y=best,
        mode="lines+markers",
        line={"color": mark.colour(dark), "width": 2, "dash": mark.dash},
        marker={"symbol": mark.symbol, "size": 9, "color": mark.colour(dark)},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [max(gap, 0.0) for gap in gaps],
            "arrayminus": [max(-gap, 0.0) for gap in gaps],
            "thickness": 2,
            "width": 5,
        },
        name=mark.name,
        hovertemplate="K = %{x}: %{y:.3f}<extra>" + mark.name + "</extra>",
    )
