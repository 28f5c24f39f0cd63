"""Make, replay or tabulate open records: comparisons in a file that anyone can check.

A record holds settings, versions, scores with certificates, and a hash of every frame; no data and
no code. On a machine of the same kind with the same versions a replay is equal bit for bit; on
another it is compared to a tolerance, and what differs is said. Exit status 1, as of `diff`: a
replay differs.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.commands import add_settings, print_json
from svae_core.commands._cluster import add_scheduler, engine_of
from svae_core.commands.compare import add_methods, compared_runs
from svae_core.config.settings import settings_to_dict
from svae_core.config.writable import check_file, refusal, unreadable
from svae_core.records import RequestError, Settings, to_json

if TYPE_CHECKING:
    from svae_core.runs.open_record import Record

_NAMES = ("make", "replay", "table")
_ENDING = ".json"


def add_options(command: argparse.ArgumentParser) -> None:
    """The action, its files, and the settings of a comparison to make."""
    command.add_argument(
        "action",
        choices=_NAMES,
        help="make FILE: train a comparison and record it · replay FILE …: train what is recorded "
        "again, and compare · table FOLDER|FILE …: the scores as recorded",
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="records, or a folder of them")
    command.add_argument("--title", default="", help="make: a title for the record")
    command.add_argument(
        "--tolerance",
        type=float,
        default=None,
        help="replay: relative difference of loss, δ, KL and information that is still close "
        "(default: 0.02)",
    )
    add_settings(command, without=("method",))
    add_methods(command)
    add_scheduler(command)


def run(request: argparse.Namespace) -> int:
    """Do one action and print its answer."""
    return {"make": _make, "replay": _replay, "table": _table}[request.action](request)


def _make(request: argparse.Namespace) -> int:
    from svae_core.commands._recording import recorded
    from svae_core.own_data.names import cleaned
    from svae_core.runs.open_record import (
        Record,
        check_number,
        check_recordable,
        made_here,
        to_bytes,
    )

    if len(request.files) > 1:
        raise RequestError("`record make` writes one file; name one.")
    (name,) = request.files
    path = Path(name)
    _check_target(path, f"FILE {name}")
    runs = compared_runs(request)
    check_recordable(runs)
    check_number(runs)
    with engine_of(request) as engine:
        found = recorded(runs, engine)
    title = cleaned(request.title) or _usual_title(runs)
    data = to_bytes(Record(title, made_here(), found))
    try:
        _write(path, data)
    except OSError as error:
        raise refusal(name, path, error) from error
    if request.json:
        print_json({"file": name, "bytes": len(data), "title": title, "runs": len(found)})
    else:
        print(f"Wrote {name}, {len(data) / 1e3:.1f} kB: {title}, {len(found)} runs.")
    return 0


def _check_target(path: Path, name: str) -> None:
    """RequestError where a file cannot be written, or holds anything but an earlier record."""
    from svae_core.runs.open_record import LONGEST, from_bytes

    check_file(path, name)
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with path.open("rb") as file:
            from_bytes(file.read(LONGEST + 1))
    except RequestError as error:
        raise RequestError(f"{name} holds something other than a record; name another.") from error


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole, so that it is always a record, the old one or the new."""
    from svae_core.runs import folder

    if path.exists() and not path.is_file():  # a device or a pipe
        path.write_bytes(data)
    else:
        folder.replace(path.resolve(), data)  # where a link leads


def _usual_title(runs: tuple[Settings, ...]) -> str:
    names = dict.fromkeys(one.dataset for one in runs)
    methods = len({one.method for one in runs})
    return f"{', '.join(names)} with {methods} {'method' if methods == 1 else 'methods'}"


def _replay(request: argparse.Namespace) -> int:
    from svae_core.commands._recording import recorded
    from svae_core.runs import open_record

    tolerance = open_record.TOLERANCE if request.tolerance is None else request.tolerance
    if not 0 <= tolerance < 1:
        raise RequestError(f"--tolerance is {tolerance:g}, but must be at least 0 and below 1.")
    here = open_record.made_here()
    answers: list[dict[str, Any]] = []
    close = True
    records = _records(request.files)
    with engine_of(request) as engine:
        for path, record in records:
            again = recorded(tuple(one.settings for one in record.runs), engine)
            pairs = zip(record.runs, again, strict=True)
            found = [open_record.replayed(was, now, tolerance) for was, now in pairs]
            close = close and all(one.close for one in found)
            others = open_record.others(record.made, here)
            entries = [_entry(one, open_record.said(one)) for one in found]
            about = {"file": str(path), "title": record.title, "others": others}
            answers.append(about | {"runs": entries})
            if not request.json:
                print(f"{path.name}: {record.title}")
                print("\n".join(f"  {open_record.said(one)}" for one in found))
                if others and not all(one.equal for one in found):
                    print(f"  Made elsewhere: {others}.")
    if request.json:
        equal = all(one["equal"] for answer in answers for one in answer["runs"])
        print_json(
            {"equal": equal, "close": close, "tolerance": tolerance, "made": here}
            | {"records": answers}
        )
    return 0 if close else 1


def _entry(found: Any, sentence: str) -> dict[str, Any]:
    plain: dict[str, Any] = to_json(dataclasses.replace(found, settings=None))
    return plain | {"settings": settings_to_dict(found.settings), "sentence": sentence}


def _table(request: argparse.Namespace) -> int:
    from svae_core.own_data.names import cleaned
    from svae_core.studies.scores import rows, to_markdown

    records = _records(request.files)
    tables = [(path, record, rows(one.score for one in record.runs)) for path, record in records]
    if request.json:
        entries = [
            {"file": str(path), "title": record.title, "made": record.made, "rows": table}
            for path, record, table in tables
        ]
        print_json({"records": entries})
        return 0
    print("Scores as recorded; `svae record replay FILE` checks them.")
    for path, record, table in tables:
        svae, system = record.made.versions.get("svae", "?"), record.made.system
        print(
            f"\n### {record.title}\n\n{path.name}: {_shared(record)}; made with svae "
            f"{cleaned(svae)} on {cleaned(system)}.\n\n{to_markdown(table)}"
        )
    return 0


def _shared(record: Record) -> str:
    """The settings that all runs of a record share and that differ from the defaults."""
    default = settings_to_dict(Settings())
    plain = [settings_to_dict(one.settings) for one in record.runs]
    named = ("dataset", "method", "method_options", "seed")
    words = [
        f"{name} {plain[0][name]}"
        for name in default
        if name not in named and plain[0][name] != default[name]
        if all(one[name] == plain[0][name] for one in plain)
    ]
    return ", ".join(words) or "default settings"


def _records(names: list[str]) -> list[tuple[Path, Record]]:
    """The records in files and folders, in order; RequestError where there is none."""
    from svae_core.runs.open_record import LONGEST, from_bytes

    paths: list[Path] = []
    for name in names:
        path = Path(name)
        inside = sorted(path.glob(f"*{_ENDING}")) if path.is_dir() else [path]
        if not inside:
            raise RequestError(f"{name} holds no record; name a folder with {_ENDING} files.")
        paths += inside
    found = []
    for path in paths:
        try:
            with path.open("rb") as file:
                data = file.read(LONGEST + 1)
        except OSError as error:
            raise unreadable(str(path), path, error) from error
        try:
            found.append((path, from_bytes(data)))
        except RequestError as error:
            raise RequestError(f"{path}: {error}") from error
    return found
