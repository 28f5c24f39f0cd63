"""Swiss roll

A sheet rolled up in three dimensions: a curved surface without clusters, to test the method where
K-means can only cut a continuum into pieces. Labels are the position along the roll, from its inner
to its outer end, cut into six bands of equal width.

Source: scikit-learn, make_swiss_roll, after Marsland, Machine Learning: An Algorithmic Perspective
(2009); generated here from the seed; needs no network
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svae_core.records import Dataset, option

BANDS = 6
LICENCE = "generated; no licence needed"


@dataclass(frozen=True)
class Config:
    """Number of points, and the noise."""

    points: int = option(
        1500, "number of points generated", label="points made", low=50, high=100_000, step=50
    )
    noise: float = option(
        0.3, "standard deviation of the noise off the sheet", low=0.0, high=10.0, step=0.1
    )


def load(config: Config, seed: int) -> Dataset:
    """Points [points, 3] on the roll, labelled by their band along it."""
    from sklearn.datasets import make_swiss_roll

    # scikit-learn refuses integer seeds of more than 32 bits; MT19937 accepts any.
    random = np.random.RandomState(np.random.MT19937(seed))
    points, angle = make_swiss_roll(config.points, noise=config.noise, random_state=random)
    # The roll runs from angle 3π/2 to 9π/2.
    position = (angle - 1.5 * np.pi) / (3 * np.pi)
    return Dataset(
        name="swiss_roll",
        title="Swiss roll",
        points=points.astype(np.float32),
        labels=np.clip((position * BANDS).astype(int), 0, BANDS - 1),
        label_names=tuple(f"band {i + 1} of {BANDS}" for i in range(BANDS)),
    )
