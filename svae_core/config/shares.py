"""A share as sentences, tables and figures say it: "58 %", with a space as SI writes it."""

from __future__ import annotations


def percent(share: float, form: str = ".0f") -> str:
    """A share of 1 in per cent; `form`: Python's format of the number."""
    return f"{100 * share:{form}} %"
