"""Is the guarantee true by definition?

The band is built from the same data that demarcate collapse, so that a loss inside it excludes
collapse by construction. Which part of the claim is a definition, and which depends on training?

Source: a public review of arXiv 2603.10935
"""

from __future__ import annotations

import dataclasses

import numpy as np

from svae_core.certificate.information_floors import covariance_spectrum, water_level
from svae_core.config.shares import at_least
from svae_core.geometry.kmeans import cluster
from svae_core.geometry.region import collapse_losses, penalty_weight
from svae_core.methods import method_for
from svae_core.objections import Answer, baseline, range_of, short, tiny, trained
from svae_core.problem import prepared_data
from svae_core.records import Certificate, PreparedData, Settings

_SEEDS = 5
_HELD_OUT = 0.2


def measure(settings: Settings) -> Answer:
    """Constants recomputed after training, what training reached, and held-out points."""
    base = short(settings, settings.held_out or _HELD_OUT)
    prepared = prepared_data(base)
    before = _fixed(prepared, base)
    spherical = [dataclasses.replace(base, seed=seed) for seed in range(_SEEDS)]
    _, certificates = trained([*spherical, *map(baseline, spherical)])
    after = _recomputed(prepared, base)
    spherical_runs, conventional_runs = certificates[:_SEEDS], certificates[_SEEDS:]
    numbers = {
        "within": before[0],
        "delta": before[1],
        "weight": before[2],
        "changed": max(abs(a - b) for a, b in zip(before, after, strict=True)),
        "seeds": _SEEDS,
        "in_band": sum(certificate.in_band for certificate in spherical_runs),
        "certified": _certified(spherical_runs),
        "held_out": _certified(_held_out(spherical_runs)),
        "baseline_certified": _certified(conventional_runs),
        "least_proved": min(certificate.floors.proved for certificate in spherical_runs),
        "least_tight": min(certificate.floors.tight for certificate in spherical_runs),
        "least_kl": min(certificate.kl for certificate in spherical_runs),
    }
    return Answer(
        numbers=numbers,
        sentences=_sentences(numbers, _held_out(spherical_runs)),
        columns=("model, points", "runs", "certified", "in band", "D", "δ", "proved", "KL"),
        rows=(
            _row("spherical, training", spherical_runs),
            _row("spherical, held-out", _held_out(spherical_runs), banded=False),
            _row("conventional, training", conventional_runs, banded=False),
            _row("conventional, held-out", _held_out(conventional_runs), banded=False),
        ),
    )


def _fixed(prepared: PreparedData, settings: Settings) -> tuple[float, float, float]:
    """W, δ and the penalty's weight that training uses."""
    weight = method_for(settings).constants(prepared, settings)["weight"]
    return prepared.region.within, prepared.region.delta, weight


def _recomputed(prepared: PreparedData, settings: Settings) -> tuple[float, float, float]:
    """The same, recomputed from the shell points and the settings, without any cache."""
    points, shell = prepared.shell.points, prepared.shell
    found = cluster(points, settings.clusters, settings.data_seed)
    norm = float(np.linalg.norm(points.mean(axis=0, dtype=np.float64)))
    losses = collapse_losses(found.within, found.total, norm, shell.r_min, shell.r_max)
    delta = losses[settings.collapse_loss]
    hi = found.within + settings.band[1] * (delta - found.within)
    level = water_level(covariance_spectrum(points), hi)  # λ_max itself where hi ≥ T
    return found.within, delta, penalty_weight(settings.beta, level)


def _held_out(certificates: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    return tuple(
        certificate.held_out for certificate in certificates if certificate.held_out is not None
    )


def _certified(certificates: tuple[Certificate, ...]) -> int:
    return sum(certificate.verdict == "certified" for certificate in certificates)


def _row(name: str, certificates: tuple[Certificate, ...], banded: bool = True) -> tuple[str, ...]:
    """A row of the table; the band is that of the spherical VAE's training points."""
    return (
        name,
        f"{len(certificates)}",
        f"{_certified(certificates)}",
        f"{sum(certificate.in_band for certificate in certificates)}" if banded else "–",
        range_of([certificate.loss for certificate in certificates]),
        f"{certificates[0].delta:.2f}",
        range_of([certificate.floors.proved for certificate in certificates]),
        range_of([certificate.kl for certificate in certificates]),
    )


def _sentences(found: dict[str, float], held_out: tuple[Certificate, ...]) -> tuple[str, ...]:
    n = f"{found['seeds']:.0f}"
    same = (
        "are the same to the last digit"
        if found["changed"] == 0
        else f"differ by at most {tiny(found['changed'])}"
    )
    return (
        "By definition: a loss below δ excludes total collapse; δ is computed that way, before "
        f"training. Recomputed afterwards from the points alone, W = {found['within']:.3f}, δ = "
        f"{found['delta']:.3f} and the penalty's weight {found['weight']:.2f} {same}, "
        "so no result has fed back into them.",
        f"Not by definition: that training reaches such a loss. {found['in_band']:.0f} of {n} "
        f"short spherical runs ended inside the band and {found['certified']:.0f} of {n} are "
        f"certified; of the conventional VAE, equal otherwise, "
        f"{found['baseline_certified']:.0f} of {n}.",
        "Nor are the guaranteed nats: a run's loss forces at least "
        f"{at_least(found['least_proved'])} (proved; {found['least_tight']:.2f} numerical), and "
        f"the least KL measured is {found['least_kl']:.2f}.",
        f"Nor do held-out points enter the definition: on {held_out[0].n_points:,} of them, with "
        f"their own δ = {held_out[0].delta:.3f}, {found['held_out']:.0f} of {n} spherical runs "
        "are certified.",
    )
