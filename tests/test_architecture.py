"""The law of the house, read from the imports: who may use whom, and what stays out of where.

A new file in svae_core gets its place in ROOMS; everything else here should rarely change.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The rooms of svae_core from the ground up: each may import only rooms before it.
ROOMS = (
    *("options", "settings", "blocks", "limits", "records", "registry", "home", "journal", "grid"),
    *("shell", "clusters", "region", "modes", "floors", "posterior", "directional"),
    *("stacks", "convolution", "residual", "layouts", "autoregression", "networks", "averages"),
    *("diversity", "pictures", "explored"),
    *("collapse", "commentary", "cells"),
    *("certificate", "certificate_page"),
    *("own_data", "datasets", "methods", "scores"),
    *("problem", "sensitivity", "groups", "ends", "objective"),
    *("snapshot", "workbench", "training", "projection"),
    *("exploration", "band_study", "thinned"),
    *("shards", "about", "run", "shelf", "parcel", "sweep", "scoring", "comparison", "attack"),
    "exports",
    *("objections", "scheduling", "workers", "cluster", "engine"),
    *("estimator", "commands", "__main__"),
)
#: Figures stand beside the tower: they draw records, and may ask numpy rooms for numbers.
FIGURES_MAY_IMPORT = {
    *("options", "records", "registry", "shell", "clusters", "region", "floors"),
    *("grid", "cells", "explored", "scores", "figures"),
}
#: What the web server must never load: seconds of import, and a long garbage collection.
HEAVY = {"torch", "umap", "sklearn"}
MAY_IMPORT_PLOTLY = ("svae_core/figures/", "pages/parts/stage.py", "pages/parts/live.py")
NAMES_THAT_SAY_NOTHING = {"common", "helper", "helpers", "misc", "util", "utils"}
LONGEST_FUNCTION, LONGEST_FILE = 60, 400  # lines; a function's docstring is free


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


CORE = python_files("svae_core")
SCREENS = [*ROOT.glob("app.py"), *python_files("pages")]
WRITTEN_FOR_BROWSERS = sorted(
    path for kind in ("js", "css", "html") for path in (ROOT / "assets").rglob(f"*.{kind}")
)
MODULES = {module_name(path): path for path in [*CORE, *SCREENS]}


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


# ------------------------------------------------------------------------ reading imports


def imported(tree: ast.AST, path: Path) -> set[str]:
    """Full names of all modules imported anywhere below a node, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, path)
            names = {f"{base}.{alias.name}" for alias in node.names}
            # `from svae_core import shell` imports the module, `from … import Shell` a name in one.
            found |= {name if name in MODULES else base for name in names}
    return found


def _base(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    folder = path.relative_to(ROOT).parent.parts
    above = folder[: len(folder) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


@functools.cache
def at_import(path: Path) -> set[str]:
    """Modules that importing this file loads at once: not in functions, not for types only."""

    def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from statements(node.orelse)
            elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
                for part in ("body", "orelse", "finalbody"):
                    yield from statements(getattr(node, part, []))
                for handler in getattr(node, "handlers", []):
                    yield from statements(handler.body)
            else:
                yield node

    found = set().union(*(imported(node, path) for node in statements(parse(path).body)))
    # Importing a.b.c runs a and a.b first.
    return found | {name.rsplit(".", i)[0] for name in found for i in range(1, name.count(".") + 1)}


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@functools.cache
def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(parse(path), path)}


def room(module: str) -> str:
    return module.split(".")[1]


def test_the_reader_of_imports_sees_them_all() -> None:
    path = ROOT / "svae_core" / "methods" / "toy.py"
    source = """
import sklearn.cluster as c
from svae_core import records, __version__
from ..shell import SphericalShell
from . import base_objective
def load():
    import torch
"""
    assert imported(ast.parse(source), path) == {
        *("sklearn.cluster", "svae_core.records", "svae_core", "svae_core.shell"),
        *("svae_core.methods", "torch"),
    }


# ------------------------------------------------------------------------------ the floors


def test_every_room_has_its_floor() -> None:
    rooms = {room(name) for name in MODULES if name.startswith("svae_core.")}
    assert rooms <= {*ROOMS, "figures"}, "give the new file a place in ROOMS"


@each(CORE)
def test_rooms_import_only_rooms_below(path: Path) -> None:
    name = module_name(path)
    targets = {item for item in imported(parse(path), path) if item.startswith("svae_core")}
    if name == "svae_core":
        assert not targets, "the package itself loads its names lazily"
        return
    rooms = {room(target) for target in targets if target != "svae_core"}
    if room(name) == "figures":
        assert rooms <= FIGURES_MAY_IMPORT
        return
    floor = ROOMS.index(room(name))
    # A folder of plug-ins is one room: its files share what its __init__ defines.
    below = {*ROOMS[:floor], *([room(name)] if (ROOT / "svae_core" / room(name)).is_dir() else [])}
    assert rooms <= below


@each(CORE)
def test_rooms_take_names_from_rooms_and_not_from_the_package(path: Path) -> None:
    """`from svae_core import Settings` would hide the room; only the version is the package's."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and _base(node, path) == "svae_core":
            names = {alias.name for alias in node.names}
            assert {name for name in names if f"svae_core.{name}" not in MODULES} <= {"__version__"}


def test_there_is_no_import_cycle() -> None:
    graph = {name: imported(parse(path), path) & set(MODULES) for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


# ------------------------------------------------------------------- what stays out of where


@each(CORE)
def test_the_core_knows_no_screen(path: Path) -> None:
    assert not packages(path) & {"streamlit", "starlette", "pages", "app"}


@each([*python_files("svae_core/figures"), *SCREENS])
def test_figures_and_screens_do_no_learning(path: Path) -> None:
    assert not packages(path) & HEAVY


@each([*CORE, *SCREENS])
def test_plotly_stays_in_figures_and_on_the_stage(path: Path) -> None:
    if not str(path.relative_to(ROOT)).startswith(MAY_IMPORT_PLOTLY):
        assert "plotly" not in packages(path)


@each([*CORE, *SCREENS])
def test_session_state_has_one_user(path: Path) -> None:
    if path == ROOT / "pages" / "parts" / "session.py":
        return
    for node in ast.walk(parse(path)):
        said = (getattr(node, field, None) for field in ("attr", "id", "name", "value"))
        assert "session_state" not in list(said)


@each([path for path in SCREENS if path.parent == ROOT / "pages"])
def test_pages_do_no_arithmetic(path: Path) -> None:
    assert not packages(path) & {"numpy", "math"}


@each([*SCREENS, *python_files("svae_core/figures"), ROOT / "svae_core" / "engine.py"])
def test_the_web_server_loads_nothing_heavy(path: Path) -> None:
    """Follows what importing a file loads, and what that loads, to the end."""
    seen: set[str] = set()
    ahead = [module_name(path)]
    while ahead:
        name = ahead.pop()
        seen.add(name)
        if name in MODULES:
            ahead += at_import(MODULES[name]) - seen
    assert not {name.split(".")[0] for name in seen} & HEAVY


@pytest.mark.parametrize(
    "code",
    [
        "import svae_core",
        "import svae_core.engine",
        "import svae_core.figures, pkgutil, importlib\n"
        "for found in pkgutil.iter_modules(svae_core.figures.__path__, 'svae_core.figures.'):\n"
        "    importlib.import_module(found.name)",
        "from svae_core.datasets import scan_datasets; scan_datasets()",
        "from svae_core.methods import scan_methods; scan_methods()",
        "import svae_core; svae_core.Settings, svae_core.RequestError, svae_core.__version__",
    ],
)
def test_light_doors_open_without_anything_heavy(code: str) -> None:
    code += f"\nimport sys; print(*(set(sys.modules) & {HEAVY | {'streamlit', 'mlxtend'}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "")


def test_the_public_names_load_on_demand() -> None:
    import svae_core
    from svae_core.estimator import SphericalShell
    from svae_core.problem import prepare

    assert svae_core.SphericalShell is SphericalShell
    assert svae_core.prepare is prepare
    assert set(svae_core.__all__) <= set(dir(svae_core))
    with pytest.raises(AttributeError, match="no attribute 'VAE'"):
        _ = svae_core.VAE


# ---------------------------------------------------------------------------- names and sizes


@each([*CORE, *SCREENS, *python_files("tests")])
def test_every_name_says_something(path: Path) -> None:
    relative = path.relative_to(ROOT).with_suffix("")
    assert not {part.strip("_") for part in relative.parts} & NAMES_THAT_SAY_NOTHING


@each([*CORE, *SCREENS])
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = first if ast.get_docstring(node, clean=False) is not None else None
            free = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
            assert node.end_lineno - node.lineno + 1 - free <= LONGEST_FUNCTION, node.name


@each([*CORE, *SCREENS, *python_files("tests"), *WRITTEN_FOR_BROWSERS])
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
