"""Wine

Chemical analyses of 178 wines from three growers of one Italian region, 13 measurements each.
Every measurement is standardised to mean 0 and variance 1: in raw units proline, in the hundreds
and thousands, would dominate every distance.

Source: scikit-learn, load_wine; Aeberhard & Forina, Wine, UCI Machine Learning Repository (1991);
comes with scikit-learn, needs no network
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
    """Points [178, 13], standardised; the data are fixed, so the seed has no effect."""
    from sklearn.datasets import load_wine
    from sklearn.preprocessing import StandardScaler

    bunch = load_wine()
    return Dataset(
        name="wine",
        title="Wine",
        points=StandardScaler().fit_transform(bunch.data).astype(np.float32),
        labels=bunch.target.astype(int),
        label_names=("grower 1", "grower 2", "grower 3"),
        feature_names=tuple(name.replace("_", " ") for name in bunch.feature_names),
    )
