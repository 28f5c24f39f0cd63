"""Points as pictures: pixel brightness of images, symbols of sequences, else coordinates.

The picture of a sequence of L symbols has 2·L numbers: the number of the most probable symbol at
each position, and then the probability of each. `texts` makes them readable.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from svae_core.problem import off_shell
from svae_core.records import PreparedData

#: Coordinates shown of a point that is no image, at most.
FEATURES = 64


def feature_names(prepared: PreparedData) -> tuple[str, ...]:
    """Names of the coordinates that pictures show; empty if they show images, texts or no names."""
    if prepared.dataset.image_shape or prepared.dataset.symbols:
        return ()
    return tuple(prepared.dataset.feature_names)[:FEATURES]


def data_pictures(prepared: PreparedData, rows: slice | np.ndarray) -> np.ndarray:
    """Data points as pictures [n, f] float32: brightness of images, else coordinates."""
    return input_pictures(prepared, prepared.dataset.points[rows], prepared.shell.points[rows])


def input_pictures(prepared: PreparedData, points: np.ndarray, on_shell: np.ndarray) -> np.ndarray:
    """The same of any points [n, d] before and after the map onto the shell."""
    if prepared.dataset.image_shape:
        return brightness(prepared, points)
    if prepared.dataset.symbols:
        return _symbols(prepared, points)
    return on_shell[:, :FEATURES]


def output_pictures(prepared: PreparedData, points: np.ndarray) -> np.ndarray:
    """Decoder outputs [n, d] as pictures [n, f], comparable with `data_pictures`.

    For images and texts `off_shell` undoes the shell map; a collapsed decoder shows the mean image.
    """
    if prepared.dataset.image_shape:
        return brightness(prepared, off_shell(prepared, points))
    if prepared.dataset.symbols:
        return _symbols(prepared, off_shell(prepared, points))
    return points[:, :FEATURES]


def texts(pictures: np.ndarray, symbols: tuple[str, ...]) -> list[str]:
    """The texts of pictures [n, 2·L] of sequences: at each position its most probable symbol."""
    numbers = pictures[:, : pictures.shape[1] // 2].round().astype(int)
    return ["".join(symbols[number] for number in row) for row in numbers]


def _symbols(prepared: PreparedData, sequences: np.ndarray) -> np.ndarray:
    """Symbol numbers, then their probabilities, [n, 2·L], of points [n, L · symbols]."""
    steps = sequences.reshape(len(sequences), -1, len(prepared.dataset.symbols))
    shares = np.clip(steps.max(axis=2), 0.0, 1.0)
    return np.hstack([steps.argmax(axis=2), shares]).astype(np.float32)


@lru_cache(maxsize=4)
def value_range(prepared: PreparedData) -> tuple[float, float]:
    """The smallest and the largest value of the data before the map onto the shell."""
    return float(prepared.dataset.points.min()), float(prepared.dataset.points.max())


def brightness(prepared: PreparedData, images: np.ndarray) -> np.ndarray:
    """Pixel values scaled to [0, 1] over the range of the data."""
    low, high = value_range(prepared)
    return np.clip((images - low) / max(high - low, 1e-12), 0.0, 1.0).astype(np.float32)
