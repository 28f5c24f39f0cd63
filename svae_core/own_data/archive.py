"""Untrusted ZIP archives: listed within limits, read member by member, never unpacked as a whole.

No file is written under a name from the archive; names that point outside it are refused as well,
since no regular program writes them.
"""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from svae_core.own_data.damage import damaged
from svae_core.own_data.limits import COMPRESSIONS, CONTENTS_BYTES
from svae_core.own_data.names import cleaned
from svae_core.records import RequestError

_END = b"PK\x05\x06"  # the record at the end of every ZIP
_END64 = b"PK\x06\x06"
_TAIL = 2**16 + 200  # the end record, its comment, and the 64-bit records before it
_ENCRYPTED = 1
#: Exceptions that zipfile raises on malformed bytes, not only its own; an unknown compression is a
#: RuntimeError. An OSError may come from the disk: see `is_of_disk`.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, IndexError),
    *(OverflowError, RuntimeError, KeyError, TypeError),
)
#: Those of them that speak of Python and not of the file.
_NO_WORDS = (zlib.error, struct.error, IndexError, OverflowError, KeyError, TypeError)


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """The archive and its members by name; damage found during use raises RequestError, too."""
    with path.open("rb") as file:
        check_contents(file, CONTENTS_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [item for item in archive.infolist() if not _is_ignored(item)]
            for item in members:
                _check(item)
            yield archive, sorted(members, key=lambda item: item.filename)
    except RequestError:
        raise
    except (*DAMAGE, OSError) as error:
        if is_of_disk(error):
            raise
        raise damaged("ZIP", reason_of(error) or "it ends too early") from error


def reason_of(error: Exception) -> str:
    """Why an archive cannot be read, as part of a sentence; "" where nothing tells."""
    if isinstance(error, _NO_WORDS):
        return "what is packed in it makes no sense"
    return cleaned(error).rstrip(".").replace(". ", " ")


def content(archive: zipfile.ZipFile, item: zipfile.ZipInfo, limit: int) -> bytes:
    """The bytes of a member; RequestError if there are more than `limit`, whatever its header."""
    with archive.open(item) as file:
        found = file.read(limit + 1)
    if len(found) > limit:
        raise RequestError(
            f"{cleaned(item.filename)} in the ZIP is larger than {limit:,} bytes, too large to "
            "read."
        )
    return found


def unpack(
    archive: zipfile.ZipFile, item: zipfile.ZipInfo, target: Path, limit: int, refusal: str
) -> int:
    """Unpack a member into a file, and count its bytes.

    No more of them than the limit, whatever the archive claims: else RequestError, the refusal.
    """
    written = 0
    with archive.open(item) as inner, target.open("wb") as file:
        while block := inner.read(2**20):
            written += len(block)
            if written > limit:
                raise RequestError(refusal)
            file.write(block)
    return written


def is_of_disk(error: Exception) -> bool:
    """Whether an error is a failing or full disk rather than a malformed file.

    Parsers raise an OSError without errno for malformed bytes; an impossible file offset is EINVAL.
    """
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _is_ignored(item: zipfile.ZipInfo) -> bool:
    parts = item.filename.split("/")
    return item.is_dir() or "__MACOSX" in parts or parts[-1].startswith(".")


def _check(item: zipfile.ZipInfo) -> None:
    name = item.filename
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise RequestError(
            f"The ZIP holds a file whose name leads out of it ({cleaned(name)}); pack it anew."
        )
    if item.flag_bits & _ENCRYPTED:
        raise RequestError("The ZIP is encrypted; pack it without a password.")
    if item.compress_type not in COMPRESSIONS:
        raise RequestError("The ZIP uses an unusual compression; pack it anew with the usual one.")


def check_contents(file: BinaryIO, most: int) -> None:
    """Refuse a table of contents that would fill the memory before any member is read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    claimed = []
    if (at := tail.rfind(_END)) >= 0 and len(tail) >= at + 22:
        claimed.append(int.from_bytes(tail[at + 12 : at + 16], "little"))
    if (at := tail.rfind(_END64)) >= 0 and len(tail) >= at + 56:
        claimed = [int.from_bytes(tail[at + 40 : at + 48], "little")]
    if not claimed or max(claimed) > size:
        raise damaged("ZIP", "it has no table of contents")
    if max(claimed) > most:
        raise RequestError("The ZIP holds far too many files; give a sample of them.")
