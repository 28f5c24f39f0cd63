"""What points are coloured by: their cluster, their label, or a column of the data.

    names_of(prepared)             -> ("cluster", "label", "alcohol", …)
    colouring(prepared, "alcohol") -> Colouring

A name that the data do not have is a RequestError. Clusters and labels are groups, each with a mark
of its own (`palette.cluster_style`); a column is a scale of colours (`palette.scale`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svae_core.figures.palette import SCALE_COLOURS
from svae_core.records import PreparedData, RequestError

CLUSTER, LABEL = "cluster", "label"
#: Columns that are offered, at most: a longer list helps nobody.
MOST_COLUMNS = 1_000


@dataclass(frozen=True, eq=False)
class Colouring:
    """A colour, or a mark, for each point of the prepared data."""

    name: str
    groups: tuple[str, ...]  # their names; empty: the points are on a scale
    of: np.ndarray  # [n] float32: number of each point's group, or its place on the scale, 0 to 1
    low: float = 0.0  # what the ends of the scale stand for
    high: float = 0.0

    @cached_property
    def slots(self) -> np.ndarray:
        """[n] int: the number of each point's group, or of its colour on the scale."""
        if self.groups:
            return self.of.astype(int)
        return np.rint(self.of * (SCALE_COLOURS - 1)).astype(int)


def names_of(prepared: PreparedData, most: int = MOST_COLUMNS) -> tuple[str, ...]:
    """What the points can be coloured by; of the columns, the first `most`."""
    first = (CLUSTER,) if prepared.dataset.labels is None else (CLUSTER, LABEL)
    taken = set(first)
    names = []
    for number, name in enumerate(_columns(prepared)[:most], start=1):
        free = name if name not in taken else f"{name} (column {number})"
        taken.add(free)
        names.append(free)
    return (*first, *names)


def colouring(prepared: PreparedData, name: str) -> Colouring:
    """The colours of all points by one of `names_of`; RequestError if the data have no such."""
    if name == CLUSTER:
        groups = tuple(str(number + 1) for number in range(prepared.clusters.k))
        return Colouring(name, groups, prepared.clusters.labels.astype(np.float32))
    names = names_of(prepared)
    if name not in names:
        few = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise RequestError(f"Points cannot be coloured by {name[:60]!r}, only by {few}.")
    if name == LABEL and prepared.dataset.labels is not None:
        return _by_label(prepared.dataset.labels, prepared.dataset.label_names)
    column = names.index(name) - (1 if prepared.dataset.labels is None else 2)
    return _by_column(name, prepared.dataset.points[:, column].astype(np.float64))


def _by_label(labels: np.ndarray, names: tuple[str, ...]) -> Colouring:
    """Points without a label, which have a negative one, come last."""
    count = max(len(names), int(labels.max(initial=0)) + 1)
    groups = [names[n] if n < len(names) else str(n) for n in range(count)]
    if (labels < 0).any():
        groups.append("none")
    return Colouring(LABEL, tuple(groups), np.where(labels < 0, count, labels).astype(np.float32))


def _by_column(name: str, values: np.ndarray) -> Colouring:
    low, high = float(values.min()), float(values.max())
    share = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    return Colouring(name, (), share.astype(np.float32), low, high)


def _columns(prepared: PreparedData) -> list[str]:
    data = prepared.dataset
    count = data.points.shape[1]
    if len(data.feature_names) == count:
        return [str(name) for name in data.feature_names]
    if data.image_shape and data.image_shape[0] * data.image_shape[1] == count:
        height, width = data.image_shape
        return [f"pixel {y + 1}, {x + 1}" for y in range(height) for x in range(width)]
    return [f"column {number + 1}" for number in range(count)]
