"""Names of methods inside a sentence and as a heading, and counts with their noun."""

from __future__ import annotations

from svae_core.figures.palette import mark_of


def name_of(method: str) -> str:
    """The name of a method inside a sentence: "conventional VAE", "β-VAE"."""
    return mark_of(method).name


def title_of(method: str) -> str:
    """The name of a method as a heading or at the start of a sentence: "Conventional VAE"."""
    name = name_of(method)
    # Only ASCII letters: the capital of β looks like a Latin B.
    return name[:1].upper() + name[1:] if name[:1].isascii() else name


def counted(count: int, noun: str) -> str:
    """A count with its noun: "1 seed", "1,200 points", "4 classes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def in_tens(value: float) -> str:
    """A number as a digit times a power of ten, which no line end divides: "4 × 10⁻⁸"."""
    if not value:
        return "0"
    digit, exponent = f"{value:.0e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digit}\u00a0×\u00a010{raised}"
