"""JSON that may come from anyone, read within bounds: its length, depth, numbers and letters.

    parse(data, most=2**16) -> the values, or ValueError in a few words

What is bounded here cannot stop whoever shows it: a number of 400 digits is no float, a date of the
year 30,000 none of any calendar, and half a surrogate pair no text that can be sent.
"""

from __future__ import annotations

import json
import math
from typing import Any

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
    text = data.decode("utf-8")
    # Before it is parsed: an empty list takes 2 bytes in the text and 56 in memory. Commas inside
    # of strings count as well, so the bound is a loose one.
    if text.count(",") + text.count("[") + text.count("{") > most:
        raise ValueError(f"it holds more than {most:,} values")
    try:
        values = json.loads(text, parse_int=_whole, parse_float=_number, parse_constant=_number)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    _check(values)
    return values


def _whole(text: str) -> int:
    value = int(text) if len(text) <= len(str(LARGEST)) + 1 else LARGEST + 1
    if abs(value) > LARGEST:
        raise ValueError("it holds a number that is too large")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("it holds a number that is not finite")
    return value


def _check(values: Any) -> None:
    """ValueError where something is nested too deep, or is half a surrogate pair."""
    level = [values]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                value.encode("utf-8")  # UnicodeEncodeError is a ValueError
        if not below:
            return
        level = below
    raise ValueError("it is nested too deep")
