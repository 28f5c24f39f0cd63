"""When will a dead dimension come alive, and which dies next? The residual spectrum of a model.

With A the active dimensions, a dead one stays dead iff βσ² ≥ Λ*, the largest eigenvalue of

    h ↦ E_z ‖Cov(x, h | z_A)‖²     over functions h of x with E h² = 1

(arXiv 2610.11257): with nothing active Λ* = λ_max, and for a linear VAE it is the largest
eigenvalue that is not active. It holds at this background; moving βσ² moves the background, so it
is exact for linear nets and a first step otherwise.

The paper's estimator finds, with several active dimensions, eigenvectors that sit on the one point
which dominates a latent. Ours restricts h to few features Φ(x) and estimates the square of the
conditional covariance as a product of two estimates from disjoint halves of the points, without
the point that the latent was drawn from: their noise is independent, so the product is unbiased
(derived here). It is a lower bound on Λ* in the population, and Λ* for nets whose encoder can move
along Φ.

A death is not read off the present state. For a linear VAE λ_a = βσ²/s_a with s_a the posterior
variance, so dimension a dies at βσ²/mean s_a: exact there, a first step otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A dimension with a mean KL above this, nats, is active (arXiv 2610.11257).
ACTIVE_KL = 1e-3
_LATENTS = 256
_FEATURES = 30  # principal components at most
_DOMINATED = 0.7  # latents whose weights have a larger sum of squares say nothing
_AGREE = 0.1  # estimates that differ by more are not resolved


@dataclass(frozen=True)
class Forecast:
    """What a trained model's state says of its next birth and death, at β·σ² as it is."""

    beta_sigma2: float
    active: tuple[int, ...]  # dimensions, from 0
    birth_below: float  # Λ*: a dead dimension comes alive below this βσ²
    birth_resolved: bool
    birth_dimension: int | None  # the first dead one; None where all are active
    death_above: float  # inf where nothing is active
    death_dimension: int | None
    sentence: str


@dataclass(frozen=True)
class ResidualEdge:
    """An estimate of Λ* and whether it stands."""

    edge: float
    resolved: bool
    others: tuple[float, ...]  # by another split, by half of the points, by twice the features
    latents: int  # that were used, of 256


def forecast(
    points: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    beta_sigma2: float,
    seed: int = 0,
) -> Forecast:
    """The next birth and death, from points [n, d] and their posteriors' moments [n, k]."""
    kl = 0.5 * (mean**2 + variance - 1 - np.log(variance)).mean(axis=0)
    alive = np.flatnonzero(kl > ACTIVE_KL)
    dead = np.flatnonzero(kl <= ACTIVE_KL)
    found = residual_edge(points, mean[:, alive], variance[:, alive], seed)
    edges = beta_sigma2 / variance[:, alive].mean(axis=0)
    dying = int(alive[edges.argmin()]) if len(alive) else None
    death = float(edges.min()) if len(alive) else float("inf")
    return Forecast(
        beta_sigma2=beta_sigma2,
        active=tuple(map(int, alive)),
        birth_below=found.edge,
        birth_resolved=found.resolved,
        birth_dimension=int(dead[0]) if len(dead) else None,
        death_above=death,
        death_dimension=dying,
        sentence=_sentence(found, mean.shape[1], len(alive), dead, dying, death),
    )


def _sentence(
    found: ResidualEdge, k: int, alive: int, dead: np.ndarray, dying: int | None, death: float
) -> str:
    said = [f"{alive} of {k} dimensions alive"]
    if len(dead) and found.resolved:
        said.append(f"dimension {dead[0] + 1} would come alive below βσ² = {found.edge:.2g}")
    elif len(dead):
        said.append("at which βσ² another would come alive is not resolved by so few points")
    if dying is not None:
        said.append(f"the next to die is {dying + 1}, near βσ² = {death:.2g}")
    return "; ".join(said) + "."


def residual_edge(
    points: np.ndarray, mean: np.ndarray, variance: np.ndarray, seed: int = 0
) -> ResidualEdge:
    """Λ* of points [n, d] given Gaussian posteriors [n, a] of the active dimensions alone.

    `resolved`: another random split, half of the points and twice as many features (squares beside
    principal components) all agree to a tenth.
    """
    x = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    features = _components(x)
    squares = features**2 - (features**2).mean(axis=0)
    rng = np.random.default_rng([seed, 83])
    half = rng.permutation(len(x))[: len(x) // 2]
    found, latents = _split_half(x, features, mean, variance, rng)
    others = (
        _split_half(x, features, mean, variance, rng)[0],
        _split_half(x[half], features[half], mean[half], variance[half], rng)[0],
        _split_half(x, np.hstack([features, squares]), mean, variance, rng)[0],
    )
    apart = max(abs(other - found) for other in others)
    return ResidualEdge(found, latents > 0 and apart <= _AGREE * abs(found), others, latents)


def _components(x: np.ndarray) -> np.ndarray:
    """The leading principal components [n, p] of centred points, of variance 1 each."""
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    kept = values > 1e-6 * values[0]
    return np.asarray(left[:, kept][:, :_FEATURES] * np.sqrt(len(x)))


def _split_half(
    x: np.ndarray,
    features: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    rng: np.random.Generator,
) -> tuple[float, int]:
    """The top eigenvalue of G^−½ M G^−½, and the number of latents that it was taken from.

    M = sym mean_l T₁ᵀT₂ with T_i [d, p] the covariance of x and Φ under the posterior weights of
    latent l on half i, and G the Gram matrix of Φ.
    """
    n, p = features.shape
    order = rng.permutation(n)
    halves = np.sort(order[: n // 2]), np.sort(order[n // 2 :])
    drawn = rng.integers(0, n, _LATENTS)
    z = mean[drawn] + np.sqrt(variance[drawn]) * rng.standard_normal((_LATENTS, mean.shape[1]))
    product, used = np.zeros((p, p)), 0
    weights = [_weights(z, drawn, mean, variance, rows) for rows in halves]
    for at in range(_LATENTS):
        parts = []
        for own, rows in zip(weights, halves, strict=True):
            w = own[at]
            square = float((w * w).sum())
            if square > _DOMINATED:
                break
            centred = features[rows] - w @ features[rows]
            # Weighted covariances are too small by 1 − Σw², as a sample variance by 1 − 1/n.
            parts.append(((w[:, None] * centred).T @ x[rows]) / (1 - square))
        else:
            product += parts[0] @ parts[1].T
            used += 1
    if not used:
        return float("nan"), 0
    product = (product + product.T) / (2 * used)
    gram = features.T @ features / n
    lower = np.linalg.inv(np.linalg.cholesky(gram))
    return float(np.linalg.eigvalsh(lower @ product @ lower.T)[-1]), used


def _weights(
    z: np.ndarray, drawn: np.ndarray, mean: np.ndarray, variance: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Posterior weights [l, rows] of latents on points, without the point that each was drawn from.

    That point would tie both halves to the latent's noise.
    """
    logs = np.zeros((len(z), len(rows)))
    for axis in range(z.shape[1]):
        spread = variance[rows, axis]
        logs -= 0.5 * ((z[:, None, axis] - mean[rows, axis]) ** 2 / spread + np.log(spread))
    logs[drawn[:, None] == rows] = -np.inf
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
