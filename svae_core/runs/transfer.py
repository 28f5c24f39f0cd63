"""Export and import of a run as one ZIP file, and export of its numbers as CSV.

    data = pack(folder);  folder = unpack(data, home());  history(saved) -> CSV

The file is a ZIP of the run's folder without its id and owner, so it gives no access to the run on
the server it came from. Imported files are untrusted: only names of a run's files are accepted,
declared sizes are validated before anything is unpacked, and the whole run is read once before it
is added to the saved runs.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from svae_core.config.writable import unsaved
from svae_core.own_data.archive import DAMAGE, check_contents, reason_of
from svae_core.own_data.limits import COMPRESSIONS
from svae_core.own_data.names import inert
from svae_core.records import RequestError
from svae_core.runs.folder import SavedRun, folder_name, load, replace, steadily
from svae_core.runs.manifest import (
    ABOUT,
    FILE_NAME,
    LONGEST,
    DamagedRun,
    about_to_json,
    new_id,
    read_about,
)
from svae_core.runs.store import NAME, NAME_BYTES, check_room

SUFFIX = ".svae.zip"
#: No run is larger than this when unpacked, in bytes.
LARGEST = 2**31
#: Arrays hardly compress, so a file with a larger compression ratio is no run.
_MOST_PACKED = 50
_MOST_FILES = 1000
_CONTENTS_BYTES = 200 * _MOST_FILES  # of the ZIP's table of contents
_BLOCK = 2**20
#: Fields of a screen's state that refer to the server of origin or to other runs there.
_PRIVATE = ("parent", "comparison")
#: How a file that cannot be imported is mended; the end of a sentence.
_WHOLE = "give a whole copy of the ZIP that its export wrote, or export the run again"
#: Bytes of each kind of file, however large a run may be as a whole.
_LARGEST_OF = {ABOUT: LONGEST, NAME: NAME_BYTES, "certificates": LONGEST}


def pack(folder: Path) -> bytes:
    """A run as one file, also while it is trained; RequestError if it is damaged."""
    return steadily(folder, lambda: _packed(folder))


def _packed(folder: Path) -> bytes:
    about = load(folder, to_use=False).about  # reads everything, so that no damaged run is exported
    if not about.files:
        raise RequestError(f"{folder} is of an old version; train it again to export it.")
    public = dataclasses.replace(about, id="", owner="", page=_public(about.page), imported=False)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr(ABOUT, about_to_json(public))
        for entry in about.files:
            file.write(folder / entry.name, entry.name)
        if (folder / NAME).exists():
            file.write(folder / NAME, NAME)
    return whole.getvalue()


def _public(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name not in _PRIVATE}


def unpack(data: bytes, home: Path, owner: str = "", largest: int = LARGEST) -> Path:
    """Add a run from such a file to the saved runs, under a new id; where it is.

    RequestError, one sentence, where the file is not such a file or cannot be written.
    """
    part = home / f".{new_id()}.part"
    try:
        part.mkdir(mode=0o700, parents=True)
        _extract(data, part, largest, lambda whole: check_room(home, whole, owner))
        about = read_about(part)
        about = dataclasses.replace(
            about, id=new_id(), owner=owner, page=_public(about.page), imported=True
        )
        replace(part / ABOUT, about_to_json(about).encode())
        load(part, to_use=False)
        folder = home / folder_name(about)
        part.rename(folder)
    except OSError as error:
        raise unsaved(home, error) from error
    except DamagedRun as error:
        told = f"The run in this file is damaged ({error.reason}); {_WHOLE}."
        raise RequestError(told) from error
    except RequestError as error:
        told = str(error).replace(str(part), "this file")
        raise RequestError(told[:1].upper() + told[1:]) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _extract(data: bytes, part: Path, largest: int, check: Callable[[int], None]) -> None:
    """Unpack after `check` has seen how many bytes that will be."""
    try:
        check_contents(io.BytesIO(data), _CONTENTS_BYTES)
    except RequestError as error:
        raise _no_run("it is no ZIP, is cut off, or holds far too many files") from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            listed = file.infolist()
            _check(listed, len(data), largest)
            check(sum(item.file_size for item in listed))
            for item in listed:  # block by block; no more comes out than file_size says
                with file.open(item) as packed, (part / item.filename).open("wb") as whole:
                    shutil.copyfileobj(packed, whole, _BLOCK)
    except DAMAGE as error:
        if isinstance(error, RequestError):
            raise
        raise _no_run(reason_of(error) or "it ends too early") from error


def _check(listed: list[zipfile.ZipInfo], size: int, largest: int) -> None:
    """Names and sizes, before anything is written."""
    names = [item.filename for item in listed]
    for name in names:
        if name not in (ABOUT, NAME) and not FILE_NAME.fullmatch(name):
            raise _no_run(f"it holds {name[:60]!r}")
    if ABOUT not in names or len(names) > _MOST_FILES or len(set(names)) < len(names):
        raise _no_run(f"it needs exactly one {ABOUT}")
    if any(item.compress_type not in COMPRESSIONS for item in listed):
        raise _no_run("its compression is another one")
    whole = sum(item.file_size for item in listed)
    if whole > largest or whole > _MOST_PACKED * size + 2**20:
        raise _no_run(f"it would unpack to {whole / 1e6:.0f} MB, more than a run of its size")
    for item in listed:
        most = _LARGEST_OF.get(item.filename.split("-")[0], largest)
        if item.file_size > most:
            raise _no_run(
                f"{item.filename} in it would unpack to {item.file_size:,} bytes, and {most:,} are "
                "the most"
            )


def _no_run(why: str) -> RequestError:
    return RequestError(f"This file is no exported run, or a damaged one ({why}); {_WHOLE}.")


def history(saved: SavedRun) -> str:
    """Every moment's numbers as CSV: one row for each member, losses and nats in full precision."""
    table = io.StringIO(newline="")
    width = max((len(one.kl_per_dim) for row in saved.moments for one in row), default=0)
    writer = csv.writer(table)
    fields = ("step", "epoch", "loss", "delta", "lo", "hi", "kl", "structure")
    kl = [f"kl_{number}" for number in range(1, width + 1)]
    writer.writerow(["member", "method", "seed", *fields, "active_units", *kl])
    for moment in saved.moments:
        for number, (frame, settings) in enumerate(zip(moment, saved.about.members, strict=True)):
            writer.writerow(
                [
                    *(number, inert(frame.method), settings.seed),
                    *(getattr(frame, name) for name in fields),
                    *(int(frame.active.sum()), *frame.kl_per_dim.tolist()),
                ]
            )
    return table.getvalue()
