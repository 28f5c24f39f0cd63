"""One-dimensional signals

Waves of three shapes, sine, square and sawtooth, with random frequency, phase and height, and
noise on top, measured at 64 moments. A recurrent or causal net reads them a moment at a time.
Labels are the shapes.

Source: generated here from the seed; needs no network
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svae_core.records import Dataset, option

LICENCE = "generated; no licence needed"
_MOMENTS = 64


@dataclass(frozen=True)
class Config:
    """Number of signals, and the noise."""

    points: int = option(
        1500, "number of signals generated", label="signals made", low=50, high=100_000, step=50
    )
    noise: float = option(
        0.1, "standard deviation of the noise at each moment", low=0.0, high=10.0, step=0.05
    )


def load(config: Config, seed: int) -> Dataset:
    """Points [points, 64], one coordinate for each moment, and their shapes."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(config.points) % 3)
    periods, phase, height = (
        rng.uniform(low, high, (config.points, 1)) for low, high in ((1, 3), (0, 1), (0.5, 1.5))
    )
    turn = periods * np.arange(_MOMENTS) / _MOMENTS + phase
    sine = np.sin(2 * np.pi * turn)
    waves = np.stack([sine, np.where(sine >= 0, 1.0, -1.0), 2 * (turn % 1) - 1])
    noise = config.noise * rng.standard_normal((config.points, _MOMENTS))
    points = height * waves[labels, np.arange(config.points)] + noise
    return Dataset(
        name="signals",
        title="One-dimensional signals",
        points=points.astype(np.float32),
        labels=labels,
        label_names=("sine", "square", "sawtooth"),
        feature_names=tuple(f"moment {i + 1}" for i in range(_MOMENTS)),
    )
