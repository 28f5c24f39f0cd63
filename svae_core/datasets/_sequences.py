"""Texts as points: one-hot symbols, position after position, filled up to one length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

#: Files of the data sets that come with this package; LICENCES.txt has their terms.
FILES = Path(__file__).parent / "files"
#: What fills up a text that is shorter than the longest: no symbol at all.
PAD = ""


def one_hot(texts: Sequence[Sequence[str]], symbols: Sequence[str], length: int) -> np.ndarray:
    """Points [n, length · symbols] float32; the symbol PAD follows each text up to the length."""
    place = {symbol: index for index, symbol in enumerate(symbols)}
    points = np.zeros((len(texts), length, len(symbols)), np.float32)
    for row, text in enumerate(texts):
        filled = [*text, *[PAD] * (length - len(text))]
        points[row, np.arange(length), [place[symbol] for symbol in filled]] = 1.0
    return points.reshape(len(texts), -1)


def coordinates(symbols: Sequence[str], length: int) -> tuple[str, ...]:
    """Names of the coordinates: position and symbol."""
    shown = [{PAD: "end", " ": "space"}.get(symbol, symbol) for symbol in symbols]
    return tuple(f"{i + 1}: {symbol}" for i in range(length) for symbol in shown)
