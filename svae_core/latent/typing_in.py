"""A text that a visitor typed, as a point of sequence data."""

from __future__ import annotations

import numpy as np

from svae_core.config.fields import RequestError


def sequence(text: str, symbols: tuple[str, ...], length: int) -> np.ndarray:
    """The text one-hot, [length · symbols] float32 of 0 and 1, filled up with the last symbol.

    A letter that the data have only as a capital, or only small, is taken as that. RequestError if
    a symbol is not the data's, or there are too many.
    """
    if len(text) > length:
        raise RequestError(
            f"The text has {len(text)} symbols, and these data at most {length}; make it shorter."
        )
    place = {symbol: number for number, symbol in enumerate(symbols)}
    point = np.zeros((length, len(symbols)), np.float32)
    for at, letter in enumerate(text):
        found = next(filter(place.__contains__, (letter, letter.lower(), letter.upper())), None)
        if found is None:
            known = "".join(symbols)
            raise RequestError(f"These data have no symbol {letter!r}, only {known!r}.")
        point[at, place[found]] = 1.0
    point[len(text) :, -1] = 1.0
    return point.ravel()
