"""Results appended to a JSON Lines file: one JSON object per line.

A program killed while writing leaves an incomplete last line. Reading ignores it, and the next
append starts a new line, so no complete result is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from svae_core.records import RequestError


def append(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows to the file in one write; RequestError if it cannot be written."""
    text = "".join(
        json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        for row in rows
    )
    try:
        with Path(path).open("ab+") as file:
            start = "\n" if _is_torn(file) else ""
            file.write((start + text).encode())
    except OSError as error:
        raise RequestError(f"--out {path} cannot be written: {error.strerror}.") from error


def read_rows(path: str | Path, opening: str) -> list[dict[str, Any]]:
    """All complete rows of the file, in order; empty if the file does not exist.

    `opening` is how a row of this kind begins; raises RequestError if the file begins otherwise.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RequestError(f"--out {path} cannot be read: {error.strerror}.") from error
    first = text.split(b"\n", 1)[0]  # may be incomplete, too
    if not first.startswith(opening.encode()[: len(first)]):
        raise RequestError(f"--out {path} holds something else; name another file.")
    rows = []
    for line in text.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the empty end of the file, or an incomplete line
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _is_torn(file: Any) -> bool:
    """Whether the file's last line is incomplete."""
    if file.seek(0, 2) == 0:
        return False
    file.seek(-1, 2)
    return bool(file.read(1) != b"\n")
