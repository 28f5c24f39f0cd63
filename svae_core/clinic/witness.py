"""Why z must be sampled: a margin taken from the encoder's mean against nats from sampled z.

A teacher T(c|x) is written into a latent code u(x) by closed form, with softmax_c ⟨s_c, u⟩ = T
(`distributions.simplex_code`). The posterior q(z|x) = N(ε·u(x), I) then has a mean from which a
head that rescales by 1/ε reads all of T, at every ε > 0, while sampled z carries next to nothing.
The margin is that of arXiv 2605.18224 v4 (after the abstract); the counter-example is derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from svae_core.distributions.simplex_code import code_of, corners

_SCALES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True)
class Witness:
    """Both margins of one ε, nats."""

    epsilon: float
    teacher: float  # I_T, the most that a margin can reach
    by_mean: float  # margin of the best rescaled head on the mean
    by_samples: float  # … on sampled z: a floor on I(c; z)
    information: float  # I(x; z) by the aggregate posterior
    kl: float  # mean KL of the posteriors


def margin(teacher: np.ndarray, latents: np.ndarray) -> float:
    """max over scales s of I_T − E KL(T ‖ softmax(s · z · cornersᵀ)), nats; z [n, c − 1]."""
    vertices = corners(teacher.shape[1])
    whole = _divergence(teacher, np.broadcast_to(teacher.mean(axis=0), teacher.shape))
    return max(
        whole - _divergence(teacher, _softmax(scale * latents @ vertices.T)) for scale in _SCALES
    )


def witness(teacher: np.ndarray, epsilon: float, seed: int = 0) -> Witness:
    """Both margins of q(z|x) = N(ε·u(x), I) for a teacher [n, c]."""
    log_teacher = np.log(np.maximum(teacher, 1e-300))
    mean = epsilon * code_of(log_teacher, corners(teacher.shape[1]), 1.0)
    z = mean + np.random.default_rng([seed, 79]).standard_normal(mean.shape)
    # log q(z_i|x_j), [n, n], up to a constant that cancels in I(x; z), the mean of
    # log q(z|x) − log q(z) with the aggregate posterior q(z) = mean_j q(z|x_j).
    density = -0.5 * ((z[:, None] - mean[None]) ** 2).sum(axis=-1)
    top = density.max(axis=1, keepdims=True)
    mixture = top[:, 0] + np.log(np.exp(density - top).mean(axis=1))
    return Witness(
        epsilon=epsilon,
        teacher=_divergence(teacher, np.broadcast_to(teacher.mean(axis=0), teacher.shape)),
        by_mean=margin(teacher, mean),
        by_samples=margin(teacher, z),
        information=float((np.diag(density) - mixture).mean()),
        kl=float(0.5 * (mean**2).sum(axis=1).mean()),
    )


@lru_cache(maxsize=128)
def example(epsilon: float) -> Witness:
    """Both margins for four clusters in four dimensions and a teacher that knows them."""
    centres = 4 * np.eye(4)
    own = centres[np.arange(400) % 4] + np.random.default_rng(0).standard_normal((400, 4))
    return witness(_softmax(-0.5 * ((own[:, None] - centres[None]) ** 2).sum(axis=-1)), epsilon)


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _divergence(left: np.ndarray, right: np.ndarray) -> float:
    """E KL(left ‖ right) of rows, nats."""
    terms = left * (np.log(left + 1e-300) - np.log(right + 1e-300))
    return float(terms.sum(axis=1).mean())
