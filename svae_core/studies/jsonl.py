"""A file that results are appended to as they come: one JSON object a line.

A program killed in the middle of a line leaves it torn. Reading leaves such a line out, and the
next append begins a line of its own, so nothing that was whole is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from svae_core.records import RequestError


def append(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows at the end of the file, in one go; RequestError where it cannot be written."""
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


def read(path: str | Path, opening: str) -> list[dict[str, Any]]:
    """All whole rows of the file, in order; none where there is no such file yet.

    RequestError where the file begins otherwise than rows of this kind do: it is somebody else's.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RequestError(f"--out {path} cannot be read: {error.strerror}.") from error
    first = text.split(b"\n", 1)[0]  # it may be torn as well
    if not first.startswith(opening.encode()[: len(first)]):
        raise RequestError(f"--out {path} holds something else; name another file.")
    rows = []
    for line in text.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue  # an empty end, or the line that was being written when the program stopped
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _is_torn(file: Any) -> bool:
    """Whether the file ends in the middle of a line."""
    if file.seek(0, 2) == 0:
        return False
    file.seek(-1, 2)
    return bool(file.read(1) != b"\n")
