"""A model card: one page of Markdown on a run and its certificates, for whoever gets the model.

    card(members, certificates, title) -> str

Its head is the metadata that model hubs read; everything in it comes from the settings and from
measurements, and what a certificate does not say is said.
"""

from __future__ import annotations

import math

from svae_core import __version__
from svae_core.certificate.html import confidence_of
from svae_core.config.fields import knobs
from svae_core.config.settings import settings_to_dict
from svae_core.config.shares import at_least
from svae_core.methods import scan_methods, title_of
from svae_core.records import Certificate, Settings

_NOTES = (
    "The certificate excludes total collapse only: single latent dimensions may carry nothing.",
    "It holds for the points named in it, and for reconstructions of sampled latents; decoded "
    "posterior means prove nothing.",
    "The loss is the squared error summed over coordinates, on the data mapped to the shell.",
)


def card(members: tuple[Settings, ...], certificates: tuple[Certificate, ...], title: str) -> str:
    """The card of the models of a run, in Markdown."""
    first = members[0]
    lines = [
        "---",
        "library_name: spherical-vae-explorer",
        "tags:",
        "- variational-autoencoder",
        "- posterior-collapse",
        f"datasets:\n- {first.dataset}",
        "---",
        "",
        f"# {title}",
        "",
        f"Variational autoencoders trained on `{first.dataset}` by svae {__version__}.",
        "",
    ]
    for settings, certificate in zip(members, certificates, strict=True):
        lines += _model(settings, certificate)
    lines += ["## Limits", "", *(f"* {note}" for note in _NOTES), "", "## Settings", ""]
    lines += ["| setting | value | what it is |", "| --- | --- | --- |"]
    about = knobs(Settings)
    for name, value in settings_to_dict(first).items():
        theirs = [settings_to_dict(member)[name] for member in members]
        shown = value if all(other == value for other in theirs) else theirs
        meaning = about[name].help if name in about else ""
        lines.append(f"| {name} | {_cell(shown)} | {_cell(meaning)} |")
    return "\n".join([*lines, ""])


def _model(settings: Settings, certificate: Certificate) -> list[str]:
    plugin = scan_methods()[settings.method]
    lines = [f"## {title_of(settings.method)}", "", plugin.explanation, ""]
    for part in (certificate, certificate.held_out):
        if part is None:
            continue
        rows = {
            "points": f"{part.n_points:,} ({part.part})",
            "verdict": part.verdict,
            "loss": f"{part.loss:.3f} (+{part.loss_margin:.3f} margin at "
            f"{confidence_of(part)}, {part.draws} draws): squared error, summed over "
            "coordinates",
            "collapse loss δ": f"{part.delta:.3f} ({part.delta_definition})",
            "band": f"{_number(part.lo)} to {_number(part.hi)}",
            "KL": f"{_number(part.kl)} nats; {part.active_units} of {len(part.kl_per_dim)} active "
            "units",
            "mutual information": f"{_number(part.mutual_information)} nats "
            f"± {_number(part.mutual_information_error)} (standard error)",
            "guaranteed, proved": f"at least {at_least(part.floors.proved, 3)} nats",
            "guaranteed, numerical": f"{part.floors.tight:.3f} nats",
            "gauge βσ²/λₘₐₓ": _number(part.gauge),
            "fingerprint of the data": part.fingerprint or "none",
        }
        lines += [f"> {part.sentence}", "", "| measured | |", "| --- | --- |"]
        lines += [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
        lines.append("")
    return lines


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "not measured"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
