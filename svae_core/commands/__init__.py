"""Commands of `python -m svae_core`, one file each.

A command file has a docstring (its first line is the help), `add_options(parser)` for its options,
and `run(request)`, which prints the answer and may return an exit status. Every command also takes
--json: one JSON object on standard output and nothing else; progress goes to standard error. An
invalid request raises RequestError, one sentence.

Heavy imports (torch, scikit-learn) belong inside `run`, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from svae_core.config.home import own_plugins
from svae_core.config.plugins import Plugin, loading
from svae_core.config.settings import check_settings
from svae_core.datasets import scan_datasets
from svae_core.datasets.file import Config as FileConfig
from svae_core.datasets.file import classes, how_of
from svae_core.methods import guards, scan_methods
from svae_core.records import Settings, flag, knobs, to_json

__path__ += own_plugins("commands")


def scan_commands() -> dict[str, ModuleType]:
    """All commands by name."""
    found = {}
    for name in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        if not name.startswith("_"):
            with loading(__name__, name):
                found[name] = importlib.import_module(f"{__name__}.{name}")
    return found


def add_settings(command: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add options for all settings and plug-ins, except the fields `without`; texts until read."""
    for name, about in knobs(Settings).items():
        if name in without:
            continue
        text = about.help.replace("%", "%%")
        how: dict[str, Any] = {"default": about.default, "help": text}
        if about.kind is bool:
            how |= {"action": argparse.BooleanOptionalAction}
        else:
            how["help"] += f" (default: {about.format(about.default).replace(',', ' ')})"
            how["metavar"] = "|".join(about.choices) or name.upper()
        if name == "clusters":  # whether it was given decides what it is: see settings_of
            how["default"] = argparse.SUPPRESS
            how["help"] = how["help"][:-1] + ", or the number of classes of a FILE with a label)"
        if name == "band":
            how |= {"nargs": 2, "metavar": ("A", "B")}
        command.add_argument(flag(name), **how)
    _add_plugin_options(command, "dataset", scan_datasets())
    _add_plugin_options(command, "method", scan_methods())


def _add_plugin_options(
    command: argparse.ArgumentParser, kind: str, plugins: dict[str, Plugin]
) -> None:
    for plugin in plugins.values():
        known = knobs(plugin.config)
        if not known:
            continue
        group = command.add_argument_group(f"{kind} {plugin.name}", plugin.title)
        for name, about in known.items():
            owners = (plugin.name, *plugin.former)
            group.add_argument(
                *(f"--{owner}.{name.replace('_', '-')}" for owner in owners),
                dest=f"{kind}:{plugin.name}:{name}",
                metavar="VALUE",
                default=argparse.SUPPRESS,
                help=about.help.replace("%", "%%"),
            )


def settings_of(request: argparse.Namespace, method: str | None = None) -> Settings:
    """The settings from the parsed options; RequestError if they are invalid."""
    values = {
        name: about.parse(_joined(getattr(request, name)))
        for name, about in knobs(Settings).items()
        if hasattr(request, name)
    }
    path = None
    if "dataset" in values:
        path, values["dataset"] = _file_or_name(values["dataset"])
    if method is not None:
        values["method"] = method
    for kind, plugins in (("dataset", scan_datasets), ("method", scan_methods)):
        owner, found, known = values[kind], plugins(), {}
        if owner in found:
            owner = values[kind] = found[owner].name
            known = knobs(found[owner].config)
        given = {
            name: about.parse(text, f"{owner} ")
            for name, about in known.items()
            if (text := getattr(request, f"{kind}:{owner}:{name}", None)) is not None
        }
        if kind == "dataset" and path is not None:
            reading = {name: given[name] for name in ("turned", "colour", "side") if name in given}
            how = how_of(FileConfig(**reading))
            given["key"] = deposited(path, array=str(given.get("array", "")), how=how)
        labels = Path(str(given.get("labels", "")))
        if kind == "dataset" and (labels.suffix or labels.is_file()):  # a key has no ending
            given["labels"] = deposited(labels, how="labels")
        values[f"{kind}_options"] = tuple(sorted(given.items()))
        if kind == "dataset" and path is not None and "clusters" not in values:
            values["clusters"] = classes(FileConfig(**given)) or Settings().clusters
    return check_settings(Settings(**values))


def _joined(value: Any) -> Any:
    """The two words of --band as one text."""
    return " ".join(value) if isinstance(value, list) else value


def _file_or_name(dataset: str) -> tuple[Path | None, str]:
    """The value of --dataset: (path of a user file, "file"), or (None, name of a dataset)."""
    if dataset in scan_datasets() or not (Path(dataset).suffix or Path(dataset).exists()):
        return None, dataset
    return Path(dataset), "file"


def deposited(path: Path, key: str = "", array: str = "", how: str = "") -> str:
    """The key of a file, read now if it is new, with a bar on a terminal.

    `how`: words of formats.HOW; labels for a second file, with labels for the rows of another.
    """
    from tqdm import tqdm

    from svae_core.own_data.kept import deposit

    with tqdm(total=100, unit="%", desc=path.name, disable=None, leave=False) as bar:
        return deposit(
            path,
            tell=lambda share: bar.update(int(100 * share) - bar.n),
            key=key,
            copy=False,
            array=array,
            how=how,
        )


def list_plugins(request: argparse.Namespace, kind: str, plugins: dict[str, Plugin]) -> None:
    """Print the plug-ins of one kind: datasets or methods."""
    rows = []
    for plugin in plugins.values():
        defaults = {item.name: item.default for item in fields(plugin.config)}
        row: dict[str, Any] = {"name": plugin.name, "title": plugin.title}
        row |= {"explanation": plugin.explanation, "source": plugin.source, "options": defaults}
        if kind == "datasets":
            row |= {"licence": plugin.licence}
        if kind == "methods":
            method = plugin.module.Method
            row |= {"projected": method.projected, "guards": guards(method)}
            row |= {
                "guards_kl": method.guards_kl,
                "guards_information": method.guards_information,
            }
        rows.append(row)
    if request.json:
        print_json({kind: rows})
        return
    for row in rows:
        terms = f"  [{row['licence']}]" if row.get("licence") else ""
        print(f"{row['name']:20} {row['title']}{terms}")


def print_json(answer: Any) -> None:
    """Print the one JSON object of an answer."""
    print(json.dumps(to_json(answer), ensure_ascii=False, allow_nan=False))


def print_answer(request: argparse.Namespace, answer: Mapping[str, Any]) -> None:
    """Print an answer: one JSON object with --json, else a line for each of its values."""
    if request.json:
        print_json(answer)
        return
    for name, value in to_json(answer).items():
        print(f"{name:16} {format_value(value)}")


def format_value(value: Any) -> str:
    """A value as text: floats with four decimals, dictionaries in one line."""
    if isinstance(value, dict):
        return "  ".join(f"{name} {format_value(item)}" for name, item in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)
