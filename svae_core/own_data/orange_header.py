"""The header of Orange's .tab files, which says what each column is for.

Three rows (names, types such as c or discrete, and flags such as class or meta), or one row whose
names begin with both as letters: mS#name is meta and a string, cD#kind the class and discrete.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from svae_core.own_data.column_roles import ANNOTATION, CLASS

_TYPES = {
    *("c", "d", "s", "t", "continuous", "discrete", "string", "time", "meta", "basket"),
    *("numeric", "n", "categorical", "text", "datetime"),
}
_FLAGS = {"class": CLASS, "meta": ANNOTATION, "ignore": ANNOTATION, "weight": ANNOTATION}
_SHORT = {"c": CLASS, "m": ANNOTATION, "i": ANNOTATION, "w": ANNOTATION}
_PREFIX = re.compile(r"([mciw]?)([CDSTN]?)#(.+)")


def header_of(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], tuple[str, ...], int] | None:
    """Names, role of each column ("" for a feature), rows under the names; None: no such file."""
    if len(rows) > 2 and len(rows[0]) == len(rows[1]) == len(rows[2]):
        types, flags = ([cell.strip().lower() for cell in row] for row in rows[1:3])
        plain = [flag.split()[0] if flag else "" for flag in flags]
        known = all(kind in _TYPES or re.fullmatch(r"\S+( \S+)+", kind) for kind in types)
        if known and set(types) & _TYPES and {*plain} <= {"", *_FLAGS}:
            return tuple(rows[0]), tuple(_FLAGS.get(flag, "") for flag in plain), 2
    found = [_PREFIX.fullmatch(cell.strip()) for cell in rows[0]]
    marked = [cell for cell in rows[0] if "#" in cell]
    if not marked or len(marked) != sum(
        match is not None and any(match.groups()[:2]) for match in found
    ):
        return None
    names = (match[3] if match else cell for match, cell in zip(found, rows[0], strict=True))
    return tuple(names), tuple(_SHORT.get(match[1], "") if match else "" for match in found), 0
