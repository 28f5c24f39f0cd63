"""Points on the shell whose floors tests compute: random clumps, polygons, and digits."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from svae_core.certificate.information_floors import covariance_spectrum, floor_curves
from svae_core.records import FloorCurves

RADII = (0.8, 1.2)
GRID = 4e-3  # share of a floor that the grid of λ may lose

few = settings(max_examples=12)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, eq=False)
class Case:
    """Points on the shell with what floor_curves has to be told of them."""

    points: np.ndarray
    centroids: np.ndarray
    sizes: np.ndarray
    within: float
    total: float

    def delta(self, radii: tuple[float, float]) -> float:
        mean_norm = np.linalg.norm(self.points.mean(axis=0, dtype=np.float64))
        return self.total + float((np.clip(mean_norm, *radii) - mean_norm) ** 2)

    def curves(self, radii: tuple[float, float] = RADII) -> FloorCurves:
        spectrum = covariance_spectrum(self.points)
        return floor_curves(
            self.points,
            self.centroids,
            self.sizes,
            radii,
            self.delta(radii),
            self.within,
            spectrum,
        )


def quantised(points: np.ndarray, centroids: np.ndarray) -> Case:
    """A case whose clusters are the cells of given centroids."""
    exact = points.astype(np.float64)
    gaps = ((exact[:, None] - centroids) ** 2).sum(axis=-1)
    sizes = np.bincount(gaps.argmin(axis=1), minlength=len(centroids))
    within = float(gaps.min(axis=1).mean())
    return Case(points, centroids, sizes, within, float(exact.var(axis=0).sum()))


def on_shell(directions: np.ndarray, share: np.ndarray) -> np.ndarray:
    lengths = RADII[0] + (RADII[1] - RADII[0]) * share
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * lengths[:, None]


def random_case(seed: int, most: int = 40, dimensions: tuple[int, int] = (2, 6)) -> Case:
    """A few clumps of random tightness in random directions, some points far out."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, most + 1), rng.integers(dimensions[0], dimensions[1] + 1)
    clumps = rng.normal(size=(rng.integers(1, 4), d))
    spread = 10.0 ** rng.uniform(-1.5, 0.5)
    directions = clumps[rng.integers(len(clumps), size=n)] + spread * rng.normal(size=(n, d))
    points = on_shell(directions, rng.random(n))
    return quantised(points, points[: rng.integers(1, n + 1)])


def polygon(corners: int) -> Case:
    angles = 2 * np.pi * np.arange(corners) / corners
    return quantised(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.zeros((1, 2)))


@functools.cache
def digits_on_the_shell() -> Case:
    pixels = load_digits().data
    centred = pixels - pixels.mean(axis=0)
    norms = np.linalg.norm(centred, axis=1)
    share = (norms - norms.min()) / (norms.max() - norms.min())
    points = on_shell(centred, share).astype(np.float32)
    fitted = KMeans(10, n_init=10, random_state=0).fit(points)
    return quantised(points, fitted.cluster_centers_.astype(np.float64))


@functools.cache
def curves_of_digits() -> FloorCurves:
    return digits_on_the_shell().curves()


def achievable(points: np.ndarray, alphabet: np.ndarray, lam: float) -> tuple[float, float]:
    """Distortion and information of Blahut-Arimoto's channel to an alphabet at slope −λ.

    However few the iterations and however coarse the alphabet, the channel exists: information ≥
    R(distortion). With enough of both the two are nearly equal.
    """
    distances = ((points[:, None] - alphabet) ** 2).sum(axis=-1)
    kernel = np.exp(-lam * (distances - distances.min(axis=1, keepdims=True)))
    output = np.full(len(alphabet), 1 / len(alphabet))
    for _ in range(400):
        channel = kernel * output
        channel /= channel.sum(axis=1, keepdims=True)
        output = channel.mean(axis=0)
    ratio = np.log(np.maximum(channel, 1e-300) / np.maximum(output, 1e-300))
    information = float((channel * ratio).sum(axis=1).mean())
    return float((channel * distances).sum(axis=1).mean()), information


def shell_alphabet(points: np.ndarray, radii: tuple[float, float] = RADII) -> np.ndarray:
    """A fine grid of admissible outputs in the plane or in space, and the points themselves."""
    if points.shape[1] == 2:
        angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:  # a Fibonacci lattice on the sphere
        height = 1 - 2 * (np.arange(600) + 0.5) / 600
        angles = np.pi * (1 + 5**0.5) * np.arange(600)
        flat = np.sqrt(1 - height**2)
        directions = np.stack([flat * np.cos(angles), flat * np.sin(angles), height], axis=1)
    lengths = np.linspace(*radii, 5)
    return np.concatenate([*(length * directions for length in lengths), points])
