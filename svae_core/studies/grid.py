"""A grid of runs: every method at every point of the axes, each with every seed.

    values_of("sigma2", "0.01:1:9") -> nine values;  check_grid(Grid(bases, axes, seeds)).runs

The text of an axis is a list of values (`.05 .1 .2`) or a range LOW:HIGH:STEPS (`0.01:1:9`), evenly
spaced on a logarithmic scale for σ², β and K, on a linear one for a band.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.config.settings import check_settings
from svae_core.records import RequestError, Settings, flag

#: Settings that a grid may vary besides method and seed; the first varies slowest.
AXES = ("arch", "clusters", "band", "beta", "sigma2")
#: Larger studies are refused: they are more likely a typing error than intended.
MOST_RUNS = 100_000


@dataclass(frozen=True)
class Grid:
    """Every method at every point of the axes, each with every seed."""

    bases: tuple[Settings, ...]  # one per method, with its options; otherwise equal
    axes: tuple[tuple[str, tuple[Any, ...]], ...]  # field of Settings -> its values
    seeds: tuple[int, ...]

    @property
    def points(self) -> tuple[Settings, ...]:
        """The settings of every cell, with the seed of the bases."""
        names = [name for name, _ in self.axes]
        return tuple(
            dataclasses.replace(base, **dict(zip(names, values, strict=True)))
            for base in self.bases
            for values in itertools.product(*(values for _, values in self.axes))
        )

    @property
    def runs(self) -> tuple[Settings, ...]:
        """The settings of every run; the first seed of all cells comes first."""
        return tuple(
            dataclasses.replace(point, seed=seed) for seed in self.seeds for point in self.points
        )


def check_grid(grid: Grid) -> Grid:
    """The grid itself; raises RequestError if it is empty, too large or has invalid values."""
    count = len(grid.bases) * len(grid.seeds) * math.prod(len(values) for _, values in grid.axes)
    if count == 0:
        raise RequestError("The grid is empty: every axis needs a value, and there must be a seed.")
    if count > MOST_RUNS:
        raise RequestError(f"The grid has {count:,} runs, but at most {MOST_RUNS:,} are allowed.")
    for name, values in (*grid.axes, ("seeds", grid.seeds)):
        if len(set(values)) < len(values):
            raise RequestError(f"{flag(name)} names a value twice; give each value once.")
    for name, values in grid.axes:
        for value in values:
            check_settings(dataclasses.replace(grid.bases[0], **{name: value}))
    for seed in grid.seeds:
        check_settings(dataclasses.replace(grid.bases[0], seed=seed))
    return grid


# ------------------------------------------------------------------------------- parsing


def values_of(name: str, text: str, most: int = MOST_RUNS) -> tuple[Any, ...]:
    """Parse the values of an axis; raises RequestError with one sentence if malformed.

    Ranges of more than `most` steps, and more words than that, are refused before they are made.
    sigma2, beta: numbers and ranges LOW:HIGH:STEPS. clusters: the same in whole numbers, or auto.
    band: edges A,B; B may be a range; a range alone has the lower edge 0. arch: names.
    """
    words = text.split() if name == "band" else text.replace(",", " ").split()
    if not words:
        raise RequestError(f"{flag(name)} names no value.")
    if len(words) + sum(map(_steps, words)) > most:
        raise RequestError(f"{flag(name)} names more than {most:,} values; give fewer.")
    if name == "arch":
        return tuple(words)
    if name == "band":
        return _bands(words)
    try:
        values = [value for word in words for value in _numbers(word, name)]
    except ValueError as error:
        raise RequestError(
            f"{flag(name)} is {text!r}, but must be numbers (.05 .1 .2) or a range LOW:HIGH:STEPS "
            f"above 0 (0.01:1:9): {error}."
        ) from error
    return tuple(dict.fromkeys(values)) if ":" in text else tuple(values)


def seeds_of(text: str, first: int = 0, most: int = MOST_RUNS) -> tuple[int, ...]:
    """Parse seeds: one number is a count, from `first` up; several are the seeds themselves."""
    words = text.replace(",", " ").split()
    if len(words) > most:
        raise RequestError(f"--seeds names more than {most:,} seeds; give fewer.")
    try:
        numbers = [int(word) for word in words]
    except ValueError as error:
        raise RequestError(f"--seeds is {text!r}, but must be whole numbers.") from error
    if len(numbers) == 1 and not 1 <= numbers[0] <= most:
        raise RequestError(f"--seeds is {text}, but must be from 1 to {most:,}.")
    return tuple(range(first, first + numbers[0])) if len(numbers) == 1 else tuple(numbers)


def _steps(word: str) -> int:
    """How many values a word stands for, if it is a range; 0 where it is none."""
    steps = word.rpartition(":")[2] if ":" in word else ""
    # What has so many digits is refused in any case.
    return int(steps[:9]) if steps.isascii() and steps.isdecimal() else 0


def _numbers(word: str, name: str) -> list[float]:
    if name == "clusters":
        if word == "auto":
            return [0]
        return [round(value) for value in _range(word, True)] if ":" in word else [int(word)]
    return _range(word, True) if ":" in word else [float(word)]


def _bands(words: list[str]) -> tuple[tuple[float, float], ...]:
    """`0,0.25 0,0.5`, `0,0.1:0.9:5`, `0.1:0.9:5`, or the two edges of a single band: `0 0.25`."""
    try:
        if len(words) == 2 and not any(sign in word for word in words for sign in ",:"):
            return ((float(words[0]), float(words[1])),)
        found = []
        for word in words:
            lower, comma, upper = word.rpartition(",")
            if not comma and ":" not in word:
                raise ValueError(f"{word} is one edge only")
            uppers = _range(upper, False) if ":" in upper else [float(upper)]
            found += [(float(lower) if comma else 0.0, edge) for edge in uppers]
        return tuple(found)
    except ValueError as error:
        raise RequestError(
            f"--band is {' '.join(words)!r}, but must be edges A,B (0,0.25 0,0.5), where B may be "
            f"a range LOW:HIGH:STEPS (0,0.1:0.9:5): {error}."
        ) from error


def _range(word: str, logarithmic: bool) -> list[float]:
    """LOW:HIGH:STEPS, both ends included, rounded to six significant digits for readability."""
    parts = word.split(":")
    if len(parts) != 3:
        raise ValueError(f"{word} is no range")
    start, end, count = float(parts[0]), float(parts[1]), int(parts[2])
    if not (math.isfinite(start) and math.isfinite(end) and 1 <= count <= MOST_RUNS):
        raise ValueError(f"{word} is no range")
    if logarithmic and min(start, end) <= 0:
        raise ValueError(f"{word} does not stay above 0")
    values = np.geomspace(start, end, count) if logarithmic else np.linspace(start, end, count)
    return [float(f"{value:.6g}") for value in values]
