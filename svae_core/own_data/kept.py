"""The store of tables read from user files, each under an unguessable key.

    HOME/data/KEY/about.json …

A key is the fingerprint of the file's bytes followed by an HMAC that only the owner of this folder
can compute. Anyone with a key, from a link or a saved run, can use the data; nobody else can list
them. The same file always gets the same key, so runs on equal data agree in it, until the readers
change: then it is read again under a new key, and earlier runs keep the table that they were of.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from svae_core.config.home import home
from svae_core.config.limits import MEGABYTE, limits
from svae_core.own_data.formats import Progress, listed
from svae_core.own_data.limits import KEPT_BYTES, KEPT_DAYS
from svae_core.own_data.names import file_name
from svae_core.own_data.read_by_format import refused_by_disk
from svae_core.own_data.reader_process import read_apart
from svae_core.own_data.tables import ABOUT, READER, Table, read_about
from svae_core.records import RequestError

_KEY = re.compile(r"[0-9a-f]{16}-[0-9a-f]{24}")
_PLACE = "data"
_SECRET = "secret"
_OWNER = "owner"  # of a table that a visitor gave: the key of their browser
_NPY = b"\x93NUMPY"
_EARLIER = (
    "An earlier version of this program read the file, perhaps otherwise than today's; give the "
    "file again to have it read anew."
)


def deposit(
    path: Path,
    name: str = "",
    tell: Progress = lambda share: None,
    *,
    key: str = "",
    copy: bool = True,
    array: str = "",
    how: str = "",
) -> str:
    """Read a file and keep its table; returns its key.

    With `key`, as a saved run or a link has it, the file must be the one that the key is of, and
    becomes known under it; where an earlier reader's table is there already, under a new one.
    `copy`: an NPY file is copied, where it may go away; without, it stays where it is and is only
    pointed at. `array`: which of several arrays in the file holds the
    points; each has a key of its own, with the same beginning. `how`: words of
    formats.HOW, such as turned. RequestError, one sentence, for what cannot be used.
    """
    name = file_name(name or path.name)
    if path.exists() and not path.is_file():
        raise RequestError(f"{name} is no file; give {listed()}.")
    try:
        digest = _digest(path)
        signed = f"{digest}{array}\0{how}\0{READER}"
        own = f"{digest[:16]}-{_signature(signed)}"
        key = _agreed(key, digest, name) or own
        key = own if _is_of_earlier_reader(_folder(key)) else key
        if not _is_whole(_folder(key)):
            _read_into(
                _folder(key),
                path,
                copy,
                lambda file, part: read_apart(file, name, part, tell, array, how),
            )
            _tidy()
    except OSError as error:
        raise refused_by_disk(name, error) from error
    _use(_folder(key))
    return key


def give_to(key: str, owner: str) -> None:
    """Note the visitor who uploaded a table, by the key of their browser, unless one is noted.

    If all tables of this visitor take more than one visitor's may, those unused for longest are
    removed: nobody else's have to make room for them.
    """
    room = limits().visitor_mb * MEGABYTE
    with contextlib.suppress(OSError):  # another process may remove the table at any time
        if not (_folder(key) / _OWNER).exists():
            (_folder(key) / _OWNER).write_text(owner, encoding="utf-8")
        folders = [one for one in (home() / _PLACE).iterdir() if _KEY.fullmatch(one.name)]
        theirs = sorted(filter(_owned_by(owner), folders), key=_used, reverse=True)
        for position, folder in enumerate(theirs):
            room -= _size(folder)
            if position > 0 and room < 0:
                _remove(folder)


def find(key: str) -> Table:
    """The table kept under a key; RequestError if there is none."""
    if not key:
        raise RequestError("No file is given yet; upload one, or name it with --dataset FILE.")
    folder = _known(key)
    table = _read_table(folder)
    _use(folder)
    return table


def is_of(key: str, path: Path) -> bool:
    """Whether a key belongs to this file."""
    return bool(_KEY.fullmatch(key)) and hmac.compare_digest(key[:16], _digest(path)[:16])


def forget(key: str) -> None:
    """Remove the table kept under a key, damaged or not; RequestError if there is none."""
    _remove(_known(key))


def kept() -> Iterator[tuple[str, Table]]:
    """All tables with their keys; for the owner of the folder, never for a visitor.

    Listing does not count as use, so it does not prolong how long tables are kept.
    """
    place = home() / _PLACE
    for folder in sorted(place.iterdir()) if place.is_dir() else ():
        if _KEY.fullmatch(folder.name) and (folder / ABOUT).exists():
            with contextlib.suppress(_Gone):  # removed since it was listed
                yield folder.name, _read_table(folder)


class _Gone(RequestError):
    """There is no table under a key."""

    def __init__(self, key: str) -> None:
        super().__init__(
            "The data that this refers to are not here (any more); give the same file again, by "
            f"upload or by: python -m svae_core data FILE --key {key[:41]}."
        )


def _known(key: str) -> Path:
    """The folder of a key; RequestError if nothing is kept under it."""
    if not _KEY.fullmatch(key) or not (_folder(key) / ABOUT).exists():
        raise _Gone(key)
    return _folder(key)


def _read_table(folder: Path) -> Table:
    """The table in a folder; RequestError if it is damaged or gone."""
    try:
        table = read_about(folder)
        return replace(table, notes=(*table.notes, _EARLIER)) if table.reader < READER else table
    except FileNotFoundError as error:  # another process may clean up at any time
        raise _Gone(folder.name) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"The data kept under the key {folder.name} are damaged; give the file again."
        ) from error


def _is_whole(folder: Path) -> bool:
    """Whether a folder holds a table whose numbers and categories can be read."""
    try:
        table = _read_table(folder)
        table.numbers()
        for name in table.of_kind("category")[:1]:  # all are in one file
            table.codes(name)
    except RequestError:
        return False
    return True


def _is_of_earlier_reader(folder: Path) -> bool:
    """Whether a folder holds a table that may be read otherwise today."""
    try:
        return _read_table(folder).reader < READER
    except RequestError:
        return False


def _folder(key: str) -> Path:
    return home() / _PLACE / key


def _agreed(key: str, digest: str, name: str) -> str:
    """The requested key, if it belongs to this file; RequestError otherwise."""
    if key and not _KEY.fullmatch(key):
        raise RequestError(f"--key is {key!r}, which is no key of data; it is in the saved run.")
    if key and not hmac.compare_digest(key[:16], digest[:16]):
        raise RequestError(f"{name} is not the file that this belongs to; give the very same file.")
    return key


def _read_into(folder: Path, path: Path, copy: bool, read: Callable[[Path, Path], object]) -> None:
    """Read into a folder that appears whole or not at all."""
    part = _beside(folder)
    part.mkdir(parents=True, mode=0o700)
    try:
        with path.open("rb") as file:
            stays = file.read(6) == _NPY
        if stays and copy:
            path = Path(shutil.copyfile(path, part / "numbers.npy"))
        read(path, part)
        _put(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put(part: Path, folder: Path) -> None:
    """Rename the new folder to its final name, unless another process was first."""
    try:
        part.rename(folder)  # fails if the target exists and is not empty
    except OSError:
        if _is_whole(folder):
            return
        _remove(folder)
        part.rename(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, atomically for readers: it is renamed before its files are deleted."""
    gone = _beside(folder)
    with contextlib.suppress(OSError):  # another process removed it first, or it may not be removed
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _beside(folder: Path) -> Path:
    """A temporary name in the same directory, which is no key; `_tidy` removes leftovers."""
    return folder.with_name(f".{folder.name}.{secrets.token_hex(3)}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _signature(digest: str) -> str:
    """The part of a key that only the owner of the folder can compute: 96 bits."""
    place = home() / _PLACE
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = place / _SECRET
    if not path.exists():
        part = _beside(path)
        try:
            part.touch(mode=0o600)
            part.write_text(secrets.token_hex(32), encoding="ascii")
            _put_first(part, path)
        finally:
            part.unlink(missing_ok=True)
    return hmac.new(path.read_bytes(), digest.encode(), "sha256").hexdigest()[:24]


def _put_first(part: Path, path: Path) -> None:
    """Give a file its name, unless another process was first: then that one's counts."""
    try:
        os.link(part, path)
    except OSError:  # there is one, or the file system has no hard links, as exFAT has none
        if not path.exists():
            part.replace(path)


def _use(folder: Path) -> None:
    """Record that a table was used now."""
    with contextlib.suppress(OSError):  # a read-only folder works, too
        os.utime(folder)


def _tidy() -> None:
    """Remove tables unused for KEPT_DAYS, and the least recently used beyond KEPT_BYTES."""
    place, now = home() / _PLACE, time.time()
    for part in place.glob(".*-*.*"):  # left by a process that was killed while reading
        if now - _used(part) > 86_400:
            shutil.rmtree(part, ignore_errors=True)
    folders = {folder: _used(folder) for folder in place.iterdir() if _KEY.fullmatch(folder.name)}
    free_bytes = KEPT_BYTES
    for position, folder in enumerate(sorted(folders, key=folders.__getitem__, reverse=True)):
        free_bytes -= _size(folder)
        days = (now - folders[folder]) / 86_400
        # Not if it was used since the list was made.
        if (
            position > 0
            and (free_bytes < 0 or days > KEPT_DAYS)
            and _used(folder) == folders[folder]
        ):
            _remove(folder)


def _owned_by(owner: str) -> Callable[[Path], bool]:
    """Whether a table's folder is this visitor's."""

    def is_theirs(folder: Path) -> bool:
        try:
            return (folder / _OWNER).read_text(encoding="utf-8") == owner
        except OSError:
            return False

    return is_theirs


def _used(folder: Path) -> float:
    """When a folder was last used, in seconds since 1970; now, if it is gone."""
    try:
        return folder.stat().st_mtime
    except OSError:  # another process may tidy up at the same time
        return time.time()


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, without those that another process removes meanwhile."""
    total = 0
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            total += file.stat().st_size
    return total
