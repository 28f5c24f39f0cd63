"""How a training loss is reduced, and the KL weight that its reductions really give.

A training loss w·R + v·KL, with R the reconstruction loss summed over the coordinates of one point
and KL summed over the latent dimensions of one point, is all that collapse depends on. Means over
coordinates, latent dimensions or the batch, factors and weights all enter w and v. For squared
error it is a VAE with βσ² = v/(2w); noise whose standard deviation is scaled by η multiplies v/w
by η².

Total collapse is a stable state iff η²v/w ≥ Λ, with

    Λ = λ_max(H^−½ C H^−½),   C = Cov ρ′(x − y₀),   H = diag E ρ″(x − y₀),

ρ the loss of one coordinate and y₀ the best constant answer. It follows from the second variation
at the collapsed state: decoder weights a and a mean m(x) change the loss by
½wη² aᵀHa − w E[m(x) aᵀρ′] + ½v E m(x)², and the best m is (w/v) aᵀρ′. For squared error C = 4Σ
and H = 2, so Λ = 2λ_max and the criterion is βσ² ≥ λ_max (after arXiv 1911.02469); for binary
cross-entropy on logits C = Σ and H = p(1 − p).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from svae_core.config.fields import RequestError, check_knobs, option

_REDUCTIONS = ("sum", "mean")


@dataclass(frozen=True)
class TrainingLoss:
    """A training loss as code states it: kinds, reductions, factors."""

    reconstruction: str = option(
        "squared_error",
        "the loss of one coordinate: squared error, binary cross-entropy of a logit, or "
        "log cosh(s·t)/s of the error t",
        choices=("squared_error", "binary_cross_entropy", "log_cosh"),
    )
    over_coordinates: str = option(
        "sum", "how it is reduced over the coordinates of a point", choices=_REDUCTIONS
    )
    over_batch: str = option(
        "mean", "how it is reduced over the points of a batch", choices=_REDUCTIONS
    )
    factor: float = option(
        1.0, "the number in front of it, such as 0.5", low=1e-9, high=1e9, logarithmic=True
    )
    sharpness: float = option(1.0, "s of log cosh(s·t)/s", low=1e-3, high=1e4, logarithmic=True)
    kl_over_dimensions: str = option(
        "sum",
        "how the KL is reduced over latent dimensions",
        label="KL over dimensions",
        choices=_REDUCTIONS,
    )
    kl_over_batch: str = option(
        "mean",
        "how the KL is reduced over the points of a batch",
        label="KL over batch",
        choices=_REDUCTIONS,
    )
    kl_weight: float = option(
        1.0,
        "the number in front of the KL",
        label="KL weight",
        low=1e-12,
        high=1e9,
        logarithmic=True,
    )
    noise_scale: float = option(
        1.0,
        "what the noise of the posterior is multiplied by, where code does not use its standard "
        "deviation as it is",
        low=1e-6,
        high=1e3,
        logarithmic=True,
    )
    scaling: str = option(
        "as is",
        "how the data are scaled before they enter the net: as is, to the unit interval (one scale "
        "for all columns), or every column standardised",
        choices=("as is", "unit interval", "standardised"),
    )

    def weights(self, coordinates: int, latent_dim: int, batch_size: int) -> tuple[float, float]:
        """(w, v): weights of the summed loss and of the summed KL of one point, batch means."""
        w = self.factor * _share(self.over_coordinates, coordinates)
        v = self.kl_weight * _share(self.kl_over_dimensions, latent_dim)
        w *= batch_size if self.over_batch == "sum" else 1
        v *= batch_size if self.kl_over_batch == "sum" else 1
        return w, v

    def ratio(self, coordinates: int, latent_dim: int, batch_size: int) -> float:
        """η²v/w: what the threshold Λ is compared with."""
        w, v = self.weights(coordinates, latent_dim, batch_size)
        return self.noise_scale**2 * v / w

    def plain_sums(self) -> TrainingLoss:
        """The same numbers in front, with sums over coordinates and dimensions, batch means."""
        return replace(
            self,
            over_coordinates="sum",
            over_batch="mean",
            kl_over_dimensions="sum",
            kl_over_batch="mean",
            noise_scale=1.0,
        )


def check_loss(loss: TrainingLoss) -> None:
    """RequestError naming the first field outside its range or its choices."""
    check_knobs(loss)


def scaled(points: np.ndarray, scaling: str) -> np.ndarray:
    """Points [n, d] float64 as they enter the net."""
    points = points.astype(np.float64)
    if scaling == "unit interval":
        low, high = points.min(), points.max()
        return (points - low) / ((high - low) or 1.0)
    if scaling == "standardised":
        deviation = points.std(axis=0)
        return (points - points.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return points


def thresholds(loss: TrainingLoss, points: np.ndarray) -> np.ndarray:
    """Eigenvalues of H^−½ C H^−½ [d], largest first, of points [n, d] as they enter the net.

    The first is Λ; as many latent dimensions can leave the collapsed state as exceed η²v/w.
    RequestError where binary cross-entropy meets values outside [0, 1].
    """
    slopes, curvatures = _derivatives(loss, points)
    return spectrum(slopes, curvatures)


def spectrum(slopes: np.ndarray, curvatures: np.ndarray) -> np.ndarray:
    """Eigenvalues of H^−½ C H^−½ from ρ′ [n, d] and E ρ″ [d], largest first, in float64.

    Coordinates whose slopes do not vary carry nothing and are left out.
    """
    varies = slopes.std(axis=0) > 1e-12 * max(1.0, float(np.abs(slopes).max(initial=0.0)))
    found = np.zeros(slopes.shape[1])
    if varies.any():
        white = (slopes - slopes.mean(axis=0))[:, varies] / np.sqrt(curvatures[varies])
        # The smaller of the two Gram matrices has the same eigenvalues, but for zeros.
        gram = white.T @ white if white.shape[1] <= len(white) else white @ white.T
        values = np.linalg.eigvalsh(gram)[::-1] / len(slopes)
        found[: len(values)] = np.maximum(values, 0.0)
    return found


def _derivatives(loss: TrainingLoss, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ρ′ [n, d] and E ρ″ [d] at the best constant answer."""
    center = points.mean(axis=0)
    if loss.reconstruction == "squared_error":
        return 2 * (points - center), np.full(points.shape[1], 2.0)
    if loss.reconstruction == "binary_cross_entropy":
        if points.min() < 0 or points.max() > 1:
            raise RequestError(
                f"Binary cross-entropy needs values from 0 to 1, but these data go from "
                f"{points.min():.4g} to {points.max():.4g}; scale them to the unit interval."
            )
        return points - center, center * (1 - center)
    s, best = loss.sharpness, np.median(points, axis=0)
    for _ in range(200):  # Newton's step, halved where it would overshoot a flat loss
        slopes = np.tanh(s * (points - best))
        curvatures = s * (1 - slopes**2).mean(axis=0)
        step = slopes.mean(axis=0) / np.maximum(curvatures, 1e-300)
        best += np.clip(step, -1 / s, 1 / s)
        if np.abs(step).max() <= 1e-13 * (1 + np.abs(best).max()):
            break
    return slopes, curvatures


def _share(reduction: str, count: int) -> float:
    return 1.0 if reduction == "sum" else 1.0 / count
