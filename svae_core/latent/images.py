"""Points as pictures: brightness where data are images, else their coordinates on the shell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from svae_core.records import PreparedData

#: Of data without images so many features are drawn.
FEATURES = 64


def feature_names(ground: PreparedData) -> tuple[str, ...]:
    """Names of what pictures show; empty for images and where data have none."""
    return () if ground.dataset.image_shape else tuple(ground.dataset.feature_names)[:FEATURES]


def as_they_came(ground: PreparedData, rows: slice | np.ndarray) -> np.ndarray:
    """Data points as pictures [n, f] float32: brightness of images, else coordinates."""
    if ground.dataset.image_shape:
        return _brightness(ground, ground.dataset.points[rows])
    return ground.shell.points[rows, :FEATURES]


def pictured(ground: PreparedData, points: np.ndarray) -> np.ndarray:
    """What models give back [n, d] as pictures [n, f], comparable with `as_they_came`.

    Images: the shell's scale and centre are undone by one factor for all. Not by the exact inverse
    of the shell map, which would stretch a collapsed, central output to the norm of a picture:
    here a model that says nothing shows the average, which is what it says.
    """
    if not ground.dataset.image_shape:
        return points[:, :FEATURES]
    return _brightness(ground, ground.shell.center + _factor(ground) * points)


@lru_cache(maxsize=4)
def _factor(ground: PreparedData) -> float:
    """How much larger images are than on the shell, in the mean; the whole data are looked at."""
    norms = np.linalg.norm(ground.dataset.points - ground.shell.center, axis=1).mean()
    return float(norms / np.linalg.norm(ground.shell.points, axis=1).mean())


@lru_cache(maxsize=4)
def _range(ground: PreparedData) -> tuple[float, float]:
    return float(ground.dataset.points.min()), float(ground.dataset.points.max())


def _brightness(ground: PreparedData, images: np.ndarray) -> np.ndarray:
    """From 0 to 1 over the range of the data."""
    low, high = _range(ground)
    return np.clip((images - low) / max(high - low, 1e-12), 0.0, 1.0).astype(np.float32)
