"""How the cells of a text column write numbers: decimal sign, thousands, currency, percent.

    numerals = guess(cells, ".");  values, wrong = parse(cells, numerals)

A separator in groups of three (2,857 or 1.234.567) in every cell that has it means thousands; a
zero in front of it (0,192) does not.
Cells that are no number become NaN and are counted by the caller: a few of them ("<0.05") do not
make a column of numbers text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_CURRENCY = "$€£¥₹"
_MARKED = rf"^[+-]?\s*[{_CURRENCY}]|[{_CURRENCY}%]$"
_NEGATIVE = r"^\((.*\d.*)\)$"  # as accountants write it
_MARKS = rf"[{_CURRENCY}%]|\s+"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
#: At least this share of the cells must have marks for the marks to be the column's habit.
_HABIT = 0.5


def spelt(value: float) -> str:
    """A number as it is written by hand: six digits, or all of its whole part (1074583)."""
    text = f"{value:.6g}"
    return f"{value:.0f}" if "e+" in text and abs(value) < 1e15 else text


@dataclass(frozen=True)
class Numerals:
    """How one column writes its numbers."""

    decimal: str = "."
    thousands: str = ""
    marked: bool = False  # by currency or percent signs
    enclosed: bool = False  # negative ones by parentheses

    def said(self) -> str:
        """The part of a sentence that says what was assumed; empty for plain numbers."""
        parts = []
        if self.thousands:
            parts.append(f"“{self.thousands}” between thousands")
        if self.marked:
            parts.append("currency or percent signs")
        if self.enclosed:
            parts.append("parentheses around negative ones")
        return " and ".join(parts)


def guess(cells: pa.Array, decimal: str) -> Numerals:
    """How these cells (trimmed, null where nothing is there) write numbers.

    `decimal`: the sign that the rest of the file speaks for, taken where the column says nothing.
    """
    texts = [cell for cell in cells.to_pylist() if cell is not None]
    enclosed = any(re.search(_NEGATIVE, text) for text in texts)
    texts = [re.sub(_NEGATIVE, r"-\1", text) for text in texts] if enclosed else texts
    marked = [text for text in texts if re.search(_MARKED, text)]
    habit = len(marked) > _HABIT * len(texts)
    bare = [re.sub(_MARKS, "", text) for text in texts] if habit else texts
    for sign, other in (
        (",", "."),
        (".", ","),
        *((blank, decimal) for blank in " \u00a0\u202f\u2009"),
        ("'", "."),
        ("’", "."),
    ):
        having = [text for text in bare if sign in text]
        grouped = re.compile(rf"[+-]?[1-9]\d{{0,2}}({re.escape(sign)}\d{{3}})+(\{other}\d+)?")
        if not having or not all(grouped.fullmatch(text) for text in having):
            continue
        if _means_thousands(having, bare, sign, other, decimal):
            return Numerals(other if sign in ",." else decimal, sign, habit, enclosed)
    return Numerals(decimal, "", habit, enclosed)


def _means_thousands(
    having: list[str], all_cells: list[str], sign: str, other: str, decimal: str
) -> bool:
    """Whether groups of three digits are thousands, and not decimals of three places."""
    if sign not in ",.":
        return True
    if any(text.count(sign) > 1 or other in text for text in having):
        return True  # 1,234,567 or 1,234.5
    if sign == decimal:
        return False  # the rest of the file says that 2,857 is a little less than three
    if sign == ".":
        return True  # 12.345 in a file that writes its decimals with commas
    if any(other in text for text in all_cells):
        return True  # 2,857 beside 136.5
    # 2,857 beside 136: numbers without a separator are below a thousand, the others are not.
    rest = [text for text in all_cells if sign not in text]
    return bool(rest) and all(re.fullmatch(r"[+-]?\d{1,3}", text) for text in rest)


def parse(cells: pa.Array, numerals: Numerals) -> tuple[np.ndarray, pa.Array]:
    """float64 of the cells, NaN where null or no number; and the cells that are no number."""
    import pyarrow as pa
    from pyarrow import compute

    bare = _bare(cells, numerals)
    try:
        return _floats(compute.cast(bare, pa.float64())), cells.slice(0, 0)
    except pa.ArrowInvalid:
        # The parser takes no plus sign and says only that some cell is wrong: look at each.
        right = compute.match_substring_regex(bare, _NUMBER)
        if numerals.thousands:
            right = compute.and_(right, _well_grouped(cells, numerals))
        stripped = compute.replace_substring_regex(bare, r"^\+", "")
        nothing = pa.scalar(None, pa.string())
        values = compute.cast(compute.if_else(right, stripped, nothing), pa.float64())
        return _floats(values), cells.filter(compute.invert(right))


def _bare(cells: pa.Array, numerals: Numerals) -> pa.Array:
    from pyarrow import compute

    if numerals.enclosed:
        cells = compute.replace_substring_regex(cells, _NEGATIVE, r"-\1")
    if numerals.marked:
        cells = compute.replace_substring_regex(cells, _MARKS, "")
    if numerals.thousands:
        cells = compute.replace_substring(cells, numerals.thousands, "")
    if numerals.decimal == ",":
        cells = compute.replace_substring(cells, ",", ".")
    return cells


def _well_grouped(cells: pa.Array, numerals: Numerals) -> pa.Array:
    """Whether separators stand where thousands have them."""
    from pyarrow import compute

    sign = re.escape(numerals.thousands)
    bare = (
        compute.replace_substring_regex(cells, _MARKS, "") if numerals.thousands != " " else cells
    )
    wrong = rf"(^|\D)\d{{0,3}}({sign}\d{{0,2}}|{sign}\d{{4,}})({sign}|\D|$)"
    return compute.invert(compute.match_substring_regex(bare, wrong))


def _floats(column: pa.Array) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False))
