"""One row or one column that holds most of the variance: then W, T and the band describe it alone.

    share of row i = ‖x_i − c‖² / Σ‖x − c‖²,  share of column j = Σ (x_j − c_j)² / Σ‖x − c‖²

with c the centre of the shell, over the points before the map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from svae_core.config.shares import percent
from svae_core.geometry.row_blocks import rows_of
from svae_core.records import Dominance

#: Share of the variance from which one row or column decides nearly all.
DOMINANT = 0.9


def dominance(points: np.ndarray, center: np.ndarray, norms: np.ndarray) -> Dominance:
    """Of points [n, d] about `center` [d], from which they have the distances `norms` [n]."""
    by_column = np.zeros(points.shape[1])
    for _, block in rows_of(points):
        by_column += ((block - center) ** 2).sum(axis=0, dtype=np.float64)
    by_row = norms**2
    total = float(by_row.sum())
    row, column = int(by_row.argmax()), int(by_column.argmax())
    if total <= 0:
        return Dominance(row, 0.0, column, 0.0)
    return Dominance(row, float(by_row[row]) / total, column, float(by_column[column]) / total)


def describe_dominance(found: Dominance | None, names: Sequence[str], n: int, d: int) -> str:
    """A warning where one of n rows or of d columns decides nearly all; else empty."""
    if found is None:
        return ""
    said = []
    if n > 2 and found.row_share > DOMINANT:
        said.append(
            f"One row, number {found.row + 1:,} of those used, holds {percent(found.row_share)} "
            "of the variance of the data; leave it out if it is a mistake, or choose the robust "
            "radial map."
        )
    if d > 1 and found.column_share > DOMINANT:
        name = names[found.column] if len(names) == d else f"number {found.column + 1:,}"
        said.append(
            f"One column, {name}, holds {percent(found.column_share)} of the variance of the "
            "data, so that W and the band describe it nearly alone; standardise the columns, or "
            "leave it out."
        )
    return " ".join(said)
