"""The axes of a phase map: fields of Settings, and the position of a cell on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from svae_core.studies.phase_cells import Cell

AXES = {
    "sigma2": "decoder variance σ²",
    "beta": "KL weight β",
    "band": "upper edge b of the band",
    "clusters": "number of clusters K",
}
SYMBOLS = {"sigma2": "σ²", "beta": "β", "band": "b", "clusters": "K"}
STATISTICS = {"mean": "mean over seeds", "range": "spread over seeds"}
_LOGARITHMIC = ("sigma2", "beta", "clusters")


@dataclass(frozen=True)
class View:
    """What a map shows: two fields of Settings, a measure, and its mean or its range over seeds."""

    x: str
    y: str
    measure: str
    statistic: str = "mean"


@dataclass(frozen=True)
class Axis:
    """One axis of a phase map."""

    name: str
    values: tuple[Any, ...]  # in the order of their positions
    positions: tuple[float, ...]  # logarithms, the values themselves, or ranks
    even: bool  # whether positions are ranks, so that lines between values cannot be placed

    def index(self, cell: Cell) -> int:
        """The index of the row or column of a cell."""
        return self.values.index(value_of(cell, self.name))

    @property
    def edges(self) -> list[float]:
        """The edges of the cells, half-way between neighbouring positions."""
        at = self.positions
        if len(at) == 1:
            return [at[0] - 0.5, at[0] + 0.5]
        inner = [(a + b) / 2 for a, b in itertools.pairwise(at)]
        return [2 * at[0] - inner[0], *inner, 2 * at[-1] - inner[-1]]


def axis_of(cells: Sequence[Cell], name: str) -> Axis:
    """The axis of a map of these cells for one setting, increasing."""
    values = sorted({value_of(cell, name) for cell in cells})
    numbers = [value[1] if isinstance(value, tuple) else float(value) for value in values]
    logarithmic = name in _LOGARITHMIC
    usable = len(set(numbers)) == len(numbers) and (not logarithmic or min(numbers) > 0)
    if not usable:
        return Axis(name, tuple(values), tuple(map(float, range(len(values)))), True)
    at = [math.log10(number) if logarithmic else number for number in numbers]
    order = sorted(range(len(at)), key=at.__getitem__)
    return Axis(name, tuple(values[i] for i in order), tuple(at[i] for i in order), False)


def value_of(cell: Cell, name: str) -> Any:
    """A cell's value of a setting."""
    return getattr(cell.settings, name)


def label(value: Any, digits: int = 3) -> str:
    """The tick label of a value; for a band that begins at W, its upper edge only."""
    if isinstance(value, tuple):
        return f"{value[1]:g}" if value[0] == 0 else f"{value[0]:g}–{value[1]:g}"
    if isinstance(value, int) and value == 0:  # clusters, whose number is proposed
        return "auto"
    return f"{value:.{digits}g}" if value < 100 else f"{value:.0f}"
