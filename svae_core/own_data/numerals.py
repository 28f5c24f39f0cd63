"""How the cells of a text column write numbers: decimal sign, thousands, currency, percent, units.

    numerals = guess(cells, ".");  values, wrong = parse(cells, numerals)

A separator in groups of three (2,857 or 1.234.567) in every cell that has it means thousands; a
zero in front of it (0,192) does not.
Cells that are no number become NaN and are counted by the caller: a few of them ("<0.05") do not
make a column of numbers text.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from svae_core.own_data.names import cleaned

if TYPE_CHECKING:
    import pyarrow as pa

_CURRENCY = "$€£¥₹"
_MARKED = rf"^[+-]?\s*[{_CURRENCY}]|[{_CURRENCY}%]$"
_NEGATIVE = r"^\((.*\d.*)\)$"  # as accountants write it
_MARKS = rf"[{_CURRENCY}%]|\s+"
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf(inity)?))$"
#: Minus signs of word processors and spreadsheets; a dash only in front of a number.
_SIGNS = (("[\u2212\ufe63\uff0d]", "-"), ("^\u2013\\s?([\\d.,])", r"-\1"))
_BEHIND = r"^(\d[\d.,]*)-$"  # the minus sign of SAP and of old accounts: 12.50-
_FORTRAN = r"^([+-]?[\d.,]+)[dD]([+-]?\d+)$"
#: A number and its unit: 4.5 kg, 20 °C, 3 m/s², but not the exponent of 1,2e5.
_WITH_UNIT = re.compile(
    r"[+-]?\d[\d.,'\s]*([eE][+-]?\d+)?\s*(?![eEdD][+-]?\d)([^\W\d_°µμ‰][^\d_]{0,9}[23]?|[°µμ‰]\D{0,9})"
)
#: Lakhs and crores: groups of two digits in front of the last three.
_LAKHS = re.compile(r"[+-]?\d{1,2}(,\d{2})*,\d{3}(\.\d+)?|[+-]?\d{1,3}(\.\d+)?")
#: At least this share of the cells must have marks for the marks to be the column's habit.
_HABIT = 0.5
_SAME_UNIT = 0.95  # … and of a unit, since other cells would mean something else


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
    #: What is written otherwise before anything else, (pattern, replacement), and how it is said.
    rewrites: tuple[tuple[str, str], ...] = _SIGNS
    habits: tuple[str, ...] = ()
    lakhs: bool = False  # groups of two digits in front of the last three

    def said(self) -> str:
        """The part of a sentence that says what was assumed; empty for plain numbers."""
        parts = []
        if self.thousands:
            parts.append(f"“{self.thousands}” between thousands")
        if self.marked:
            parts.append("currency or percent signs")
        return " and ".join([*parts, *self.habits])


def guess(cells: pa.Array, decimal: str) -> Numerals:
    """How these cells (trimmed, null where nothing is there) write numbers.

    `decimal`: the sign that the rest of the file speaks for, taken where the column says nothing.
    """
    if decimal == "." and _are_plain(cells):
        return Numerals()
    rewrites, habits = _rewrites(cells)
    texts = [text for text in _rewritten(cells, rewrites).to_pylist() if text is not None]
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
            found = other if sign in ",." else decimal
            return Numerals(found, sign, habit, rewrites, habits)
    if bare and decimal == "." and _are_lakhs(bare):
        return Numerals(".", ",", habit, rewrites, habits, lakhs=True)
    return Numerals(_own_decimal(bare, decimal), "", habit, rewrites, habits)


def _are_plain(cells: pa.Array) -> bool:
    """Whether all cells are numbers as Arrow reads them, and nothing is to be guessed."""
    import pyarrow as pa
    from pyarrow import compute

    try:
        compute.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _rewrites(cells: pa.Array) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What must be rewritten for these cells to be numbers, and how that is said."""
    from pyarrow import compute

    cells = _rewritten(cells, _SIGNS)
    rewrites: tuple[tuple[str, str], ...] = _SIGNS
    habits: list[str] = []
    for pattern, plain, least, habit in (
        (_NEGATIVE, r"-\1", 0.0, "parentheses around negative ones"),
        (_BEHIND, r"-\1", 0.0, "the minus sign behind negative ones"),
        (_FORTRAN, r"\1e\2", _HABIT, "D in front of exponents"),
    ):
        found = compute.sum(compute.match_substring_regex(cells, pattern)).as_py() or 0
        if found > least * len(cells):
            rewrites, habits = (*rewrites, (pattern, plain)), [*habits, habit]
            cells = compute.replace_substring_regex(cells, pattern, plain)
    ended = cells.filter(compute.match_substring_regex(cells, r"^[-+]?\d.*[^\d\s.,)%]$|[23]$"))
    if len(ended) < _SAME_UNIT * len(cells):
        return rewrites, tuple(habits)
    units = (_WITH_UNIT.fullmatch(text) for text in ended.to_pylist())
    for unit, count in Counter(match[2].strip() for match in units if match).most_common(1):
        if count >= _SAME_UNIT * len(cells):
            rewrites = (*rewrites, (rf"(\d)\s*{re.escape(unit)}$", r"\1"))
            habits = [*habits, f"the unit “{cleaned(unit)}”"]
    return rewrites, tuple(habits)


def _rewritten(cells: pa.Array, rewrites: tuple[tuple[str, str], ...]) -> pa.Array:
    from pyarrow import compute

    for pattern, plain in rewrites:
        cells = compute.replace_substring_regex(cells, pattern, plain)
    return cells


def _are_lakhs(texts: list[str]) -> bool:
    """Whether numbers have commas as in 12,34,567, some of them between two digits."""
    pairs = any(re.search(r",\d\d,", text) for text in texts)
    return pairs and all(_LAKHS.fullmatch(text) for text in texts)


def _own_decimal(texts: list[str], decimal: str) -> str:
    """The decimal sign of a column that writes it otherwise than the rest of its file."""
    other = "," if decimal == "." else "."
    if any(decimal in text for text in texts):
        return decimal
    having = [text for text in texts if other in text]
    number = re.compile(rf"[+-]?\d*\{other}\d+([eE][+-]?\d+)?")
    # 2,857 throughout may be thousands as well: that column is not decided here.
    undecided = all(re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}\{other}\d{{3}}", text) for text in having)
    sure = bool(having) and not undecided and all(number.fullmatch(text) for text in having)
    return other if sure else decimal


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

    try:
        plain = _rewritten(cells, numerals.rewrites[len(_SIGNS) :])
        return _floats(compute.cast(_bare(plain, numerals), pa.float64())), cells.slice(0, 0)
    except pa.ArrowInvalid:
        plain = _rewritten(cells, numerals.rewrites)
        bare = _bare(plain, numerals)
    try:
        return _floats(compute.cast(bare, pa.float64())), cells.slice(0, 0)
    except pa.ArrowInvalid:
        # The parser takes no plus sign and says only that some cell is wrong: look at each.
        right = compute.match_substring_regex(bare, _NUMBER)
        if numerals.thousands and not numerals.lakhs:
            right = compute.and_(right, _well_grouped(plain, numerals))
        stripped = compute.replace_substring_regex(bare, r"^\+", "")
        nothing = pa.scalar(None, pa.string())
        values = compute.cast(compute.if_else(right, stripped, nothing), pa.float64())
        return _floats(values), cells.filter(compute.invert(right))


def _bare(cells: pa.Array, numerals: Numerals) -> pa.Array:
    from pyarrow import compute

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
