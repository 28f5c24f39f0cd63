"""Points as pictures: brightness where data are images, else their coordinates on the shell."""

from __future__ import annotations

import numpy as np

from svae_core.records import Groundwork

#: Of data without images so many features are drawn.
FEATURES = 64


def feature_names(ground: Groundwork) -> tuple[str, ...]:
    """Names of what pictures show; empty for images and where data have none."""
    return () if ground.dataset.image_shape else tuple(ground.dataset.feature_names)[:FEATURES]


def as_they_came(ground: Groundwork, rows: slice | np.ndarray) -> np.ndarray:
    """Data points as pictures [n, f] float32: brightness of images, else coordinates."""
    if ground.dataset.image_shape:
        return _brightness(ground, ground.dataset.points[rows])
    return ground.shell.points[rows, :FEATURES]


def pictured(ground: Groundwork, points: np.ndarray) -> np.ndarray:
    """What models give back [n, d] as pictures [n, f], comparable with `as_they_came`.

    Images: the shell's scale and centre are undone by one factor for all. Not by the exact inverse
    of the shell map, which would stretch a collapsed, central output to the norm of a picture:
    here a model that says nothing shows the average, which is what it says.
    """
    if not ground.dataset.image_shape:
        return points[:, :FEATURES]
    shell = ground.shell
    norms = np.linalg.norm(ground.dataset.points - shell.center, axis=1).mean()
    factor = norms / np.linalg.norm(shell.points, axis=1).mean()
    return _brightness(ground, shell.center + factor * points)


def _brightness(ground: Groundwork, images: np.ndarray) -> np.ndarray:
    """From 0 to 1 over the range of the data."""
    low, high = ground.dataset.points.min(), ground.dataset.points.max()
    return np.clip((images - low) / max(high - low, 1e-12), 0.0, 1.0).astype(np.float32)
