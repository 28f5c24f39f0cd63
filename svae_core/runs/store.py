"""The saved runs of a folder: list, find, rename, delete, undo, clean.

    entries = saved_runs(home());  delete(entries[0].folder);  undo(home(), name)

Each run is a folder. A folder that is no run, is damaged, or is newer than this program is listed
with the reason and does not affect the others. Deleted runs are moved to `.trash` until they are
cleaned up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from svae_core.config.limits import MEGABYTE, limits, variable
from svae_core.records import RequestError
from svae_core.runs.folder import id_digest, replace
from svae_core.runs.manifest import ABOUT, About, check_sizes, owner_of, read_about

NAME = "name.txt"
TRASH = ".trash"
#: Folders beside the runs that hold something else: user data.
NOT_RUNS = ("data",)
#: Further attempts at a folder that cannot be read.
_LOOKS = 4
#: A name may have so many characters …
LONGEST_NAME = 80
#: … of up to four bytes, and no more of its file is ever read …
NAME_BYTES = 4 * LONGEST_NAME
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
    owner: str = ""  # key of the browser it was begun in, known also where the rest is damaged


def saved_runs(home: Path, owner: str | None = None) -> list[Entry]:
    """All runs of a folder, the newest first. RequestError where the folder itself is no folder.

    With an owner only theirs: of runs that say they are another's nothing else is read.
    """
    return sorted(_entries(home, owner), key=lambda entry: -entry.touched)


def trash(home: Path, owner: str | None = None) -> list[Entry]:
    """What was deleted and can be taken back, the last first."""
    return saved_runs(home / TRASH, owner)


def look(folder: Path) -> Entry:
    """One folder as the list shows it; never an error."""
    for _ in range(_LOOKS):
        before = _version(folder)
        entry = _look(folder)
        # Its files may have been replaced while it was looked at; then run.json is another one.
        if entry.about is not None or _version(folder) == before:
            break
    return entry


def _version(folder: Path) -> tuple[int, int] | None:
    """What changes whenever run.json is replaced."""
    with contextlib.suppress(OSError):
        found = (folder / ABOUT).stat()
        return found.st_ino, found.st_mtime_ns
    return None


def _look(folder: Path) -> Entry:
    size, touched = 0, 0.0
    try:
        sizes = _sizes(folder)
        size = sum(sizes.values())
        touched = folder.stat().st_mtime
        about = read_about(folder)
        check_sizes(folder, about, sizes)
    except RequestError as error:
        return Entry(folder, "", size, touched, None, str(error), owner_of(folder) or "")
    except OSError as error:
        return Entry(folder, "", size, touched, None, f"{folder} cannot be read: {error.strerror}.")
    name = read_name(folder) if NAME in sizes else ""
    return Entry(folder, name, size, about.saved, about, owner=about.owner)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file in a folder; those that are removed meanwhile are left out."""
    sizes = {}
    with os.scandir(folder) as found:
        for item in found:
            with contextlib.suppress(FileNotFoundError):
                sizes[item.name] = item.stat(follow_symlinks=False).st_size
    return sizes


def find(home: Path, wanted: str) -> Entry:
    """The run of that folder, name, or beginning of a folder's name; RequestError if not one."""
    if {"/", os.sep} & {*wanted} and Path(wanted).is_dir():  # Windows has two separators
        return look(Path(wanted))
    entries = saved_runs(home)
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
    return next((folder for folder, id in by_digest(home, id_digest(run)) if id == run), None)


def by_digest(home: Path, digest: str) -> list[tuple[Path, str]]:
    """The folders of runs whose id has that digest, each with the id: one, or none."""
    found = []
    with contextlib.suppress(OSError, RequestError):
        for folder in home.glob(f"*-{digest}"):
            if not folder.name.startswith("."):
                found.append((folder, read_about(folder).id))
    return found


def read_name(folder: Path) -> str:
    """The name given to a run; empty if it has none."""
    try:
        with (folder / NAME).open("rb") as file:
            text = file.read(NAME_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
    return one_line(text)


def rename(folder: Path, name: str) -> str:
    """Name a run; returns the name as stored. RequestError if it cannot be written."""
    kept = one_line(name)
    if not kept:
        raise RequestError("A run's name needs at least one letter or digit.")
    with _saying(f"{folder} cannot be renamed"):
        replace(folder / NAME, kept.encode())
    return kept


def one_line(text: str, longest: int = LONGEST_NAME) -> str:
    """A name: one line, no control characters, nothing that cannot be sent as UTF-8."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:longest]


def delete(folder: Path) -> Path:
    """Move a folder to the trash, from which `undo` restores it; returns its new path."""
    if folder.name in NOT_RUNS:
        raise RequestError(f"{folder.name} holds data that were uploaded; it is no run to delete.")
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


def usage_of(home: Path, owner: str) -> int:
    """Bytes on disk of one owner's runs in a folder, trash included."""
    return sum(
        usage(folder)
        for place in (home, home / TRASH)
        for folder in _listed(place)
        if not folder.name.startswith(".") and owner_of(folder) == owner
    )


def check_room(home: Path, more: int, owner: str = "") -> None:
    """RequestError where so many bytes more are not allowed: for all runs, or for this owner's."""
    allowed = limits()
    if usage(home) + more > allowed.disk_mb * MEGABYTE:
        raise RequestError(
            f"Saved runs fill the {allowed.disk_mb:,} MB they may, or would with this one. Delete "
            f"some on the Runs page, or raise {variable('disk_mb')}."
        )
    if owner and usage_of(home, owner) + more > allowed.visitor_mb * MEGABYTE:
        raise RequestError(
            f"Your saved runs fill the {allowed.visitor_mb:,} MB that one visitor's may, or would "
            f"with this one. Delete some on the Runs page, or raise {variable('visitor_mb')}."
        )


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


def _entries(home: Path, owner: str | None) -> Iterator[Entry]:
    try:
        with os.scandir(home) as found:
            names = [item.name for item in found if item.is_dir() and not item.name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError as error:
        raise RequestError(f"{home} cannot be read: {error.strerror}.") from error
    for name in names:
        deleted = home.name == TRASH
        # In the trash such a folder is what older versions took for a run: it can be taken back.
        if name in NOT_RUNS and not deleted:
            continue
        if owner is not None and owner_of(home / name) not in (owner, None):
            continue
        entry = look(home / name)
        if owner is None or entry.owner == owner:
            yield _deleted(entry) if deleted else entry


def _deleted(entry: Entry) -> Entry:
    with contextlib.suppress(OSError):
        deleted = entry.folder.stat().st_mtime
        return dataclasses.replace(entry, touched=deleted)
    return entry


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    """An OSError as a RequestError of one sentence."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"{what}: {error.strerror}.") from error
