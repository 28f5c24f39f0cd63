"""Results appended to a JSON Lines file: one JSON object per line.

    with writing(path):                # one process at a time; raises before any work
        done = read_rows(path, opening)
        append(path, rows)

A program killed while writing leaves an incomplete last line. Reading ignores it, and the next
append starts a new line, so no complete result is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from svae_core.config.locks import Lock, lock
from svae_core.config.writable import check_disk, check_file, refusal
from svae_core.own_data.damage import reason_of
from svae_core.records import RequestError


@contextlib.contextmanager
def writing(path: str | Path | None) -> Iterator[None]:
    """Lock a file against other processes that append to it, until the end of the context.

    Raises RequestError if another process holds it, or if it cannot be written. A new file without
    a row is removed at the end. `None` means that there is no file.
    """
    if path is None:
        yield
        return
    path, existed = Path(path), Path(path).exists()
    if existed and not path.is_file() and not path.is_dir():  # /dev/null: nothing to lock
        check_file(path, f"--out {path}")
        yield
        return
    held = _locked(path)
    try:
        _check_disk(path)
        yield
    finally:
        with contextlib.suppress(OSError):
            if not existed and path.stat().st_size == 0:
                path.unlink()
        held.release()


def _locked(path: Path) -> Lock:
    try:
        held = lock(path, create=True)
    except OSError as error:
        raise refusal(f"--out {path}", path, error) from error
    if held is None:
        raise RequestError(
            f"--out {path} is being written by another process; wait for its end, or name another "
            "file."
        )
    return held


def _check_disk(path: Path) -> None:
    try:
        check_disk(path)
    except OSError as error:
        raise refusal(f"--out {path}", path, error) from error


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
            file.flush()
            if Path(path).is_file():
                os.fsync(file.fileno())  # so that rows survive a power failure, too
    except OSError as error:
        raise refusal(f"--out {path}", Path(path), error) from error


def damaged(path: str | Path | None, what: str, error: Exception) -> RequestError:
    """The sentence on a file one of whose complete lines cannot be read."""
    return RequestError(
        f"--out {path} is damaged: it holds {what} that cannot be read ({reason_of(error)}); "
        "restore it from a copy, or name another file."
    )


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
