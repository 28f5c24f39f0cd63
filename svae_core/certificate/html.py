"""The certificate as one printable page of HTML: no script, no network, inert text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from svae_core.config.shares import percent
from svae_core.records import Certificate

_STYLE = """
body { font: 12pt/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; color: #111; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
p.verdict { border: 2px solid #111; padding: .8rem 1rem; font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; } td { padding: .25rem .5rem; }
tr { border-bottom: 1px solid #bbb; } td:nth-child(2) { text-align: right; white-space: nowrap; }
td:nth-child(3) { color: #555; font-size: .9em; } footer { color: #555; margin-top: 2rem; }
@media print { body { margin: 0; } }
"""


def certificate_page(certificate: Certificate) -> str:
    """A complete HTML document with the verdict, every number behind it, and its limits."""
    parts = [part_of(certificate)]
    if certificate.held_out is not None:
        parts.append(part_of(certificate.held_out))
    if certificate.forecast is not None:
        told = certificate.forecast
        parts.append(
            f"<h2>Forecast</h2><p>{escape(told.sentence)} {escape(told.latents)}</p><p>An estimate "
            "from this state, no bound: moving βσ² also moves the model (arXiv 2610.11257).</p>"
        )
    title = f"{certificate.verdict.capitalize()}: {certificate.method} on {certificate.dataset}"
    about = (
        f"<p>Seed {certificate.seed}, {certificate.epochs} epochs; data fingerprint "
        f"{escape(certificate.fingerprint or 'none')}; svae_core {escape(certificate.version)}; "
        f"unit gauge βσ²/λₘₐₓ = {_number(certificate.gauge)}"
        f"{_prefix(certificate)}.</p>"
    )
    if certificate.sequences is not None:
        about += f"<p>{escape(certificate.sequences.sentence)}</p>"
    return document(
        title,
        (about, *parts),
        "What this says: a measured loss below δ excludes <em>total</em> collapse of "
        "this model on these points, with the confidence that is stated, as long as draws are "
        "independent of each other; single dimensions may still be inactive. Loss, margin and δ "
        "are sums of squared errors over coordinates, averaged over points, with sampled latents. "
        "Information is in nats. The proved floor needs no search; the numerical floor rests on "
        "a search for modes; the model-specific floor is a confidence limit. "
        "Criterion: arXiv 2603.10935 v4.",
    )


def _prefix(certificate: Certificate) -> str:
    if certificate.prefix_edge is None:
        return ""
    return (
        f"; an autoregressive decoder needs no z from βσ² = Λ* = "
        f"{_number(certificate.prefix_edge)} on"
    )


def document(title: str, parts: Iterable[str], footer: str) -> str:
    """A complete page to print: its title, parts that are HTML, and what it claims."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>"
        + "".join(parts)
        + f"<footer><p>{footer}</p></footer></body></html>\n"
    )


def part_of(certificate: Certificate) -> str:
    """The verdict and its numbers as a section."""
    return (
        f"<h2>{escape(certificate.part.capitalize())} points</h2>"
        f'<p class="verdict">{escape(certificate.sentence)}</p>{table_of(rows_of(certificate))}'
    )


def rows_of(certificate: Certificate) -> tuple[tuple[str, str, str], ...]:
    """Name, value and note of every number of a certificate."""
    c = certificate
    return (
        ("points", f"{c.n_points:,}", "all of this part"),
        ("loss D", f"{c.loss:.4f}", f"mean over {c.draws} draws of every latent"),
        (
            "loss, projected",
            _number(c.loss_projected),
            "answers kept to the data's ball or shell",
        ),
        ("margin", f"{c.loss_margin:.4f}", f"one-sided, {confidence_of(c)}, on the projected loss"),
        ("collapse loss δ", f"{c.delta:.4f}", f"definition: {c.delta_definition}"),
        ("band", f"{_number(c.lo)} … {_number(c.hi)}", "inside" if c.in_band else "not inside"),
        ("KL", f"{_number(c.kl)} nats", f"active units: {c.active_units}"),
        ("mutual information", _information(c), _ceiling(c)),
        (
            "floor, elementary",
            f"{c.floors.elementary:.4f} nats",
            f"at D′ + margin, {confidence_of(c)}",
        ),
        ("floor, proved", f"{c.floors.proved:.4f} nats", f"at D′ + margin, {confidence_of(c)}"),
        ("floor, tight", f"{c.floors.tight:.4f} nats", "at D′ + margin; numerical"),
        ("floor, model-specific", _specific(c), "of this model's own answers, 99 % confidence"),
        *_population(c),
        (
            "cluster floor",
            f"{c.cluster_floor:.4f} nats",
            f"accuracy {percent(c.cluster_accuracy, '.1f')}",
        ),
    )


def table_of(rows: Iterable[tuple[str, str, str]]) -> str:
    """Name, value and note of each row as a table."""
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td><td>{escape(note)}</td></tr>"
        for name, value, note in rows
    )
    return f"<table>{cells}</table>"


def _specific(certificate: Certificate) -> str:
    floors = certificate.floors
    if floors.specific is None:
        return "not measured"
    return f"{floors.specific:.4f} nats ({floors.specific_answers:,} answers)"


def _population(certificate: Certificate) -> tuple[tuple[str, str, str], ...]:
    """What held-out points say of new ones; nothing where that was not asked."""
    floors = certificate.floors
    if floors.population is None:
        return ()
    if floors.population == 0 and floors.population_needs:
        value = f"needs about {floors.population_needs:,} more points"
    else:
        value = f"{floors.population:.4f} nats"
    return (("floor, population", value, "on new points of the same kind, 99 % confidence"),)


def _ceiling(certificate: Certificate) -> str:
    return f"no estimate can exceed log n = {certificate.mi_ceiling:.2f}"


def confidence_of(certificate: Certificate) -> str:
    """The confidence of a certificate's limits, as it is said: "99 %"."""
    return percent(certificate.confidence)


def _information(certificate: Certificate) -> str:
    """I(x;z), with its standard error where that was kept."""
    error = certificate.mutual_information_error
    known = f" ± {error:.4f}" if math.isfinite(error) else ""
    return f"{_number(certificate.mutual_information)}{known} nats"


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "not known"
