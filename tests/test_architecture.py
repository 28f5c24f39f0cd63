"""The laws of the house, read from the imports: who may use whom, and what stays out of where.

Packages are the words of these laws: a new file in a package needs no entry here.
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

#: The packages of svae_core from the ground up: each may import only packages before it.
CORE_ORDER = (
    *("distributions", "config", "records", "nets", "geometry", "own_data", "certificate"),
    *("datasets", "commentary", "methods", "problem", "training", "latent", "objections"),
    *("studies", "clinic", "runs", "compute", "figures", "stage", "estimator", "integrations"),
    *("notebook", "commands", "__main__"),
)
#: The same for pages: screens (the files beside these packages) may import all of them.
PAGES_ORDER = ("live", "classroom", "server", "visitor", "wire", "widgets")
#: Figures draw records, and may ask NumPy code for numbers: no training, runs or processes.
MAY_IMPORT_FIGURES = {"stage", "notebook", "commands"}
FIGURES_MAY_IMPORT = {
    *("config", "records", "geometry", "certificate", "latent", "studies", "figures"),
}
#: What the web server must never load: seconds of import, and a long garbage collection.
HEAVY = {"torch", "numba", "sklearn"}
MAY_IMPORT_PLOTLY = ("svae_core/figures/", "pages/wire/component.py", "pages/wire/routes.py")
NAMES_THAT_SAY_NOTHING = {"common", "helper", "helpers", "misc", "util", "utils"}
LONGEST_FUNCTION, LONGEST_FILE = 60, 400  # lines; a function's docstring is free
#: Packages of svae_core whose __init__ only says what they are.
EMPTY = {
    *("distributions", "config", "nets", "geometry", "own_data", "certificate"),
    *("training", "latent", "studies", "clinic", "runs", "compute", "stage", "integrations"),
    "notebook",
}
MOST_ENTRIES = {"svae_core": 28, "pages": 18}


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


def package(module: str) -> str:
    """The part of a module's name that the laws speak of: svae_core.nets.layers is in nets."""
    return module.split(".")[1]


def imports_within(top: str) -> Iterator[tuple[Path, str, set[str]]]:
    """Each file of svae_core or pages, its package, and the packages of that tree it imports."""
    for path in python_files(top):
        name = module_name(path)
        if name == top:
            continue
        inside = {found for found in imported(parse(path), path) if found.startswith(f"{top}.")}
        yield path, package(name), {package(found) for found in inside}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_reader_of_imports_sees_them_all() -> None:
    path = ROOT / "svae_core" / "methods" / "toy.py"
    source = """
import sklearn.cluster as c
from svae_core import records, __version__
from ..geometry.shell import SphericalShell
from . import base_objective
def load():
    import torch
"""
    assert imported(ast.parse(source), path) == {
        *("sklearn.cluster", "svae_core.records", "svae_core", "svae_core.geometry.shell"),
        *("svae_core.methods", "torch"),
    }


# --------------------------------------------------------------------------- the two orders


def test_core_packages_import_only_packages_below() -> None:
    wrong = {}
    for path, here, used in imports_within("svae_core"):
        assert here in CORE_ORDER, f"give the package {here} a place in CORE_ORDER"
        allowed = FIGURES_MAY_IMPORT
        if here != "figures":
            allowed = {*CORE_ORDER[: CORE_ORDER.index(here)], here}
            allowed -= set() if here in MAY_IMPORT_FIGURES else {"figures"}
        if used - allowed:
            wrong[relative(path)] = used - allowed
    assert not wrong


@pytest.mark.slow
def test_pages_import_only_packages_below() -> None:
    wrong = {}
    screens = {module_name(path).split(".")[1] for path in (ROOT / "pages").glob("*.py")}
    for path, here, used in imports_within("pages"):
        assert here in {*PAGES_ORDER, *screens}, f"give the package {here} a place in PAGES_ORDER"
        allowed = set(PAGES_ORDER)
        if here in PAGES_ORDER:
            allowed = {*PAGES_ORDER[: PAGES_ORDER.index(here)], here}
        if used - allowed:
            wrong[relative(path)] = used - allowed
    assert not wrong


def test_names_come_from_their_module_and_not_from_the_package() -> None:
    """`from svae_core import Settings` would hide the home; only the version is the package's."""
    assert not imported(parse(CORE[0].parent / "__init__.py"), CORE[0]) & set(MODULES)
    wrong = {}
    for path in CORE:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom) and _base(node, path) == "svae_core":
                names = {alias.name for alias in node.names}
                found = {name for name in names if f"svae_core.{name}" not in MODULES}
                if found - {"__version__"}:
                    wrong[relative(path)] = found
    assert not wrong


def test_packages_without_plug_ins_have_an_empty_door() -> None:
    """A package's __init__ is a docstring: importing one module of it loads no other."""
    doors = [ROOT / "pages" / name / "__init__.py" for name in PAGES_ORDER]
    doors += [path for path in CORE if path.name == "__init__.py" and path.parent.name in EMPTY]
    assert len(doors) == len(PAGES_ORDER) + len(EMPTY)
    for path in doors:
        tree = parse(path)
        assert ast.get_docstring(tree) and len(tree.body) == 1, relative(path)


def test_there_is_no_import_cycle() -> None:
    graph = {name: imported(parse(path), path) & set(MODULES) for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


# ------------------------------------------------------------------- what stays out of where


def importing(paths: list[Path], forbidden: set[str]) -> set[str]:
    return {relative(path) for path in paths if packages(path) & forbidden}


@pytest.mark.slow
def test_the_core_knows_no_screen() -> None:
    assert not importing(CORE, {"streamlit", "starlette", "pages", "app"})


def test_figures_and_screens_do_no_learning() -> None:
    assert not importing([*python_files("svae_core/figures"), *SCREENS], HEAVY)


def test_plotly_stays_in_figures_and_on_the_stage() -> None:
    found = importing([*CORE, *SCREENS], {"plotly"})
    assert not {name for name in found if not name.startswith(MAY_IMPORT_PLOTLY)}


def test_session_state_has_one_user() -> None:
    def uses(path: Path) -> bool:
        fields = ("attr", "id", "name", "value")
        return any(
            getattr(node, field, None) == "session_state"
            for node in ast.walk(parse(path))
            for field in fields
        )

    assert [relative(path) for path in [*CORE, *SCREENS] if uses(path)] == [
        "pages/visitor/session.py"
    ]


def test_pages_do_no_arithmetic() -> None:
    assert not importing(sorted((ROOT / "pages").glob("*.py")), {"numpy", "math"})


def test_the_web_server_loads_nothing_heavy() -> None:
    """Follows what importing a file loads, and what that loads, to the end."""
    engine = ROOT / "svae_core" / "compute" / "engine.py"
    for path in [*SCREENS, *python_files("svae_core/figures"), engine]:
        seen: set[str] = set()
        ahead = [module_name(path)]
        while ahead:
            name = ahead.pop()
            seen.add(name)
            if name in MODULES:
                ahead += at_import(MODULES[name]) - seen
        assert not {name.split(".")[0] for name in seen} & HEAVY, relative(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import svae_core",
        "import svae_core.compute.engine",
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


@pytest.mark.slow
def test_pages_with_figures_import_pandas_before_they_draw() -> None:
    """Plotly looks into a pandas that another visitor's thread has half imported."""
    code = "import sys, pages.widgets.charts; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split()[-1:] == ["True"], done.stderr
    drawing = [path for path in SCREENS if "plotly_chart(" in path.read_text(encoding="utf-8")]
    assert len(drawing) > 2
    for path in drawing:
        text = path.read_text(encoding="utf-8")
        assert path.name == "charts.py" or "from pages.widgets.charts import" in text, path


def test_the_public_names_load_on_demand() -> None:
    import svae_core
    from svae_core.estimator import SphericalShell
    from svae_core.problem import prepare

    assert svae_core.SphericalShell is SphericalShell
    assert svae_core.prepare is prepare
    assert set(svae_core.__all__) <= set(dir(svae_core))
    with pytest.raises(AttributeError, match="no attribute 'VAE'"):
        _ = svae_core.VAE


# -------------------------------------------------------------------------------- tests


@pytest.mark.slow
def test_no_test_module_imports_another() -> None:
    """What several need is in tests/support: a test can then be moved, or read, by itself."""
    wrong = {}
    for path in python_files("tests"):
        names = {part for name in imported(parse(path), path) for part in name.split(".")}
        found = {name for name in names if name == "conftest" or name.startswith("test_")}
        if found:
            wrong[relative(path)] = found
    assert not wrong


# ---------------------------------------------------------------------------- names and sizes


def test_every_name_says_something() -> None:
    for path in [*CORE, *SCREENS, *python_files("tests")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        assert not {part.strip("_") for part in parts} & NAMES_THAT_SAY_NOTHING, relative(path)


def test_the_listing_of_a_folder_stays_short() -> None:
    for folder, most in MOST_ENTRIES.items():
        entries = [path for path in (ROOT / folder).iterdir() if path.name != "__pycache__"]
        assert len(entries) <= most, folder


@pytest.mark.slow
def test_functions_are_short() -> None:
    for path in [*CORE, *SCREENS]:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                docstring = first if ast.get_docstring(node, clean=False) is not None else None
                free = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
                length = node.end_lineno - node.lineno + 1 - free
                assert length <= LONGEST_FUNCTION, f"{relative(path)}: {node.name}"


def test_files_are_short() -> None:
    for path in [*CORE, *SCREENS, *python_files("tests"), *WRITTEN_FOR_BROWSERS]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE, relative(path)
