"""The manifest of a saved run, run.json: metadata and the list of its files.

It suffices to list a thousand runs without reading frames. Reading any such file returns an About
or raises a RequestError of one sentence.
"""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from svae_core.config.estimator_parameters import in_parameter_words
from svae_core.config.settings import settings_from_dict, settings_to_dict
from svae_core.datasets import IN_MEMORY, scan_datasets
from svae_core.methods import scan_methods
from svae_core.own_data.damage import reason_of
from svae_core.records import Certificate, RequestError, Settings, from_json, to_json
from svae_core.runs.bounded_json import COUNT, LATEST, parse

#: Version of the file format; newer ones are refused.
SCHEMA = 2
ABOUT = "run.json"
#: Names of all other files of a run.
FILE_NAME = re.compile(r"(frames|state|certificates)-\d{6}-[0-9a-f]{6}\.(safetensors|json)")
_OLD = "settings.json"  # of schema 1
#: Bytes and values of run.json or of certificates; longer ones are not ours.
LONGEST, MOST_VALUES = 2**20, 2**16
#: What a screen keeps with a run holds so many characters at most.
LONGEST_PAGE = 2**17
#: Letters of a reason in a sentence, and of a sentence in a certificate.
LONGEST_REASON, _LONGEST_SENTENCE = 200, 1000
#: How run.json begins, so that its owner is known before anything else of it is read.
_HEAD = re.compile(rb'\{\s*"schema": \d{1,4},\s*"owner": "([A-Za-z0-9_-]{0,64})"')
_HEAD_BYTES = 160
#: Characters of the longest title of data.
LONGEST_TITLE = 200
# What may stand in run.json, whoever wrote it.
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}\Z")]
_Word = Annotated[str, Meta(max_length=40)]
_Count = Annotated[int, Meta(ge=0, lt=COUNT)]
_Date = Annotated[float, Meta(ge=0, lt=LATEST)]  # seconds since 1970

#: What reading a file that may hold anything ends in, where it is no run's.
DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


#: How a damaged run is mended; the end of a sentence.
_RESTORE = "restore its folder from a copy, or train it again"


class NewerRun(RequestError):
    """A run that this program cannot know: of a newer version, or made with other plug-ins."""


class DamagedRun(RequestError):
    """A run whose files are not what was written; the `reason` is the part of its sentence."""

    reason = ""


def new_id() -> str:
    """An unguessable id: 128 random bits."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class FileEntry:
    """A file as run.json lists it."""

    name: str
    size: _Count
    sha256: str

    @property
    def kind(self) -> str:
        """frames | state | certificates"""
        return self.name.split("-")[0]


@dataclass(frozen=True)
class About:
    """The contents of run.json."""

    members: Annotated[tuple[Settings, ...], Meta(min_length=1)]
    id: _Name = field(default_factory=new_id)  # anyone who knows it may view the run
    owner: _Name = ""  # key of the browser that started it; empty: the command line
    created: _Date = field(default_factory=time.time)
    saved: _Date = 0.0
    status: _Word = "saved"
    step: _Count = 0
    steps: _Count = 0  # of the whole run; 0: unknown
    title: Annotated[str, Meta(max_length=LONGEST_TITLE)] = ""  # of the data
    fingerprint: Annotated[str, Meta(max_length=64)] = ""  # of the data
    losses: tuple[float | None, ...] = ()  # newest, one per member; None: not finite
    nats: tuple[float | None, ...] = ()
    verdicts: tuple[_Word, ...] = ()
    page: dict[str, Any] = field(default_factory=dict)  # state of the screen that shows it
    files: tuple[FileEntry, ...] = ()
    imported: bool = False  # its verdicts and numbers are another's word, not measured here


def read_about(folder: Path) -> About:
    """The manifest of the run in a folder; RequestError if it is no run, newer, or damaged."""
    try:
        if not (folder / ABOUT).exists() and (folder / _OLD).exists():
            return _about_schema_1(folder)
        plain = _read(folder / ABOUT)
        _check_schema(folder, plain["schema"])
        return _from_dict(plain, settings_of(f"The run in {folder}", plain["members"]))
    except FileNotFoundError as error:
        raise RequestError(
            f"{folder} is not a saved run: it has no {Path(str(error.filename)).name}; give the "
            "folder that holds one."
        ) from error
    except NewerRun:
        raise
    except DAMAGE as error:
        raise damaged(folder, f"{ABOUT}: {reason_of(error)}") from error


def owner_of(folder: Path) -> str | None:
    """Whose run a folder holds, from the first bytes of run.json; None where they do not say."""
    try:
        with (folder / ABOUT).open("rb") as file:
            head = _HEAD.match(file.read(_HEAD_BYTES))
    except OSError:
        return None
    return head[1].decode() if head else None


def check_sizes(folder: Path, about: About, sizes: Mapping[str, int]) -> None:
    """RequestError if a listed file is missing or its size differs from the manifest.

    A quick check for lists; digests are verified when the files are read.
    """
    for entry in about.files:
        if entry.name not in sizes:
            raise damaged(folder, f"{entry.name} is missing")
        if sizes[entry.name] != entry.size:
            raise damaged(folder, wrong_size(entry, sizes[entry.name]))


def wrong_size(entry: FileEntry, size: int) -> str:
    """Why a file of that many bytes is not the one that is listed."""
    return f"{entry.name} has {size:,} bytes, but {entry.size:,} were written"


def damaged(folder: Path, reason: str) -> DamagedRun:
    """The sentence on a folder that cannot be read. A reason may quote what is in it: not all."""
    told = _shortened(reason)
    error = DamagedRun(f"The run in {folder} is damaged ({told}); {_RESTORE}.")
    error.reason = told
    return error


def _shortened(reason: str) -> str:
    told = " ".join(reason.split())
    return told if len(told) <= LONGEST_REASON else f"{told[:LONGEST_REASON]} …"


def about_to_json(about: About) -> str:
    """The text of run.json."""
    plain = {item.name: getattr(about, item.name) for item in dataclasses.fields(About)}
    plain = {"owner": plain.pop("owner"), **plain}
    if not about.imported:  # older versions know all other fields
        del plain["imported"]
    plain["members"] = [settings_to_dict(settings) for settings in about.members]
    plain["files"] = [dataclasses.asdict(entry) for entry in about.files]
    return json.dumps({"schema": SCHEMA, **plain}, indent=1, ensure_ascii=False)


def certificate_from_json(plain: Any) -> Certificate:
    """A certificate from its JSON; ValueError where it is none."""
    certificate = from_json(Certificate, plain)
    one: Certificate | None = certificate
    while one is not None:
        words = (item for item in vars(one).values() if isinstance(item, str))
        if max(map(len, words)) > _LONGEST_SENTENCE:
            raise ValueError("a sentence in a certificate is too long")
        one = one.held_out
    return certificate


def certificates_from_json(data: bytes) -> tuple[Certificate, ...]:
    """Certificates as a run's folder keeps them; ValueError if not such."""
    if len(data) > LONGEST:
        raise ValueError(f"longer than {LONGEST} bytes")
    return tuple(map(certificate_from_json, from_json(list, parse(data, MOST_VALUES))))


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise ValueError(f"longer than {LONGEST} bytes")
    plain = parse(data, MOST_VALUES)
    if not isinstance(plain, dict):
        raise ValueError("it is no JSON object")
    return plain


def _check_schema(folder: Path, schema: Any) -> None:
    if not isinstance(schema, int):
        raise ValueError("its schema is no number")
    if schema > SCHEMA:
        raise NewerRun(
            f"{folder} was written by a newer version (schema {schema}, known is {SCHEMA}); "
            "update this program."
        )


def settings_of(what: str, plain: Any) -> list[Settings]:
    """Settings as `what` holds them; NewerRun where they are not possible here."""
    try:
        return [settings_from_dict(dict(one)) for one in plain]
    except RequestError as error:
        # How to mend a setting that one typed is of no use for one in a file.
        told = reason_of(in_parameter_words(error)).split("; ")[0]
        raise NewerRun(
            f"{what} has settings that are not known here ({_shortened(told)}); update this "
            "program, or add the plug-ins that it was made with."
        ) from error


def check_plugins(folder: Path, about: About) -> None:
    """NewerRun, which names it, where a run's method or data set is not here."""
    methods, datasets = scan_methods(), scan_datasets()
    for one in about.members:
        missing = "" if one.method in methods else f"method {_shortened(one.method)!r}"
        if one.dataset not in datasets and one.dataset != IN_MEMORY:
            missing = missing or f"data set {_shortened(one.dataset)!r}"
        if missing:
            raise NewerRun(
                f"The run in {folder} was made with the {missing}, which is not here; put that "
                "plug-in back into the folder that SVAE_PLUGINS names."
            )


def _from_dict(plain: dict[str, Any], members: list[Settings]) -> About:
    """The inverse of `about_to_json`; raises ValueError, KeyError or TypeError if malformed."""
    about = from_json(About, plain | {"members": members})
    if any(len(one.dataset) > LONGEST_TITLE for one in about.members):
        raise ValueError("its data set has no such name")
    if max(map(len, (about.losses, about.nats, about.verdicts))) > len(about.members):
        raise ValueError("it has more results than members")
    if len(json.dumps(about.page)) > LONGEST_PAGE:
        raise ValueError("what a screen kept with it is too long")
    for entry in about.files:
        if not FILE_NAME.fullmatch(entry.name):
            raise ValueError(f"{entry.name[:40]!r} is no file of a run")
    return about


def _about_schema_1(folder: Path) -> About:
    """The manifest of a run of schema 1: one member without frames."""
    plain = _read(folder / _OLD)
    _check_schema(folder, plain["schema"])
    (settings,) = settings_of(f"The run in {folder}", [plain["settings"]])
    written = (folder / _OLD).stat().st_mtime
    signed = certificates_schema_1(folder)
    return About(
        members=(settings,),
        id="",  # such runs have none: there is no link to them
        created=written,
        saved=written,
        title=settings.dataset,
        fingerprint=signed[0].fingerprint if signed else "",
        losses=tuple(to_json(one.loss) for one in signed),
        nats=tuple(to_json(one.kl) for one in signed),
        verdicts=tuple(one.verdict for one in signed),
    )


def certificates_schema_1(folder: Path) -> tuple[Certificate, ...]:
    """The certificate of a run of schema 1, if it has one."""
    path = folder / "certificate.json"
    return (certificate_from_json(_read(path)),) if path.exists() else ()
