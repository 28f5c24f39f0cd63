"""A saved run: one folder of JSON and safetensors files; nothing is ever unpickled.

    RUN/run.json                     settings of all members, progress, list of the other files
    RUN/frames-….safetensors         consecutive moments and layouts
    RUN/state-….safetensors          weights, optimiser and methods' memory: enough to resume
    RUN/certificates-….json          the certificates
    RUN/name.txt                     the name given by the owner, if any

A run in training is written repeatedly. New files are written completely, under new names; then
run.json, which lists them with size and digest, is replaced atomically, and files that it no longer
lists are removed. So the folder is consistent at every moment, even if the writer is killed.

The data are not saved, only their fingerprint. Runs of schema 1, of one member without frames, can
still be read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from svae_core.config.home import home as home
from svae_core.config.notebook_display import ShownInNotebooks
from svae_core.config.writable import unsaved
from svae_core.latent.projection import Layout, pca_layouts
from svae_core.own_data.damage import reason_of
from svae_core.records import Certificate, Frame, Moment, RequestError, State, to_json
from svae_core.runs.manifest import (
    ABOUT,
    DAMAGE,
    FILE_NAME,
    LONGEST,
    About,
    FileEntry,
    about_to_json,
    certificates_from_json,
    certificates_schema_1,
    check_plugins,
    damaged,
    read_about,
    wrong_size,
)
from svae_core.runs.tensors import (
    MOST_MOMENTS,
    NO_LATENTS,
    pack_frames,
    pack_state,
    unpack_frames,
    unpack_state,
)

#: Files of frames before they are merged into one.
_MOST_SHARDS = 40
_WIDEST = 1024  # latent dimensions of a frame; settings allow half as many
_TRIES = 5  # attempts at reading, since a writer may replace files meanwhile
Found = TypeVar("Found")  # what a reader of a folder finds
Held = TypeVar("Held", Frame, Layout)  # of one member


@dataclass(frozen=True, eq=False)
class SavedRun(ShownInNotebooks):
    """The complete contents of a run's folder."""

    about: About
    state: State
    moments: tuple[Moment, ...] = ()  # with latents in the last one only
    layouts: tuple[tuple[Layout, ...], ...] = ()
    certificates: tuple[Certificate, ...] = ()


def without_latents(row: tuple[Held, ...]) -> tuple[Held, ...]:
    """A moment or a map as it is stored: latents, most of its size, serve the next map only."""
    return tuple(dataclasses.replace(one, latent_mean=NO_LATENTS) for one in row)


def folder_name(about: About) -> str:
    """The folder's name, `20260321-101500-digits-1f0c…`: time, dataset and digest of the id."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(about.created))
    dataset = re.sub(r"[^A-Za-z0-9_]+", "_", about.members[0].dataset)[:40]
    return f"{stamp}-{dataset}-{id_digest(about.id)}"


def id_digest(run: str) -> str:
    """The digest of an id in its folder's name, from which the id cannot be recovered."""
    return hashlib.sha256(run.encode()).hexdigest()[:16]


def save(
    state: State,
    certificates: tuple[Certificate, ...],
    moments: tuple[Moment, ...] = (),
    folder: Path | None = None,
) -> Path:
    """Write a run that was trained in one call; returns its folder.

    The folder appears complete or not at all. Raises RequestError if it cannot be written.
    """
    first = certificates[0] if certificates else None
    about = About(
        members=state.settings,
        status="finished" if certificates else "saved",
        title=first.dataset if first else state.settings[0].dataset,
        fingerprint=first.fingerprint if first else "",
        steps=moments[0][0].steps if moments else 0,
    )
    folder = folder or home() / folder_name(about)
    try:
        layouts = (pca_layouts(moments[-1]),) if moments and moments[-1][0].latent_mean.size else ()
        RunWriter(folder).write(SavedRun(about, state, moments, layouts, certificates))
    except OSError as error:
        raise unsaved(folder, error) from error
    return folder


# ------------------------------------------------------------------------------- writing


class RunWriter:
    """Writes the folder of a growing run incrementally.

    Not thread-safe. Raises OSError if writing fails: then the folder is unchanged, and the next
    call writes what is missing.
    """

    def __init__(self, folder: Path, found: SavedRun | None = None) -> None:
        """`found`: the contents of an existing folder that is to be continued."""
        self.folder = folder
        self.written = found is not None
        self._files = list(found.about.files) if found else []
        self._moments = len(found.moments) if found else 0
        self._layouts = len(found.layouts) if found else 0

    def write(self, run: SavedRun, last: bool = False) -> About:
        """Update the folder to the current run; `last`: merge its frames into one file.

        The first write creates the folder atomically. If the folder is missing later, an OSError
        is raised, since it was moved or deleted.
        """
        if self.written or self.folder.exists():
            about = self._write_in(self.folder, run, last)
        else:
            about = self._create(run)
        self.written = True
        return about

    def tidy(self) -> None:
        """Remove incomplete files of a killed process; only for the one writer of the folder."""
        listed = {entry.name for entry in self._files}
        for path in self.folder.iterdir():
            ours = FILE_NAME.fullmatch(path.name.removeprefix(".").removesuffix(".part"))
            if path.name == f".{ABOUT}.part" or (ours and path.name not in listed):
                remove(path)

    def start_over(self) -> None:
        """Discard all frames written so far: the run was restarted."""
        self._moments = self._layouts = 0

    def _create(self, run: SavedRun) -> About:
        part = self.folder.with_name(f".{self.folder.name}.part")
        try:
            shutil.rmtree(part, ignore_errors=True)  # of a process that was killed here
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = self._write_in(part, run, last=False)
            part.rename(self.folder)
        except OSError:
            self._files, self._moments, self._layouts = [], 0, 0
            shutil.rmtree(part, ignore_errors=True)
            raise
        return about

    def _write_in(self, folder: Path, run: SavedRun, last: bool) -> About:
        kept, frames = self._due(run, last)
        made: list[FileEntry] = []
        try:
            if frames is not None:
                made.append(_add(folder, "frames", "safetensors", frames))
            state = pack_state(run.state, run.moments[-1:], run.layouts[-1:])
            made.append(_add(folder, "state", "safetensors", state))
            if run.certificates:
                signed = json.dumps(to_json(run.certificates), indent=1, ensure_ascii=False)
                made.append(_add(folder, "certificates", "json", signed.encode()))
            about = dataclasses.replace(_told(run), files=(*kept, *made), saved=time.time())
            replace(folder / ABOUT, about_to_json(about).encode())
        except OSError:
            for entry in made:
                remove(folder / entry.name)
            raise
        for entry in {*self._files} - {*about.files}:
            remove(folder / entry.name)
        self._files = list(about.files)
        self._moments, self._layouts = len(run.moments), len(run.layouts)
        return about

    def _due(self, run: SavedRun, last: bool) -> tuple[list[FileEntry], bytes | None]:
        """The files of frames to keep, and the contents of a new one, if one is needed."""
        kept = [entry for entry in self._files if entry.kind == "frames"]
        old = (self._moments, self._layouts)
        if old == (0, 0) or len(kept) >= _MOST_SHARDS or (last and len(kept) > 1):
            kept, old = [], (0, 0)
        if old == (len(run.moments), len(run.layouts)):
            return kept, None
        return kept, pack_frames(run.moments[old[0] :], run.layouts[old[1] :])


def replace(path: Path, data: bytes) -> None:
    """Write a file atomically; raises OSError if that fails."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before run.json lists it: it must survive a power failure
        part.replace(path)
    except OSError:
        remove(part)
        raise


def remove(path: Path) -> None:
    """Remove a file, if it exists and may be removed."""
    with contextlib.suppress(OSError):
        path.unlink()


def _told(run: SavedRun) -> About:
    """The manifest with the numbers for lists: of the certificates, or of the newest moment."""
    shown: tuple[Any, ...] = run.certificates or (run.moments[-1] if run.moments else ())
    return dataclasses.replace(
        run.about,
        step=run.state.step,
        losses=tuple(to_json(float(one.loss)) for one in shown),
        nats=tuple(to_json(float(one.kl)) for one in shown),
        verdicts=tuple(certificate.verdict for certificate in run.certificates),
    )


def _add(folder: Path, kind: str, suffix: str, data: bytes) -> FileEntry:
    """Write a new file under a unique name."""
    numbers = [int(path.name.split("-")[1]) for path in folder.glob(f"{kind}-??????-*")]
    name = f"{kind}-{max(numbers, default=0) + 1:06d}-{secrets.token_hex(3)}.{suffix}"
    replace(folder / name, data)
    return FileEntry(name, len(data), hashlib.sha256(data).hexdigest())


# ------------------------------------------------------------------------------- reading


def load(folder: Path, to_use: bool = True) -> SavedRun:
    """Read a run's folder; RequestError, one sentence, if it is no run or is damaged.

    `to_use`: also where a plug-in is missing that it needs, unless it is only shown or copied.
    """

    def read() -> SavedRun:
        about = read_about(folder)
        if to_use:
            check_plugins(folder, about)
        return _load(folder, about) if about.files else _load_schema_1(folder, about)

    return steadily(folder, read)


def steadily(folder: Path, read: Callable[[], Found]) -> Found:
    """What `read` finds in a run's folder; again where its writer replaces files meanwhile.

    `read` begins with run.json and lets FileNotFoundError through. RequestError if a file is
    missing each time, or cannot be read.
    """
    for attempt in range(_TRIES):
        try:
            return read()
        except FileNotFoundError as error:
            if attempt == _TRIES - 1:
                raise damaged(folder, f"{Path(str(error.filename)).name} is missing") from error
        except OSError as error:
            raise RequestError(
                f"The run in {folder} cannot be read: {reason_of(error)}; give this program the "
                "right to read its files."
            ) from error
    raise AssertionError("not reached")


def certificates_in(folder: Path) -> tuple[Certificate, ...]:
    """The certificates of a run; empty if it has none or they cannot be read."""

    def read() -> tuple[Certificate, ...]:
        about = read_about(folder)
        if not about.files:
            return certificates_schema_1(folder)
        (entry,) = (entry for entry in about.files if entry.kind == "certificates")
        with (folder / entry.name).open("rb") as file:
            return certificates_from_json(file.read(LONGEST + 1))

    with contextlib.suppress(*DAMAGE):
        return steadily(folder, read)
    return ()


def _load(folder: Path, about: About) -> SavedRun:
    moments: list[Moment] = []
    layouts: list[tuple[Layout, ...]] = []
    certificates: tuple[Certificate, ...] = ()
    state: State | None = None
    latents: list[Any] = []
    mapped: list[Any] = []
    for entry, data in _contents(folder, about):
        try:
            if entry.kind == "frames":
                more, maps = unpack_frames(data)
                moments, layouts = moments + more, layouts + maps
            elif entry.kind == "state":
                state, latents, mapped = unpack_state(data, about.members)
            else:
                certificates = certificates_from_json(data)
        except DAMAGE as error:
            raise damaged(folder, f"{entry.name}: {reason_of(error)}") from error
        if max(len(moments), len(layouts)) > MOST_MOMENTS:
            raise damaged(folder, "it has more frames than a run can have")
    if state is None:
        raise damaged(folder, "it has no state")
    if {len(row) for row in (*moments, *layouts)} - {len(about.members)}:
        raise damaged(folder, "its frames are not of its members")
    if any(later[0].step <= earlier[0].step for earlier, later in pairwise(moments)):
        raise damaged(folder, "its frames are not in order")
    if not _alike(moments):
        raise damaged(folder, "its frames do not fit together")
    _give_latents(moments, latents)
    _give_latents(layouts, mapped)
    return SavedRun(about, state, tuple(moments), tuple(layouts), certificates)


def _alike(moments: list[Moment]) -> bool:
    """Whether what is drawn of each frame has one shape from first to last."""
    kept = ("kl_per_dim", "active", "shell_view", "samples")
    shapes = {
        tuple((frame.steps, *(getattr(frame, name).shape for name in kept)) for frame in moment)
        for moment in moments
    }
    parts = [part for row in shapes for part in row]
    drawn = {part[3:] for part in parts}
    wide = any(part[1][0] > _WIDEST or part[1] != part[2] for part in parts)
    return len(shapes) <= 1 and len(drawn) <= 1 and not wide


def _give_latents(rows: list[Any], latents: list[Any]) -> None:
    """Put the stored latents into the last row; only the newest moment and layout have them."""
    if rows and len(latents) == len(rows[-1]):
        rows[-1] = tuple(
            dataclasses.replace(one, latent_mean=mean)
            for one, mean in zip(rows[-1], latents, strict=True)
        )


def _contents(folder: Path, about: About) -> Iterator[tuple[FileEntry, bytes]]:
    """Every listed file, verified by size and digest."""
    for entry in about.files:
        data = (folder / entry.name).read_bytes()
        if len(data) != entry.size:
            raise damaged(folder, wrong_size(entry, len(data)))
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise damaged(folder, f"{entry.name} was changed since it was written")
        yield entry, data


def _load_schema_1(folder: Path, about: About) -> SavedRun:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(folder / "state.safetensors")
        memory = {
            key.removeprefix("memory."): value
            for key, value in arrays.items()
            if key.startswith("memory.")
        }
        flat, first, second = (
            arrays[name] for name in ("parameters", "first_moment", "second_moment")
        )
        state = State(about.members, int(arrays["step"][0]), flat, first, second, memory)
        return SavedRun(about, state, certificates=certificates_schema_1(folder))
    except FileNotFoundError:
        raise
    except (*DAMAGE, SafetensorError) as error:
        raise damaged(folder, f"state.safetensors: {reason_of(error)}") from error
