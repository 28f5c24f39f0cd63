"""The end of a Markov chain as a posterior: z_0 ~ q_0(z|x), then T steps that may look at x.

    z_t ~ q_t(z | z_{t−1}, x);  rate = E[log q_0(z_0) + Σ_t (log q_t − log r_t) − log p(z_T)]

r_t(z_{t−1} | z_t, x) are the reverse steps. The rate is that of the hierarchical bound (arXiv
1511.02386): it is never below I(x; z_T), whatever q_t and r_t are. q(z_T|x) has no density in
closed form, so neither has the mutual information: its log-density is nan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, final, runtime_checkable

import numpy as np

from svae_core.distributions.gaussian import Gaussian

#: Paths per point by which a mean rate is estimated in evaluation.
_PATHS = 16

#: (z_0 [..., b, k], noise [..., b, T·k], what the steps see of each point) -> z_T [..., b, k],
#: and Σ_t (log q_t − log r_t) [..., b] nats along the path.
Walk = Callable[[Any, Any, Any], tuple[Any, Any]]


@runtime_checkable
class Pathwise(Protocol):
    """A posterior whose rate is known along a path only, as a sample of it.

    In training its rate is that of the minibatch's own paths; `kl()` takes `fixed_noise`.
    """

    def path(self, noise: Any) -> Any:
        """A path from normal noise: `z` [..., b, k] is its latent, `rate` [..., b] its nats."""
        ...


def fixed_noise(like: Any, width: int) -> list[Any]:
    """Standard normal noise [..., b, width] of each path of an evaluation, the same every time.

    Points have noise of their own, so errors of a mean over points average out. Every second path
    takes the opposite noise of the one before, so the mean of a nearly linear chain is exact.
    """
    shape = _PATHS // 2, like.shape[-2], width
    drawn = np.random.default_rng(71).standard_normal(shape, dtype=np.float32)
    paths = [like.new_tensor(sign * each) for each in drawn for sign in (1.0, -1.0)]
    return [path.expand(*like.shape[:-1], -1) for path in paths]


@final
@dataclass(frozen=True, eq=False)
class Path:
    """One path of each point."""

    first: Any  # z_0 [..., b, k]
    z: Any  # z_T [..., b, k]
    rate: Any  # [..., b] nats: its sample of the rate


@final
@dataclass(frozen=True, eq=False)
class Chain:
    """Chains of b points, on tensors; prior N(0, I) of z_T."""

    start: Gaussian  # q_0, [..., b, k]
    walk: Walk
    seen: Any  # [..., b, f] what the steps see of each point
    steps: int  # T

    def path(self, noise: Any) -> Path:
        """A path from standard normal noise [..., b, (T + 1)·k]."""
        k = self.start.mean.shape[-1]
        first = self.start.draw(noise[..., :k])
        z, ratio = self.walk(first, noise[..., k:], self.seen)
        # log q_0(z_0) − log p(z_T): the constants −(k/2)·log 2π cancel.
        density = -0.5 * (noise[..., :k] ** 2 + self.start.log_variance).sum(-1)
        return Path(first, z, density + 0.5 * (z * z).sum(-1) + ratio)

    @cached_property
    def _paths(self) -> tuple[Any, Any, Any]:
        """Mean and variance of z_T and mean rate, over paths of `fixed_noise`."""
        like = self.start.mean
        found = [self.path(each) for each in fixed_noise(like, (self.steps + 1) * like.shape[-1])]
        mean = sum(path.z for path in found) / _PATHS
        # Opposite paths: of a linear chain the mean is exact, and costs no degree of freedom.
        variance = sum((path.z - mean) ** 2 for path in found) / _PATHS
        return mean, variance, sum(path.rate for path in found) / _PATHS

    @property
    def mean(self) -> Any:
        """E z_T, over paths."""
        return self._paths[0]

    @property
    def variance(self) -> Any:
        return self._paths[1]

    def draw(self, noise: Any) -> Any:
        """z_T from noise [..., b, (T + 1)·k]."""
        return self.path(noise).z

    def kl(self) -> Any:
        """The rate, over paths, [..., b, 1] nats."""
        return self._paths[2][..., None]

    def rows(self, block: slice) -> Chain:
        return Chain(self.start.rows(block), self.walk, self.seen[..., block, :], self.steps)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Unknown: nan, [a, b]."""
        return np.full((len(z), self.start.mean.shape[-2]), np.nan)
