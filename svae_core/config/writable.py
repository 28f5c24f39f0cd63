"""Checks that results can be written, made before the work that produces them, and the writing.

    check_file(path, "--out runs.jsonl");  check_folder(home(), "Runs");  write_file(path, text)

A file is checked by opening it, a disk by writing to it: only that shows permissions, quotas,
read-only file systems and full disks for certain.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from svae_core.config.fields import RequestError

#: Bytes written to check the disk.
_PROBE = 2**16
#: Errors of the disk itself; others only forbid new files beside a file that may be writable.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def check_file(path: str | Path, name: str) -> None:
    """Raise RequestError if a file cannot be written; `name` is the request's name for it.

    Its content is not changed, and no new file is left behind.
    """
    path = Path(path)
    try:
        existed = path.exists()
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
        if not existed or path.is_file():
            check_disk(path)
    except OSError as error:
        raise refusal(name, path, error) from error


def check_disk(path: Path) -> None:
    """Raise OSError if the disk of a writable file accepts no more data."""
    try:
        _probe(path.absolute().parent)
    except OSError as error:
        if error.errno in _FULL:
            raise


def check_folder(folder: Path, name: str) -> None:
    """Raise RequestError if a folder cannot be created or written to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _probe(folder)
    except OSError as error:
        raise unsaved(folder, error, name) from error


def write_file(path: str | Path, content: str | bytes, name: str = "") -> None:
    """Write a file, text as UTF-8 with the ends of lines that it has; RequestError if refused.

    `name` is the request's name for the file, if it is not its path.
    """
    try:
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise refusal(name or str(path), Path(path), error) from error


def save_error(folder: Path, error: OSError, name: str = "The run") -> str:
    """Why something is not saved in a folder: a sentence without its end."""
    return f"{name} cannot be saved in {folder}: {error.strerror}"


def unsaved(folder: Path, error: OSError, name: str = "The run") -> RequestError:
    """The error for something that cannot be saved in a folder of runs, with what to do."""
    mend = "make room, or choose another folder with SVAE_HOME"
    return RequestError(f"{save_error(folder, error, name)}; {mend}.")


def refusal(name: str, path: Path, error: OSError) -> RequestError:
    """The error for a file that cannot be written, with how to correct it."""
    reason = f"{error.strerror}; name another file"
    if isinstance(error, IsADirectoryError) or path.is_dir():
        reason = "it is a folder; name a file in it"
    elif isinstance(error, FileNotFoundError):
        reason = f"there is no folder {path.parent}; make it, or name another file"
    elif error.errno in _FULL - {errno.EROFS}:
        reason = f"{error.strerror}; make room, or name a file on another disk"
    return RequestError(f"{name} cannot be written: {reason}.")


def unreadable(name: str, path: Path, error: OSError) -> RequestError:
    """The error for a file that cannot be read, with how to correct it."""
    reason = f"{error.strerror}; give this program the right to read it, or name another file"
    if isinstance(error, IsADirectoryError) or path.is_dir():
        reason = "it is a folder; name a file in it"
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = "there is no such file; correct its name"
    return RequestError(f"{name} cannot be read: {reason}.")


def _probe(folder: Path) -> None:
    """Write a temporary file; OSError if that is refused."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_PROBE))
        file.flush()
        os.fsync(file.fileno())
