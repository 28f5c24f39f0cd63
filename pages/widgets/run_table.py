"""Saved runs as tables and sentences, for the Runs page."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages.live import persistence, registry
from pages.live.history import member_name
from pages.visitor import url
from svae_core.config.fields import knobs
from svae_core.config.limits import limits
from svae_core.config.settings import settings_to_dict
from svae_core.records import Certificate, Settings
from svae_core.runs import store
from svae_core.runs.folder import certificates_in
from svae_core.runs.store import Entry

Table = dict[str, list[Any]]
_MEGABYTE = 1e6
_UNKNOWN = "–"
#: Settings that tell runs of the same data apart, where they are not as usual.
_TELLING = ("beta", "sigma2", "latent_dim", "epochs")


@dataclass(frozen=True)
class Viewer:
    """Who looks at the list."""

    owner: str  # key of the browser
    all: bool  # whether all runs of the machine are shown, whoever began them

    def sees(self, entry: Entry) -> bool:
        """Whether this entry is in their list; of a folder that cannot be read nobody is owner."""
        return self.all or bool(entry.about and entry.about.owner == self.owner)


def saved(home: Path, viewer: Viewer) -> list[Entry]:
    """The runs that a viewer may see, the newest first. RequestError where there is no folder."""
    # By their beginning, which stays: a run that trains would move up at every look.
    entries = sorted(store.shelf(home), key=lambda entry: entry.folder.name, reverse=True)
    return [entry for entry in entries if viewer.sees(entry)]


def trashed(home: Path, viewer: Viewer) -> list[Entry]:
    """The deleted runs that a viewer may take back, the last deleted first."""
    return [entry for entry in store.trash(home) if viewer.sees(entry)]


def holding(entries: list[Entry], words: str) -> list[Entry]:
    """Those that hold all words looked for."""
    wanted = words.lower().split()
    return [entry for entry in entries if all(word in _text(entry) for word in wanted)]


def key(entries: list[Entry]) -> str:
    """A key of this very list: what is picked in it is picked in no other."""
    return "runs." + hashlib.sha256("/".join(e.folder.name for e in entries).encode()).hexdigest()


def rows(entries: list[Entry], names: Iterable[str]) -> list[int]:
    """The rows of folders of these names."""
    wanted = set(names)
    return [row for row, entry in enumerate(entries) if entry.folder.name in wanted]


def shown(entry: Entry) -> str:
    """What a run is called in the list."""
    if entry.name or entry.about is None:
        return entry.name or entry.folder.name
    settings = entry.about.members[-1]
    told = [entry.about.title or settings.dataset, f"seed {settings.seed}"]
    for name in _TELLING:
        value = getattr(settings, name)
        if value != getattr(Settings(), name):
            told.append(f"{knobs(Settings)[name].label} {value:g}")
    return ", ".join(told)


def table(entries: list[Entry]) -> Table:
    """The list, one column each; folders that cannot be read say why."""
    told: list[dict[str, Any]] = [_row(entry) for entry in entries]
    names = ("Run", "Saved", "Models", "Trained", "Loss", "KL, nats", "Ended", "MB")
    return {name: [row[name] for row in told] for name in names}


def _row(entry: Entry) -> dict[str, Any]:
    when = datetime.datetime.fromtimestamp(entry.touched, datetime.UTC)
    row = {"Run": shown(entry), "Saved": when, "MB": entry.size / _MEGABYTE}
    about = entry.about
    if about is None:
        blank = dict.fromkeys(("Models", "Loss", "KL, nats"), _UNKNOWN)
        return row | blank | {"Trained": None, "Ended": f"not readable: {entry.trouble}"}
    return row | {
        "Models": " + ".join(member_name(settings) for settings in about.members),
        "Trained": about.step / about.steps if about.steps else None,
        "Loss": _numbers(about.losses, 3),
        "KL, nats": _numbers(about.nats, 2),
        "Ended": ", ".join(about.verdicts) or "not yet",
    }


def storage(entries: list[Entry], deleted: list[Entry], viewer: Viewer) -> str:
    """How many runs there are, and what they take."""
    used = sum(entry.size for entry in (*entries, *deleted)) / _MEGABYTE
    runs = f"{len(entries)} run{'s' * (len(entries) != 1)}"
    trash = f", {len(deleted)} more in the trash" if deleted else ""
    allowed = f" of {limits().disk_mb:,}" if viewer.all else ""
    return f"{runs}{trash}; {used:,.1f}{allowed} MB used."


def whose(viewer: Viewer) -> str:
    """Which runs are listed, and who else may see them."""
    if viewer.all:
        return (
            "All runs saved on this machine. Whoever has a run's link can open it, nobody else. "
            "A server for many lists to each browser only what was begun in it."
        )
    return (
        "Runs begun in this browser, known by a cookie. Whoever has a run's link can open it; in "
        "nobody else's list it appears."
    )


def query_of(entry: Entry) -> dict[str, str] | None:
    """The query that opens a run on the Train page; None where that page cannot show it."""
    if entry.about is None or not entry.about.id:
        return None
    request = persistence.request_in(entry.about)
    if request.members != registry.pair(request.members[-1]):
        return None
    query = url.to_link(request.members[-1]) | {"run": entry.about.id}
    return query | ({"lesson": request.lesson} if request.lesson else {})


# --------------------------------------------------------------------------- two of them


def differences(one: Entry, other: Entry) -> Table:
    """Settings in which two runs differ, member by member."""
    assert one.about is not None and other.about is not None
    told: Table = {"Setting": [], f"1: {shown(one)}": [], f"2: {shown(other)}": []}
    columns = list(told.values())
    pairs = zip(_settings(one.about.members), _settings(other.about.members), strict=True)
    for (name, mine), (_, theirs) in pairs:
        if mine != theirs:
            for column, value in zip(columns, (name, mine, theirs), strict=True):
                column.append(value)
    return told


def certificates(entries: list[Entry]) -> Table:
    """Certificates side by side, one column for each member of each run."""
    columns: Table = {"": list(_CERTIFIED)}
    for number, entry in enumerate(entries, start=1):
        for certificate in certificates_in(entry.folder):
            title = f"{number}: {certificate.method}, seed {certificate.seed}"
            while title in columns:
                title += "′"
            columns[title] = [tell(certificate) for tell in _CERTIFIED.values()]
    return columns


_CERTIFIED: dict[str, Any] = {
    "verdict": lambda c: c.verdict,
    "loss ± margin": lambda c: f"{c.loss:.4f} ± {c.loss_margin:.4f}",
    "collapse loss δ": lambda c: f"{c.delta:.4f} ({c.delta_definition})",
    "band": lambda c: f"{c.lo:.4f} – {c.hi:.4f}",
    "in the band": lambda c: "yes" if c.in_band else "no",
    "KL, nats": lambda c: f"{c.kl:.4f}",
    "active units": lambda c: str(c.active_units),
    "mutual information, nats": lambda c: f"{c.mutual_information:.4f}",
    "floor, proved": lambda c: f"{c.floors.proved:.4f}",
    "floor, tight": lambda c: f"{c.floors.tight:.4f}",
    "gauge βσ²/λ_max": lambda c: f"{c.gauge:.3g}",
}


def uncertified(entries: list[Entry]) -> str:
    """Which of these have no certificate, if any."""
    without = [shown(entry) for entry in entries if not certificates_in(entry.folder)]
    return f"Not certified, since not trained to the end: {'; '.join(without)}." if without else ""


def sentences(entry: Entry) -> list[str]:
    """What was certified of a run, in words."""
    found: tuple[Certificate, ...] = certificates_in(entry.folder)
    return [f"**{certificate.method}**: {certificate.sentence}" for certificate in found]


def _settings(members: tuple[Settings, ...]) -> list[tuple[str, str]]:
    """Every setting by its label, told once where the members agree in it."""
    told = []
    known = knobs(Settings)
    for item in dataclasses.fields(Settings):
        values = [str(settings_to_dict(settings)[item.name]) for settings in members]
        label = known[item.name].label if item.name in known else item.name.replace("_", " ")
        told.append((label, values[0] if len(set(values)) == 1 else " | ".join(values)))
    return told


def _numbers(values: tuple[float | None, ...], digits: int) -> str:
    told = (_UNKNOWN if value is None else f"{value:.{digits}f}" for value in values)
    return " | ".join(told) or _UNKNOWN


def _text(entry: Entry) -> str:
    """All that a search looks into."""
    about = entry.about
    words = [entry.folder.name, shown(entry), entry.trouble]
    if about is not None:
        words += [about.title, about.status, *about.verdicts]
        words += [f"{one.dataset} {one.method} {member_name(one)}" for one in about.members]
    return " ".join(words).lower()
