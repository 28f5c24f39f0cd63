"""Has it collapsed? KL per dimension, active units, mutual information, the verdict in words.

Everything is measured on a snapshot with plain arrays. Information in nats, losses in squared
error summed over coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svae_core.records import Floors

#: What a certificate may say, best first.
VERDICTS = ("certified", "not certified", "collapsed")
#: A dimension is active when the variance of its posterior mean over the data exceeds this.
#: Usual value of the literature (Burda et al., arXiv 1509.00519).
ACTIVE_THRESHOLD = 0.01
#: A dimension with less KL than this, in nats, carries nothing; if all do, the model has collapsed.
COLLAPSED_KL = 0.01
#: Confidence of the one-sided margin on the measured loss.
CONFIDENCE = 0.99
#: A loss this near to δ, relatively, is equal to it: losses are means of float32 errors.
_ROUNDING = 1e-5
# More queries than this add nothing to the mutual information but time (its error is about
# 1/√queries nats); the aggregate posterior still runs over every point.
_QUERIES = 5_000


def spread(means: np.ndarray) -> np.ndarray:
    """Var_x m_j(x), [k] float64, from posterior means [n, k]."""
    return np.asarray(means.var(axis=0, dtype=np.float64))


def active_units(spreads: np.ndarray, parts: int | None = None) -> np.ndarray:
    """[k] bool: Var_x m_j(x) > 0.01, from these spreads [k]. arXiv 1509.00519.

    Where the KL does not split by dimension (`parts` is 1) the latent is one unit, [1]: active
    when any of its coordinates is.
    """
    active = np.asarray(spreads > ACTIVE_THRESHOLD)
    return np.asarray(active.any(keepdims=True)) if parts == 1 else active


def structure(spreads: np.ndarray, variances: np.ndarray) -> float:
    """g = 1 − e^{−I}, I = ½ Σ log(1 + Var m_j / mean s_j): 0 when means are lost in the noise.

    From spreads of the means [k] and variances s [n, k]. I is the capacity used if means were
    Gaussian with that spread: an upper sketch of the mutual information that separates trained
    from collapsed latents at a glance. Derived here.
    """
    noise = variances.mean(axis=0, dtype=np.float64)
    return float(1.0 - math.exp(-0.5 * float(np.log1p(spreads / noise).sum())))


def mutual_information(
    z: np.ndarray,
    log_density: Callable[[np.ndarray, slice], np.ndarray],
    n: int,
) -> float:
    """I_q(x; z) = E[log q(z|x)] − E[log q(z)], q(z) the aggregate posterior of all n points.

    `z` [n, k] holds one draw from each point's posterior. `log_density(z_rows, points)` gives
    log q(z_a | x_b), [a, b], for a slice of points. Never above log n; noise may take it a little
    below 0, where it is left, since clipping would hide the error.
    """
    rows = np.arange(n)
    if n > _QUERIES:
        rows = np.linspace(0, n - 1, _QUERIES).astype(int)
    total = 0.0
    for start in range(0, len(rows), 512):
        query = rows[start : start + 512]
        own = np.full(len(query), np.nan)
        top = np.full(len(query), -np.inf)
        mass = np.zeros(len(query))
        for first in range(0, n, 8_192):
            block = slice(first, min(first + 8_192, n))
            density = log_density(z[query], block)
            inside = (query >= block.start) & (query < block.stop)
            own[inside] = density[np.flatnonzero(inside), query[inside] - block.start]
            higher = np.maximum(top, density.max(axis=1))
            mass = mass * np.exp(top - higher) + np.exp(density - higher[:, None]).sum(axis=1)
            top = higher
        total += float((own - (top + np.log(mass / n))).sum())
    return total / len(rows)


def loss_margin(draws: np.ndarray) -> float:
    """One-sided 99 % margin of the mean loss over independent draws of z, Student's t. [draws]"""
    if len(draws) < 2:
        raise ValueError("a margin needs at least two draws")
    from scipy.stats import t

    spread = float(np.std(draws, ddof=1)) / math.sqrt(len(draws))
    return float(t.ppf(CONFIDENCE, len(draws) - 1)) * spread


@dataclass(frozen=True)
class Measurement:
    """What a verdict is drawn from."""

    loss: float
    margin: float
    delta: float
    definition: str
    kl: float  # nan, and kl_per_dim empty, where the posterior is not known
    kl_per_dim: tuple[float, ...]
    gauge: float  # nan where σ² is not known
    floors: Floors


def verdict(measured: Measurement) -> tuple[str, str]:
    """The verdict, one of VERDICTS, and the sentence that states it."""
    d, m = measured.loss, measured.margin
    delta = f"δ = {measured.delta:.3f} ({measured.definition})"
    known = len(measured.kl_per_dim) > 0
    if not math.isfinite(d) or (known and not math.isfinite(measured.kl)):
        return "not certified", (
            "Not certified: training diverged (the loss is not a finite number); try a smaller "
            "learning rate."
        )
    below = d + m < measured.delta * (1.0 - _ROUNDING)
    # Many dimensions of little each may add up: a loss below δ then decides.
    if known and max(measured.kl_per_dim) < COLLAPSED_KL and not below:
        gauge = "" if math.isnan(measured.gauge) else f"; βσ²/λ_max is {measured.gauge:.2f}"
        return "collapsed", (
            f"Collapsed: no latent dimension carries {COLLAPSED_KL} nats (KL {measured.kl:.4f} in "
            f"all) and the loss {d:.3f} is not below what a decoder which ignores its input "
            f"reaches, {delta}{gauge}."
        )
    if below:
        return "certified", (
            f"Certified: the measured loss {d:.3f} (+{m:.3f} margin) is below {delta}, which "
            f"excludes total collapse; at least {measured.floors.proved:.2f} nats (proved; "
            f"{measured.floors.tight:.2f} numerical) must pass{_and_kl(measured)}."
        )
    return "not certified", (
        f"Not certified: the measured loss {d:.3f} (+{m:.3f} margin) is not below {delta}, so "
        f"this does not exclude collapse{_and_kl(measured)}."
    )


def _and_kl(measured: Measurement) -> str:
    return f", and the KL is {measured.kl:.2f}" if measured.kl_per_dim else ""
