"""The protocol of a posterior, and the diagonal Gaussian posterior under the prior N(0, I).

q(z|x) = N(m, diag s); m: mean, s: variance, given as log s. Shapes [..., k]; information in nats.
Formulas use only operators that NumPy arrays and torch tensors share, so training and measurement
call the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

#: Log-variances are clamped to this range, so that exp stays finite in float32.
LOG_VARIANCE_RANGE = (-16.0, 8.0)


def gaussian_kl(mean: Any, log_variance: Any, exp: Callable[[Any], Any] = np.exp) -> Any:
    """KL(N(m, s) ‖ N(0, 1)) = ½ (m² + s − 1 − log s) per dimension, [..., k] nats."""
    return 0.5 * (mean * mean + exp(log_variance) - 1.0 - log_variance)


def sample(mean: Any, log_variance: Any, noise: Any, exp: Callable[[Any], Any] = np.exp) -> Any:
    """z = m + √s · ε for standard normal ε, [..., k]."""
    return mean + exp(0.5 * log_variance) * noise


def log_density(z: np.ndarray, mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """log q(z_a | x_b) for all pairs, [a, b] nats, from z [a, k] and posteriors [b, k].

    −½(z − m)²/s is expanded, so all pairs cost one matrix product, of [z², z, 1] and
    [−½/s, m/s, −½ Σ(m²/s + log s + log 2π)]; in float64, because its terms nearly cancel.
    """
    z, mean, log_variance = (np.asarray(v, dtype=np.float64) for v in (z, mean, log_variance))
    precision = np.exp(-log_variance)
    weighted = mean * precision
    constant = (mean * weighted + log_variance + np.log(2 * np.pi)).sum(axis=1, keepdims=True)
    powers = np.hstack([z * z, z, np.ones((len(z), 1))])
    return powers @ np.hstack([-0.5 * precision, weighted, -0.5 * constant]).T


class Posterior(Protocol):
    """The posteriors q(z|x) of b points over k latent coordinates, with their prior."""

    @property
    def mean(self) -> Any:
        """E z, [..., b, k]."""
        ...

    @property
    def variance(self) -> Any:
        """Var z of each coordinate, [..., b, k]."""
        ...

    def draw(self, noise: Any) -> Any:
        """z ~ q(z|x), reparametrised from standard normal noise, both [..., b, k]."""
        ...

    def kl(self) -> Any:
        """KL to the prior, [..., b, k] nats, or [..., b, 1] where it does not split by dimension.

        Exact or an upper bound, so its mean over points is never below I(x; z).
        """
        ...

    def rows(self, block: slice) -> Posterior:
        """The posteriors of some of the points."""
        ...

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """log q(z_a | x_b) of all pairs up to one constant, [a, b] float64 nats, from z [a, k].

        The posteriors are NumPy arrays [b, k], or tensors with a leading axis of one member.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class Gaussian:
    """N(m, diag s) under the prior N(0, I), on arrays or tensors [..., b, k]."""

    mean: Any
    log_variance: Any

    @property
    def variance(self) -> Any:
        return _exp(self.log_variance)

    def draw(self, noise: Any) -> Any:
        return sample(self.mean, self.log_variance, noise, _exp)

    def kl(self) -> Any:
        return gaussian_kl(self.mean, self.log_variance, _exp)

    def rows(self, block: slice) -> Gaussian:
        return Gaussian(self.mean[..., block, :], self.log_variance[..., block, :])

    def log_density(self, z: np.ndarray) -> np.ndarray:
        k = z.shape[-1]
        mean, log_variance = (array(part).reshape(-1, k) for part in (self.mean, self.log_variance))
        return log_density(z, mean, log_variance)


def array(values: Any) -> np.ndarray:
    """A tensor as a NumPy array; an array unchanged."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _exp(values: Any) -> Any:
    return values.exp() if hasattr(values, "exp") else np.exp(values)
