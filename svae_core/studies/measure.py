"""What a trained run is worth beside others: reconstructions, likelihood, classes in latents."""

from __future__ import annotations

import math
import warnings

import numpy as np

from svae_core.distributions.gaussian import gaussian_kl
from svae_core.geometry.shell import shell_map
from svae_core.records import Certificate, State
from svae_core.studies.scores import Score
from svae_core.training import loop
from svae_core.training.evaluate import Model, decode, encode

#: Latents drawn for each point's likelihood; more move it by less than its spread over seeds.
IMPORTANCE_SAMPLES = 64
_POINTS = 2_000  # scored at most, a seeded sample
_NEIGHBOURS, _FOLDS = 5, 5


def score(state: State, certificate: Certificate, seconds: float) -> Score:
    """What the one member of a trained state is worth beside others."""
    (settings,) = state.settings
    if not math.isfinite(certificate.loss):  # diverged: no number would mean anything
        return Score(settings, certificate, seconds=seconds)
    (model,) = loop.models(state)
    ground = model.ground
    region, n = ground.region, len(ground.shell.points)
    rows = np.sort(np.random.default_rng([settings.data_seed, 31]).permutation(n)[:_POINTS])
    points = ground.shell.points[rows]
    posteriors = encode(model, points)
    noise = np.random.default_rng([settings.seed, 37]).standard_normal(posteriors.mean.shape)
    # Sampled latents, not their means: those of a collapsed model still tell classes apart, far
    # below the noise in which the decoder sees them.
    z = posteriors.draw(noise.astype(np.float32))
    outputs = decode(model, z)
    known = ground.dataset.labels
    truth = ground.clusters.labels[rows] if known is None else known[rows]
    ari, nmi = cluster_agreement(z, truth, settings.data_seed)
    held_out = len(ground.shell.held_out) > 0
    tested = points
    if held_out:
        order = np.random.default_rng([settings.data_seed, 43]).permutation(
            len(ground.shell.held_out)
        )
        tested = ground.shell.held_out[np.sort(order[:_POINTS])]
    width = region.delta - region.within
    return Score(
        settings=settings,
        certificate=certificate,
        position=(certificate.loss - region.within) / width if width > 0 else math.nan,
        error=data_error(model, outputs, rows),
        log_likelihood=log_likelihood(model, tested, certificate.loss),
        likelihood_part="held-out" if held_out else "training",
        ari=ari,
        nmi=nmi,
        agreement="clusters" if known is None else "labels",
        accuracy=math.nan if known is None else neighbour_accuracy(z, known[rows]),
        sensitivity=float(outputs.var(axis=0, dtype=np.float64).sum()) / region.total,
        seconds=seconds,
    )


def data_error(model: Model, outputs: np.ndarray, rows: np.ndarray) -> float:
    """Mean squared error, summed over features, of outputs [n, d] taken back to data space.

    Outputs off the shell (a decoder that is not projected) are clamped to it on the way back.
    """
    ground = model.ground
    back = shell_map(ground.shell).inverse_transform(outputs.astype(np.float64))
    gap = back - ground.dataset.points[rows]
    return float((gap * gap).sum(axis=1).mean())


def log_likelihood(model: Model, points: np.ndarray, loss: float) -> float:
    """Mean log p(x) on the shell in nats, by importance sampling from q. arXiv 1509.00519.

    log p(x) ≈ log mean_s p(x|z_s) p(z_s) / q(z_s|x) with p(x|z) = N(g(z), σ² I), σ² = D/d: the
    decoder variance that suits the model best, so that methods that learn it and methods that do
    not are told on one scale. A lower bound in expectation. Defined where the posterior is Gaussian
    under the prior N(0, I); NaN elsewhere.
    """
    posteriors = encode(model, points)
    variance = posteriors.variance.astype(np.float64)
    if posteriors.kl.shape[1] != posteriors.mean.shape[1] or not np.allclose(
        posteriors.kl,
        gaussian_kl(posteriors.mean, np.log(posteriors.variance)),
        rtol=1e-3,
        atol=1e-4,
    ):
        return math.nan
    d, sigma2 = points.shape[1], loss / points.shape[1]
    rng = np.random.default_rng([model.ground.settings.seed, 41])
    weights = np.empty((IMPORTANCE_SAMPLES, len(points)))
    for draw in range(IMPORTANCE_SAMPLES):
        noise = rng.standard_normal(posteriors.mean.shape).astype(np.float32)
        z = posteriors.draw(noise)
        gap = decode(model, z) - points
        weights[draw] = -0.5 * (
            d * math.log(2 * math.pi * sigma2)
            + (gap * gap).sum(axis=1, dtype=np.float64) / sigma2
            + (z.astype(np.float64) ** 2).sum(axis=1)
            - (noise.astype(np.float64) ** 2 + np.log(variance)).sum(axis=1)
        )
    top = weights.max(axis=0)
    return float((top + np.log(np.exp(weights - top).mean(axis=0))).mean())


def cluster_agreement(latents: np.ndarray, truth: np.ndarray, seed: int) -> tuple[float, float]:
    """ARI and NMI of K-means on latents [n, k] with classes [n]; as many clusters as classes.

    Latents that are all the same form one cluster, which agrees with nothing: 0.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct latents than clusters
        model = KMeans(len(np.unique(truth)), n_init=4, random_state=seed % 2**32)
        found = model.fit_predict(latents.astype(np.float64))
    return (
        float(adjusted_rand_score(truth, found)),
        float(normalized_mutual_info_score(truth, found)),
    )


def neighbour_accuracy(latents: np.ndarray, labels: np.ndarray) -> float:
    """Share of points whose class five nearest latent neighbours guess right, in five folds.

    NaN where a class has fewer points than there are folds.
    """
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    if np.bincount(labels)[np.unique(labels)].min() < _FOLDS:
        return math.nan
    nearest = KNeighborsClassifier(_NEIGHBOURS)
    return float(cross_val_score(nearest, latents, labels, cv=_FOLDS).mean())
