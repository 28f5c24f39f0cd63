"""What a visitor chose for a table, and the lists of names and numbers in those choices."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from svae_core.records import RequestError

#: `logs` that means every column of numbers.
EVERY = "all"


@dataclass(frozen=True)
class Choice:
    """The user's choices for a table; lists are names separated by commas, quoted where needed."""

    features: str = ""  # empty: all that can be used
    label: str = "auto"
    missing: str = "drop"  # drop | mean
    standardise: str = "auto"  # auto | yes | no
    without: str = ""  # columns left out
    without_rows: str = ""  # rows left out, counted from 1
    absent: str = ""  # numbers that stand for a missing value
    logs: str = ""  # columns of which logarithms are taken, or all
    names: str = ""  # the column that names the points
    counts: str = "raw"  # raw | log | variable


def names_of(text: str) -> tuple[str, ...]:
    """The names in a list separated by commas."""
    rows = list(csv.reader(io.StringIO(text), skipinitialspace=True))
    return tuple(name.strip() for row in rows for name in row if name.strip())


def text_of(names: Iterable[object]) -> str:
    """The inverse of `names_of`."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(list(names))
    return out.getvalue()


def with_name(text: str, name: object) -> str:
    """A list with one more name, once."""
    return text_of(dict.fromkeys([*names_of(text), str(name)]))


def rows_left_out(choice: Choice) -> tuple[int, ...]:
    """The rows left out, counted from 0; RequestError where the list is no list of rows."""
    try:
        rows = tuple(int(text) - 1 for text in names_of(choice.without_rows))
    except ValueError:
        rows = (-1,)
    if any(row < 0 for row in rows):
        raise RequestError(
            f"--file.without-rows is {choice.without_rows!r}, but must be numbers of rows, counted "
            "from 1 and separated by commas."
        )
    return rows


def absent_numbers(choice: Choice) -> tuple[float, ...]:
    """The numbers that stand for missing values; RequestError where the list is none."""
    try:
        return tuple(float(text) for text in names_of(choice.absent))
    except ValueError as error:
        raise RequestError(
            f"--file.absent is {choice.absent!r}, but must be numbers separated by commas, such as "
            "-999."
        ) from error
