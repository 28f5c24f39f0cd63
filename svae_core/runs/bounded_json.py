"""JSON that may come from anyone, read within bounds: its length, depth, numbers and letters.

    parse(data, most=2**16) -> the values, or ValueError in a few words

What is bounded here cannot stop whoever shows it: a number of 400 digits is no float, a date of the
year 30,000 none of any calendar, and half a surrogate pair no text that can be sent.
"""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

#: Nested so deep at most; a certificate inside a certificate is at 4.
DEEPEST = 16
#: Whole numbers up to this; a seed may have 64 bits.
LARGEST = 2**64
#: A date in seconds since 1970 that every calendar knows: before the year 2242.
LATEST = 2**33
#: Steps, bytes and counts stay exact as float64, so they can be divided and sent to a browser.
COUNT = 2**53


def parse(data: bytes, most: int) -> Any:
    """The values of a JSON text with at most so many of them; ValueError where it is none."""
    # Before it is parsed: an empty list takes 2 bytes in the text and 56 in memory. Commas inside
    # of strings count as well, so the bound is a loose one.
    if sum(map(data.count, (b",", b"[", b"{"))) > most:
        raise ValueError(f"it holds more than {most:,} values")
    try:
        values = msgspec.json.decode(data)  # refuses what is not finite or no text
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except msgspec.DecodeError as error:
        raise ValueError("it is no JSON, or holds an impossible number") from error
    level = [values]
    for _ in range(DEEPEST):
        if any(isinstance(value, int) and abs(value) > LARGEST for value in level):
            raise ValueError("it holds a number that is too large")
        inner = (
            value.values() if isinstance(value, dict) else value
            for value in level
            if isinstance(value, dict | list)
        )
        level = list(itertools.chain.from_iterable(inner))
        if not level:
            return values
    raise ValueError("it is nested too deep")
