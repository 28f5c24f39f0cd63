"""Empirical Bernstein limits: closed forms for values that are bounded and independent.

They ask for less than the limits of `confidence`: a single draw will do, and the values need not be
of one law; in return they are read once, at a number of values fixed beforehand.
"""

from __future__ import annotations

import math

import numpy as np


def bernstein_margin(spread: float, n: int, width: float, error: float) -> float:
    """√(2V ln(2/η)/n) + 7w ln(2/η)/(3(n − 1)): the mean of n values is that near on one side.

    `spread`: sample variance V; `width`: w, the length of an interval that holds all values;
    `error`: η, the probability with which it fails. Maurer & Pontil 2009, Theorem 11: the values
    are independent and need not be of one law (the mean is then that of their means). Infinite for
    fewer than two values.
    """
    if n < 2:
        return math.inf
    log = math.log(2 / error)
    return math.sqrt(2 * spread * log / n) + 7 * width * log / (3 * (n - 1))


def bernstein_lower(values: np.ndarray, low: float, high: float, error: float) -> float:
    """A limit that the mean of independent values [n] in [low, high] is below with this error."""
    if len(values) < 2:
        return low
    spread = float(values.var(ddof=1))
    return max(low, float(values.mean()) - bernstein_margin(spread, len(values), high - low, error))
