"""UCR / UEA time series .ts: one series of one variable a row, its class after the last colon."""

from __future__ import annotations

import re

import numpy as np

from svae_core.own_data.array_to_table import with_labels, write_matrix
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.limits import CELLS
from svae_core.own_data.tables import Table, check_cells, check_width
from svae_core.records import RequestError

_HEADER = re.compile(rb"^\s*(#[^\n]*\n\s*)*@problemname\b", re.IGNORECASE)


def read(source: Source) -> Table:
    """The table of a .ts file: equally long series of one variable."""
    labelled, series, classes = False, [], []
    length = 0
    with source.path.open(encoding="utf-8", errors="replace") as file:
        lines = iter(file)
        for line in lines:
            lower = line.strip().lower()
            labelled = labelled or lower.startswith("@classlabel true")
            if lower.startswith("@data"):
                break
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.strip().split(":")
            if len(parts) != 1 + labelled:
                raise RequestError(
                    f"Series {number} has {len(parts) - labelled} variables, but one is needed; "
                    "give a file with one variable."
                )
            values = _values(parts[0], number)
            length = length or len(values)
            if len(values) != length:
                raise RequestError(
                    f"Series {number} has {len(values):,} values and the first has {length:,}; all "
                    "must be of one length, so cut or fill them."
                )
            series.append(values)
            classes.append(parts[-1].strip() if labelled else "")
            if len(series) * length > CELLS:
                check_cells(len(series), length)
    if not series:
        raise RequestError("The .ts file holds no series after @data.")
    check_width(length)
    note = "Read as time series, one a row."
    table = write_matrix(source, np.stack(series), FORMAT.name, (note,))
    return with_labels(table, np.array(classes)) if labelled else table


def _values(text: str, number: int) -> np.ndarray:
    try:
        return np.array(
            [float(cell) if cell.strip() != "?" else np.nan for cell in text.split(",")]
        )
    except ValueError as error:
        raise RequestError(f"Series {number} holds a value that is no number.") from error


FORMAT = Format("UCR time series", (".ts",), lambda _p, start: bool(_HEADER.match(start)), read)
