"""Inspect a file of your own: its columns, and the assumptions made in reading it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from svae_core.commands import deposited, print_json
from svae_core.datasets.file import Config, how_of
from svae_core.own_data.formats import listed
from svae_core.own_data.numerals import spelt
from svae_core.own_data.suspicions import Suspicion
from svae_core.records import RequestError


def add_options(command: argparse.ArgumentParser) -> None:
    """A file, or what is to be done with those kept."""
    command.add_argument("file", nargs="?", metavar="FILE", help=f"{listed()}")
    command.add_argument(
        "--array", default="", metavar="NAME", help="which of several arrays holds the points"
    )
    command.add_argument(
        "--turned", action="store_true", help="the points are the columns of a matrix"
    )
    command.add_argument(
        "--colour", action="store_true", help="pictures keep their channels instead of turning grey"
    )
    command.add_argument(
        "--side", type=int, default=0, help="shrink pictures to so many pixels a side, at most"
    )
    command.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="a second file with labels for the rows, joined by their names or by order",
    )
    command.add_argument(
        "--key", default="", help="the key that a saved run or a link has for the file"
    )
    command.add_argument("--kept", action="store_true", help="list the kept files")
    command.add_argument("--forget", metavar="KEY", help="remove a kept file")


def run(request: argparse.Namespace) -> None:
    """Print the description of a table, or the list of kept tables."""
    from svae_core.own_data import kept

    if request.forget:
        kept.forget(request.forget)
        answer: dict[str, Any] = {"forgotten": request.forget}
    elif request.kept:
        answer = {
            "kept": [
                {"key": key, "name": table.name, "rows": table.rows, "columns": len(table.columns)}
                for key, table in kept.kept()
            ]
        }
    elif request.file:
        how = how_of(Config(turned=request.turned, colour=request.colour, side=request.side))
        key = deposited(Path(request.file), request.key, request.array, how)
        answer = _described(key, deposited(request.labels, how="labels") if request.labels else "")
    else:
        raise RequestError("Name a FILE, or use --kept or --forget KEY; see --help.")
    if request.json:
        print_json(answer)
        return
    _print(answer)


def _described(key: str, labels: str = "") -> dict[str, Any]:
    from svae_core.own_data.choice import Choice
    from svae_core.own_data.kept import find
    from svae_core.own_data.labels import labelling_of
    from svae_core.own_data.look import look_at

    table = find(key)
    second = find(labels) if labels else None
    labelling = labelling_of(table, Choice(), second)
    look = look_at(table, Choice(), second)
    looks = {column.name: column for column in look.columns}
    columns = [
        {
            "name": column.name,
            "kind": column.kind,
            "missing": column.missing,
            "low": column.low if column.kind == "number" else None,
            "high": column.high if column.kind == "number" else None,
            "categories": len(column.categories),
            "use": looks[column.name].use if column.name in looks else None,
            "share": looks[column.name].share if column.name in looks else None,
        }
        for column in table.columns
    ]
    about = {"key": key, "name": table.name, "form": table.form, "rows": table.rows}
    return about | {
        "label": labelling.label.name if labelling.label else None,
        "labels_key": labels,
        "array": table.array,
        "arrays": table.arrays,
        "notes": [*table.notes, *labelling.notes],
        "warnings": [_with_option(item) for item in look.suspicions]
        or list(filter(None, [look.refusal])),
        "classes": dict(look.classes),
        "columns": columns,
        "first_rows": table.examples,
    }


def _with_option(suspicion: Suspicion) -> str:
    """The sentence of a suspicion, with the option that answers its question."""
    asks = suspicion.kind == "orientation"
    return f"{suspicion.sentence[:-1]} (--turned)." if asks else suspicion.sentence


def _print(answer: dict[str, Any]) -> None:
    for name, value in answer.items():
        if value in (None, "", (), [], {}):
            continue  # nothing is said of what the file has not
        if name == "columns":
            for column in value:
                spread = (
                    f"{spelt(column['low'])} … {spelt(column['high'])}"
                    if column["kind"] == "number"
                    else f"{column['categories']} different" * (column["kind"] == "category")
                )
                missing = f", {column['missing']:,} missing" if column["missing"] else ""
                print(f"  {column['name']:32} {column['kind']:9} {spread}{missing}")
        elif name in ("notes", "warnings", "first_rows", "kept"):
            for item in value:
                print("  " + ("  ".join(map(str, item)) if name == "first_rows" else _line(item)))
        elif name == "classes":
            print(f"{name:10} " + ", ".join(f"{one} ({count:,})" for one, count in value.items()))
        elif name == "arrays":
            print(f"{name:10} {', '.join(value)}")
        else:
            print(f"{name:10} {value}")


def _line(item: Any) -> str:
    return "  ".join(map(str, item.values())) if isinstance(item, dict) else str(item)
