"""Points as pictures: pixel brightness if the data are images, else coordinates on the shell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from svae_core.records import PreparedData

#: Coordinates shown of a point that is no image, at most.
FEATURES = 64


def feature_names(prepared: PreparedData) -> tuple[str, ...]:
    """Names of the coordinates that pictures show; empty for images and unnamed features."""
    return () if prepared.dataset.image_shape else tuple(prepared.dataset.feature_names)[:FEATURES]


def data_pictures(prepared: PreparedData, rows: slice | np.ndarray) -> np.ndarray:
    """Data points as pictures [n, f] float32: brightness of images, else coordinates."""
    if prepared.dataset.image_shape:
        return _brightness(prepared, prepared.dataset.points[rows])
    return prepared.shell.points[rows, :FEATURES]


def output_pictures(prepared: PreparedData, points: np.ndarray) -> np.ndarray:
    """Decoder outputs [n, d] as pictures [n, f], comparable with `data_pictures`.

    For images the shell map is undone by the centre and one scale factor for all points. The exact
    inverse would stretch the central output of a collapsed decoder to the norm of an image; with
    one factor it shows the mean image, which is what that decoder outputs.
    """
    if not prepared.dataset.image_shape:
        return points[:, :FEATURES]
    return _brightness(prepared, prepared.shell.center + _factor(prepared) * points)


@lru_cache(maxsize=4)
def _factor(prepared: PreparedData) -> float:
    """The ratio of the mean norm of the data to the mean radius on the shell, over all points."""
    norms = np.linalg.norm(prepared.dataset.points - prepared.shell.center, axis=1).mean()
    return float(norms / np.linalg.norm(prepared.shell.points, axis=1).mean())


@lru_cache(maxsize=4)
def _range(prepared: PreparedData) -> tuple[float, float]:
    return float(prepared.dataset.points.min()), float(prepared.dataset.points.max())


def _brightness(prepared: PreparedData, images: np.ndarray) -> np.ndarray:
    """Pixel values scaled to [0, 1] over the range of the data."""
    low, high = _range(prepared)
    return np.clip((images - low) / max(high - low, 1e-12), 0.0, 1.0).astype(np.float32)
