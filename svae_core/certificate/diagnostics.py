"""Has it collapsed? KL per dimension, active units, mutual information, the verdict in words.

Everything is measured on a snapshot with plain arrays. Information in nats, losses in squared
error summed over coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svae_core.certificate.losses import PERCENT, Losses, is_below
from svae_core.config.shares import at_least
from svae_core.records import Floors

#: What a certificate may say, best first.
VERDICTS = ("certified", "not certified", "collapsed")
#: A dimension is active when the variance of its posterior mean over the data exceeds this.
#: Usual value of the literature (Burda et al., arXiv 1509.00519).
ACTIVE_THRESHOLD = 0.01
#: A dimension with less KL than this, in nats, carries nothing.
COLLAPSED_KL = 0.01
#: A model with less KL than this in all has collapsed, unless its loss is below δ.
COLLAPSED_TOTAL_KL = 0.05
# More queries than this add nothing to the mutual information but time (its error is about
# 1/√queries nats); the aggregate posterior still runs over every point.
_QUERIES = 5_000
_BLOCK = 512  # queries, and points, at once: their densities stay in the core's cache


def variance_of_means(means: np.ndarray) -> np.ndarray:
    """Var_x m_j(x), [k] float64, from posterior means [n, k]."""
    gaps = means - means.mean(axis=0, dtype=np.float64)
    return np.asarray(np.einsum("nk,nk->k", gaps, gaps) / len(means))


def active_units(spreads: np.ndarray, parts: int | None = None) -> np.ndarray:
    """[k] bool: Var_x m_j(x) > 0.01, from these spreads [k]. arXiv 1509.00519.

    Where the KL does not split by dimension (`parts` is 1) the latent is one unit, [1]: active
    when any of its coordinates is.
    """
    active = np.asarray(spreads > ACTIVE_THRESHOLD)
    return np.asarray(active.any(keepdims=True)) if parts == 1 else active


def structure(spreads: np.ndarray, noise: np.ndarray) -> float:
    """g = 1 − e^{−I}, I = ½ Σ log(1 + Var m_j / mean s_j): 0 when means are lost in the noise.

    From spreads of the means [k] and mean variances s [k]. I is the capacity used if means were
    Gaussian with that spread: an upper sketch of the mutual information that separates trained
    from collapsed latents at a glance. Derived here.
    """
    return float(1.0 - math.exp(-0.5 * float(np.log1p(spreads / noise).sum())))


def mutual_information(
    z: np.ndarray,
    log_density: Callable[[np.ndarray, slice], np.ndarray],
    n: int,
) -> float:
    """I_q(x; z) in nats, the first of `information_and_error`."""
    return information_and_error(z, log_density, n)[0]


def information_and_error(
    z: np.ndarray,
    log_density: Callable[[np.ndarray, slice], np.ndarray],
    n: int,
) -> tuple[float, float]:
    """I_q(x; z) = E[log q(z|x)] − E[log q(z)], q(z) the aggregate posterior of all n points.

    `z` [n, k] holds one draw from each point's posterior. `log_density(z_rows, points)` gives
    log q(z_a | x_b), [a, b], for a slice of points. Never above log n; noise may take it a little
    below 0, where it is left, since clipping would hide the error.
    Returned with its standard error, the deviation of the points' terms over √points: noise of z,
    and for more than 5,000 points of which of them were asked; a little too large otherwise.
    """
    rows = np.arange(n)
    if n > _QUERIES:
        # At random: at even spaces, points that take turns would be asked of one kind alone.
        rows = np.sort(np.random.default_rng(61).choice(n, _QUERIES, replace=False))
    terms = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        query = rows[start : start + _BLOCK]
        own = np.full(len(query), np.nan)
        # Finite: a density may be 0, its logarithm −inf, at all points of a block.
        top = np.full(len(query), -1e300)
        mass = np.zeros(len(query))
        for first in range(0, n, _BLOCK):
            block = slice(first, min(first + _BLOCK, n))
            density = log_density(z[query], block)
            inside = (query >= block.start) & (query < block.stop)
            own[inside] = density[np.flatnonzero(inside), query[inside] - block.start]
            higher = np.maximum(top, density.max(axis=1))
            density -= higher[:, None]
            np.exp(density, out=density)
            mass = mass * np.exp(top - higher) + density.sum(axis=1)
            top = higher
        terms[start : start + _BLOCK] = own - (top + np.log(mass / n))
    return float(terms.mean()), float(terms.std() / math.sqrt(len(rows)))


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a verdict is drawn from."""

    losses: Losses
    n_points: int
    delta: float
    definition: str
    kl_per_dim: tuple[float, ...]  # empty where the posterior is not known
    gauge: float  # nan where σ² is not known
    floors: Floors

    @property
    def kl(self) -> float:
        """Nats over all dimensions; nan where the posterior is not known."""
        return float(sum(self.kl_per_dim)) if self.kl_per_dim else math.nan


def verdict(measured: Measurement) -> tuple[str, str]:
    """The verdict, one of VERDICTS, and the sentence that states it."""
    losses = measured.losses
    known = len(measured.kl_per_dim) > 0
    if not math.isfinite(losses.given) or (known and not math.isfinite(measured.kl)):
        return "not certified", (
            "Not certified: training diverged (the loss is not a finite number); try a smaller "
            "learning rate."
        )
    below = is_below(losses.limit, measured.delta)
    # Where the loss is below δ it decides, however little the KL is.
    if known and measured.kl < COLLAPSED_TOTAL_KL and not below:
        return "collapsed", _collapsed(measured)
    return ("certified", _certified(measured)) if below else ("not certified", _open(measured))


def live_sentence(losses: np.ndarray, delta: float, definition: str, kl: float) -> str:
    """What a live measurement shows, in words, from its points' losses [v]; it certifies nothing.

    The loss is compared with δ where it is away by more than three standard errors, those of one
    draw of the viewed points; nearer than that nothing is said of sides.
    """
    loss = float(losses.mean())
    if not math.isfinite(loss):
        return "Training diverged: the loss is not a finite number; try a smaller learning rate."
    margin = 3.0 * float(losses.std()) / math.sqrt(len(losses))
    told = f"Loss {_in_units(loss, delta)} (± {_in_units(margin, delta)})"
    limit = f"δ = {_in_units(delta, delta)} ({definition})"
    if abs(loss - delta) <= max(margin, 1e-5 * delta):
        return f"{told}, {limit}; KL {kl:.2f} nats."
    side = "below" if loss < delta else "above"
    return f"{told} is {side} {limit}; KL {kl:.2f} nats."


def _in_units(value: float, delta: float) -> str:
    """A squared error: three decimals, or four digits where δ is too small or large for them."""
    return f"{value:.3f}" if 0.1 <= delta < 1e6 else f"{value:.4g}"


def _collapsed(measured: Measurement) -> str:
    gauge = "" if math.isnan(measured.gauge) else f"; βσ²/λₘₐₓ is {measured.gauge:.2f}"
    return (
        f"Collapsed: {_scope(measured)} the KL is {measured.kl:.4f} nats in all, below "
        f"{COLLAPSED_TOTAL_KL}, and the loss {_loss(measured)} is not below what a decoder which "
        f"ignores its input reaches, {_delta(measured)}{gauge}."
    )


def _certified(measured: Measurement) -> str:
    floors = measured.floors
    return (
        f"Certified: {_scope(measured)} the measured loss {_loss(measured)} is below "
        f"{_delta(measured)}, which excludes total collapse; at least "
        f"{at_least(floors.proved)} nats (proved; {floors.tight:.2f} numerical) must "
        f"pass{_and_kl(measured)}."
    )


def _open(measured: Measurement) -> str:
    losses = measured.losses
    why = "so this does not exclude collapse"
    if is_below(losses.projected, measured.delta):
        why = f"so it needs more draws than {losses.draws}"
        if losses.shared_noise:
            why += " (rows of a draw share noise, so each draw counts once)"
    return (
        f"Not certified: {_scope(measured)} the measured loss {_loss(measured)} is not below "
        f"{_delta(measured)}, {why}{_and_kl(measured)}."
    )


def _scope(measured: Measurement) -> str:
    return f"with {PERCENT} confidence, for these {measured.n_points:,} points,"


def _loss(measured: Measurement) -> str:
    """The loss as given and its margin; that of projected answers too where it reads otherwise."""
    losses = measured.losses
    margin, given, projected = (
        _in_units(value, measured.delta)
        for value in (losses.limit - losses.projected, losses.given, losses.projected)
    )
    margin = f"+{margin} margin"
    if given == projected:
        return f"{given} ({margin})"
    return f"{given} ({projected} {margin} once answers are projected on the data's ball)"


def _delta(measured: Measurement) -> str:
    return f"δ = {_in_units(measured.delta, measured.delta)} ({measured.definition})"


def _and_kl(measured: Measurement) -> str:
    if measured.kl_per_dim:
        return f", and the KL is {measured.kl:.2f} nats"
    return "; it speaks of the answers as given, for no posterior was"
