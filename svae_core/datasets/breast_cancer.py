"""Breast cancer, Wisconsin

569 biopsies, malignant or benign, described by 30 measurements of the cell nuclei in an image:
radius, texture, area and so on, each as mean, standard error and worst value. Every measurement is
standardised to mean 0 and variance 1: in raw units the areas, in the hundreds and thousands, would
dominate every distance.

Source: scikit-learn, load_breast_cancer; Wolberg, Mangasarian, Street & Street, Breast Cancer
Wisconsin (Diagnostic), UCI Machine Learning Repository (1993); comes with scikit-learn, needs no
network
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
    """Points [569, 30], standardised; the data are fixed, so the seed has no effect."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import StandardScaler

    bunch = load_breast_cancer()
    return Dataset(
        name="breast_cancer",
        title="Breast cancer, Wisconsin",
        points=StandardScaler().fit_transform(bunch.data).astype(np.float32),
        labels=bunch.target.astype(int),
        label_names=tuple(str(name) for name in bunch.target_names),
        feature_names=tuple(str(name) for name in bunch.feature_names),
    )
