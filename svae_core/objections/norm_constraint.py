"""Does the norm constraint restrict what the decoder can do?

The paper says it does not. Projecting every output on the shell is a restriction, so it has to be
shown that the band is not empty, that every point of the shell can be reached, and how much loss
the projection costs a trained model.

Source: a public review of arXiv 2603.10935
"""

from __future__ import annotations

import dataclasses

import numpy as np

from svae_core.certificate.information_floors import cluster_entropy
from svae_core.objections import Answer, baseline, range_of, short, tiny, trained
from svae_core.problem import prepared_data
from svae_core.records import Certificate, PreparedData, Settings

_SEEDS = 3
#: βσ² of the trained pair in units of λ_max: so small that the loss dominates the objective.
_GAUGE = 0.02
_RANDOM = 10_000  # shell points, besides the data, that are sent through the projection


def measure(settings: Settings) -> Answer:
    """A construction inside the band, the reach of the projection, and its cost in loss."""
    prepared = prepared_data(settings)
    region, clusters = prepared.region, prepared.clusters
    certificates = _trained(settings)
    free, projected = certificates[:_SEEDS], certificates[_SEEDS:]
    numbers = {
        "within": clusters.within,
        "quantiser": _quantiser(prepared),
        "entropy": cluster_entropy(clusters.sizes),
        "delta": region.deltas["shell"],
        "hi": region.hi,
        "loss_free": float(np.mean([certificate.loss for certificate in free])),
        "loss_projected": float(np.mean([certificate.loss for certificate in projected])),
        "moved": _moved(prepared),
    }
    return Answer(
        numbers=numbers,
        sentences=_sentences(prepared, numbers),
        columns=("decoder", "loss D", "nats"),
        rows=(
            ("K-means centroids (W)", f"{clusters.within:.3f}", f"{numbers['entropy']:z.2f}"),
            (
                "the same, projected on the shell",
                f"{numbers['quantiser']:.3f}",
                f"{numbers['entropy']:z.2f}",
            ),
            _row(f"trained, free, {_SEEDS} seeds", free),
            _row(f"trained, projected, {_SEEDS} seeds", projected),
        ),
    )


def _quantiser(prepared: PreparedData) -> float:
    """The loss of encoding the cluster and decoding the shell point nearest to its centroid."""
    centroids, shell = prepared.clusters.centroids, prepared.shell
    norms = np.linalg.norm(centroids, axis=1, keepdims=True)
    # A centroid at the origin has no direction: all points of the inner sphere are equally near.
    fixed = np.eye(1, centroids.shape[1])
    directions = np.where(norms > 1e-12, centroids / np.maximum(norms, 1e-12), fixed)
    answers = directions * np.clip(norms, shell.r_min, shell.r_max)
    gaps = shell.points - answers[prepared.clusters.labels]
    return float((gaps**2).sum(axis=1).mean())


def _moved(prepared: PreparedData) -> float:
    """The largest distance by which the projection moves points that are on the shell already."""
    import torch

    from svae_core.nets.networks import project_on_shell

    shell = prepared.shell
    rng = np.random.default_rng(41)
    directions = rng.standard_normal((_RANDOM, shell.points.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    random = directions * rng.uniform(shell.r_min, shell.r_max, (_RANDOM, 1))
    points = torch.from_numpy(np.concatenate([shell.points, random.astype(np.float32)]))[None]
    low, high = torch.tensor(shell.r_min), torch.tensor(shell.r_max)
    return float((project_on_shell(points, low, high) - points).norm(dim=-1).max())


def _trained(settings: Settings) -> tuple[Certificate, ...]:
    """Free decoders, then projected ones with the same networks and seeds, without a penalty."""
    base = dataclasses.replace(short(settings), collapse_loss="shell", beta=1.0)
    base = dataclasses.replace(base, sigma2=_GAUGE * prepared_data(base).lambda_max)
    loose = dataclasses.replace(base, method_options=(("strength", 0.0),))
    seeds = range(_SEEDS)
    members = [dataclasses.replace(baseline(base), seed=seed) for seed in seeds]
    members += [dataclasses.replace(loose, seed=seed) for seed in seeds]
    return trained(members)[1]


def _row(name: str, certificates: tuple[Certificate, ...]) -> tuple[str, ...]:
    return (
        name,
        range_of([certificate.loss for certificate in certificates]),
        range_of([certificate.kl for certificate in certificates]),
    )


def _sentences(prepared: PreparedData, found: dict[str, float]) -> tuple[str, ...]:
    region, quantiser = prepared.region, found["quantiser"]
    if region.empty:
        place = "With the chosen definition of δ the band is empty nevertheless."
    elif quantiser <= region.hi:
        place = f"That is inside the chosen band, which ends at hi = {region.hi:.3f}."
    else:
        place = (
            f"That is above hi = {region.hi:.3f}, so this construction does not reach the chosen "
            "band."
        )
    cost = found["loss_projected"] - found["loss_free"]
    below = (
        "Below δ by construction"
        if quantiser < found["delta"] * (1 - 1e-6)
        else "Not below δ by this construction"
    )
    return (
        f"{below}: encode the cluster ({found['entropy']:z.2f} nats) and decode "
        f"the shell point nearest to its centroid. The loss is {quantiser:.3f}, against W = "
        f"{found['within']:.3f} without projection and δ shell = {found['delta']:.3f}. {place}",
        f"Every shell point can be reached: the projection moves the "
        f"{len(prepared.shell.points):,} data points and {_RANDOM:,} random shell points by at "
        f"most {tiny(found['moved'])}. Only points off the shell cannot be reached, and there are "
        "no data there.",
        f"The cost: with the same networks, βσ² = {_GAUGE:g} λₘₐₓ and no penalty, {_SEEDS} short "
        f"runs end at a mean loss of {found['loss_free']:.3f} free and "
        f"{found['loss_projected']:.3f} projected, a difference of {cost:+.3f} "
        f"({cost / found['loss_free']:+.0%}).",
    )
