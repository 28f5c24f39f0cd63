"""When does a decoder that sees the steps before need no z?

Trained by teacher forcing with βσ² = c, total collapse is stable iff c ≥ Λ*, the largest eigenvalue
of what the prefix leaves unpredicted, Cov(x − E[x | steps before]), for nets that add z to each
step (method of arXiv 2610.11257 with the prefix in the place of active latents). Without a prefix
Λ* is λ_max, the edge of a plain decoder. In between, Λ* ≤ c < λ_max, the plain decoder lives, the
autoregressive one does not: what z could say, the prefix says already.

Here E[x | steps before] is linear in a few steps before, at each position: each half of the points
is predicted by the fit to the other half, so that nothing is predicted by heart. A stronger decoder
predicts more, so its own Λ* is lower: collapse is stable above this edge, and may be below it.
"""

from __future__ import annotations

import numpy as np

#: Steps that the prediction sees; of narrow ones so many that they have this many coordinates.
_CONTEXT, _COORDINATES = 4, 32
#: Points looked at, at most, and steps of power iteration.
_POINTS, _ITERATIONS = 3_000, 60


def prefix_edge(points: np.ndarray, steps: tuple[int, int], seed: int = 0) -> float:
    """Λ* of a linear prediction of points [n, d] from the steps before; at most λ_max, about."""
    rng = np.random.default_rng([seed, 43])
    chosen = rng.permutation(len(points))[:_POINTS]
    centred = points[chosen].astype(np.float64)
    centred -= centred.mean(axis=0)
    halves = np.arange(len(centred)) % 2 == 0
    # Where points are too few for a prediction, none is the better one.
    return min(_largest(each, rng) for each in (centred, _residuals(centred, halves, steps)))


def _largest(rows: np.ndarray, rng: np.random.Generator) -> float:
    """The largest eigenvalue of the mean square of centred rows [n, d], by power iteration."""
    direction = rng.standard_normal(rows.shape[1])
    for _ in range(_ITERATIONS):
        direction = rows.T @ (rows @ (direction / np.linalg.norm(direction)))
    return float(np.linalg.norm(direction)) / len(rows)


def _residuals(points: np.ndarray, half: np.ndarray, steps: tuple[int, int]) -> np.ndarray:
    """What of each half the fit to the other half leaves, [n, d]."""
    count, width = steps
    left = points.copy()
    for step in range(1, count):
        context = max(_CONTEXT, -(-_COORDINATES // width))
        seen = points[:, max(0, step - context) * width : step * width]
        here = slice(step * width, (step + 1) * width)
        for part in (half, ~half):
            fit = seen[~part]
            gram = fit.T @ fit
            # As much as noise in so many coefficients from so few points asks for.
            ridge = np.trace(gram) / len(fit) + 1e-12
            gram[np.diag_indices_from(gram)] += ridge
            weights = np.linalg.solve(gram, fit.T @ points[~part, here])
            left[part, here] -= seen[part] @ weights
    return left
