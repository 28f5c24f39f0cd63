"""Do a model's arrays fit together? Copies, repeated draws, means for samples, misread posteriors.

    checked(arrays) -> the arrays that may be examined, and what was found wrong, in sentences

Arrays that contradict each other are left out together: nothing here tells which of them is right.
"""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from svae_core.certificate.diagnostics import COLLAPSED_TOTAL_KL
from svae_core.certificate.posteriors import gaussian_posteriors
from svae_core.certificate.sampling import ROUNDED, usual_scale
from svae_core.clinic.model_arrays import ModelArrays
from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE

_HARDLY = 1e-6  # draws nearer together than this share of the points' variance are one draw
_COPIES = 1e-10  # a loss below this share of the total variance is that of the points themselves
_MEANS = 1e-6  # z this near to the means, in the posterior's own variance, were not sampled
_ENOUGH = 50  # points from which on a fitted line says something
_COARSE = 0.5  # rounding above this share of a posterior's variance hides what z is
_SURELY = 14.0  # a limit that fails with a probability of e to minus this
_APART = 0.1  # a mean square of standardised z further from 1 is another posterior's


def checked(arrays: ModelArrays) -> tuple[ModelArrays, list[str]]:
    """The arrays without those that contradict the others, and what was found wrong."""
    findings: list[str] = []
    if arrays.reconstructions is not None:
        known = arrays.mean is not None and arrays.log_variance is not None
        drawn, told = _checked_draws(arrays.reconstructions, arrays.points, known)
        arrays, findings = replace(arrays, reconstructions=drawn), told
        if drawn is not None and (why := _other_units(drawn, arrays.points)):
            findings.append(why)
    if arrays.z is not None and len(arrays.z) > 1 and _same_draws(arrays.z, arrays.log_variance):
        findings.append("The draws of z are the same, so they are means; they are left out.")
        arrays = replace(arrays, z=None)
    if arrays.mean is None or arrays.log_variance is None:
        return arrays, findings
    wider = bool(arrays.log_variance.min() > 0)
    if arrays.z is not None:
        arrays, told = _read_posterior(arrays, arrays.z, arrays.mean, arrays.log_variance)
        return arrays, findings + told
    if wider and _kl(arrays) >= COLLAPSED_TOTAL_KL:
        findings.append(
            "By log_variance every posterior is wider than the prior in every dimension, which no "
            "training asks for; it rather holds variances or standard deviations. Posteriors are "
            "left out; give natural logarithms of variances."
        )
        arrays = replace(arrays, mean=None, log_variance=None)
    return arrays, findings


def _checked_draws(
    drawn: np.ndarray, points: np.ndarray, known: bool
) -> tuple[np.ndarray | None, list[str]]:
    """Draws [draws, n, d] of reconstructions without repeated ones, and what was found wrong.

    `known`: a posterior is, which may be so narrow that draws hardly differ.
    """
    scale = float(points.var(axis=0, dtype=np.float64).sum())
    if float(np.square(drawn - points, dtype=np.float64).sum(axis=2).mean()) <= _COPIES * scale:
        return None, [
            "The reconstructions are the points themselves, to rounding, as no decoder of sampled "
            "z gives them; is this another array? They are left out."
        ]
    if len(drawn) > 1 and _alike(drawn, points, ROUNDED if known else _HARDLY):
        return None, [
            "The draws of reconstructions are the same, so they are decoded means (or one draw, "
            "repeated), and a loss of means excludes nothing: decode a new sample of z each time."
        ]
    first = {blake2b(drawn[at].tobytes()).digest(): at for at in reversed(range(len(drawn)))}
    new = sorted(first.values())
    if len(new) == len(drawn) or _spread(drawn[0]) <= 1e-6 * _spread(points):
        return drawn, []  # a constant answer is the verdict's business
    left = len(drawn) - len(new)
    told = f"{left} of {len(drawn)} draws of reconstructions repeat another; they are left out."
    return drawn[new], [told]


def _other_units(drawn: np.ndarray, points: np.ndarray) -> str:
    """Whether the first draw follows the points in other units, in a sentence; "" if it does not.

    Of answers that ignore z a line through each column explains about 1/n: hence the 10 %.
    """
    x = points - points.mean(axis=0, dtype=np.float64)
    y = drawn[0] - drawn[0].mean(axis=0, dtype=np.float64)
    total = float(np.square(x).sum()) / len(x)
    loss = float(np.square(drawn[0] - points, dtype=np.float64).sum()) / len(x)
    slopes = (x * y).sum(axis=0) / np.maximum(np.square(y).sum(axis=0), 1e-300)
    fitted = float(np.square(x - slopes * y).sum()) / len(x)
    good = loss < 0.7 * total
    if len(x) < _ENOUGH or good or fitted > min(0.9 * total, 0.5 * loss):
        return ""
    return (
        f"The reconstructions follow the points only once each column is shifted and scaled (the "
        f"squared error is {loss:.4g} as they are, and {fitted:.4g} then): are they in other "
        "units, standardised, or logits? Give both as the loss compares them."
    )


def _alike(drawn: np.ndarray, points: np.ndarray, share: float = _HARDLY) -> bool:
    """Whether draws [draws, n, d] that are no constant are one draw, to this share of the points'.

    As in `certificate.sampling`, by the usual scale, which a single point far out does not move.
    """
    moved = float(np.square(drawn[1:] - drawn[0], dtype=np.float64).mean())
    usual, spread = usual_scale(points) / points.shape[1], _spread(drawn[0])
    return spread > ROUNDED * usual and moved <= share * min(usual, spread)


def _same_draws(z: np.ndarray, log_variance: np.ndarray | None) -> bool:
    """Whether draws of z repeat, also in units of a posterior, which may be very narrow."""
    if not _alike(z, z[0], ROUNDED):
        return False
    return log_variance is None or bool(_standardised(z[1:], z[0], log_variance).mean() < _MEANS)


def _spread(rows: np.ndarray) -> float:
    """The mean variance of columns [n, d]."""
    return float(rows.var(axis=0, dtype=np.float64).mean())


def _kl(arrays: ModelArrays) -> float:
    assert arrays.mean is not None and arrays.log_variance is not None
    kl = gaussian_posteriors(arrays.mean, arrays.log_variance).kl
    return float(kl.sum(axis=1, dtype=np.float64).mean())


def _read_posterior(
    arrays: ModelArrays, z: np.ndarray, mean: np.ndarray, log_variance: np.ndarray
) -> tuple[ModelArrays, list[str]]:
    """The arrays with the posterior as z [draws, n, k] has it, and what is said of it."""
    rounding = _rounding(z).mean(axis=0) + _rounding(mean)
    coarse = float((rounding / _variance(log_variance)).mean(axis=0).max())
    squares = _standardised(z, mean, log_variance, rounding)
    square = float(squares.mean())
    if square < _MEANS:
        told = "The array z holds the posterior's means, not samples; it is left out."
        return replace(arrays, z=None), [told]
    if coarse > _COARSE and squares.max() <= 1 + 2 * _APART:  # else they disagree anyway
        told = (
            f"z is kept in numbers too coarse for this posterior: rounding makes up {coarse:.2g} "
            "of its variance in one dimension, so nothing tells samples from means; z is left out."
        )
        return replace(arrays, z=None), [told]
    # Few numbers scatter: a mean of n squares of normal numbers has deviation √(2/n).
    apart, count = max(_APART, 5 * math.sqrt(2 / z.size)), z.size // len(squares)
    if abs(square - 1) <= apart:
        if why := _unlike_samples(squares, count):
            return replace(arrays, z=None, mean=None, log_variance=None), [why]
        return arrays, []
    readings = [("logarithms of standard deviations", mean, 2 * log_variance)]
    if log_variance.min() > 0:
        logs = np.log(log_variance)
        readings += [("variances", mean, logs), ("standard deviations", mean, 2 * logs)]
    readings.append(("the means, and mean the log-variances", log_variance, mean))
    for what, center, logs in readings:
        squares = _standardised(z, center, logs, rounding)
        if abs(squares.mean() - 1) <= apart and not _unlike_samples(squares, count):
            return replace(arrays, mean=center, log_variance=logs), [
                f"The array log_variance holds {what}: z was sampled with those. It is read so; "
                "check whether the loss's KL reads it so as well."
            ]
    return replace(arrays, z=None, mean=None, log_variance=None), [
        f"z was not sampled from this posterior: its distance from the mean is {square:.3g} in "
        "units of the variance, on average, where samples have 1. Was its noise scaled, or is it "
        "another encoder's? Both z and the posterior are left out."
    ]


def _unlike_samples(squares: np.ndarray, count: int) -> str:
    """Why these mean squares [k] of `count` numbers each are not of samples, a sentence; else "".

    Each dimension is compared by itself: right on average is not right in each.
    Noise that all rows share fails here too. A mean of `count` squares of normal numbers is further
    from 1 than 2√(t/count) + 2t/count with a probability below 2·e⁻ᵗ (Laurent & Massart 2000).
    """
    t = _SURELY + math.log(len(squares))
    apart = max(2 * _APART, 2 * math.sqrt(t / count) + 2 * t / count)
    worst = int(np.argmax(np.abs(squares - 1)))
    if abs(squares[worst] - 1) <= apart:
        return ""
    return (
        f"z was not sampled from this posterior in dimension {worst + 1}: its squared distance "
        f"from the mean is {squares[worst]:.3g} in units of the variance, on average, where "
        "samples have 1. Was its noise scaled, or shared by all rows? Both z and the posterior "
        "are left out."
    )


def _standardised(
    z: np.ndarray, mean: np.ndarray, log_variance: np.ndarray, rounding: np.ndarray | float = 0.0
) -> np.ndarray:
    """Mean square [k] of (z − m)/s: 1 for samples; s² is their variance and that of rounding."""
    spread = _variance(log_variance) + rounding
    return np.asarray((np.square(z - mean, dtype=np.float64) / spread).mean(axis=(0, 1)))


def _variance(log_variance: np.ndarray) -> np.ndarray:
    low, high = LOG_VARIANCE_RANGE
    return np.asarray(np.exp(np.clip(log_variance.astype(np.float64), 3 * low, 3 * high)))


def _rounding(values: np.ndarray) -> np.ndarray:
    """The variance that rounding has added to numbers, ulp²/12, by the bits that they all have.

    Numbers of bfloat16 (8 bits) and float16 (11) are read as float32, and show by their zeros.
    """
    parts, exponents = np.frexp(values.astype(np.float64))

    def fit(bits: int) -> bool:
        scaled = np.ldexp(parts, bits)
        return bool((scaled == np.rint(scaled)).all())

    bits = next((bits for bits in (8, 11, 24) if fit(bits)), 53)
    return np.asarray(np.square(np.ldexp(1.0, exponents - bits)) / 12)
