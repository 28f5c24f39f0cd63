"""The arrays of a linear VAE at its optimum, whose diagnosis is known by theory."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Variances of the points along their axes, exactly.
VALUES = np.array([2.0, 1.0, 0.1, 0.05])


def linear_model(n: int, c: float, draws: int = 8, seed: int = 0) -> dict[str, Any]:
    """Arrays of `n` Gaussian points for βσ² = `c`: of three dimensions those with λ > c live."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(n, 4))
    white -= white.mean(axis=0)
    points = white @ np.linalg.inv(np.linalg.cholesky(white.T @ white / n)).T * np.sqrt(VALUES)
    alive = VALUES[:3] > c
    mean = np.where(alive, np.sqrt(np.maximum(VALUES[:3] - c, 0)), 0) / VALUES[:3] * points[:, :3]
    log_variance = np.broadcast_to(np.log(np.where(alive, c / VALUES[:3], 1)), (n, 3)).copy()
    z = mean + np.exp(log_variance / 2) * rng.normal(size=(draws, n, 3))
    decoder = np.eye(3, 4) * np.sqrt(np.maximum(VALUES[:3, None] - c, 0))
    return {
        **{"points": points, "z": z, "reconstructions": z @ decoder},
        **{"mean": mean, "log_variance": log_variance},
    }
