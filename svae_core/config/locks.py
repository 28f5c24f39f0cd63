"""Advisory locks on files and folders, released by the operating system when a process ends.

    held = lock(path)      # None if another process holds it
    held.release()

They are flock on POSIX and a locked byte on Windows, so a killed process leaves no stale lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path

#: `locked` holds a lock for an instant, so a refusal is tried again.
_TRIES, _REST = 5, 0.02
#: Errors of network file systems without locks; there two processes are not kept apart.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
#: Windows forbids others to read a locked byte, so it lies beyond the end of any file.
_FAR = 2**40


class Lock:
    """A lock, held until it is released or the process ends."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Release the lock; has no effect the second time."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def lock(path: Path, create: bool = False) -> Lock | None:
    """Lock a file or folder; None if it is locked already.

    `create`: create an empty file if there is none. OSError if the path cannot be opened.
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
    """Whether a file or folder is locked at this moment."""
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
