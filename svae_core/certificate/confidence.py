"""Confidence limits on the mean of bounded values, without a normal approximation.

    upper_limit(values, low, high, error),  lower_limit(…)    values [draws, rows]

A normal or t margin is no confidence limit where errors are rare or heavy-tailed. These limits
bet against the claim "the mean is m": for bets λ_t > 0 fixed before draw t is seen,

    K_T(m) = ∏_t ∏_i (1 + λ_t (m − X_ti + c_ti − c̄_t))

is a non-negative supermartingale over draws whenever the mean of the rows' means is at least m,
so by Ville's inequality it reaches 1/η with probability at most η, at any draw whatever: the
limit, the smallest m with K_T(m) ≥ 1/η, may be read as often as one likes.
Betting: Waudby-Smith & Ramdas, arXiv 2010.09686, for a common (conditional) mean.
Rows of different laws, derived here: the rows of a draw are independent with means μ_i, and the
bet is the same for all, so the expectation over a draw is ∏_i (1 + λ(m − μ_i + c_i − c̄)), at
most (1 + λ(m − μ̄))ⁿ by the inequality of the means, at most 1 where μ̄ ≥ m. A bet that changed
from row to row would not be valid. c_ti, the mean of row i over the draws before t (shrunk), is
known before draw t and cancels in the mean: it takes the differences between rows out of the
variance, and with them most of the margin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: A bet stakes at most this share of what a single value can lose: factors stay ≥ 1 − 0.75.
_STAKE = 0.75
_GROUPS, _PERMUTATIONS = 256, 199
#: Fewer draws than these do not show whether their rows share noise.
TELLING_DRAWS = 3
#: Fewer than these show it too seldom for a limit on single values alone.
_MANY_DRAWS = 16


def upper_limit(
    values: np.ndarray,
    low: float,
    high: float,
    error: float = 0.01,
    readings: Sequence[int] = (),
) -> float:
    """Limit that the mean exceeds with probability at most `error`.

    `values` [draws, rows] lie in [low, high]; draws are independent and of one law, rows of a
    draw are independent, each of its own law; the mean is that over rows of the rows' means.
    `readings`: numbers of draws, fixed beforehand, at which the limit is likely to be read
    (default: all of them); they tune the bets and never touch the validity.
    ValueError where values are not finite or leave [low, high].
    """
    scaled = _scaled(values, low, high)
    bets, outcomes = _bets(scaled, math.log(1 / error), readings or (len(scaled),))
    return min(high, low + (high - low) * _smallest_refuted(bets, outcomes, math.log(1 / error)))


def lower_limit(values: np.ndarray, low: float, high: float, error: float = 0.01) -> float:
    """Limit that the mean falls below with probability at most `error`; see `upper_limit`."""
    return -upper_limit(-np.asarray(values, np.float64), -high, -low, error)


def independent_sample(values: np.ndarray) -> np.ndarray:
    """Values [draws, rows] where rows have noise of their own, else the draws' means [draws, 1].

    The choice is that of `rows_share_noise`. Its limits: noise common to all rows that showed in
    none of the draws (a failure of whole draws, rarer than one in so many) cannot be seen.
    """
    return values.mean(axis=1, keepdims=True) if rows_share_noise(values) else values


def few_draws_margin(values: np.ndarray, error: float = 0.01) -> float:
    """What a limit on the mean of few draws [draws, rows] must leave at least, on one side.

    Rows that share noise raise the variance of the draws' means, and by few draws
    `rows_share_noise` does not see a rise of several times. So no limit is nearer than Student's t
    of the draws' means, which holds however much is shared, as far as these means are normal; 0 for
    16 draws or more.
    """
    from scipy.special import stdtrit

    draws, rows = values.shape
    if rows == 1 or not 2 <= draws < _MANY_DRAWS:
        return 0.0
    deviation = float(values.mean(axis=1).std(ddof=1))
    return float(stdtrit(draws - 1, 1 - error)) * deviation / math.sqrt(draws)


def rows_share_noise(values: np.ndarray) -> bool:
    """Whether the draws' means vary more than independent rows [draws, rows] would let them.

    Independent rows give means of variance Σ_i s_i²/rows². Where the measured variance is more
    than two of its standard errors above that, an exact test decides: with independent rows the
    order of draws within each (group of) row(s) means nothing, so permuting it must give as much
    variance once in 200 times at the most. Error of the first kind: at most 0.005.
    """
    draws, rows = values.shape
    if rows == 1 or draws < TELLING_DRAWS:
        return False
    residuals = values - values.mean(axis=0)
    measured = float((residuals.sum(axis=1) ** 2).sum())
    expected = float((residuals**2).sum())
    if expected <= residuals.size * (1e-12 * float(np.abs(values).max())) ** 2:
        return False  # constant rows: what is left is the rounding of their means, common to all
    deviation = math.sqrt(2 / (draws - 1))  # of measured/expected, were the means normal
    if measured <= expected * (1 + 2 * deviation):
        return False
    if measured > expected * (1 + 20 * deviation):  # no order of independent rows comes near
        return True
    groups = _grouped(residuals)
    generator = np.random.default_rng(0)
    for _ in range(_PERMUTATIONS):
        shuffled = generator.permuted(groups, axis=0)
        if float((shuffled.sum(axis=1) ** 2).sum()) >= measured * (1 - 1e-9):
            return False
    return True


def _grouped(residuals: np.ndarray) -> np.ndarray:
    """Sums of rows [draws, ≤ 256]: independent of each other where rows are, cheaper to permute."""
    rows = residuals.shape[1]
    groups = min(rows, _GROUPS)
    return np.add.reduceat(residuals, np.arange(groups) * rows // groups, axis=1)


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not values.size or not low < high:
        raise ValueError(
            f"values have shape {values.shape} and bounds {low:g} {high:g}, but a limit needs "
            "(draws, rows) and low < high."
        )
    if not (values.min() >= low and values.max() <= high):  # false also where one is NaN
        raise ValueError(f"values leave [{low:g}, {high:g}], so no limit holds.")
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def _bets(
    values: np.ndarray, budget: float, readings: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Bets λ [draws, 1] and centred values X − c + c̄ [draws, rows], of values in [0, 1].

    Everything at draw t is a function of the draws before it. λ = √(2 log(1/η) / (n V)) is the
    best bet for n values of variance V; n is that of the next reading, V is estimated, with one
    value of the largest variance, ¼, put in front so that it is never zero.
    """
    draws, rows = values.shape
    before = np.arange(draws)[:, None]
    own = np.vstack([np.zeros((1, rows)), np.cumsum(values, axis=0)[:-1]]) / (before + 1)
    common = own.mean(axis=1, keepdims=True)
    outcomes = values - own + common
    seen = before[:, 0] * rows
    total = _before(outcomes.sum(axis=1))
    square = _before((outcomes**2).sum(axis=1))
    spread = np.maximum(square - total**2 / np.maximum(seen, 1), 0.0)
    variance = (0.25 + spread) / (seen + 1)
    ends = np.array([*sorted(readings), np.inf])
    ahead = ends[np.searchsorted(ends[:-1], before[:, 0] + 1)]
    ahead = np.where(np.isfinite(ahead), ahead, 2.0 * (before[:, 0] + 1)) * rows
    # No value exceeds 1 − min c + c̄ and no m is below 0: this keeps every factor positive.
    largest = 1.0 - own.min(axis=1) + common[:, 0]
    bets = np.minimum(np.sqrt(2 * budget / (ahead * variance)), _STAKE / largest)
    return bets[:, None], outcomes


def _before(sums: np.ndarray) -> np.ndarray:
    """Running sums that leave out the present one."""
    return np.concatenate([[0.0], np.cumsum(sums)[:-1]])


def _smallest_refuted(bets: np.ndarray, outcomes: np.ndarray, budget: float) -> float:
    """The smallest m in [0, 1] with log K(m) ≥ log 1/η, approached from below, returned from above.

    log K is increasing and concave in m, so Newton's steps from where it is too small never pass
    the solution; a last step of 1e-9 does.
    """
    staked = bets * outcomes

    def capital(m: float) -> tuple[float, float]:
        factors = 1.0 - staked + bets * m
        return float(np.log(factors).sum()), float((bets / factors).sum())

    m = 0.0
    for _ in range(200):
        wealth, slope = capital(m)
        step = (budget - wealth) / slope
        m += max(step, 0.0)
        if m >= 1.0:
            return 1.0
        if step <= 1e-10:
            break
    while m < 1.0 and capital(m)[0] < budget:
        m += 1e-9
    return min(m, 1.0)
