"""File formats of a visitor's own data: one file each, found by scan.

A format is one module with one object, `FORMAT`, that declares its name, its usual endings, how it
is recognised, whether it is a table of columns, and how it is read. Upload, command line and
README list formats from here; nothing else knows one by name.

    formats()                  all of them
    recognise(path)            the format of a file, by what it holds and not by what it is called
    Format.read(source)        a Table, written into source.folder
    Format.arrays(source)      its arrays by name, where the format holds such, open for reading

`read` runs in the process of `own_data.reader_process`: its memory is limited, and libraries that
parse are imported inside `read` only. It raises RequestError with one sentence for what cannot be
used, and checks sizes that a file declares before it allocates them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from svae_core.config.home import own_plugins
from svae_core.config.plugins import loading
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

if TYPE_CHECKING:
    from svae_core.own_data.array_in_file import NamedArray

__path__ += own_plugins("formats")
Progress = Callable[[float], None]
#: Bytes of a file that formats may look at to recognise it.
START_BYTES = 4_096
#: What may be chosen about reading a file, beside which of its arrays.
HOW = ("labels", "turned", "colour", "side=N")


@dataclass(frozen=True)
class Source:
    """A file to read, and where its table goes."""

    path: Path
    name: str  # as the visitor calls it, made harmless
    folder: Path  # exists; the table is written into it
    progress: Progress = lambda share: None  # told the share that is read, 0 to 1
    array: str = ""  # which of several arrays inside is meant; empty: the one with most numbers
    how: str = ""  # words of HOW: what was chosen about reading it

    @property
    def labels(self) -> bool:
        """Whether it is a second file, with labels or names for the rows of another."""
        return "labels" in self.how.split()

    @property
    def turned(self) -> bool:
        """Whether the columns of a matrix are the points."""
        return "turned" in self.how.split()

    @property
    def coloured(self) -> bool:
        """Whether pictures keep their channels, as three numbers for each pixel."""
        return "colour" in self.how.split()

    @property
    def side(self) -> int:
        """Pixels that pictures have a side, at most; 0: as many as features are allowed."""
        sides = [word[5:] for word in self.how.split() if word.startswith("side=")]
        return int(sides[0]) if sides and sides[0].isdigit() else 0

    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Format:
    """What a module of this folder declares about its format."""

    name: str  # as sentences call it
    endings: tuple[str, ...]  # usual ones, with the dot
    recognises: Callable[[Path, bytes], bool]  # by the file and its first START_BYTES bytes
    read: Callable[[Source], Table]
    table: bool = False  # columns of different units: standardised by default
    # 0: by a signature of its own · 1: whatever else is in such a container · 2: any text
    rank: int = 0
    # of formats that hold arrays by name: all of them, while the file is open
    arrays: Callable[[Source], AbstractContextManager[Mapping[str, NamedArray]]] | None = None


def formats() -> tuple[Format, ...]:
    """All formats in the order in which they are asked whether they recognise a file."""
    found = [_format(name) for name in _names()]
    return tuple(sorted(found, key=lambda item: item.rank))


def of_arrays() -> tuple[Format, ...]:
    """The formats that hold arrays by name."""
    return tuple(item for item in formats() if item.arrays is not None and item.endings)


def listed(among: Iterable[Format] | None = None) -> str:
    """The names of formats, of all by default, as one phrase."""
    among = formats() if among is None else among
    names = sorted({item.name for item in among if item.endings}, key=str.lower)
    return ", ".join(names[:-1]) + f" or {names[-1]}"


def recognise(path: Path) -> Format:
    """The format of a file; RequestError where there is none for it."""
    with path.open("rb") as file:
        start = file.read(START_BYTES)
    for candidate in formats():
        if candidate.recognises(path, start):
            return candidate
    raise RequestError(f"The file has no format that is known here; give {listed()}.")


def _names() -> tuple[str, ...]:
    importlib.invalidate_caches()
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__)))


@cache
def _format(name: str) -> Format:
    with loading(__name__, name):
        found = getattr(importlib.import_module(f"{__name__}.{name}"), "FORMAT", None)
        if not isinstance(found, Format):
            raise TypeError(f"{__name__}.{name}: it needs FORMAT, a Format.")
        return found


def starts_with(*signatures: bytes) -> Callable[[Path, bytes], bool]:
    """Recognises a file by its first bytes."""
    return lambda _path, start: start.startswith(signatures)


def renamed(source: Source, path: Path) -> Source:
    """The same source, its bytes in another file: unpacked, or one member of it."""
    return replace(source, path=path)
