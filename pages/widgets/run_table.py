"""Saved runs as tables and sentences, for the Runs page."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import logging
import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from pages.classroom import lessons
from pages.live import persistence, registry
from pages.visitor import settings_in_url
from pages.visitor.markdown import for_visitors, line, plain
from svae_core.config.fields import knobs
from svae_core.config.limits import MEGABYTE, limits
from svae_core.config.settings import settings_to_dict
from svae_core.figures.members import member_name
from svae_core.figures.palette import mark_of
from svae_core.methods import scan_methods
from svae_core.records import Certificate, Settings
from svae_core.runs import store, transfer
from svae_core.runs.folder import certificates_in
from svae_core.runs.manifest import About
from svae_core.runs.naming import Lesson, default_name
from svae_core.runs.store import Entry

_log = logging.getLogger(__name__)
Table = dict[str, list[Any]]
_MEGABYTE = 1e6
_UNKNOWN = "–"
#: Said of every verdict and number that another server claims to have measured.
AS_IMPORTED = "as imported"
#: Members of a run that a row tells of.
_SHOWN = 8
_LONGEST_CELL = 300
_taking_in = threading.Lock()
#: Numbers from here on are written with an exponent: 1e300 has 301 digits.
_WIDE = 1e9


@dataclass(frozen=True)
class Viewer:
    """The visitor who sees the list."""

    owner: str  # key of the browser
    all: bool  # whether all runs of the machine are shown, whoever started them

    @property
    def whose(self) -> str | None:
        """Whose runs alone are looked at; None: everybody's. No key is nobody's key."""
        return None if self.all else self.owner or "nobody"


def saved(home: Path, viewer: Viewer) -> list[Entry]:
    """The runs that a visitor may see, the newest first. RequestError if there is no folder."""
    # By their start, which stays the same: by their last write, runs in training would move.
    found = map(showable, store.saved_runs(home, viewer.whose))
    return sorted(found, key=lambda entry: entry.folder.name, reverse=True)


def trashed(home: Path, viewer: Viewer) -> list[Entry]:
    """The deleted runs that a visitor may restore, the last deleted first."""
    return list(map(showable, store.trash(home, viewer.whose)))


def take_in(data: bytes, home: Path, viewer: Viewer) -> None:
    """An exported run into the list; RequestError where it is none, or holds too much.

    One at a time, and no larger than what a session may hold: it is read as a whole once.
    """
    with _taking_in:
        largest = min(transfer.LARGEST, limits().session_mb * MEGABYTE)
        transfer.unpack(data, home, viewer.owner, largest)


def matching(entries: list[Entry], words: str) -> list[Entry]:
    """The entries that contain all words."""
    wanted = words.lower().split()
    return [entry for entry in entries if all(word in _text(entry) for word in wanted)]


def key(entries: list[Entry]) -> str:
    """A widget key for this very list: its selection applies to no other list."""
    names = "/".join(entry.folder.name for entry in entries)
    return "runs." + hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()


def rows(entries: list[Entry], names: Iterable[str]) -> list[int]:
    """The indices of the entries whose folders have these names."""
    wanted = set(names)
    return [row for row, entry in enumerate(entries) if entry.folder.name in wanted]


def display_name(entry: Entry) -> str:
    """The name of a run in the list."""
    return line(_called(entry))[: 2 * store.LONGEST_NAME]


def _called(entry: Entry) -> str:
    if entry.name or entry.about is None:
        return entry.name or entry.folder.name
    lesson = lessons.find(persistence.request_of_saved(entry.about).lesson)
    named = Lesson(lesson.title, lesson.settings) if lesson else None
    return default_name(entry.about, named)


def table(entries: list[Entry]) -> Table:
    """The list, column by column; a folder that cannot be read or shown has the reason."""
    parts: list[dict[str, Any]] = [_row(entry) for entry in entries]
    names = ("Run", "Saved", "Models", "Trained", "Loss", "KL, nats", "Ended", "MB")
    return {name: [row[name] for row in parts] for name in names}


def showable(entry: Entry) -> Entry:
    """The entry, or where its row cannot be made, one that says so: it can be deleted all the same.

    One run must never keep the others from being listed, whatever is in it.
    """
    try:
        _row(entry)
        _text(entry)
    except Exception as error:
        return _not_shown(entry, error)
    return entry


def details(entry: Entry) -> tuple[Entry, list[str], dict[str, str] | None]:
    """A run to be shown in full, what was certified of it, and the query that opens it."""
    if entry.about is None:
        return entry, [], None
    try:
        return entry, sentences(entry), query_of(entry)
    except Exception as error:
        return _not_shown(entry, error), [], None


def _not_shown(entry: Entry, error: Exception) -> Entry:
    _log.warning("A run cannot be shown: %s", entry.folder, exc_info=error)
    trouble = f"What is in it cannot be shown ({type(error).__name__})."
    return dataclasses.replace(entry, about=None, trouble=trouble, touched=0.0)


def _row(entry: Entry) -> dict[str, Any]:
    when = datetime.datetime.fromtimestamp(entry.touched, datetime.UTC)
    row = {"Run": display_name(entry), "Saved": when, "MB": entry.size / _MEGABYTE}
    about = entry.about
    if about is None:
        blank = dict.fromkeys(("Models", "Loss", "KL, nats"), _UNKNOWN)
        trouble = line(for_visitors(entry.trouble))
        return row | blank | {"Trained": None, "Ended": f"not readable: {trouble}"}
    models = [member_name(settings) for settings in about.members[:_SHOWN]]
    alike = [(name, len(list(same))) for name, same in groupby(models)]
    named = [f"{times} × {name}" if times > 1 else name for name, times in alike]
    return row | {
        "Models": line(" + ".join(named)) + _more(about.members),
        "Trained": 100 * min(1.0, about.step / about.steps) if about.steps else None,
        "Loss": _numbers(about.losses, 3),
        "KL, nats": _numbers(about.nats, 2),
        "Ended": _ended(about),
    }


def _ended(about: About) -> str:
    """How it ended: by our own measure, or as a file from elsewhere says."""
    told = line(", ".join(about.verdicts[:_SHOWN])) + _more(about.verdicts)
    if not told:
        return "not yet"
    return f"{told} ({AS_IMPORTED})" if about.imported else told


def _more(listed: tuple[Any, ...]) -> str:
    return f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""


def describe_storage(entries: list[Entry], deleted: list[Entry], viewer: Viewer) -> str:
    """The number of runs, and the disk space they take."""
    used = sum(entry.size for entry in (*entries, *deleted)) / _MEGABYTE
    runs = f"{len(entries)} run{'s' * (len(entries) != 1)}"
    trash = f", {len(deleted)} more in the trash" if deleted else ""
    allowed = f" of {limits().disk_mb:,}" if viewer.all else ""
    return f"{runs}{trash}; {used:,.1f}{allowed} MB used."


def describe_listing(viewer: Viewer) -> str:
    """Which runs are listed, and who else can open them."""
    if viewer.all:
        return (
            "All runs saved on this machine. Anyone with a run's link can open it, nobody else. "
            "A server for many people lists in each browser only the runs that it started."
        )
    return (
        "Runs started in this browser, which a cookie identifies. Anyone with a run's link can "
        "open it; it appears in nobody else's list."
    )


def query_of(entry: Entry) -> dict[str, str] | None:
    """The query that opens a run on the Train page; None if that page cannot show it."""
    if entry.about is None or not entry.about.id:
        return None
    request = persistence.request_of_saved(entry.about)
    if request.members != registry.pair(request.members[-1]):
        return None
    query = settings_in_url.to_link(request.members[-1]) | {"run": entry.about.id}
    return query | ({"lesson": request.lesson} if request.lesson else {})


# --------------------------------------------------------------------------- two runs


def differences(one: Entry, other: Entry) -> Table:
    """Settings in which two runs differ, member by member."""
    assert one.about is not None and other.about is not None
    titles = (plain(f"1: {display_name(one)}"), plain(f"2: {display_name(other)}"))
    parts: Table = {"Setting": [], titles[0]: [], titles[1]: []}  # st.table reads Markdown
    columns = list(parts.values())
    pairs = zip(_settings(one.about.members), _settings(other.about.members), strict=True)
    for (name, mine), (_, theirs) in pairs:
        if mine != theirs:
            for column, value in zip(columns, (name, mine, theirs), strict=True):
                column.append(plain(value[:_LONGEST_CELL]))
    return parts


def certificates(entries: list[Entry]) -> Table:
    """Certificates side by side, one column for each member of each run."""
    columns: Table = {"": list(_CERTIFIED)}
    for number, entry in enumerate(entries, start=1):
        for certificate in certificates_in(entry.folder):
            imported = f", {AS_IMPORTED}" if entry.about and entry.about.imported else ""
            name = mark_of(certificate.method).name
            title = plain(f"{number}: {name}, seed {certificate.seed}{imported}")
            while title in columns:
                title += "′"
            columns[title] = [plain(cell(certificate)) for cell in _CERTIFIED.values()]
    return columns


_CERTIFIED: dict[str, Any] = {
    "verdict": lambda c: c.verdict,
    "loss ± margin": lambda c: f"{c.loss:.4f} ± {c.loss_margin:.4f}",
    "collapse loss δ": lambda c: f"{c.delta:.4f} ({c.delta_definition})",
    "band": lambda c: f"{c.lo:.4f} – {c.hi:.4f}",
    "in the band": lambda c: "yes" if c.in_band else "no",
    "KL, nats": lambda c: f"{c.kl:.4f}",
    "active units": lambda c: str(c.active_units),
    "mutual information, nats": lambda c: _nats(c.mutual_information),
    "floor, proved": lambda c: f"{c.floors.proved:.4f}",
    "floor, tight (numerical)": lambda c: f"{c.floors.tight:.4f}",
    "floor, model-specific (99 %)": lambda c: _nats(c.floors.specific),
    "gauge βσ²/λₘₐₓ": lambda c: f"{c.gauge:.3g}",
}


def _nats(value: float | None) -> str:
    """A number of nats; a dash where there is none, as in older certificates or of chains."""
    return "–" if value is None or math.isnan(value) else f"{value:.4f}"


def uncertified(entries: list[Entry]) -> str:
    """A sentence naming the runs without certificate; empty if there are none."""
    without = [display_name(entry) for entry in entries if not certificates_in(entry.folder)]
    return (
        f"These runs have no certificate, since they have not finished: {'; '.join(without)}."
        if without
        else ""
    )


def sentences(entry: Entry) -> list[str]:
    """The sentences of a run's certificates, as plain text."""
    found: tuple[Certificate, ...] = certificates_in(entry.folder)
    told = [line(f"{_title(certificate.method)}: {certificate.sentence}") for certificate in found]
    if entry.about is not None and entry.about.imported:
        return [f"{sentence} ({AS_IMPORTED})" for sentence in told] + [
            "This run was imported. Open it in Train, and its models are measured here."
        ]
    return told


def _settings(members: tuple[Settings, ...]) -> list[tuple[str, str]]:
    """Every setting by its label; one value if the members agree in it."""
    parts = []
    known = knobs(Settings)
    for item in dataclasses.fields(Settings):
        values = [_shown(settings, item.name) for settings in members]
        label = known[item.name].label if item.name in known else item.name.replace("_", " ")
        parts.append((label, values[0] if len(set(values)) == 1 else " | ".join(values)))
    return parts


def _shown(settings: Settings, name: str) -> str:
    """The value of a setting as text; a method by its title."""
    value = settings_to_dict(settings)[name]
    return _title(str(value)) if name == "method" else str(value)


def _title(method: str) -> str:
    """A method's title; its key if no such method is installed."""
    plugin = scan_methods().get(method)
    return plugin.title if plugin else method


def _numbers(values: tuple[float | None, ...], digits: int) -> str:
    parts = (_UNKNOWN if value is None else _number(value, digits) for value in values[:_SHOWN])
    return " | ".join(parts) + _more(values) if values else _UNKNOWN


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < _WIDE else f"{value:.{digits}e}"


def _text(entry: Entry) -> str:
    """The text that a search looks at."""
    about = entry.about
    words = [entry.folder.name, display_name(entry), entry.trouble]
    if about is not None:
        words += [about.title, about.status, *about.verdicts]
        words += [f"{one.dataset} {one.method} {member_name(one)}" for one in about.members]
    return " ".join(words).lower()
