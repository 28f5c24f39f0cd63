"""What notebooks show of records below a cell: a figure, a sentence, numbers; or plain text.

    bundle(certificate) -> {"text/html": …, "text/plain": …}

The one writer of rich representations: records, bands, estimators and saved runs ask here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

from svae_core.certificate.html import rows_of
from svae_core.figures.palette import MARKS, mark_of
from svae_core.geometry.region import BEST_CONSTANTS
from svae_core.notebook.drawings import Mark, bars, line_of_losses
from svae_core.records import Certificate, FeasibleRegion
from svae_core.runs.folder import SavedRun

Row = tuple[str, str, str]
_SUMMARY = "all numbers"
_CELL = "padding:.1rem .9rem .1rem 0;text-align:left;white-space:nowrap"
_TABLE = "border-collapse:collapse;background:none;color:inherit;font-size:inherit"
_NOTE = "padding:.1rem 0;text-align:left;opacity:.7"


@dataclass(frozen=True)
class Shown:
    """What is shown of a record. `figures` are still SVG, `more` further HTML below all else."""

    title: str
    sentences: tuple[str, ...]
    figures: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    folded: bool = False  # whether the numbers are behind a click
    more: str = ""


def bundle(record: Any) -> dict[str, str]:
    """A record by MIME type; TypeError where there is nothing to show of it."""
    shown = shown_of(record)
    return {"text/plain": as_text(shown), "text/html": as_html(shown)}


def shown_of(record: Any) -> Shown:
    """What is shown of a certificate, a region or its band, a saved run, or a trained estimator."""
    if isinstance(record, Certificate):
        return _certificate(record)
    if isinstance(record, FeasibleRegion):
        return _region(record)
    if isinstance(record, SavedRun):
        return _run(record)
    if isinstance(region := getattr(record, "region", None), FeasibleRegion):
        return _region(region, record.upper)
    if isinstance(certificate := getattr(record, "certificate_", None), Certificate):
        return _certificate(certificate)
    raise TypeError(f"nothing is shown of a {type(record).__name__}")


def as_text(shown: Shown) -> str:
    """Title, sentences, and a line for each number."""
    width = max([len(name) for name, _, _ in shown.rows] or [0])
    lines = [f"  {name:<{width}}  {value}  {note}".rstrip() for name, value, note in shown.rows]
    return "\n".join([shown.title, *shown.sentences, *lines])


def as_html(shown: Shown) -> str:
    """The same with its figures, as a part of a page: no script, no style sheet, inert text."""
    said = "".join(f"<p style='margin:.3rem 0'>{escape(one)}</p>" for one in shown.sentences)
    rows = "".join(
        f'<tr><td style="{_CELL}">{escape(name)}</td><td style="{_CELL}">{escape(value)}</td>'
        f'<td style="{_NOTE}">{escape(note)}</td></tr>'
        for name, value, note in shown.rows
    )
    table = f'<table style="{_TABLE}">{rows}</table>' if rows else ""
    if table and shown.folded:
        table = f"<details><summary>{_SUMMARY}</summary>{table}</details>"
    return (
        '<div class="svae-shown" style="max-width:60rem">'
        f"<strong>{escape(shown.title)}</strong>{said}{''.join(shown.figures)}{table}{shown.more}"
        "</div>"
    )


# --------------------------------------------------------------------------- single records


def _certificate(certificate: Certificate) -> Shown:
    c = certificate
    measured = c.loss if math.isnan(c.loss_projected) else c.loss_projected
    line = line_of_losses(
        (
            Mark("δ", c.delta, MARKS["delta"].light),
            Mark(f"loss D′ (+{c.loss_margin:.2g})", measured, "currentColor", True, c.loss_margin),
        ),
        (c.lo, c.hi),
        f"The measured loss {measured:.4g}, its margin, and the collapse loss {c.delta:.4g}",
    )
    figures = [line]
    if c.kl_per_dim:
        figures.append(bars(c.kl_per_dim, f"KL of each latent dimension: {c.kl:.3f} nats in all"))
    said = [c.sentence]
    if c.gauge >= 1 and "βσ²/λₘₐₓ" not in c.sentence:
        said.append(
            f"βσ²/λₘₐₓ is {c.gauge:.3g}: above 1 total collapse is a stable state, whatever the "
            "architecture is."
        )
    if c.held_out is not None:
        said.append(f"On held-out points: {c.held_out.sentence}")
    if c.forecast is not None:
        said += [one for one in (c.forecast.sentence, c.forecast.latents) if one]
    gauge = [("unit gauge βσ²/λₘₐₓ", f"{c.gauge:.4g}", "collapse is stable from 1 on")]
    gauge = gauge if math.isfinite(c.gauge) else []
    title = f"Certificate: {c.verdict} · {c.method} on {c.dataset or 'your data'}"
    return Shown(title, tuple(said), tuple(figures), (*rows_of(c), *gauge), folded=True)


def _region(region: FeasibleRegion, aim: float = math.nan) -> Shown:
    r, used = region, region.collapse_loss
    marks = [
        Mark("W", r.within, MARKS["W"].light),
        Mark("δ", r.delta, MARKS["delta"].light),
        Mark("T", r.total, "currentColor", True),
        Mark("B", r.between, "currentColor", True),
    ]
    rows: list[Row] = [
        ("W", f"{r.within:.4f}", "loss of the K-means quantiser, summed squared error"),
        ("T", f"{r.total:.4f}", "total variance"),
        *(
            (f"δ, {name}", f"{value:.4f}", BEST_CONSTANTS[name] + ", in use" * (name == used))
            for name, value in r.deltas.items()
        ),
    ]
    if not r.empty:
        edge = "lower edge enforced" if r.lower_edge else "lower edge off"
        rows.append(("band", f"{r.lo:.4f} … {r.hi:.4f}", edge))
    if math.isfinite(aim):
        rows.append(("penalty from", f"{aim:.4f}", "inside the upper edge"))
    line = line_of_losses(marks, (r.lo, r.hi), r.explanation)
    return Shown("Feasible region", (r.explanation,), (line,), tuple(rows))


def _run(run: SavedRun) -> Shown:
    about = run.about
    names = " beside ".join(mark_of(one.method).name for one in about.members)
    reached = f"{run.state.step:,} steps, {len(run.moments):,} recorded moments, {about.status}."
    said = [reached, *(one.sentence for one in run.certificates)]
    rows: list[Row] = []
    for frame in run.moments[-1] if run.moments else ():
        name = mark_of(frame.method).name
        kl = f"{frame.loss:.4f} (δ = {frame.delta:.4f})", f"KL {frame.kl:.3f} nats, one draw"
        rows.append((f"loss, {name}", *kl))
    hint = "<p style='opacity:.7'>svae_core.notebook.watch.watch(…) plays it here.</p>"
    return Shown(f"Run: {names} on {about.title}", tuple(said), rows=tuple(rows), more=hint)
