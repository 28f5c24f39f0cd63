"""Penguins of the Palmer archipelago

342 penguins of three species with four measurements each: length and depth of the bill, length of
the flipper, and weight. Every measurement is standardised to mean 0 and variance 1: in raw units
the weight, in grams, would dominate every distance. Two penguins that were not measured are left
out.

Source: palmerpenguins 0.1.0 (Horst, Hill & Gorman 2020; data by Gorman, Williams & Fraser 2014,
PLOS ONE 9(3), e90081); comes with this program, needs no network
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np

from svae_core.datasets._sequences import FILES
from svae_core.records import Dataset

LICENCE = "CC0 1.0 (public domain)"
_COLUMNS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
_NAMES = ("bill length, mm", "bill depth, mm", "flipper length, mm", "weight, g")
_SPECIES = ("Adelie", "Chinstrap", "Gentoo")


@dataclass(frozen=True)
class Config:
    """No options."""


def load(config: Config, seed: int) -> Dataset:
    """Points [342, 4], standardised; the data are fixed, so the seed has no effect."""
    with (FILES / "penguins.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row[_COLUMNS[0]] != "NA"]
    measured = np.array([[float(row[name]) for name in _COLUMNS] for row in rows])
    points = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    return Dataset(
        name="penguins",
        title="Penguins of the Palmer archipelago",
        points=points.astype(np.float32),
        labels=np.array([_SPECIES.index(row["species"]) for row in rows]),
        label_names=_SPECIES,
        feature_names=_NAMES,
    )
