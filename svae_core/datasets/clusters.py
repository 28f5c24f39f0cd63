"""Clusters on a sphere

Points around random directions of the unit sphere, in groups of equal size. Angular noise is the
length of a random step away from the direction of the group, before returning to the sphere: at
0.6 the groups are clear, at 1 they overlap, from about 2 on they have vanished and the points are
spread over the sphere. Radial noise is the standard deviation of the logarithm of the radius, so
radii stay positive. Labels are the groups the points were drawn from.

Source: generated here from the seed; needs no network
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svae_core.records import Dataset, option

LICENCE = "generated; no licence needed"


@dataclass(frozen=True)
class Config:
    """Number of clusters, points and dimensions, and the noise."""

    number: int = option(5, "number of clusters generated", low=1, high=50)
    ambient_dim: int = option(16, "number of coordinates", label="dimensions", low=2, high=512)
    points: int = option(
        2000, "number of points generated", label="points made", low=50, high=100_000, step=50
    )
    angular_noise: float = option(
        0.6,
        "length of a random step off the cluster's direction; from 2 on clusters vanish",
        low=0.0,
        high=10.0,
        step=0.1,
    )
    radial_noise: float = option(
        0.1, "standard deviation of the logarithm of the radius", low=0.0, high=2.0, step=0.05
    )


def load(config: Config, seed: int) -> Dataset:
    """Points [points, ambient_dim] = radius · unit(direction + noise), and their groups."""
    rng = np.random.default_rng(seed)
    shape = (config.points, config.ambient_dim)
    directions = _unit(rng.standard_normal((config.number, config.ambient_dim)))
    labels = rng.permutation(np.arange(config.points) % config.number)
    # Divided by √d, a step has length about `angular_noise` whatever the dimension.
    steps = config.angular_noise * rng.standard_normal(shape) / np.sqrt(config.ambient_dim)
    radii = np.exp(config.radial_noise * rng.standard_normal((config.points, 1)))
    points = radii * _unit(directions[labels] + steps)
    return Dataset(
        name="clusters",
        title="Clusters on a sphere",
        points=points.astype(np.float32),
        labels=labels,
        label_names=tuple(f"cluster {i + 1}" for i in range(config.number)),
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
