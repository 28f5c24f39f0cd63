"""Whether results can be written, asked before the work that makes them.

    check_file(path, "--out runs.jsonl");  check_folder(home(), "Runs")

A file is asked for by opening it and a disk by writing to it: permissions, quotas, read-only and
full disks all show in that, and nowhere else for certain.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from svae_core.config.fields import RequestError

#: Bytes written to see whether the disk takes any.
_PROBE = 2**16
#: What says that a disk takes no more; a folder closed to us may still hold a file that is open.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def check_file(path: str | Path, name: str) -> None:
    """RequestError where a file cannot be written; `name` is what the request calls it.

    What is in the file stays, and where there is none, none is left.
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
    """OSError where the disk takes no more; the file is there or may be made, as is known."""
    try:
        _probe(path.absolute().parent)
    except OSError as error:
        if error.errno in _FULL:
            raise


def check_folder(folder: Path, name: str) -> None:
    """RequestError where nothing can be written to a folder; it is made where there is none."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _probe(folder)
    except OSError as error:
        raise RequestError(
            f"{name} cannot be saved in {folder}: {error.strerror}; choose another folder with "
            "SVAE_HOME."
        ) from error


def refusal(name: str, path: Path, error: OSError) -> RequestError:
    """The sentence on a file that cannot be written."""
    reason = f"{error.strerror}; name another file"
    if isinstance(error, IsADirectoryError) or path.is_dir():
        reason = "it is a folder; name a file in it"
    elif isinstance(error, FileNotFoundError):
        reason = f"there is no folder {path.parent}; make it, or name another file"
    elif error.errno in _FULL - {errno.EROFS}:
        reason = f"{error.strerror}; make room, or name a file on another disk"
    return RequestError(f"{name} cannot be written: {reason}.")


def _probe(folder: Path) -> None:
    """Write something where it leaves no trace. OSError where that is refused."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_PROBE))
        file.flush()
        os.fsync(file.fileno())
