"""Is the guarantee true by definition?

The band is built from the same data that demarcate collapse, so that a loss inside it excludes
collapse by construction. What of the claim is definition, and what has to be earned?

Source: a public review of arXiv 2603.10935
"""

from __future__ import annotations

import dataclasses

import numpy as np

from svae_core.certificate.floors import covariance_spectrum, water_level
from svae_core.geometry.kmeans import cluster
from svae_core.geometry.region import collapse_losses, penalty_weight
from svae_core.methods import method_for
from svae_core.objections import Answer, baseline, short, spread, tiny, trained
from svae_core.problem import prepared_data
from svae_core.records import Certificate, PreparedData, Settings

_SEEDS = 5
_HELD_OUT = 0.2


def measure(settings: Settings) -> Answer:
    """Constants recomputed after training; what training reached; what held-out points say."""
    base = short(settings, settings.held_out or _HELD_OUT)
    ground = prepared_data(base)
    before = _fixed(ground, base)
    spherical = [dataclasses.replace(base, seed=seed) for seed in range(_SEEDS)]
    _, ends = trained([*spherical, *map(baseline, spherical)])
    after = _recomputed(ground, base)
    ours, plain = ends[:_SEEDS], ends[_SEEDS:]
    numbers = {
        "within": before[0],
        "delta": before[1],
        "weight": before[2],
        "changed": max(abs(a - b) for a, b in zip(before, after, strict=True)),
        "seeds": _SEEDS,
        "in_band": sum(end.in_band for end in ours),
        "certified": _certified(ours),
        "held_out": _certified(_held_out(ours)),
        "baseline_certified": _certified(plain),
        "least_proved": min(end.floors.proved for end in ours),
        "least_tight": min(end.floors.tight for end in ours),
        "least_kl": min(end.kl for end in ours),
    }
    return Answer(
        numbers=numbers,
        sentences=_sentences(numbers, _held_out(ours)),
        columns=("model, points", "runs", "certified", "in band", "D", "δ", "proved", "KL"),
        rows=(
            _row("spherical, training", ours),
            _row("spherical, held-out", _held_out(ours), banded=False),
            _row("conventional, training", plain, banded=False),
            _row("conventional, held-out", _held_out(plain), banded=False),
        ),
    )


def _fixed(ground: PreparedData, settings: Settings) -> tuple[float, float, float]:
    """W, δ and the penalty's weight as training uses them."""
    weight = method_for(settings).constants(ground, settings)["weight"]
    return ground.region.within, ground.region.delta, weight


def _recomputed(ground: PreparedData, settings: Settings) -> tuple[float, float, float]:
    """The same from the shell points and the settings alone, past everything that was kept."""
    points, shell = ground.shell.points, ground.shell
    found = cluster(points, settings.clusters, settings.data_seed)
    norm = float(np.linalg.norm(points.mean(axis=0, dtype=np.float64)))
    losses = collapse_losses(found.within, found.total, norm, shell.r_min, shell.r_max)
    delta = losses[settings.collapse_loss]
    hi = found.within + settings.band[1] * (delta - found.within)
    level = water_level(covariance_spectrum(points), hi)  # λ_max itself where hi ≥ T
    return found.within, delta, penalty_weight(settings.beta, level)


def _held_out(ends: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    return tuple(end.held_out for end in ends if end.held_out is not None)


def _certified(ends: tuple[Certificate, ...]) -> int:
    return sum(end.verdict == "certified" for end in ends)


def _row(name: str, ends: tuple[Certificate, ...], banded: bool = True) -> tuple[str, ...]:
    """A row; the band is that of the spherical VAE's training points."""
    return (
        name,
        f"{len(ends)}",
        f"{_certified(ends)}",
        f"{sum(end.in_band for end in ends)}" if banded else "–",
        spread([end.loss for end in ends]),
        f"{ends[0].delta:.2f}",
        spread([end.floors.proved for end in ends]),
        spread([end.kl for end in ends]),
    )


def _sentences(found: dict[str, float], held_out: tuple[Certificate, ...]) -> tuple[str, ...]:
    n = f"{found['seeds']:.0f}"
    same = (
        "are the same to the last digit"
        if found["changed"] == 0
        else f"differ by at most {tiny(found['changed'])}"
    )
    return (
        "Definitional: that a loss below δ excludes total collapse. δ is computed so, and before "
        f"training. Recomputed afterwards from the points alone, W = {found['within']:.3f}, δ = "
        f"{found['delta']:.3f} and the penalty's weight {found['weight']:.2f} {same}, "
        "so no result has fed back into them.",
        f"Not definitional: that training gets there. {found['in_band']:.0f} of {n} short "
        f"spherical runs ended inside the band and {found['certified']:.0f} of {n} certified; of "
        f"the conventional VAE, equal otherwise, {found['baseline_certified']:.0f} of {n}.",
        f"Nor are the nats: a run's loss forces at least {found['least_proved']:.2f} (proved; "
        f"{found['least_tight']:.2f} numerical), and the least KL measured is "
        f"{found['least_kl']:.2f}.",
        f"Nor do held-out points know the definition: on {held_out[0].n_points:,} of them, with "
        f"their own δ = {held_out[0].delta:.3f}, {found['held_out']:.0f} of {n} spherical runs "
        "are certified.",
    )
