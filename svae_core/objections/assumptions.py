"""The proof lacks visible steps, assumptions and edge cases

A reader cannot see what the exclusion rests on: what if K-means fails to separate the data, if W
is above half of the total variance, if there is one cluster only? So each step is measured here,
and W is replaced by that of worse and worse partitions.

Source: a public review of arXiv 2603.10935
"""

from __future__ import annotations

import dataclasses

import numpy as np

from svae_core.config.shares import percent
from svae_core.distributions.gaussian import gaussian_kl, sample
from svae_core.objections import Answer, tiny
from svae_core.problem import prepared_data, region_of
from svae_core.records import FeasibleRegion, PreparedData, Settings

#: Constant outputs that are compared with the formula's best one.
_TRIED = 200
#: ε of the counter-example q = N(εx, I), whose mean is decoded without error.
_EPSILON = 0.01


def measure(settings: Settings) -> Answer:
    """The steps of the proof and its edge cases, measured on these data."""
    prepared = prepared_data(settings)
    points = prepared.shell.points.astype(np.float64)
    clusters = prepared.clusters
    numbers = _constant_answers(prepared, points) | _mean_decoding(prepared, points)
    partitions = {
        f"K-means, K = {clusters.k}": clusters.within,
        f"the worst of its {len(clusters.restarts)} starts": float(clusters.restarts.max()),
        "the same sizes, points at random": _random_partition(prepared, points),
        "one cluster": clusters.total,
    }
    if clusters.k == 1:
        partitions = {"one cluster": clusters.total}
    rows = [_row(prepared, name, within) for name, within in partitions.items()]
    numbers |= {
        "within": clusters.within,
        "half_total": clusters.total / 2,
        "separation": clusters.separation,
        "delta": prepared.region.deltas["shell"],
    }
    return Answer(
        numbers=numbers,
        sentences=_sentences(prepared, numbers),
        columns=("partition", "W", "W/T", "band, δ shell", "band, δ free", "band, δ between"),
        rows=tuple(rows),
    )


def _constant_answers(prepared: PreparedData, points: np.ndarray) -> dict[str, float]:
    """The best constant's loss by the formula, measured at its point, and by trying others."""
    shell = prepared.shell
    center = points.mean(axis=0)
    radius = float(np.linalg.norm(center))
    direction = center / radius if radius > 1e-12 else points[0] / np.linalg.norm(points[0])
    nearest = direction * np.clip(radius, shell.r_min, shell.r_max)
    tried = points[np.linspace(0, len(points) - 1, min(_TRIED, len(points))).astype(int)]
    losses = [float(((points - y) ** 2).sum(axis=1).mean()) for y in (nearest, *tried)]
    return {
        "best_constant": losses[0],
        "best_tried": min(losses[1:]),
        "tried": len(tried),
        "formula_error": abs(losses[0] - prepared.region.deltas["shell"]),
    }


def _mean_decoding(prepared: PreparedData, points: np.ndarray) -> dict[str, float]:
    """Why latents must be sampled: q = N(εx, I) with g(z) = r·z/‖z‖ has no error at its means."""
    radius = (prepared.shell.r_min + prepared.shell.r_max) / 2
    mean, log_variance = _EPSILON * points, np.zeros_like(points)
    noise = np.random.default_rng(31).standard_normal(points.shape)

    def loss(z: np.ndarray) -> float:
        outputs = radius * z / np.linalg.norm(z, axis=1, keepdims=True)
        return float(((points - outputs) ** 2).sum(axis=1).mean())

    return {
        "loss_at_means": loss(mean),
        "loss_sampled": loss(sample(mean, log_variance, noise)),
        "kl_at_means": float(gaussian_kl(mean, log_variance).sum(axis=1).mean()),
    }


def _random_partition(prepared: PreparedData, points: np.ndarray) -> float:
    """W of a random partition with the same cluster sizes."""
    labels = np.random.default_rng(37).permutation(prepared.clusters.labels)
    within = 0.0
    for label in np.unique(labels):
        part = points[labels == label]
        within += float(((part - part.mean(axis=0)) ** 2).sum())
    return within / len(points)


def _row(prepared: PreparedData, name: str, within: float) -> tuple[str, ...]:
    total = prepared.clusters.total
    bands = [_band(_region(prepared, within, kind)) for kind in ("shell", "free", "between")]
    return (name, f"{within:.3f}", f"{within / total:.2f}", *bands)


def _region(prepared: PreparedData, within: float, definition: str) -> FeasibleRegion:
    clusters = dataclasses.replace(prepared.clusters, within=within)
    settings = dataclasses.replace(prepared.settings, collapse_loss=definition)
    return region_of(prepared.shell, clusters, settings)


def _band(region: FeasibleRegion) -> str:
    return "empty" if region.empty else f"{region.lo:.3f}–{region.hi:.3f}"


def _sentences(prepared: PreparedData, found: dict[str, float]) -> tuple[str, ...]:
    clusters, region = prepared.clusters, prepared.region
    literal = "leaves a band" if clusters.between > clusters.within else "leaves no band"
    return (
        f"The best constant answer on the shell loses T + dist(x̄, shell)² = "
        f"{region.deltas['shell']:.4f}; measured at the nearest shell point it is "
        f"{found['best_constant']:.4f} (difference {tiny(found['formula_error'])}), and the best "
        f"of {found['tried']:.0f} other constants loses {found['best_tried']:.4f}.",
        f"W is {percent(clusters.within / clusters.total)} of T (separation B/T = "
        f"{clusters.separation:z.2f}), so the literal reading δ = B, which needs W < T/2, "
        f"{literal} at this K.",
        "δ by `shell` and `free` does not contain W. A K-means that fails to separate therefore "
        "moves only where the band begins; it can empty the band, never make a collapsed model "
        "pass.",
        f"Latents must be sampled: a model with a KL of {found['kl_at_means']:.5f} nats and an "
        f"error of {found['loss_at_means']:.3f} at posterior means would look perfect, but its "
        f"sampled loss is {found['loss_sampled']:.3f}, not below δ = {found['delta']:.3f}.",
    )
