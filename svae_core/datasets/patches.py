"""Patches of photographs, 8 × 8

Squares of 8 × 8 pixels from random places of two photographs, a temple and a flower, in shades of
grey from 0 to 1. Most variance lies in a patch's mean brightness and slow gradients, as in all
natural images. Labels are the photographs.

Source: scikit-learn, load_sample_images (china.jpg by Daniel Büchele, flower.jpg by vultilion);
comes with scikit-learn, needs no network
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svae_core.records import Dataset, option

LICENCE = "CC BY 2.0 (both photographs)"
_SIDE = 8
#: Shares of red, green and blue in the brightness of a pixel (ITU-R BT.601).
_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Config:
    """The number of patches."""

    points: int = option(
        2000, "number of patches cut out", label="patches", low=50, high=100_000, step=50
    )


def load(config: Config, seed: int) -> Dataset:
    """Points [points, 64], pixels row by row, half of them from each photograph."""
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(seed)
    photographs = [image @ np.array(_GREY) / 255 for image in load_sample_images().images]
    labels = rng.permutation(np.arange(config.points) % 2)
    rows, columns = (
        rng.integers(0, size - _SIDE + 1, config.points) for size in photographs[0].shape
    )
    inside = np.arange(_SIDE)
    both = np.stack(photographs)
    points = both[
        labels[:, None, None],
        rows[:, None, None] + inside[:, None],
        columns[:, None, None] + inside,
    ]
    return Dataset(
        name="patches",
        title="Patches of photographs, 8 × 8",
        points=points.reshape(-1, _SIDE * _SIDE).astype(np.float32),
        labels=labels,
        label_names=("temple", "flower"),
        image_shape=(_SIDE, _SIDE),
    )
