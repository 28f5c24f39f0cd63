"""Counts of single cells: library sizes, log1p, and the genes that vary most.

    y = log(1 + 10,000 · count / (all counts of the cell))

as scanpy's normalize_total(target_sum=1e4) and log1p. The genes kept are those whose y has the
largest variance over the cells; scanpy ranks by dispersion instead, which is another choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from svae_core.own_data.array_to_table import blocks_of
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

#: Counts that each cell is brought to, and genes that one switch keeps.
PER_CELL = 10_000.0
MOST_VARIABLE = 2_000
_BLOCK_VALUES = 2**20


def cell_factors(table: Table) -> np.ndarray:
    """[rows] what brings the counts of each cell to PER_CELL in all; RequestError if negative."""
    lowest = min(
        (column.low for column in table.columns if column.kind == "number"),
        default=0.0,
    )
    if lowest < 0:
        raise RequestError(
            f"{table.name} holds negative numbers, so they are no counts of cells; leave --file."
            "counts at raw."
        )
    totals = np.zeros(table.rows)
    for rows, values, _, owners in _parts(table):
        totals[rows] = np.bincount(owners, weights=values, minlength=rows.stop - rows.start)
    return np.divide(PER_CELL, totals, out=np.zeros(table.rows), where=totals > 0)


def most_variable(table: Table, factors: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Positions of the MOST_VARIABLE columns of numbers whose y varies most, in their order.

    `factors` [rows of the table]; `rows`: which of them count (None: all).
    """
    width = len(table.of_kind("number"))
    weight = np.ones(table.rows) if rows is None else np.zeros(table.rows)
    if rows is not None:
        weight[rows] = 1.0
    total, squares = np.zeros(width), np.zeros(width)
    for part, values, columns, owners in _parts(table):
        y = np.log1p(values * factors[part][owners])
        own = weight[part][owners]
        total += np.bincount(columns, weights=own * y, minlength=width)
        squares += np.bincount(columns, weights=own * y * y, minlength=width)
    count = weight.sum()
    variance = squares / count - (total / count) ** 2
    return np.sort(np.argsort(-variance, kind="stable")[:MOST_VARIABLE])


def _parts(table: Table) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks as (rows, values, column of each, row of each within the block); gaps are zeros."""
    numbers: Any = table.numbers()
    if not table.sparse:
        width = numbers.shape[1]
        for rows in blocks_of(table.rows, width):
            block = np.nan_to_num(np.asarray(numbers[rows], np.float64), posinf=0.0, neginf=0.0)
            owners = np.repeat(np.arange(len(block)), width)
            yield rows, block.reshape(-1), np.tile(np.arange(width), len(block)), owners
        return
    step = max(1, min(table.rows, _BLOCK_VALUES * table.rows // max(1, numbers.stored)))
    for start in range(0, table.rows, step):
        rows = slice(start, min(start + step, table.rows))
        values, columns, lengths = numbers.part(rows)
        known = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
        yield rows, known, columns, np.repeat(np.arange(len(lengths)), lengths)
