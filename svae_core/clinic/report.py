"""An examination as one printable page of HTML: no script, no network, inert text."""

from __future__ import annotations

import math
from html import escape

from svae_core import __version__
from svae_core.certificate.html import confidence_of, document, part_of, table_of
from svae_core.clinic.examination import Examination


def report_page(found: Examination, name: str = "model") -> str:
    """A complete HTML document with the verdict, every number behind it, and what is unknown."""
    title = f"{found.verdict.capitalize()}: {name}"
    parts = [
        f"<p>Examined by its arrays; svae_core {escape(__version__)}.</p>",
        f'<p class="verdict">{escape(found.sentence)}</p>',
        _listed("What does not fit together", found.findings),
        "<h2>Data and loss</h2>",
        table_of(numbers_of(found)),
    ]
    if found.kl_per_dim:
        rows = [
            (f"dimension {index + 1}", f"{value:.4f} nats", "")
            for index, value in enumerate(found.kl_per_dim)
        ]
        parts += ["<h2>KL per dimension</h2>", table_of(rows)]
    if found.certificate is not None:
        parts.append(part_of(found.certificate).replace("Training points", "Reconstructions", 1))
    if found.encoder is not None:
        encoder = found.encoder
        kind = encoder.teacher.removesuffix("s")
        rows = [
            (f"{kind} {name}", f"{nats:.3f} nats", "lost" if name in encoder.lost else "estimate")
            for name, nats in zip(encoder.classes, encoder.class_nats, strict=True)
            if math.isfinite(nats)
        ]
        parts += ["<h2>The encoder alone</h2>", f"<p>{escape(encoder.sentence)}</p>"]
        parts.append(table_of(rows))
    parts.append(_listed("What these arrays cannot say", found.unknown))
    return document(
        title,
        parts,
        "Losses are sums of squared errors over coordinates, averaged over points. "
        "Information is in nats. The criterion (a loss below δ excludes total collapse) is that of "
        "arXiv 2603.10935 v4.",
    )


def numbers_of(found: Examination) -> list[tuple[str, str, str]]:
    """Name, value and note of what was measured."""
    rows = [
        ("points", f"{found.n_points:,}", f"{found.coordinates:,} coordinates each"),
        ("δ", f"{found.delta:.4g}", "loss of the best constant: the total variance"),
        ("W", f"{found.within:.4g}", "loss of the K-means quantiser"),
        ("band's upper edge", f"{found.band_hi:.4g}", "a quarter of the way from W to δ"),
        ("λₘₐₓ", f"{found.lambda_max:.4g}", "collapse is a stable state at and above this βσ²"),
    ]
    if found.certificate is not None:
        c = found.certificate
        rows.insert(
            1,
            (
                "loss",
                f"{c.loss:.4g}",
                f"+{c.loss_margin:.2g} margin at {confidence_of(c)}, {_draws(c.draws)}; "
                "squared error, summed",
            ),
        )
    if not math.isnan(found.gauge):
        rows.append(("gauge βσ²/λₘₐₓ", f"{found.gauge:.3g}", _side(found.gauge)))
    if found.kl_per_dim:
        active = f"{found.active_units} of {found.latent_dim} active units"
        error = f"{found.mutual_information_error:.2g} nats (standard error)"
        ceiling = f"± {error}; log n is {math.log(found.n_points):.2f}"
        rows.append(("KL", f"{found.kl:.4g} nats", active))
        rows.append(("information I(x; z)", f"{found.mutual_information:.4g} nats", ceiling))
    if (encoder := found.encoder) is not None:
        known = "labels" if encoder.teacher == "labels" else "K-means clusters"
        rows.append(
            (
                "class identity through z",
                f"{encoder.nats:.3g} nats",
                f"at least, 99 % confidence; of {encoder.entropy:.2f}, the entropy of the {known}",
            )
        )
    return rows


def _draws(count: int) -> str:
    return "1 draw" if count == 1 else f"{count} draws"


def _side(gauge: float) -> str:
    return "above 1: total collapse is a stable state" if gauge >= 1 else "below 1"


def _listed(title: str, sentences: tuple[str, ...]) -> str:
    if not sentences:
        return ""
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences)}</ul>"
