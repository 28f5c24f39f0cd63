"""First names

5,163 given names of the US census of 1990, in small letters: a point is a name, letter after
letter. Each of the 11 positions holds 27 numbers, a 1 for its letter (or for the end, which fills
up shorter names) and 0 elsewhere. The squared error of such points is the Brier score, summed over
positions. Labels say in which of the two lists a name is.

Source: package names 0.3.0 (dist.male.first, dist.female.first), from the US Census Bureau; comes
with this program, needs no network
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

from svae_core.datasets._sequences import FILES, PAD, coordinates, one_hot
from svae_core.records import Dataset

LICENCE = "MIT (package names); the lists are in the public domain"
_LENGTH = 11
_SYMBOLS = (*ascii_lowercase, PAD)
_LABELS = ("female", "male", "both")


@dataclass(frozen=True)
class Config:
    """No options."""


def load(config: Config, seed: int) -> Dataset:
    """Points [5163, 297], one-hot letters; the data are fixed, so the seed has no effect."""
    lines = (FILES / "names.txt").read_text(encoding="ascii").split("\n")[:-1]
    texts, lists = zip(*(line.split() for line in lines), strict=True)
    return Dataset(
        name="names",
        title="First names",
        points=one_hot(texts, _SYMBOLS, _LENGTH),
        labels=np.array([_LABELS.index(each) for each in lists]),
        label_names=_LABELS,
        feature_names=coordinates(_SYMBOLS, _LENGTH),
        row_names=np.array(texts),
        symbols=_SYMBOLS,
    )
