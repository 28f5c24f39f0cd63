"""Short English sentences

1,136 sentences of small talk with 2 to 40 characters, in small letters: a point is a sentence,
character after character. Each of the 40 positions holds 44 numbers, a 1 for its character (or for
the end, which fills up shorter sentences) and 0 elsewhere. The squared error of such points is the
Brier score, summed over positions. Sentences with other characters and some crude ones are left
out. Labels say whether a sentence is a question by its last character.

Source: chatterbot-corpus 1.3.3 (data/english), written by its users; comes with this program, needs
no network
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase, digits

import numpy as np

from svae_core.datasets._sequences import FILES, PAD, coordinates, one_hot
from svae_core.records import Dataset

LICENCE = "BSD 3-clause (chatterbot-corpus)"
_LENGTH = 40
_SYMBOLS = (*ascii_lowercase, *digits, *" .,?!'-", PAD)


@dataclass(frozen=True)
class Config:
    """No options."""


def load(config: Config, seed: int) -> Dataset:
    """Points [1136, 1760], one-hot characters; the data are fixed, so the seed has no effect."""
    texts = (FILES / "sentences.txt").read_text(encoding="ascii").split("\n")[:-1]
    return Dataset(
        name="sentences",
        title="Short English sentences",
        points=one_hot(texts, _SYMBOLS, _LENGTH),
        labels=np.array([int(text.endswith("?")) for text in texts]),
        label_names=("statement", "question"),
        feature_names=coordinates(_SYMBOLS, _LENGTH),
        row_names=np.array(texts),
        symbols=_SYMBOLS,
    )
