"""Scores of a trained run: reconstruction error, likelihood, and class information in latents."""

from __future__ import annotations

import math
import warnings

import numpy as np

from svae_core.distributions.gaussian import gaussian_kl
from svae_core.geometry.shell import shell_map
from svae_core.records import Certificate, State
from svae_core.studies.scores import Score, Timing
from svae_core.training import loop
from svae_core.training.evaluate import Model, decode, encode

#: Latents per point for the likelihood; more change it by less than its spread over seeds.
IMPORTANCE_SAMPLES = 64
_POINTS = 2_000  # points scored, at most; a seeded sample
_NEIGHBOURS, _FOLDS = 5, 5


def score(state: State, certificate: Certificate, timing: Timing) -> Score:
    """The score of the single member of a trained state."""
    (settings,) = state.settings
    if not math.isfinite(certificate.loss):  # diverged: no measure is defined
        return Score(settings, certificate, **timing.of_one_run())
    (model,) = loop.models(state)
    prepared = model.prepared
    region, n = prepared.region, len(prepared.shell.points)
    rows = _sample(n, settings.data_seed, 31)
    points = prepared.shell.points[rows]
    posteriors = encode(model, points)
    noise = np.random.default_rng([settings.seed, 37]).standard_normal(posteriors.noise_shape)
    # Sampled latents, not posterior means: the means of a collapsed model can still separate
    # classes at a scale far below the posterior noise that the decoder sees.
    z = posteriors.draw(noise.astype(np.float32))
    outputs = decode(model, z)
    known = prepared.dataset.labels
    truth = prepared.clusters.labels[rows] if known is None else known[rows]
    ari, nmi = cluster_agreement(z, truth, settings.data_seed)
    held_out = prepared.shell.held_out
    tested = held_out[_sample(len(held_out), settings.data_seed, 43)] if len(held_out) else points
    width = region.delta - region.within
    return Score(
        settings=settings,
        certificate=certificate,
        position=(certificate.loss - region.within) / width if width > 0 else math.nan,
        error=data_error(model, outputs, rows),
        log_likelihood=log_likelihood(model, tested, certificate.loss),
        likelihood_part="held-out" if len(held_out) else "training",
        ari=ari,
        nmi=nmi,
        agreement="clusters" if known is None else "labels",
        accuracy=math.nan if known is None else neighbour_accuracy(z, known[rows]),
        sensitivity=float(outputs.var(axis=0, dtype=np.float64).sum()) / region.total,
        **timing.of_one_run(),
    )


def _sample(n: int, seed: int, purpose: int) -> np.ndarray:
    """The rows of at most _POINTS of n points, rising; each purpose has a stream of its own."""
    return np.sort(np.random.default_rng([seed, purpose]).permutation(n)[:_POINTS])


def data_error(model: Model, outputs: np.ndarray, rows: np.ndarray) -> float:
    """Mean squared error, summed over features, of outputs [n, d] mapped back to data space.

    Outputs off the shell (of a decoder that is not projected) are clamped to the shell first.
    """
    prepared = model.prepared
    back = shell_map(prepared.shell).inverse_transform(outputs.astype(np.float64))
    gap = back - prepared.dataset.points[rows]
    return float((gap * gap).sum(axis=1).mean())


def log_likelihood(model: Model, points: np.ndarray, loss: float) -> float:
    """Mean log p(x) on the shell in nats, by importance sampling from q. arXiv 1509.00519.

    log p(x) ≈ log mean_s p(x|z_s) p(z_s) / q(z_s|x) with p(x|z) = N(g(z), σ² I), σ² = D/d: the
    decoder variance that is best for the ELBO, so that methods with a learned and with a fixed σ²
    are comparable; the likelihood itself is larger at a smaller one. A lower bound in expectation.
    Defined for Gaussian posteriors under the prior N(0, I); NaN otherwise.
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
    rng = np.random.default_rng([model.prepared.settings.seed, 41])
    weights = np.empty((IMPORTANCE_SAMPLES, len(points)))
    for draw in range(IMPORTANCE_SAMPLES):
        noise = rng.standard_normal(posteriors.noise_shape).astype(np.float32)
        z = posteriors.draw(noise)
        gap = decode(model, z) - points
        # log p(x|z) + log p(z) − log q(z|x); the terms (k/2)·log 2π of p(z) and q(z|x) cancel, and
        # (z − m)²/s = ε² for z = m + √s·ε.
        weights[draw] = -0.5 * (
            d * math.log(2 * math.pi * sigma2)
            + (gap * gap).sum(axis=1, dtype=np.float64) / sigma2
            + (z.astype(np.float64) ** 2).sum(axis=1)
            - (noise.astype(np.float64) ** 2 + np.log(variance)).sum(axis=1)
        )
    # log-mean-exp over draws, shifted by the largest weight against overflow.
    top = weights.max(axis=0)
    return float((top + np.log(np.exp(weights - top).mean(axis=0))).mean())


def cluster_agreement(latents: np.ndarray, truth: np.ndarray, seed: int) -> tuple[float, float]:
    """ARI and NMI between K-means on latents [n, k] and classes [n]; as many clusters as classes.

    If all latents are equal they form one cluster, and both are 0.
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
    """Accuracy of a 5-nearest-neighbour classifier on latents, by 5-fold cross-validation.

    NaN if a class has fewer points than there are folds.
    """
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    if np.bincount(labels)[np.unique(labels)].min() < _FOLDS:
        return math.nan
    nearest = KNeighborsClassifier(_NEIGHBOURS)
    return float(cross_val_score(nearest, latents, labels, cv=_FOLDS).mean())
