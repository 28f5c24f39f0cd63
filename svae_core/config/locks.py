"""A lock on a file or folder that no killed process leaves behind.

    held = lock(path)      # None where another process holds it
    held.release()

The operating system keeps it (flock on POSIX, a locked byte on Windows) and lets go of it when the
process that holds it ends, however it ends. It is advisory: it keeps out those who ask for it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path

#: Whoever only looks whether a path is locked holds the lock for an instant: it is tried again.
_TRIES, _REST = 5, 0.02
#: Some network file systems know no locks; there nothing keeps two processes apart.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
#: Windows keeps others from reading the byte that is locked, so it is one that no file has.
_FAR = 2**40


class Lock:
    """A lock that is held until it is released or its process ends."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Let others have it; nothing the second time."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def lock(path: Path, create: bool = False) -> Lock | None:
    """Lock a file or folder; None where another holder has it.

    `create`: make an empty file where there is none. OSError where there is nothing to lock, or it
    may not be opened.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_REST)
        handle = _open(path, create)
        try:
            if not _take(handle):
                os.close(handle)
                continue
        except BaseException:
            os.close(handle)
            raise
        if _is_at(handle, path):
            return Lock(handle)
        os.close(handle)  # it was removed, or replaced by another, since it was opened
    return None


def locked(path: Path) -> bool:
    """Whether another holder has the lock of a file or folder just now."""
    with contextlib.suppress(OSError):
        held = lock(path)
        if held is None:
            return True
        held.release()
    return False


if sys.platform == "win32":
    import msvcrt

    def _open(path: Path, create: bool) -> int:
        """A folder cannot be opened there, so a file in it stands for it."""
        within = path.is_dir()
        flags = os.O_RDWR | (os.O_CREAT if create or within else 0)
        return os.open(path / ".lock" if within else path, flags)

    def _take(handle: int) -> bool:
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def _is_at(handle: int, path: Path) -> bool:
        return True  # what is open there cannot be removed

else:
    import fcntl

    def _open(path: Path, create: bool) -> int:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT if create else os.O_RDONLY, 0o666)

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return True

    def _is_at(handle: int, path: Path) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(path))
        except FileNotFoundError:
            return False
