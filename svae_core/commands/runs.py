"""Manage saved runs: list, show, resume, rename, delete, undo, export, import, clean."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.commands import print_json
from svae_core.commands._cluster import add_scheduler
from svae_core.commands._resuming import resume
from svae_core.commands._stopping import resume_command
from svae_core.commands.compare import add_tables
from svae_core.config.settings import settings_to_dict
from svae_core.config.writable import check_file, unreadable, write_file
from svae_core.methods import title_of
from svae_core.records import RequestError

if TYPE_CHECKING:
    from svae_core.runs.store import Entry

_NAMES = ("list", "show", "resume", "rename", "delete", "undo", "export", "import", "clean")
_HEAD = f"{'saved':16} {'size':>8} {'status':10} {'step':>7}  name or folder, and verdicts"


def add_options(command: argparse.ArgumentParser) -> None:
    """The action, and the run it applies to."""
    command.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=_NAMES,
        help="list (default) · show RUN · resume RUN: train it, or its whole comparison, "
        "to the end · rename RUN NAME · delete RUN · undo [RUN]: restore the last deleted run · "
        "export RUN [FILE.zip|FILE.csv] · import FILE.zip · clean: remove deleted runs for good",
    )
    command.add_argument("what", nargs="?", metavar="RUN", help="folder, name, or its beginning")
    command.add_argument("to", nargs="?", metavar="NAME|FILE", help="new name; file to write")
    command.add_argument(
        "--days", type=float, default=0.0, help="clean: only runs deleted at least this long ago"
    )
    add_tables(command)
    add_scheduler(command)


def run(request: argparse.Namespace) -> None:
    """Run one action and print its answer."""
    if request.action not in ("list", "undo", "clean") and not request.what:
        thing = "file" if request.action == "import" else "run"
        raise RequestError(f"`runs {request.action}` needs a {thing}.")
    if request.action == "resume":
        resume(request, _found(request.what))
        return
    answer, lines = _ACTIONS[request.action](request)
    if request.json:
        print_json(answer)
    else:
        print("\n".join(lines))


def _list(_request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs import store
    from svae_core.runs.folder import home

    entries, deleted = store.saved_runs(home()), store.trash(home())
    used = store.usage(home())
    lines = [_HEAD, *map(_line, entries)] if entries else [f"No runs are saved in {home()}."]
    lines.append(f"{used / 1e6:.1f} MB in {home()}, {len(deleted)} deleted runs among them.")
    answer = {
        "home": str(home()),
        "bytes": used,
        "runs": [_told(entry) for entry in entries],
        "deleted": [_told(entry) for entry in deleted],
    }
    return answer, lines


def _show(request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs.folder import load

    entry = _found(request.what)
    saved = load(entry.folder, to_use=False)
    answer = _told(entry) | {
        "moments": len(saved.moments),
        "layouts": len(saved.layouts),
        "certificates": saved.certificates,
    }
    lines = [_HEAD, _line(entry), f"{len(saved.moments)} moments in {entry.folder}"]
    lines += [f"{title_of(one.method)}: {one.sentence}" for one in saved.certificates]
    return answer, lines


def _rename(request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs import store

    entry = _found(request.what)
    name = store.rename(entry.folder, request.to or "")
    return {"folder": str(entry.folder), "name": name}, [f"{entry.folder.name} is now {name!r}."]


def _delete(request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs import store

    entry = _found(request.what)
    where = store.delete(entry.folder)
    words = f"Deleted {entry.folder.name}; `runs undo` restores it, `runs clean` removes it."
    return {"folder": str(where)}, [words]


def _undo(request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs import store
    from svae_core.runs.folder import home

    where = store.undo(home(), request.what or "")
    return {"folder": str(where)}, [f"Restored {where.name}."]


def _export(request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs import transfer
    from svae_core.runs.folder import load

    entry = _found(request.what)
    path = Path(request.to or f"{entry.folder.name}{transfer.SUFFIX}")
    if path.suffix in (".csv", ".zip"):
        check_file(path, str(path))
    if path.suffix == ".csv":
        data = transfer.history(load(entry.folder, to_use=False)).encode()
    elif path.suffix == ".zip":
        data = transfer.pack(entry.folder)
    else:
        raise RequestError(f"{path} should end in .zip (all of the run) or .csv (its numbers).")
    write_file(path, data)
    return {"file": str(path), "bytes": len(data)}, [f"Wrote {path}, {len(data) / 1e6:.1f} MB."]


def _import(request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs import transfer
    from svae_core.runs.folder import home

    try:
        data = Path(request.what).read_bytes()
    except OSError as error:
        raise unreadable(request.what, Path(request.what), error) from error
    folder = transfer.unpack(data, home())
    return {"folder": str(folder)}, [f"Saved as {folder.name}."]


def _clean(request: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from svae_core.runs import store
    from svae_core.runs.folder import home

    freed = store.clean(home(), request.days * 86_400)
    return {"bytes": freed}, [f"Freed {freed / 1e6:.1f} MB."]


_ACTIONS = {
    "list": _list,
    "show": _show,
    "rename": _rename,
    "delete": _delete,
    "undo": _undo,
    "export": _export,
    "import": _import,
    "clean": _clean,
}


def _found(wanted: str) -> Entry:
    from svae_core.runs.folder import home
    from svae_core.runs.store import find

    return find(home(), wanted)


def _told(entry: Entry) -> dict[str, Any]:
    """An entry as JSON values, without the id, with which anyone could open the run."""
    from svae_core.runs.naming import default_name

    fields: dict[str, Any] = {"folder": str(entry.folder), "name": entry.name, "bytes": entry.size}
    fields |= {"trouble": entry.trouble}
    if entry.about is not None:
        names = ("created", "saved", "status", "step", "steps", "title", "fingerprint")
        fields |= {
            name: getattr(entry.about, name) for name in (*names, "losses", "nats", "verdicts")
        }
        fields["default_name"] = default_name(entry.about)
        fields |= {"status": _status(entry), "resume": _how_to_resume(entry)}
        fields["members"] = [settings_to_dict(settings) for settings in entry.about.members]
    return fields


def _line(entry: Entry) -> str:
    from svae_core.runs.naming import default_name

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.touched))
    head = f"{when} {entry.size / 1e6:5.1f} MB"
    if entry.about is None:
        return f"{head} {'damaged':10} {'':7}  {entry.folder.name}: {entry.trouble}"
    about = entry.about
    ended = ", ".join(about.verdicts) or "not certified yet"
    if command := _how_to_resume(entry):
        ended = f"go on with {command}"
    shown = entry.name or entry.folder.name
    special = default_name(about)
    return f"{head} {_status(entry):10} {about.step:7}  {shown} ({special}): {ended}"


def _status(entry: Entry) -> str:
    """The saved status, or `unfinished` if the run has not ended and no process trains it."""
    from svae_core.runs.recorder import UNFINISHED, is_unfinished

    assert entry.about is not None
    return UNFINISHED if is_unfinished(entry) else entry.about.status


def _how_to_resume(entry: Entry) -> str | None:
    from svae_core.runs.recorder import is_unfinished

    return resume_command(entry.folder) if is_unfinished(entry) else None
