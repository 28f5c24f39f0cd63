"""Certify a model, anyone's, by measurement: what its loss is, and what follows from it.

    certify(reconstruct, points) -> Certificate

A model is whatever answers points with sampled reconstructions. Its loss is measured over many
draws, with a limit that it stays under with 99 % confidence; below the collapse loss δ of the same
points the model cannot have collapsed, and the floors say how many nats must pass at the least.
Source of the criterion: arXiv 2603.10935 v4; limit, floors and cluster certificate are derived in
this package.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from svae_core import __version__
from svae_core.certificate.arrays import (
    check_clusters,
    check_finite,
    check_varied,
    is_whole,
    numbers,
    underflow_is_zero,
)
from svae_core.certificate.diagnostics import (
    ACTIVE_THRESHOLD,
    Measurement,
    active_units,
    information_and_error,
    variance_of_means,
    verdict,
)
from svae_core.certificate.guarded_model import BlackBox, answered_posterior
from svae_core.certificate.information_floors import (
    cluster_certificate,
    covariance_spectrum,
    floor_curves,
    floors_at,
)
from svae_core.certificate.kernel_floors import sharpen
from svae_core.certificate.losses import CONFIDENCE, Losses, measure_losses
from svae_core.certificate.model_floors import OwnFloors
from svae_core.certificate.posteriors import Posteriors, gaussian_posteriors
from svae_core.geometry.kmeans import cluster, nearest
from svae_core.geometry.region import collapse_losses
from svae_core.geometry.row_blocks import center_of
from svae_core.records import Certificate, FloorCurves, Forecast, RequestError

#: Points [n, d] -> sampled reconstructions [n, d], as any array that `arrays.numbers` takes.
Reconstruct = Callable[[np.ndarray], Any]
#: Points [n, d] -> (means, log-variances), each [n, k].
GaussianPosterior = Callable[[np.ndarray], Any]


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
    population_lambdas: np.ndarray | None = None  # asks for a `population_floor`


@underflow_is_zero
def certify(
    reconstruct: Reconstruct,
    points: Any,
    *,
    posterior: GaussianPosterior | None = None,
    shell: tuple[float, float] | None = None,
    clusters: int = 10,
    draws: int | None = None,
    seed: int = 0,
    name: str = "model",
) -> Certificate:
    """Certify any model on its points [n, d], in the space in which it reconstructs.

    `reconstruct(points) -> [n, d]` must sample: encode, draw z ~ q(z|x), decode, with noise of its
    own for each row. Every call gets a copy of all points, a NumPy array, in an order permuted
    anew, and its answer is copied; three calls first check that it samples (more where these look
    alike). Then draws are made until there are 65,536 losses (16 draws at least), and doubled up to
    three times while the answer is open; or exactly `draws` of them (at least 8).
    `posterior(points) -> (mean, log variance)`, each [n, k], adds KL and mutual information of a
    Gaussian posterior, and a check that the answers carry no more than it lets through. Without
    it the certificate speaks of the answers as given.
    `shell=(r_min, r_max)` says that outputs keep to those norms (it is checked) and raises δ
    accordingly; otherwise δ is the total variance and floors are those of a free decoder.
    `clusters`: K of the cluster certificate; `seed`: of K-means, of the orders, and of the latents
    drawn for the mutual information.

    What is assumed and cannot be seen from outside: calls are independent of each other, and noise
    that the rows of a call share shows in the calls made. A call-wide failure that is rarer than
    one in so many calls, or a model that behaves otherwise once it is in use, would go unseen. So
    would skip connections or labels inside `reconstruct`: what passes need not pass through z.

    Raises RequestError (a ValueError), one sentence, for points or answers that are not finite
    real numbers, for decoded posterior means, for noise that is the same in every call, and for
    answers that carry more nats than the posterior's KL.
    """
    given = _read_points(points)
    check_request(draws, shell, clusters, seed)
    origin = np.zeros(given.shape[1]) if shell else center_of(given)
    against = reference(given, shell, min(clusters, len(given) - 1), seed)
    posteriors = None
    if posterior is not None:
        posteriors = gaussian_posteriors(*answered_posterior(posterior, given, seed))
    box = BlackBox(reconstruct, given, seed, posterior is not None)
    box.check_sampling()
    found = measure(
        against,
        lambda: box.draw() - origin,
        posteriors=posteriors,
        draws=draws,
        seed=seed,
        name=name,
    )
    box.check_drawn()
    if refusal := inconsistency(found):
        raise RequestError(refusal)
    return found


def _read_points(points: Any) -> np.ndarray:
    """The caller's points as a copy [n, d]; refused where no loss can be defined on them."""
    given = numbers(points, "The points")
    if given.ndim != 2 or given.shape[0] < 2 or given.shape[1] < 1:
        raise RequestError(
            f"The points have shape {given.shape}, but must be a table of at least two rows and "
            "one column."
        )
    check_finite(given, "The points")
    check_varied(given, "The points")
    return given


def check_request(
    draws: int | None, shell: tuple[float, float] | None, clusters: int, seed: int
) -> None:
    """RequestError for what is no number of draws, no shell, no number of clusters or no seed."""
    if draws is not None and not is_whole(draws, 8):
        raise RequestError(
            f"draws is {draws!r}, but a margin worth the name needs a whole number, at least 8."
        )
    check_clusters(clusters)
    if not is_whole(seed, 0, 2**32 - 1):
        raise RequestError(f"seed is {seed!r}, but must be a whole number from 0 to 4,294,967,295.")
    if shell is not None and not _is_shell(shell):
        raise RequestError(
            f"shell is {shell!r}, but must be two radii: the inner radius must be smaller than the "
            "outer one, and not below 0."
        )


def _is_shell(shell: Any) -> bool:
    try:
        inner, outer = shell
        return bool(0 <= inner < outer < math.inf)
    except (TypeError, ValueError):
        return False


def inconsistency(found: Certificate) -> str:
    """Why answers cannot have been sampled from the posterior, in a sentence; "" if they can.

    KL ≥ I(x; z) ≥ I(x; x̂) is a theorem for answers that were.
    """
    carried = max(found.floors.proved, found.floors.elementary, found.cluster_floor)
    if math.isnan(found.kl) or carried <= lets_through(found.kl, *_information(found)):
        return ""
    # A large KL may say only how far all posteriors are from the prior.
    known = f"I(x; z) of the posterior is {max(found.mutual_information, 0.0):.4g} nats"
    if carried > lets_through(found.kl):
        known = f"the posterior's KL lets through {found.kl:.4g} nats at most"
    return (
        f"The reconstructions carry at least {carried:.4g} nats about their points (proved), "
        f"but {known}, so they were not "
        "sampled from it: decoded means with some other noise, another encoder's, or a decoder "
        "that sees the points themselves, as an autoregressive one does under teacher forcing; let "
        "reconstruct draw z from this very posterior, and decode z alone."
    )


def _information(found: Certificate) -> tuple[float, float]:
    return found.mutual_information, found.mutual_information_error


def lets_through(kl: float, information: float = math.nan, error: float = math.nan) -> float:
    """Nats that a posterior lets through at most, with room for what was measured.

    A hundredth covers posteriors in bfloat16. I(x; z) is an estimate: five of its standard errors,
    and a hundredth of a nat for what few points of many thousands carry, which may not be asked.
    """
    limit = 1.01 * kl + 1e-6
    if math.isfinite(information) and math.isfinite(error):
        limit = min(limit, 1.01 * (max(information, 0.0) + 5 * error) + 0.01)
    return limit


@underflow_is_zero
def reference(
    points: np.ndarray, shell: tuple[float, float] | None = None, clusters: int = 10, seed: int = 0
) -> Reference:
    """The reference of points [n, d] on their own, without a problem around them.

    Without a shell the points are kept less their mean, in float64: far from the origin nothing is
    lost, and a free decoder's floors need only a ball that holds the data: this is a small one.
    """
    center = center_of(points)
    shift = np.zeros_like(center) if shell else center
    points = points.astype(np.float64) - shift
    found = cluster(points, clusters, seed)
    eigenvalues = covariance_spectrum(points)
    low, high = shell or (0.0, float(np.linalg.norm(points, axis=1).max()))
    mean_norm = float(np.linalg.norm(center - shift))
    losses = collapse_losses(found.within, found.total, mean_norm, low, high)
    definition = "shell" if shell else "free"
    curves = floor_curves(
        points=points,
        centroids=found.centroids,
        cluster_sizes=found.sizes,
        radii=(low, high),
        delta=losses[definition],
        within=found.within,
        eigenvalues=eigenvalues,
    )
    return Reference(
        points, losses[definition], definition, sharpen(curves, points), found.centroids, shell
    )


@underflow_is_zero
def measure(
    against: Reference,
    draw: Callable[[], np.ndarray],
    *,
    posteriors: Posteriors | None = None,
    draws: int | None = None,
    seed: int = 0,
    name: str = "model",
    gauge: Callable[[float], float] = lambda loss: math.nan,
    own_floors: bool = True,
) -> Certificate:
    """Measure a model against a reference; the work behind every certificate.

    `draw() -> [n, d]`: a new sampled reconstruction of each of the reference's points, in their
    order; `posteriors`: those of the same points; `gauge`: βσ²/λ_max from the measured loss;
    `own_floors`: also those of `model_floors`, which compare every answer with all points.
    """
    points = against.points
    own = OwnFloors(points, against.floors, seed, against.population_lambdas)
    losses = _losses(draw, against, draws, own if own_floors else None)
    kl_per_dim, active, (information, error) = information_of(posteriors, seed)
    accuracy, cluster_floor = _cluster_evidence(against, losses)
    measured = Measurement(
        losses=losses,
        n_points=len(points),
        delta=against.delta,
        definition=against.definition,
        kl_per_dim=kl_per_dim,
        gauge=gauge(losses.given),
        floors=floors_at(against.floors, losses.limit),
    )
    judgement, sentence = verdict(measured)
    return Certificate(
        method=name,
        seed=seed,
        epochs=0,
        part="training",
        loss=losses.given,
        loss_projected=losses.projected,
        loss_margin=losses.limit - losses.projected,
        confidence=CONFIDENCE,
        draws=losses.draws,
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
        mutual_information_error=error,
        mi_ceiling=math.log(len(points)),
        floors=own.added(measured.floors, losses.shared_noise),
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


def with_run(
    certificate: Certificate,
    *,
    epochs: int,
    lo: float,
    hi: float,
    held_out: Certificate | None,
    forecast: Forecast | None = None,
) -> Certificate:
    """The certificate with what only its run knows."""
    return dataclasses.replace(
        certificate,
        epochs=epochs,
        lo=lo,
        hi=hi,
        in_band=bool(lo <= certificate.loss <= hi),
        held_out=held_out,
        forecast=forecast,
    )


def _losses(
    draw: Callable[[], np.ndarray], against: Reference, draws: int | None, own: OwnFloors | None
) -> Losses:
    """The losses of draws, which `own` looks at."""
    kept = partial(_kept_to_shell, draw, against)
    answers = kept if own is None else own.follow(kept)
    return measure_losses(answers, against.points, against.floors.radii, against.delta, draws)


def _kept_to_shell(draw: Callable[[], np.ndarray], against: Reference) -> np.ndarray:
    """A draw's answers [n, d], refused where their norms are not those that were promised."""
    answers = draw()
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


def information_of(
    posteriors: Posteriors | None, seed: int
) -> tuple[tuple[float, ...], int, tuple[float, float]]:
    """KL per dimension, active units, mutual information and its error, of a known posterior."""
    if posteriors is None:
        return (), 0, (math.nan, math.nan)
    kl_per_dim = posteriors.kl.mean(axis=0, dtype=np.float64)
    noise = np.random.default_rng([seed, 23]).normal(size=posteriors.noise_shape)
    information = information_and_error(
        posteriors.draw(noise), posteriors.log_density, len(posteriors.mean)
    )
    active = int(active_units(variance_of_means(posteriors.mean), len(kl_per_dim)).sum())
    return tuple(float(value) for value in kl_per_dim), active, information


def _cluster_evidence(against: Reference, losses: Losses) -> tuple[float, float]:
    """Share of reconstructions in the cluster of their own point, and the nats it proves.

    One draw per point: where rows have noise of their own these are independent trials, as the
    limit behind the floor asks; where they share it, nothing is proved.
    """
    answers = losses.first
    if not np.isfinite(answers).all():
        return math.nan, 0.0
    own = nearest(against.points, against.centroids)
    correct = int(np.count_nonzero(nearest(answers, against.centroids) == own))
    share = float(np.bincount(own).max()) / len(own)
    proved = 0.0 if losses.shared_noise else cluster_certificate(correct, len(own), share)
    return correct / len(own), proved
