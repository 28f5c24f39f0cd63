"""What is built and given away: versions and requirements agree, cards and exports are whole.

Building, installing and starting what was installed is `make package`.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import svae_core
from svae_core.__main__ import main
from svae_core.commands.app import app_script
from svae_core.config.limits import for_visitors, own_machine, variable
from svae_core.integrations import report

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def ranges(*names: str) -> dict[str, Requirement]:
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [line for name in names for line in extras[name]]
    lines += [] if "cluster" in names else PROJECT["project"]["dependencies"]
    found = map(Requirement, lines)
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def pins(name: str) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    split = (line.split("==") for line in lines if line)
    return {canonicalize_name(package): version for package, version in split}


@pytest.mark.parametrize(
    ("file", "extra"), [("requirements.txt", "app"), ("requirements-cluster.txt", "cluster")]
)
def test_the_package_asks_for_what_is_pinned(file: str, extra: str) -> None:
    asked, pinned = ranges(extra), pins(file)
    assert asked.keys() == pinned.keys()
    for name, version in pinned.items():
        assert asked[name].specifier.contains(version), name


def test_the_version_is_in_one_place() -> None:
    assert "version" not in PROJECT["project"] and "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "svae_core/__init__.py"
    assert f"## {svae_core.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert svae_core.__version__ not in (ROOT / "CITATION.cff").read_text("utf-8")


def test_what_the_app_needs_travels_with_it() -> None:
    """Every file that pages name lies where the wheel takes files from."""
    taken = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert app_script() == ROOT / "app.py"
    for source, place in taken.items():
        assert (ROOT / source).exists() and place == f"svae_core/_app/{source}"
    text = "".join(path.read_text("utf-8") for path in (ROOT / "pages").rglob("*.py"))
    for part in (ROOT / "assets").iterdir():
        if f'"assets" / "{part.name}"' in text:
            assert f"assets/{part.name}" in taken


def test_a_server_that_a_command_starts_has_a_servers_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable("clusters"), "77")
    monkeypatch.delenv(variable("points"), raising=False)
    own_machine()
    environment = for_visitors()
    assert environment[variable("clusters")] == "77"
    assert variable("points") not in environment
    monkeypatch.delenv(variable("points"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("app --port 70000", "--port is 70000, but must be from 1 to 65535"),
        ("export run --what onnx --to model.py", "onnx go to .onnx"),
        ("export run --to table.html", "embeddings go to .csv, .parquet or .npz"),
        ("export nosuch --what replay --to replay.html", "There is no run 'nosuch'"),
        ("card nosuch --to card.txt", "a model card goes to .md"),
        ("card nosuch", "There is no run 'nosuch'"),
    ],
)
def test_bad_requests_get_one_sentence(
    arguments: str, says: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and says in captured.err and captured.err.count("\n") == 1


@pytest.mark.slow
def test_a_saved_run_has_a_card_a_module_and_a_replay(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(*arguments: str) -> dict[str, Any]:
        assert main([*arguments, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    quick = ["--dataset", "wine", "--clusters", "3", "--epochs", "3", "--hidden", "8"]
    run = answer("train", *quick, "--save")["run"]
    found = answer("card", run, "--to", str(tmp_path / "README.md"), "--title", "Wine")
    text = (tmp_path / "README.md").read_text("utf-8")
    assert found["card"] == text and "\n# Wine\n" in text
    certificate = answer("certify", run)
    margin = f"(+{certificate['loss_margin']:.3f} margin at 99 %, {certificate['draws']} draws)"
    hidden = "| hidden | 8 | width of hidden layers"
    for part in (certificate["sentence"], certificate["fingerprint"], margin, hidden):
        assert part in text
    module = answer("export", run, "--what", "module", "--to", str(tmp_path / "model.py"))
    assert [Path(file).name for file in module["files"]] == ["model.py", "model.pt"]
    replay = ["export", run, "--what", "replay", "--to", str(tmp_path / "my run.html")]
    line = answer(*replay)["embed"]
    page = (tmp_path / "my run.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and 'id="run"' in page
    # The line that shows it in a page beside it: the file as an address, and no rights but scripts.
    assert re.match(r'<iframe src="my%20run\.html" sandbox="allow-scripts" [^<>]*></iframe>$', line)
    assert main(replay) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"To show it in a page or on a slide: {line}"


# ------------------------------------------------------------------------------ JSON Lines


def test_records_go_to_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    record = {"loss": 0.5, "kl_per_dim": [1.0, 2.0], "gauge": float("nan"), "sentence": "So."}
    assert report.log(record, 1, path) == str(path)
    report.log(record, 2, path)
    first, second = map(json.loads, path.read_text("utf-8").splitlines())
    assert (first["step"], second["step"]) == (1, 2)
    assert first["kl_per_dim"] == [1.0, 2.0] and first["gauge"] is None
    report.log({"step": 0, "loss": 0.5}, 300, path)  # as a reading, which has a number of its own
    assert json.loads(path.read_text("utf-8").splitlines()[-1])["step"] == 300


def test_numbers_of_a_record_have_names_and_are_finite() -> None:
    record = {"loss": 0.5, "parts": {"kl": [1, 2]}, "gauge": float("inf"), "live": True}
    assert report.scalars(record) == {
        "svae/loss": 0.5,
        "svae/parts/kl/1": 1.0,
        "svae/parts/kl/2": 2.0,
    }
