"""The saved runs of a folder: list, find, rename, delete, undo, clean.

    entries = shelf(home());  delete(entries[0].folder);  undo(home(), name)

Each run is a folder. A folder that is no run, is damaged, or is newer than this program is listed
with the reason and does not affect the others. Deleted runs are moved to `.trash` until they are
cleaned up.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from svae_core.records import RequestError
from svae_core.runs.folder import id_digest, replace
from svae_core.runs.manifest import About, check_sizes, read_about

NAME = "name.txt"
TRASH = ".trash"
#: Folders beside the runs that hold something else: user data.
NOT_RUNS = ("data",)
#: Further attempts at a folder that cannot be read.
_LOOKS = 4
#: A name may have so many characters …
LONGEST_NAME = 80
#: … and what was left half-written so long ago, in seconds, is nobody's any more.
_ABANDONED = 3600.0


@dataclass(frozen=True, eq=False)
class Entry:
    """One folder of the list."""

    folder: Path
    name: str  # what its owner calls it; empty: nothing yet
    size: int  # bytes on disk
    touched: float  # seconds since 1970: last saved; in the trash: deleted
    about: About | None  # None where it cannot be read …
    trouble: str = ""  # … and then why


def shelf(home: Path) -> list[Entry]:
    """All runs of a folder, the newest first. RequestError where the folder itself is no folder."""
    return sorted(_entries(home), key=lambda entry: -entry.touched)


def trash(home: Path) -> list[Entry]:
    """What was deleted and can be taken back, the last first."""
    return shelf(home / TRASH)


def look(folder: Path) -> Entry:
    """One folder as the list shows it; never an error."""
    entry = _look(folder)
    for _ in range(_LOOKS):  # its files may have been replaced between two looks at it
        if entry.about is not None:
            break
        entry = _look(folder)
    return entry


def _look(folder: Path) -> Entry:
    size, touched = 0, 0.0
    try:
        with os.scandir(folder) as found:
            sizes = {item.name: item.stat(follow_symlinks=False).st_size for item in found}
        size = sum(sizes.values())
        touched = folder.stat().st_mtime
        about = read_about(folder)
        check_sizes(folder, about, sizes)
    except RequestError as error:
        return Entry(folder, "", size, touched, None, str(error))
    except OSError as error:
        return Entry(folder, "", size, touched, None, f"{folder} cannot be read: {error.strerror}.")
    name = read_name(folder) if NAME in sizes else ""
    return Entry(folder, name, size, about.saved, about)


def find(home: Path, wanted: str) -> Entry:
    """The run of that folder, name, or beginning of a folder's name; RequestError if not one."""
    if os.sep in wanted and Path(wanted).is_dir():
        return look(Path(wanted))
    entries = shelf(home)
    for fits in (
        lambda entry: entry.folder.name == wanted,
        lambda entry: entry.name == wanted,
        lambda entry: entry.folder.name.startswith(wanted) or entry.name.startswith(wanted),
    ):
        found = [entry for entry in entries if wanted and fits(entry)]
        if len(found) == 1:
            return found[0]
        if found:
            raise RequestError(f"{wanted!r} fits {len(found)} runs; give the name of a folder.")
    raise RequestError(f"There is no run {wanted!r} in {home}; `runs list` shows all.")


def by_id(home: Path, run: str) -> Path | None:
    """The folder of the run of that id, without looking into any other."""
    with contextlib.suppress(OSError, RequestError):
        for folder in home.glob(f"*-{id_digest(run)}"):
            if not folder.name.startswith(".") and read_about(folder).id == run:
                return folder
    return None


def read_name(folder: Path) -> str:
    """The name given to a run; empty if it has none."""
    try:
        text = (folder / NAME).read_text("utf-8", errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())[:LONGEST_NAME]


def rename(folder: Path, name: str) -> str:
    """Name a run; returns the name as stored. RequestError if it cannot be written."""
    kept = " ".join(name.split())[:LONGEST_NAME]
    if not kept:
        raise RequestError("A run's name needs at least one letter or digit.")
    with _saying(f"{folder} cannot be renamed"):
        replace(folder / NAME, kept.encode())
    return kept


def delete(folder: Path) -> Path:
    """Move a folder to the trash, from which `undo` restores it; returns its new path."""
    where = folder.parent / TRASH / folder.name
    with _saying(f"{folder} cannot be deleted"):
        where.parent.mkdir(mode=0o700, exist_ok=True)
        _remove(where)
        folder.rename(where)
        os.utime(where)  # when it was deleted
    return where


def undo(home: Path, name: str = "") -> Path:
    """Take a folder back from the trash, the last one deleted if not named; where it is now."""
    deleted = [entry.folder for entry in trash(home) if name in ("", entry.folder.name)]
    if not deleted:
        raise RequestError(f"There is nothing{f' called {name!r}' if name else ''} in the trash.")
    where = home / deleted[0].name
    if where.exists():
        raise RequestError(f"{where.name} is there already; it was not taken back.")
    with _saying(f"{where.name} cannot be taken back"):
        deleted[0].rename(where)
    return where


def delete_all(entries: Iterable[Entry]) -> None:
    """Put these into the trash."""
    for entry in entries:
        delete(entry.folder)


def purge_all(entries: Iterable[Entry]) -> None:
    """Remove deleted runs for good. RequestError where one is not in the trash, or stays."""
    for entry in entries:
        if entry.folder.parent.name != TRASH:
            raise RequestError(f"{entry.folder.name} is not in the trash; delete it first.")
        with _saying(f"{entry.folder} cannot be removed"):
            _remove(entry.folder)


def usage(home: Path) -> int:
    """Bytes on disk of all runs in a folder, trash included."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(home) as found:
        for item in found:
            if item.name in NOT_RUNS:
                continue
            with contextlib.suppress(OSError):
                if item.is_dir(follow_symlinks=False):
                    total += usage(Path(item.path))
                else:
                    total += item.stat(follow_symlinks=False).st_size
    return total


def clean(home: Path, older: float = 0.0) -> int:
    """Remove for good what was deleted so many seconds ago, and what was left half-written.

    The bytes that are freed. RequestError where something cannot be removed.
    """
    before, now = usage(home), time.time()
    purge_all(entry for entry in trash(home) if now - entry.touched >= older)
    with _saying(f"{home} cannot be cleaned up"):
        for part in _parts(home):
            with contextlib.suppress(FileNotFoundError):  # finished or removed since it was listed
                if now - part.stat().st_mtime >= _ABANDONED:
                    _remove(part)
    return before - usage(home)


def _parts(home: Path) -> Iterator[Path]:
    """Incomplete files and folders in a folder and in its direct subfolders."""
    for folder in (home, *_listed(home)):
        for path in _listed(folder):
            if path.name.startswith(".") and path.name.endswith(".part"):
                yield path


def _listed(folder: Path) -> list[Path]:
    """The entries of a folder; empty if it is no folder, is gone, or is not readable."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        return list(folder.iterdir())
    return []


def _remove(path: Path) -> None:
    """Remove a path for good, if it exists; OSError if something of it remains."""
    with contextlib.suppress(FileNotFoundError):  # another process may remove it as well
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        shutil.rmtree(path, ignore_errors=True)  # ignores files that another process removed first
        if path.exists():
            shutil.rmtree(path)  # raises the reason why something remains


def _entries(home: Path) -> Iterator[Entry]:
    try:
        with os.scandir(home) as found:
            names = [item.name for item in found if item.is_dir() and not item.name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError as error:
        raise RequestError(f"{home} cannot be read: {error.strerror}.") from error
    for name in names:
        entry = look(home / name)
        if home.name == TRASH:
            entry = _deleted(entry)
        yield entry


def _deleted(entry: Entry) -> Entry:
    with contextlib.suppress(OSError):
        deleted = entry.folder.stat().st_mtime
        return Entry(entry.folder, entry.name, entry.size, deleted, entry.about, entry.trouble)
    return entry


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    """An OSError as a RequestError of one sentence."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"{what}: {error.strerror}.") from error
