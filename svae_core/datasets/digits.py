"""Handwritten digits, 8 × 8

1,797 images of the digits 0 to 9, written by 43 people. Pixels count inked dots from 0 to 16 and
are divided by 16, so they lie in [0, 1].

Source: scikit-learn, load_digits; Alpaydin & Kaynak, Optical Recognition of Handwritten Digits,
UCI Machine Learning Repository (1998); comes with scikit-learn, needs no network
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svae_core.records import Dataset

LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"


@dataclass(frozen=True)
class Config:
    """No options."""


def load(config: Config, seed: int) -> Dataset:
    """Points [1797, 64], pixels row by row; the data are fixed, so the seed has no effect."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset(
        name="digits",
        title="Handwritten digits, 8 × 8",
        points=(bunch.data / 16).astype(np.float32),
        labels=bunch.target.astype(int),
        label_names=tuple(str(digit) for digit in range(10)),
        image_shape=(8, 8),
    )
