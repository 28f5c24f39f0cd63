"""A certificate without a decoder: how much of a teacher's classes passes through sampled z.

    certify_encoder(sample_z, points) -> EncoderCertificate

A teacher, fixed beforehand, gives every point a class c (K-means clusters, or labels). c – x – z is
a Markov chain, so for any head S(c|z) and sampled z

    I(x; z) ≥ I(c; z) ≥ H(c) + E log S(c|z)     (after Barber & Agakov 2003),

whatever the decoder is, or none: it holds for autoregressive, vector-quantised and text models,
whose teacher-forced error proves nothing. The head is fitted on one half of the points and
evaluated on the other, whose classes have the entropy H(c) exactly; only z is sampled, so a limit
for bounded values applies. z must be sampled: by encoder *means* such a margin certifies nothing
in nats (see `clinic.witness`). Information is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.certificate.arrays import check_clusters, numbers, underflow_is_zero
from svae_core.certificate.confidence import (
    few_draws_margin,
    independent_sample,
    lower_limit,
)
from svae_core.certificate.losses import CONFIDENCE, DRAWS, PERCENT
from svae_core.certificate.sampling import ROUNDED, Sampling
from svae_core.config.shares import at_least
from svae_core.records import RequestError

#: Points [n, d] -> sampled latents [n, …], a new draw at every call.
SampleZ = Callable[[np.ndarray], Any]
#: Latents [n, k] -> probabilities [n, classes].
Head = Callable[[np.ndarray], Any]

_MEANS = (
    "The encoder gave the same z twice, so it gives means and no samples, and the nats of a mean "
    "say nothing of the latent; draw z ~ q(z|x), or say deterministic=True if the encoder has no "
    "noise."
)
_FIXED = (
    "The encoder gave the same z to the same batch twice, but others when its rows were permuted, "
    "so its noise goes by row number (a random seed is fixed inside it); let it draw new noise in "
    "every call."
)

#: The head's answer is mixed with this much of the uniform one, which bounds its logarithm.
_MIXED = 0.01
_LOSSES = 16_384  # at least so many values, where points are few
_FITTED = 4  # draws that the head is fitted on
#: A class of which fewer nats than this pass is called lost.
LOST = 0.05
_QUADRATIC = 16  # latent dimensions up to which products of two are features
_LINEAR = 128  # dimensions that a head sees at most: the leading ones, which may say less than all


@dataclass(frozen=True, eq=False)
class EncoderCertificate:
    """What is known of the classes of held-out points from sampled z."""

    nats: float  # at least so many pass, with the confidence; 0 where the limit is negative
    estimate: float  # of H(c) + E log S(c|z), without a limit
    confidence: float
    entropy: float  # H(c) of the held-out points, the most that can pass
    classes: tuple[str, ...]
    class_nats: np.ndarray  # [c] mean of log S(c|z)/p(c) over the points of each class
    confusion: np.ndarray  # [c, c] mean S(·|z) over the points of each class, a row each
    lost: tuple[str, ...]
    n_points: int  # held out
    draws: int
    shared_noise: bool
    head: str
    teacher: str  # clusters | labels
    sentence: str


@underflow_is_zero
def certify_encoder(
    sample_z: SampleZ,
    points: Any,
    labels: Any = None,
    *,
    clusters: int = 10,
    head: Head | None = None,
    deterministic: bool = False,
    seed: int = 0,
) -> EncoderCertificate:
    """Certify how many nats of class identity pass an encoder, on half of the points [n, d].

    `sample_z(points) -> [n, …]` draws z anew at every call; it gets a copy of the points in an
    order permuted anew. `labels` [n]: the classes; without them K-means with `clusters` clusters is
    the teacher. `head(z) -> [n, classes]`: probabilities of the classes in the order of their
    sorted names, if you have one that did not see these points (it gets z in an order permuted
    anew); without it one is fitted on the other half: a linear or quadratic logistic regression, or
    boosted trees, whichever predicts best there. `deterministic`: the encoder has no noise
    (vector-quantised codes, say).

    The claim is for the held-out points, drawn uniformly, and for the encoder as a sampler: rows
    of a call have noise of their own, calls are independent. RequestError, one sentence, for
    points, labels or latents that do not fit, and for an encoder that gives the same z twice.
    """
    given = _points(points)
    names, codes = _teacher(given, labels, clusters, seed)
    rng = np.random.default_rng([seed, 71])
    order = rng.permutation(len(given))
    fitted, held = np.sort(order[: len(given) // 2]), np.sort(order[len(given) // 2 :])

    def draw(rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        return _aligned(_latents(sample_z(given[rows[at]]), len(rows)), at)

    calls = Sampling(
        lambda at: draw(held, at),
        lambda: rng.permutation(len(held)),
        share=ROUNDED,
        means=_MEANS,
        fixed=_FIXED,
    )
    if not deterministic:
        calls.check()
    if head is None:
        drawn = [draw(fitted, rng.permutation(len(fitted))) for _ in range(_FITTED)]
        name, head = _best_head(drawn, codes[fitted], len(names), seed)
    else:
        name, head = "given", _in_any_order(head, rng)
    draws = max(DRAWS, -(-_LOSSES // len(held)))
    answers = np.stack([_answered(head, calls.draw(), len(names)) for _ in range(draws)])
    if not deterministic:
        calls.check_drawn()
    return _certificate(answers, codes[held], names, name, labels is not None)


@underflow_is_zero
def certify_latents(
    z: np.ndarray, points: Any, labels: Any = None, *, clusters: int = 10, seed: int = 0
) -> EncoderCertificate:
    """The same from latents z [draws, n, k] that were sampled before, of points [n, d].

    That they were sampled, each draw anew, is assumed: stored draws cannot be asked again. More
    draws make the limit tighter. RequestError as for `certify_encoder`.
    """
    given = _points(points)
    names, codes = _teacher(given, labels, clusters, seed)
    order = np.random.default_rng([seed, 71]).permutation(len(given))
    fitted, held = np.sort(order[: len(given) // 2]), np.sort(order[len(given) // 2 :])
    latents = [_latents(draw, len(given)) for draw in z]
    drawn = [one[fitted] for one in latents[:_FITTED]]
    name, head = _best_head(drawn, codes[fitted], len(names), seed)
    answers = np.stack([_answered(head, one[held], len(names)) for one in latents])
    return _certificate(answers, codes[held], names, name, labels is not None)


def _certificate(
    answers: np.ndarray, codes: np.ndarray, names: tuple[str, ...], head: str, labelled: bool
) -> EncoderCertificate:
    """From the head's answers [draws, n, c] to points with these classes [n]."""
    draws, n, count = answers.shape
    shares = np.bincount(codes, minlength=count) / n
    present = shares > 0
    entropy = float(-(shares[present] * np.log(shares[present])).sum())
    low = math.log(_MIXED / count)
    values = np.log(answers[:, np.arange(n), codes])
    sample = independent_sample(values)
    limit = entropy + lower_limit(sample, low, 0.0, 1 - CONFIDENCE)
    estimate = entropy + float(values.mean())
    limit = min(limit, estimate - few_draws_margin(values, 1 - CONFIDENCE))
    told = np.full(count, np.nan)
    confusion = np.full((count, count), np.nan)
    for code in np.flatnonzero(present):
        told[code] = values[:, codes == code].mean() - math.log(shares[code])
        confusion[code] = answers[:, codes == code].mean(axis=(0, 1))
    lost = tuple(names[code] for code in np.flatnonzero(present) if told[code] < LOST)
    nats = max(min(limit, estimate), 0.0)
    kind = "label" if labelled else "cluster"
    return EncoderCertificate(
        nats=nats,
        estimate=estimate,
        confidence=CONFIDENCE,
        entropy=entropy,
        classes=names,
        class_nats=told,
        confusion=confusion,
        lost=lost,
        n_points=n,
        draws=draws,
        shared_noise=sample is not values,
        head=head,
        teacher=f"{kind}s",
        sentence=_sentence(nats, entropy, n, kind, lost),
    )


def _sentence(nats: float, entropy: float, n: int, kind: str, lost: tuple[str, ...]) -> str:
    if nats <= 0:
        return (
            f"Not certified: from sampled z nothing of the {n:,} held-out points' {kind}s is known "
            f"with {PERCENT} confidence; they have {entropy:.2f} nats."
        )
    gone = ""
    if lost:
        shown = ", ".join(lost[:10]) + (" …" if len(lost) > 10 else "")
        gone = f" Lost: {kind} {shown}."
    return (
        f"Certified: with {PERCENT} confidence, for these {n:,} held-out points, at least "
        f"{at_least(nats)} of {entropy:.2f} nats of {kind} identity pass through sampled z.{gone}"
    )


def _points(points: Any) -> np.ndarray:
    given = numbers(points, "The points")
    if given.ndim < 2 or len(given) < 4:
        raise RequestError(
            f"The points have shape {given.shape}, but must be an array of at least four rows."
        )
    if not np.isfinite(given).all():
        raise RequestError("The points hold values that are not finite; remove their rows.")
    return given


def _teacher(
    points: np.ndarray, labels: Any, clusters: int, seed: int
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes and the class [n] of each point."""
    if labels is None:
        check_clusters(clusters)
        from svae_core.geometry.kmeans import cluster

        found = cluster(points.reshape(len(points), -1), min(clusters, len(points) - 1), seed)
        return tuple(str(index + 1) for index in range(found.k)), found.labels
    given = _labels(labels)
    if given.shape != (len(points),):
        raise RequestError(
            f"The labels have shape {given.shape}, but there are {len(points)} points; give one "
            "label for each."
        )
    names, codes = np.unique(given.astype(str), return_inverse=True)
    if len(names) < 2 or len(names) > len(points) // 2:
        raise RequestError(
            f"The labels name {len(names)} classes of {len(points)} points; a teacher needs at "
            "least two, and two points of each on average."
        )
    return tuple(map(str, names)), codes


def _labels(labels: Any) -> np.ndarray:
    if isinstance(labels, np.ma.MaskedArray):
        raise RequestError(
            "The labels are a masked array; fill it by .filled(value) or leave those points out."
        )
    try:
        return np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    except ValueError as error:
        raise RequestError(
            "The labels are lists of different lengths; give one label for each point."
        ) from error


def _latents(answer: Any, n: int) -> np.ndarray:
    found = numbers(answer, "The latents")
    if found.ndim < 1 or len(found) != n:
        raise RequestError(
            f"The latents have shape {found.shape}, but the encoder got {n} points; it must give "
            "one row for each."
        )
    if not np.isfinite(found).all():
        raise RequestError("The latents hold values that are not finite.")
    return found.reshape(n, -1).astype(np.float64)


def _aligned(answered: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows that answer those of this order, in their own places."""
    aligned = np.empty_like(answered)
    aligned[at] = answered
    return aligned


def _in_any_order(head: Head, rng: np.random.Generator) -> Head:
    """The same head, which gains nothing by the places of rows: classes may be stored by them."""

    def answered(z: np.ndarray) -> np.ndarray:
        at = rng.permutation(len(z))
        found = numbers(head(z[at]), "The head's answers")
        return _aligned(found, at) if found.shape[:1] == at.shape else found

    return answered


def _best_head(
    drawn: Sequence[np.ndarray], classes: np.ndarray, count: int, seed: int
) -> tuple[str, Head]:
    """The candidate with the best log-likelihood on a quarter of the points.

    `drawn`: latents [n, k] of the same points, whose classes are [n].
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    linear = LogisticRegression(C=10.0, max_iter=300)
    z, codes = np.concatenate(drawn), np.tile(classes, len(drawn))
    candidates = {
        "prior": DummyClassifier(strategy="prior"),
        "linear": make_pipeline(StandardScaler(), linear),
        "trees": HistGradientBoostingClassifier(
            max_iter=60, early_stopping=False, random_state=seed
        ),
    }
    if z.shape[1] <= _QUADRATIC:
        candidates["quadratic"] = make_pipeline(
            StandardScaler(), PolynomialFeatures(2, include_bias=False), linear
        )
    # Draws of a point are together in a part, so that no head is chosen for knowing points.
    inner = np.tile(np.random.default_rng([seed, 73]).random(len(classes)) < 0.25, len(drawn))
    if inner.any() and len(np.unique(codes[~inner])) > 1:
        own = np.arange(inner.sum()), codes[inner]

        def likelihood(name: str) -> float:
            head = _fitted(candidates[name], z[~inner], codes[~inner], count)
            return float(np.log(_answered(head, z[inner], count)[own]).mean())

        chosen = max(candidates, key=likelihood)
    else:
        chosen = "prior"
    return chosen, _fitted(candidates[chosen], z, codes, count)


def _fitted(model: Any, z: np.ndarray, codes: np.ndarray, count: int) -> Head:
    """A fitted classifier as a head; classes that it never saw get no share of its own."""
    from sklearn.base import clone
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    known = clone(model)
    if z.shape[1] > _LINEAR:
        known = make_pipeline(PCA(_LINEAR, svd_solver="randomized", random_state=0), known)
    known.fit(z, codes)

    def head(latents: np.ndarray) -> np.ndarray:
        found = np.zeros((len(latents), count))
        found[:, known.classes_] = known.predict_proba(latents)
        return found

    return head


def _answered(head: Head, z: np.ndarray, count: int) -> np.ndarray:
    """The head's probabilities [n, c], mixed with a little of the uniform ones."""
    found = np.asarray(head(z), np.float64)
    if found.shape != (len(z), count):
        raise RequestError(
            f"The head's answer has shape {found.shape}, but must be ({len(z)}, {count}): a "
            "probability for each class."
        )
    if not (found >= 0).all() or np.abs(found.sum(axis=1) - 1).max() > 1e-4:
        raise RequestError("The head's answers are no probabilities: each row must sum to 1.")
    return (1 - _MIXED) * found / found.sum(axis=1, keepdims=True) + _MIXED / count
