"""Say what this installation has, and what is wrong with it.

Versions, cores, memory, disks and caches, files that may be open, addresses, the cluster. Exit
status 1 where something needs attention; each such line says what to do.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import svae_core
from svae_core.commands import print_json
from svae_core.commands._cluster import add_scheduler
from svae_core.commands.app import add_port, port_of
from svae_core.compute.engine import Engine, cores
from svae_core.compute.scheduler import WorkerLost
from svae_core.compute.workers import niceness
from svae_core.config import machine
from svae_core.config.home import PLUGIN_KINDS, cache_home, home, own_plugins
from svae_core.config.limits import MEGABYTE, Limits, for_visitors, limits, variable
from svae_core.config.writable import check_folder
from svae_core.methods import scan_methods
from svae_core.records import RequestError

_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "numba", "streamlit", "distributed")
_PIN = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)
#: Megabytes below which a server or a long study will soon be in trouble.
_LITTLE_MEMORY, _LITTLE_DISK = 1024, 1024
_FEW_FILES = 512


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what there is, and what to do if it needs attention."""

    subject: str
    found: str
    mend: str = ""


def add_options(command: argparse.ArgumentParser) -> None:
    """The port that a server would take, and the cluster."""
    add_port(command)
    add_scheduler(command)


def run(request: argparse.Namespace) -> int:
    """Print all findings; exit status 1 if one of them needs attention."""
    findings = [*examine(port_of(request), request.scheduler or "")]
    well = not any(one.mend for one in findings)
    if request.json:
        print_json({"well": well, "findings": [asdict(one) for one in findings]})
        return int(not well)
    for one in findings:
        print(f"{'!' if one.mend else ' '} {one.subject:12} {one.found}")
        if one.mend:
            print(f"  {'':12} {one.mend}")
    return int(not well)


def examine(port: int, scheduler: str) -> Iterator[Finding]:
    """All findings, the quick ones first."""
    yield Finding(
        "svae_core",
        f"{svae_core.__version__} in {Path(svae_core.__file__).parent}; Python "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}",
    )
    yield from _packages()
    yield from _native()
    yield from _plugins()
    yield from _resources()
    yield from _folders()
    yield from _limits()
    yield from _addresses(port)
    yield _cluster(scheduler)


def _packages() -> Iterator[Finding]:
    """Versions, beside those that a checkout's requirements.txt pins."""
    pinned: dict[str, str] = {}
    root = Path(svae_core.__file__).parents[1]
    for name in ("requirements.txt", "requirements-cluster.txt"):
        with suppress(OSError):
            pinned |= dict(_PIN.findall((root / name).read_text("utf-8")))
    for name in _PACKAGES:
        optional = name in ("streamlit", "distributed")
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            why = machine.without_torch() if name == "torch" else ""
            mend = "" if optional else f"{why or f'install it: {machine.install(name)}'}."
            yield Finding(name, "not installed", mend)
            continue
        wanted = pinned.get(name, "")  # an installed package pins nothing
        other = wanted not in ("", version.partition("+")[0])
        mend = f"runs are equal bit for bit with {wanted} only; install that." if other else ""
        yield Finding(name, version, mend)


def _native() -> Iterator[Finding]:
    """Whether training runs as compiled code, and the methods whose slopes do not."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("numba") is None:
        yield Finding("engine", "none without torch and numba", "install what is missing above.")
        return
    from svae_core.training.native import compiled

    if why := compiled.load().reason:
        yield Finding("engine", "PyTorch", f"training is slower than compiled code: {why}.")
        return
    yield Finding("engine", "compiled code")
    for name, plugin in scan_methods().items():
        method = plugin.module.Method
        if hasattr(method, "slopes") and (why := compiled.slopes_of(method).reason):
            mend = f"training is slower than compiled code: {why}."
            yield Finding(f"engine of {name}", "PyTorch", mend)


def _plugins() -> Iterator[Finding]:
    """The folder of own plug-ins, and whether something is in it."""
    if folder := os.environ.get("SVAE_PLUGINS"):
        kinds = [kind for kind in PLUGIN_KINDS if own_plugins(kind)]
        mend = f"make one of its folders: {', '.join(PLUGIN_KINDS)}."
        yield Finding("plug-ins", f"{folder}: {', '.join(kinds) or 'none'}", "" if kinds else mend)


def _resources() -> Iterator[Finding]:
    chosen = {name: os.environ.get(name) for name in ("SVAE_WORKERS", "SVAE_NICE")}
    said = "".join(f", {name}={value}" for name, value in chosen.items() if value)
    try:
        found = f"{os.cpu_count()} here, {cores()} workers, niceness {niceness()}{said}"
        yield Finding("cores", found)
    except RequestError as error:
        yield Finding("cores", f"{os.cpu_count()} here{said}", str(error))
    memory = machine.memory()
    if memory is None:
        yield Finding("memory", "the system does not tell")
    else:
        little = memory.free < _LITTLE_MEMORY * MEGABYTE
        mend = "a class needs a gigabyte; end other programs, or set SVAE_WORKERS lower."
        found = f"{_megabytes(memory.free)} free of {_megabytes(memory.total)}"
        yield Finding("memory", found, mend if little else "")
    files = machine.descriptors()
    if files is None or files.allowed is None:
        yield Finding("open files", "no limit")
    else:
        few = files.allowed < _FEW_FILES
        mend = f"a class needs {_FEW_FILES}; raise it with: ulimit -n 4096."
        yield Finding("open files", f"{files.allowed} allowed at once", mend if few else "")


def _folders() -> Iterator[Finding]:
    for subject, folder, name in (
        ("runs", home(), "SVAE_HOME"),
        ("caches", cache_home(), "SVAE_CACHE"),
    ):
        try:
            check_folder(folder, subject.capitalize())
        except RequestError:
            yield Finding(subject, str(folder), f"cannot be written; choose a folder with {name}.")
            continue
        free = shutil.disk_usage(folder).free
        little = free < _LITTLE_DISK * MEGABYTE
        mend = f"make room, or choose another folder with {name}."
        found = f"{_megabytes(_size(folder))} in {folder}, {_megabytes(free)} free"
        yield Finding(subject, found, mend if little else "")


def _limits() -> Iterator[Finding]:
    """Those that were set by their variables."""
    try:
        allowed = limits()
    except RequestError as error:
        yield Finding("limits", "cannot be read", str(error))
        return
    given = for_visitors()  # without those that a command raises for itself
    chosen = [one.name for one in fields(Limits) if given.get(variable(one.name))]
    said = ", ".join(f"{variable(name)}={getattr(allowed, name)}" for name in chosen)
    yield Finding("limits", said or "as they come")


def _addresses(port: int) -> Iterator[Finding]:
    """Where a server would be found, and whether its port is free."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    state = "somebody answers there already" if taken else "free"
    yield Finding("address", f"http://localhost:{port}: {state}")
    there = machine.network_address()
    said = "no network" if there == "127.0.0.1" else f"http://{there}:{port}"
    yield Finding("for others", f"{said}, with --server.address 0.0.0.0")


def _cluster(scheduler: str) -> Finding:
    if not scheduler:
        return Finding("cluster", "none (--scheduler, SVAE_SCHEDULER)")
    engine = Engine(0, scheduler)
    try:
        engine.submit(int).result()
        return Finding("cluster", f"{scheduler}: {engine.size} threads, the same versions as here")
    except WorkerLost as lost:
        return Finding("cluster", scheduler, str(getattr(lost, "why", lost)) + ".")
    finally:
        engine.stop()


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:,.0f} MB"


def _size(folder: Path) -> int:
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            found += path.stat().st_size
    return found
