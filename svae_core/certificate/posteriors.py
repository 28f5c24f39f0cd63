"""What a model says of points before it decodes, as arrays: posteriors of any family."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svae_core.distributions.gaussian import Gaussian
from svae_core.records import RequestError


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What a model says of n points before it decodes: posteriors of any family, as arrays."""

    mean: np.ndarray  # [n, k]
    variance: np.ndarray  # [n, k]
    kl: np.ndarray  # [n, k] nats, or [n, 1] where the KL does not split by dimension
    draw: Callable[[np.ndarray], np.ndarray]  # normal noise of `noise_shape` -> z [n, k]
    log_density: Callable[[np.ndarray, slice], np.ndarray]  # z [a, k], points -> [a, b]
    noise_dim: int = 0  # numbers that a latent is drawn from (0: k)

    @property
    def noise_shape(self) -> tuple[int, int]:
        """[n, k], or more columns where the posterior is the end of a chain."""
        n, k = self.mean.shape
        return n, self.noise_dim or k


def gaussian_posteriors(mean: np.ndarray, log_variance: np.ndarray) -> Posteriors:
    """Posteriors of a Gaussian posterior, from arrays [n, k] each; RequestError if KL overflows."""
    mean, log_variance = np.asarray(mean, np.float64), np.asarray(log_variance, np.float64)
    posterior = Gaussian(mean, log_variance)
    with np.errstate(over="ignore"):
        kl, variance = posterior.kl(), posterior.variance
    if not np.isfinite(kl).all():
        raise RequestError(
            f"The posterior's log-variances reach {log_variance.max():.4g} and its means "
            f"{np.abs(mean).max():.4g}, so its KL is not a finite number; give natural logarithms "
            "of variances."
        )
    # The square is expanded in the fast form, good to 1e-16 · mean²/variance: not where that is
    # more than about 1e-5.
    largest = 2 * math.log(float(np.abs(mean).max()) + 1e-300) - float(log_variance.min())
    far = largest > 25.0
    return Posteriors(
        mean=mean,
        variance=variance,
        kl=kl,
        draw=posterior.draw,
        log_density=lambda z, block: (
            _density_by_differences(z, mean[block], log_variance[block])
            if far
            else posterior.rows(block).log_density(z)
        ),
    )


def _density_by_differences(
    z: np.ndarray, mean: np.ndarray, log_variance: np.ndarray
) -> np.ndarray:
    """log q(z_a | x_b), [a, b], where variances are too small to expand the square; up to −inf."""
    found = np.zeros((len(z), len(mean)))
    with np.errstate(over="ignore"):
        for j in range(z.shape[1]):
            scaled = (z[:, j, None] - mean[:, j]) * np.exp(
                np.minimum(-0.5 * log_variance[:, j], 700)
            )
            found -= 0.5 * (scaled**2 + log_variance[:, j] + math.log(2 * math.pi))
    return found
