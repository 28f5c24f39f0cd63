"""Numbers as sentences say them: a share as "58 %", with a space as SI writes it; a floor."""

from __future__ import annotations

import math


def percent(share: float, form: str = ".0f") -> str:
    """A share of 1 in per cent; `form`: Python's format of the number."""
    return f"{100 * share:{form}} %"


def at_least(value: float, digits: int = 2) -> str:
    """A lower limit in so many decimals, rounded down, as the nearest may be too much."""
    unit = 10**digits
    near = round(value * unit)  # 0.29 · 100 is 28.999999999999996
    whole = near if abs(near - value * unit) < 1e-9 * max(1.0, abs(near)) else value * unit
    return f"{math.floor(whole) / unit:.{digits}f}"
