"""What does "100 % prevention" mean?

A rate of prevention needs a stated metric of collapse, and an ablation over the number of clusters
K and the definition of δ, on which the band depends.

Source: a public review of arXiv 2603.10935
"""

from __future__ import annotations

import dataclasses

from svae_core.certificate.diagnostics import COLLAPSED_TOTAL_KL
from svae_core.config.shares import percent
from svae_core.objections import Answer, baseline, short, trained
from svae_core.problem import prepared_data
from svae_core.records import Certificate, Settings

_KS = (2, 5, 10, 20, 50)
_DEFINITIONS = ("shell", "free", "between")


def measure(settings: Settings) -> Answer:
    """A run for every K and every definition of δ with a non-empty band, by one metric."""
    base = short(settings)
    most = len(prepared_data(base).shell.points) // 2
    variants = [
        dataclasses.replace(base, clusters=k, collapse_loss=definition)
        for k in sorted({*(k for k in _KS if k <= most), base.clusters})
        for definition in _DEFINITIONS
    ]
    able = [variant for variant in variants if not prepared_data(variant).region.empty]
    _, certificates = trained([*able, baseline(base)])
    judged = dict(zip(able, certificates[:-1], strict=True))
    plain = certificates[-1]
    numbers = {
        "variants": len(variants),
        "runs": len(able),
        "empty": len(variants) - len(able),
        "collapsed": sum(certificate.verdict == "collapsed" for certificate in judged.values()),
        "certified": sum(certificate.verdict == "certified" for certificate in judged.values()),
        "in_band": sum(certificate.in_band for certificate in judged.values()),
        "least_kl": min((certificate.kl for certificate in judged.values()), default=0.0),
        "baseline_kl": plain.kl,
        # 95 % upper limit r of the rate of an event not seen in n trials: (1 − r)ⁿ = 0.05.
        "rate_limit": 1 - 0.05 ** (1 / len(able)) if able else 1.0,
    }
    return Answer(
        numbers=numbers,
        sentences=_sentences(numbers, plain),
        columns=("K, δ by", "W", "δ", "hi", "D", "KL", "I(x;z)", "active", "verdict"),
        rows=(
            *(_row(variant, judged.get(variant)) for variant in variants),
            ("conventional VAE", "–", f"{plain.delta:.3f}", "–", *_measured(plain)),
        ),
    )


def _row(settings: Settings, certificate: Certificate | None) -> tuple[str, ...]:
    region = prepared_data(settings).region
    name = f"{settings.clusters}, {settings.collapse_loss}"
    edges = (f"{region.within:.3f}", f"{region.delta:z.3f}")
    if certificate is None:
        return (name, *edges, *("–",) * 5, "empty band")
    return (name, *edges, f"{region.hi:.3f}", *_measured(certificate))


def _measured(certificate: Certificate) -> tuple[str, ...]:
    return (
        f"{certificate.loss:.3f}",
        f"{certificate.kl:.2f}",
        f"{certificate.mutual_information:z.2f}",
        f"{certificate.active_units} of {len(certificate.kl_per_dim)}",
        certificate.verdict,
    )


def _sentences(found: dict[str, float], plain: Certificate) -> tuple[str, ...]:
    runs = f"{found['runs']:.0f}"
    rate = (
        f"That is no proof of 100 %: a rate of up to {percent(found['rate_limit'])} would be "
        f"compatible with {runs} such runs (95 %). What is certain is the theorem, run by run: "
        if found["collapsed"] == 0
        else "So prevention is not complete here; the theorem speaks run by run: "
    )
    return (
        f"Collapsed means here a KL below {COLLAPSED_TOTAL_KL} nats in all and a loss that is not "
        "below δ. The table also gives active units (variance of the posterior mean > 0.01) and "
        "I(x;z).",
        f"By this metric {found['collapsed']:.0f} of {runs} short spherical runs collapsed; the "
        f"least KL is {found['least_kl']:.2f} nats. The conventional VAE: {plain.verdict}, KL "
        f"{plain.kl:.2f} nats. {found['empty']:.0f} of {found['variants']:.0f} variants have an "
        "empty band, so they were not trained.",
        f"{rate}{found['certified']:.0f} of {runs} have a measured loss below δ, and "
        f"{found['in_band']:.0f} ended inside their band.",
    )
