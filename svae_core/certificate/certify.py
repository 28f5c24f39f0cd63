"""Certify a model, anyone's, by measurement: what its loss is, and what follows from it.

    certify(reconstruct, points) -> Certificate

A model is whatever answers points with sampled reconstructions. Its loss D is measured over
several draws, with a margin; below the collapse loss δ of the same points it cannot have
collapsed, and the floors say how many nats must pass at the least. Source of the criterion:
arXiv 2603.10935 v4; margin, floors and cluster certificate are derived in this package.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svae_core import __version__
from svae_core.certificate.diagnostics import (
    ACTIVE_THRESHOLD,
    Measurement,
    active_units,
    loss_margin,
    mutual_information,
    spread,
    verdict,
)
from svae_core.certificate.floors import (
    cluster_certificate,
    covariance_spectrum,
    floor_curves,
    floors_at,
)
from svae_core.certificate.kernel_bounds import sharpen
from svae_core.certificate.own_floors import OwnFloors
from svae_core.distributions.gaussian import Gaussian
from svae_core.geometry.kmeans import cluster, nearest
from svae_core.geometry.region import collapse_losses
from svae_core.geometry.shell import check_points, floating
from svae_core.records import Certificate, FloorCurves, RequestError

#: A certificate averages over at least this many independent draws of every latent …
DRAWS = 16
#: … and, where points are few, over as many as make this many losses in all.
_LOSSES = 65_536

Reconstruct = Callable[[np.ndarray], np.ndarray]
GaussianPosterior = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What a model says of n points before it decodes: posteriors of any family, as arrays."""

    mean: np.ndarray  # [n, k]
    variance: np.ndarray  # [n, k]
    kl: np.ndarray  # [n, k] nats, or [n, 1] where the KL does not split by dimension
    draw: Callable[[np.ndarray], np.ndarray]  # normal noise [n, k] -> z [n, k]
    log_density: Callable[[np.ndarray, slice], np.ndarray]  # z [a, k], points -> [a, b]


@dataclass(frozen=True, eq=False)
class Reference:
    """What a model is measured against: points, their collapse loss, floors and clusters.

    Loss, δ and floors must come from the same points: train against train, held-out against
    held-out.
    """

    points: np.ndarray  # [n, d]
    delta: float
    definition: str  # of δ: shell | free | between
    floors: FloorCurves
    centroids: np.ndarray  # [k, d]
    radii: tuple[float, float] | None  # of decoder outputs, where they are known to keep to it
    dataset: str = ""
    fingerprint: str = ""
    population_lambdas: np.ndarray | None = None  # asks for a population floor: see `population`


def certify(
    reconstruct: Reconstruct,
    points: np.ndarray,
    *,
    posterior: GaussianPosterior | None = None,
    shell: tuple[float, float] | None = None,
    clusters: int = 10,
    draws: int = DRAWS,
    seed: int = 0,
    name: str = "model",
) -> Certificate:
    """Certify any model on its points [n, d], in the space in which it reconstructs.

    `reconstruct(points) -> [n, d]` must sample: encode, draw z ~ q(z|x), decode. It is called
    `draws` times (at least 8). `posterior(points) -> (mean, log variance)`, each [n, k], adds KL
    and mutual information of a Gaussian posterior. `shell=(r_min, r_max)` says that outputs keep
    to those norms (it is checked) and raises δ accordingly; otherwise δ is the total variance and
    floors are those of a free decoder. `clusters`: K of the cluster certificate; `seed`: of
    K-means and of the latents drawn for the mutual information.

    Raises RequestError, one sentence, for unusable points or answers: among them the same
    non-constant answer twice, which betrays decoded posterior means.
    """
    points = floating(points)
    check_points(points)
    if draws < 8:
        raise RequestError(f"draws is {draws}, but a margin worth the name needs at least 8.")
    if shell is not None and not 0 <= shell[0] < shell[1]:
        raise RequestError(
            f"shell is {shell[0]:g} {shell[1]:g}, but the inner radius must be smaller than the "
            "outer one, and not below 0."
        )
    measured_against = reference(points, shell, min(clusters, len(points) - 1), seed)
    posteriors = None if posterior is None else gaussian_posteriors(*_answered(posterior, points))
    return measure(
        measured_against, reconstruct, posteriors=posteriors, draws=draws, seed=seed, name=name
    )


def _answered(posterior: GaussianPosterior, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, log_variance = (np.asarray(part) for part in posterior(points))
    if mean.ndim != 2 or mean.shape != log_variance.shape or len(mean) != len(points):
        raise RequestError(
            f"The posterior gave shapes {mean.shape} and {log_variance.shape}; mean and log "
            f"variance must both be ({len(points)}, latent dimensions)."
        )
    return mean, log_variance


def reference(
    points: np.ndarray, shell: tuple[float, float] | None = None, clusters: int = 10, seed: int = 0
) -> Reference:
    """The reference of points [n, d] on their own, without a problem around them.

    Without a shell the points are measured from their mean: a free decoder's floors need only a
    ball that holds the data, and this is a small one.
    """
    center = points.mean(axis=0, dtype=np.float64)
    shift = np.zeros_like(center) if shell else center
    found = cluster(points, clusters, seed)
    eigenvalues = covariance_spectrum(points)
    low, high = shell or (0.0, float(np.linalg.norm(points - center, axis=1).max()))
    losses = collapse_losses(
        found.within, found.total, float(np.linalg.norm(center - shift)), low, high
    )
    definition = "shell" if shell else "free"
    moved = (points - shift).astype(points.dtype)
    curves = floor_curves(
        points=moved,
        centroids=found.centroids - shift,
        cluster_sizes=found.sizes,
        radii=(low, high),
        delta=losses[definition],
        within=found.within,
        eigenvalues=eigenvalues,
    )
    return Reference(
        points, losses[definition], definition, sharpen(curves, moved), found.centroids, shell
    )


def measure(
    against: Reference,
    reconstruct: Reconstruct,
    *,
    posteriors: Posteriors | None = None,
    draws: int | None = None,
    seed: int = 0,
    name: str = "model",
    gauge: Callable[[float], float] = lambda loss: math.nan,
) -> Certificate:
    """Measure a model against a reference; the work behind every certificate.

    `posteriors`: those of the reference's points; `gauge`: βσ²/λ_max from the measured loss.
    """
    points = against.points
    draws = draws or max(DRAWS, -(-_LOSSES // len(points)))
    own = OwnFloors(points, against.floors, seed, against.population_lambdas)
    losses, first = _losses(against, own.follow(reconstruct), draws)
    kl_per_dim, active, information = _information(posteriors, seed)
    accuracy, cluster_floor = _cluster_evidence(against, first)
    measured = _measurement(against, losses, kl_per_dim, gauge)
    judgement, sentence = verdict(measured)
    return Certificate(
        method=name,
        seed=seed,
        epochs=0,
        part="training",
        loss=measured.loss,
        loss_margin=measured.margin,
        draws=draws,
        delta=against.delta,
        delta_definition=against.definition,
        lo=math.nan,
        hi=math.nan,
        in_band=False,
        kl=measured.kl,
        kl_per_dim=kl_per_dim,
        active_units=active,
        active_threshold=ACTIVE_THRESHOLD,
        mutual_information=information,
        mi_ceiling=math.log(len(points)),
        floors=own.added(measured.floors),
        cluster_accuracy=accuracy,
        cluster_floor=cluster_floor,
        gauge=measured.gauge,
        verdict=judgement,
        sentence=sentence,
        dataset=against.dataset,
        fingerprint=against.fingerprint,
        n_points=len(points),
        version=__version__,
    )


def _measurement(
    against: Reference,
    losses: np.ndarray,
    kl_per_dim: tuple[float, ...],
    gauge: Callable[[float], float],
) -> Measurement:
    loss, margin = float(losses.mean()), loss_margin(losses)
    return Measurement(
        loss=loss,
        margin=margin,
        delta=against.delta,
        definition=against.definition,
        kl=float(sum(kl_per_dim)) if kl_per_dim else math.nan,
        kl_per_dim=kl_per_dim,
        gauge=gauge(loss),
        floors=floors_at(against.floors, loss + margin),
    )


def with_run(
    certificate: Certificate, *, epochs: int, lo: float, hi: float, held_out: Certificate | None
) -> Certificate:
    """The certificate with what only its run knows."""
    return dataclasses.replace(
        certificate,
        epochs=epochs,
        lo=lo,
        hi=hi,
        in_band=bool(lo <= certificate.loss <= hi),
        held_out=held_out,
    )


def _losses(
    against: Reference, reconstruct: Reconstruct, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """The mean loss of each draw, [draws], and the reconstructions of the first."""
    points = against.points
    first = _checked(reconstruct(points), against)
    losses = [_mean_squared_error(first, points)]
    for _ in range(1, draws):
        again = _checked(reconstruct(points), against)
        if len(losses) == 1 and np.array_equal(again, first) and np.ptp(first, axis=0).any():
            raise RequestError(
                "The model gave the same reconstructions twice, so it decodes posterior means; "
                "let it sample z ~ q(z|x), since only a sampled loss excludes collapse."
            )
        losses.append(_mean_squared_error(again, points))
    return np.array(losses), first


def _mean_squared_error(answers: np.ndarray, points: np.ndarray) -> float:
    gap = answers - points
    return float((gap * gap).sum(axis=1, dtype=np.float64).mean())


def _checked(answers: np.ndarray, against: Reference) -> np.ndarray:
    answers = np.asarray(answers)
    if answers.shape != against.points.shape:
        raise RequestError(
            f"The reconstructions have shape {answers.shape}, but the points have shape "
            f"{against.points.shape}; they must agree."
        )
    if against.radii is not None:
        low, high = against.radii
        norms = np.linalg.norm(answers, axis=1)
        slack = 1e-4 * high
        if (norms < low - slack).any() or (norms > high + slack).any():
            raise RequestError(
                f"Reconstructions have norms from {norms.min():.3g} to {norms.max():.3g}, outside "
                f"the shell [{low:g}, {high:g}]; certify without a shell."
            )
    return answers


def gaussian_posteriors(mean: np.ndarray, log_variance: np.ndarray) -> Posteriors:
    """Posteriors of a Gaussian posterior, from arrays [n, k] each."""
    posterior = Gaussian(np.asarray(mean), np.asarray(log_variance))
    return Posteriors(
        mean=posterior.mean,
        variance=posterior.variance,
        kl=posterior.kl(),
        draw=posterior.draw,
        log_density=lambda z, block: posterior.rows(block).log_density(z),
    )


def _information(posteriors: Posteriors | None, seed: int) -> tuple[tuple[float, ...], int, float]:
    """KL per dimension, active units and mutual information, where the posterior is known."""
    if posteriors is None:
        return (), 0, math.nan
    kl_per_dim = posteriors.kl.mean(axis=0, dtype=np.float64)
    noise = np.random.default_rng([seed, 23]).normal(size=posteriors.mean.shape)
    information = mutual_information(
        posteriors.draw(noise), posteriors.log_density, len(posteriors.mean)
    )
    active = int(active_units(spread(posteriors.mean), len(kl_per_dim)).sum())
    return tuple(float(value) for value in kl_per_dim), active, information


def _cluster_evidence(against: Reference, answers: np.ndarray) -> tuple[float, float]:
    """Share of reconstructions in the cluster of their own point, and the nats it proves.

    One draw per point: these are independent trials, as the limit behind the floor asks.
    """
    if not np.isfinite(answers).all():
        return math.nan, 0.0
    own = nearest(against.points, against.centroids)
    correct = int(np.count_nonzero(nearest(answers, against.centroids) == own))
    share = float(np.bincount(own).max()) / len(own)
    return correct / len(own), cluster_certificate(correct, len(own), share)
