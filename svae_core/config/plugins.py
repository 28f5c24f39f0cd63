"""Finds the plug-ins of a folder, checks their contract, lists them.

A plug-in is one file. Its module docstring speaks for it: the first line is the title on screen,
the middle explains, the last line is the source. It holds a frozen dataclass `Config` whose fields
carry default, range and help, and the one name its folder asks for (`load` for datasets, `Method`
for methods). Nothing else has to be edited for it to appear everywhere.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, final

from svae_core.config.fields import RequestError, knobs
from svae_core.config.settings import Options, Scalar


@dataclass(frozen=True)
class Plugin:
    """One file of a plug-in folder, described by its own docstring."""

    name: str
    title: str
    explanation: str
    source: str
    config: type
    module: ModuleType
    licence: str = ""  # of data: the file's LICENCE
    #: Names that it had before, in saved runs, links and scripts; `FORMER_NAMES` of its file.
    former: tuple[str, ...] = ()
    #: Of methods: the comparisons that it belongs to; `COMPARISONS` of its file.
    comparisons: tuple[str, ...] = ()


@final
class Plugins(dict[str, Plugin]):
    """Plug-ins by name. One that was renamed is found by its former names too, but listed once."""

    def __missing__(self, name: str) -> Plugin:
        for plugin in self.values():
            if name in plugin.former:
                return plugin
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or any(name in each.former for each in self.values())

    def get(self, name: str, default: Any = None) -> Any:
        """The plug-in of this name, now or formerly; else the default."""
        try:
            return self[name]
        except KeyError:
            return default


@contextlib.contextmanager
def loading(package: str, name: str) -> Iterator[None]:
    """Where a plug-in is imported and checked: one of SVAE_PLUGINS fails by a RequestError.

    A stranger's file is input, and its mistake a sentence; in a file of ours it is a fault.
    """
    try:
        yield
    except Exception as error:
        spec = importlib.util.find_spec(f"{package}.{name}")
        file = spec.origin if spec else None
        if file is None or os.path.dirname(file) == sys.modules[package].__path__[0]:
            raise
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        line = _line(error, file)
        raise RequestError(
            f"The plug-in {file}{line} cannot be used ({type(error).__name__}: "
            f"{said.rstrip('.')}); mend it or take it away."
        ) from error


def _line(error: Exception, file: str) -> str:
    """The last line of that file in which an error was raised, as ", line 7"; "" without one."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f", line {lines[-1]}" if lines else ""


def scan(package: str, entry: str) -> Plugins:
    """All plug-ins of a package by name, in alphabetical order.

    The folder is scanned again when its file names have changed since the last call, so a file
    added while the program runs appears, and a call costs one listing otherwise.
    Raises TypeError, naming the file, where one breaks the contract; RequestError where that is one
    of SVAE_PLUGINS.
    """
    folder = importlib.import_module(package)
    files = _files(folder)
    seen = _scanned.get((package, entry))
    if seen is None or seen[0] != files:
        seen = files, _scan(package, entry, folder)
        _scanned[package, entry] = seen
    return Plugins(seen[1])


def find(package: str, entry: str, name: str) -> Plugin:
    """The plug-in of that name, or RequestError listing those there are."""
    plugins = scan(package, entry)
    if name not in plugins:
        kind = package.rsplit(".", 1)[-1].rstrip("s")
        raise RequestError(
            f"Unknown {kind} {name!r}; there are: {', '.join(plugins)}; one of "
            "your own is a file in the folder that SVAE_PLUGINS names."
        )
    return plugins[name]


def configure(plugin: Plugin, options: Options) -> Any:
    """The plug-in's Config with these options; RequestError names the one that is wrong."""
    known = knobs(plugin.config)
    values: dict[str, Scalar] = {}
    for name, value in options:
        if name not in known:
            has = ", ".join(known) or "none"
            raise RequestError(f"{plugin.name} has no option {name!r}; it has: {has}.")
        values[name] = known[name].parse(value, owner=f"{plugin.name} ")
    return plugin.config(**values)


#: (package, entry) → the files of its folder when it was last scanned, and the plug-ins found.
_scanned: dict[tuple[str, str], tuple[frozenset[tuple[str, str]], dict[str, Plugin]]] = {}


def _files(folder: ModuleType) -> frozenset[tuple[str, str]]:
    """The places and names of a package's files.

    Names, and not the folder's time of change: file systems keep that in steps of milliseconds,
    in which a second file may come, and Python's own caches change it.
    """
    return frozenset(
        (place, name)
        for place in folder.__path__
        for name in os.listdir(place)
        if name.endswith(".py")
    )


def _scan(package: str, entry: str, folder: ModuleType) -> dict[str, Plugin]:
    importlib.invalidate_caches()  # Python's list of the folder may be older than a new file
    names = sorted(info.name for info in pkgutil.iter_modules(folder.__path__))
    found = {}
    for name in names:
        if not name.startswith("_"):
            with loading(package, name):
                found[name] = _plugin(package, name, entry)
    return found


def _plugin(package: str, name: str, entry: str) -> Plugin:
    module = importlib.import_module(f"{package}.{name}")
    where = f"{package}.{name}"
    paragraphs = [part.strip() for part in (module.__doc__ or "").strip().split("\n\n")]
    if len(paragraphs) < 3:
        raise TypeError(f"{where}: its docstring needs a title, an explanation and a source.")
    config = getattr(module, "Config", None)
    if not (dataclasses.is_dataclass(config) and config.__dataclass_params__.frozen):  # type: ignore[union-attr]
        raise TypeError(f"{where}: it needs a frozen dataclass named Config.")
    if len(knobs(config)) != len(dataclasses.fields(config)):
        raise TypeError(f"{where}: every field of Config must be made by option(…).")
    if not callable(getattr(module, entry, None)):
        raise TypeError(f"{where}: it needs {entry}.")
    assert isinstance(config, type)
    title, *middle, source = paragraphs
    licence, former = getattr(module, "LICENCE", ""), tuple(getattr(module, "FORMER_NAMES", ()))
    described = name, title.rstrip("."), "\n\n".join(middle), source
    comparisons = tuple(getattr(module, "COMPARISONS", ()))
    return Plugin(*described, config, module, licence, former, comparisons)
