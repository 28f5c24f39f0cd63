"""Gaussian posteriors q(z|x) = N(m, diag s) under the prior N(0, I): each formula once.

m: mean, s: variance, given as log s. Shapes [..., k]; information in nats. Written with operators
that numpy arrays and torch tensors share, so training and measurement call the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Log-variances are kept in this range: exp stays finite in float32 and the KL stays meaningful.
LOG_VARIANCE_RANGE = (-16.0, 8.0)


def gaussian_kl(mean: Any, log_variance: Any, exp: Callable[[Any], Any] = np.exp) -> Any:
    """KL(N(m, s) ‖ N(0, 1)) = ½ (m² + s − 1 − log s) per dimension, [..., k] nats."""
    return 0.5 * (mean * mean + exp(log_variance) - 1.0 - log_variance)


def sample(mean: Any, log_variance: Any, noise: Any, exp: Callable[[Any], Any] = np.exp) -> Any:
    """z = m + √s · ε for standard normal ε, [..., k]."""
    return mean + exp(0.5 * log_variance) * noise


def log_density(z: np.ndarray, mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """log q(z_a | x_b) for all pairs, [a, b] nats, from z [a, k] and posteriors [b, k].

    The square is expanded so that the pairs cost two matrix products; float64 throughout, since
    the expansion cancels.
    """
    z, mean, log_variance = (np.asarray(v, dtype=np.float64) for v in (z, mean, log_variance))
    precision = np.exp(-log_variance)
    constant = (mean * mean * precision + log_variance).sum(axis=1)
    k = z.shape[1]
    quadratic = (z * z) @ precision.T - 2.0 * (z @ (mean * precision).T) + constant
    return -0.5 * (quadratic + k * np.log(2 * np.pi))
