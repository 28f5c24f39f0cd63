"""Plug-ins are found by scan, described by their docstring, and refused by name when broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svae_core.config import plugins
from svae_core.config.plugins import Plugin, configure, find, scan
from svae_core.datasets import scan_datasets
from svae_core.methods import scan_methods
from svae_core.records import RequestError

PACKAGE = "toy_plugins"
GOOD = '''
"""A toy

It explains itself.

Twice, if need be.

Source: none
"""

from dataclasses import dataclass

from svae_core.records import option


@dataclass(frozen=True)
class Config:
    size: int = option(3, "how large", low=1, high=9)
    rate: float = option(0.5, "how fast", low=0.0, high=1.0)
    kind: str = option("a", "which", choices=("a", "b"))


def load(config, seed):
    return config.size
'''


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Writes a file into a plug-in folder of its own: add(name, source)."""
    folder = tmp_path / PACKAGE
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str) -> None:
        (folder / f"{name}.py").write_text(source.lstrip(), encoding="utf-8")

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.mark.parametrize("plugin", [*scan_datasets().values(), *scan_methods().values()])
def test_every_plugin_explains_itself(plugin: Plugin) -> None:
    assert plugin.title and "\n" not in plugin.title and not plugin.title.endswith(".")
    assert len(plugin.explanation.split()) >= 10
    assert plugin.source.startswith("Source: ")


def test_a_file_added_while_the_program_runs_appears(add: Callable[[str, str], None]) -> None:
    assert scan(PACKAGE, "load") == {}
    add("toy", GOOD)
    plugin = scan(PACKAGE, "load")["toy"]
    assert (plugin.name, plugin.title, plugin.source) == ("toy", "A toy", "Source: none")
    assert plugin.explanation == "It explains itself.\n\nTwice, if need be."
    assert plugin.module.load(plugin.config(), 0) == 3
    add("another", GOOD)
    add("_shared", "nothing to see")
    assert list(scan(PACKAGE, "load")) == ["another", "toy"]


def test_a_folder_is_scanned_again_only_when_its_files_have_changed(
    add: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans: list[object] = []
    scanned = plugins.pkgutil.iter_modules

    def counted(path: object) -> object:
        scans.append(path)
        return scanned(path)

    monkeypatch.setattr(plugins.pkgutil, "iter_modules", counted)
    add("toy", GOOD)
    first = scan(PACKAGE, "load")
    first.pop("toy")  # a caller's dictionary is the caller's
    assert [list(scan(PACKAGE, "load")) for _ in range(20)] == [["toy"]] * 20
    assert find(PACKAGE, "load", "toy").name == "toy" and len(scans) == 1
    add("another", GOOD)
    assert list(scan(PACKAGE, "load")) == ["another", "toy"] == list(scan(PACKAGE, "load"))
    assert len(scans) == 2
    (tmp_path / PACKAGE / "toy.py").unlink()
    assert list(scan(PACKAGE, "load")) == ["another"] and len(scans) == 3


@pytest.mark.parametrize(
    ("good", "broken", "complaint"),
    [
        ("It explains itself.\n\nTwice, if need be.\n\n", "", "a title, an explanation and a sour"),
        ("@dataclass(frozen=True)", "@dataclass", "a frozen dataclass named Config"),
        ("class Config", "class Settings", "a frozen dataclass named Config"),
        ('option(3, "how large", low=1, high=9)', "3", "must be made by option"),
        ("def load", "def fetch", "it needs load"),
    ],
)
def test_a_broken_plugin_is_named(
    add: Callable[[str, str], None], good: str, broken: str, complaint: str
) -> None:
    assert good in GOOD
    add("toy", GOOD.replace(good, broken))
    with pytest.raises(TypeError, match=rf"toy_plugins\.toy: .*{complaint}"):
        scan(PACKAGE, "load")


def test_an_unknown_name_is_answered_with_the_list(add: Callable[[str, str], None]) -> None:
    add("toy", GOOD)
    listed = "Unknown toy_plugin 'tot'; there are: toy; one of your own"
    with pytest.raises(RequestError, match=listed):
        find(PACKAGE, "load", "tot")


def test_options_become_a_config(add: Callable[[str, str], None]) -> None:
    add("toy", GOOD)
    plugin = find(PACKAGE, "load", "toy")
    assert configure(plugin, ()) == plugin.config()
    # A whole number from a slider or a URL may arrive as 4.0, a rate as 1.
    config = configure(plugin, (("size", 4.0), ("rate", 1), ("kind", "b")))
    assert config == plugin.config(size=4, rate=1.0, kind="b")
    assert isinstance(config.size, int) and isinstance(config.rate, float)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("size", 0, "--size is 0, but must be from 1 to 9"),
        ("size", 10, "--size is 10, but must be from 1 to 9"),
        ("rate", float("nan"), "--rate is nan, but must be a finite number"),
        ("rate", "fast", "--rate is 'fast', but must be a finite number"),
        ("kind", "c", "--kind is 'c', but must be one of: a, b"),
        ("colour", 1, "toy has no option 'colour'; it has: size, rate, kind"),
    ],
)
def test_a_wrong_option_is_named(
    add: Callable[[str, str], None], name: str, value: float | str, complaint: str
) -> None:
    add("toy", GOOD)
    with pytest.raises(RequestError, match=complaint):
        configure(find(PACKAGE, "load", "toy"), ((name, value),))


COMMAND = '''
"""Say hello."""


def add_options(command):
    """None."""


def run(request):
    print("hello")
'''


@pytest.mark.slow
def test_files_outside_the_package_are_found_by_every_process(tmp_path: Path) -> None:
    """Method, architecture and command in folders of SVAE_PLUGINS; doctor says what it holds.

    Where a file is long, a folder with `__init__.py` stands in its place.
    """
    shipped = Path(__file__).resolve().parents[1] / "svae_core"
    method = (shipped / "methods" / "baseline.py").read_text(encoding="utf-8")
    coupled = (shipped / "nets/architectures" / "autoregressive.py").read_text(encoding="utf-8")
    for kind, name, source in (
        ("methods", "mine", method.replace("Conventional VAE", "Mine")),
        ("architectures/coupled", "__init__", coupled),
        ("architectures", "unsaid", coupled.replace("AUTOREGRESSIVE = True", "")),
        ("commands", "hello", COMMAND.lstrip()),
    ):
        (tmp_path / kind).mkdir(parents=True, exist_ok=True)
        (tmp_path / kind / f"{name}.py").write_text(source, encoding="utf-8")

    def run(*words: str, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "svae_core", *words]
        own = os.environ | {"SVAE_PLUGINS": str(folder)}
        return subprocess.run(call, env=own, capture_output=True, text=True, check=False)

    def said(*words: str, folder: Path = tmp_path) -> str:
        return run(*words, folder=folder).stdout

    assert said("hello") == "hello\n"
    assert "mine" in [one["name"] for one in json.loads(said("methods", "--json"))["methods"]]
    chosen = ("--dataset", "wine", "--clusters", "3", "--epochs", "1")
    trained = said("train", *chosen, "--method", "mine", "--arch", "coupled", "--json")
    assert json.loads(trained)["method"] == "mine"
    refused = run("train", *chosen, "--arch", "unsaid")
    assert refused.returncode == 2 and len(refused.stderr.strip().splitlines()) == 1
    assert "unsaid.py cannot be used (TypeError: " in refused.stderr
    assert "it needs AUTOREGRESSIVE = True" in refused.stderr
    assert f"{tmp_path}: methods, architectures, commands" in said("doctor")
    assert "make one of its folders: methods" in said("doctor", folder=tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "source", "said"),
    [
        ("methods", "import nothing_like_it\n", ", line 1 cannot be used (ModuleNotFoundError: No"),
        ("datasets", "x = (\n", ", line 1 cannot be used (SyntaxError: "),
        ("formats", '"""None."""\n', "it needs FORMAT, a Format); mend it or take it away."),
        ("commands", "\n1 / 0\n", ", line 2 cannot be used (ZeroDivisionError: division by zero);"),
    ],
)
def test_a_plug_in_outside_the_package_that_fails_is_one_sentence(
    kind: str, source: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "mine.py").write_text(source, encoding="utf-8")
    (tmp_path / "data.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "svae_core", "data", str(tmp_path / "data.csv")],
        env=os.environ | {"SVAE_PLUGINS": str(tmp_path), "SVAE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"{kind}/mine.py" in done.stderr and said in done.stderr
