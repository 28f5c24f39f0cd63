"""The built wheel, in a new environment and outside the checkout: `make package` runs this.

Needs the package index, and some minutes; not part of `make test`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("", "shell", "region", "train", "latent", "compare", "phase", "runs", "theory")


@pytest.fixture(scope="session")
def wheel() -> Path:
    (found,) = (ROOT / "dist").glob("*.whl")
    return found


class Environment:
    """A virtual environment, and an empty folder in which its commands run."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder, self.work = folder, folder / "work"
        self.work.mkdir()
        subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
        self.bin = folder / "env" / "bin"
        self.run("python", "-m", "pip", "install", "--quiet", what)

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return kept | {"SVAE_HOME": str(self.folder / "home")}

    def run(self, program: str, *arguments: object, status: int = 0) -> str:
        done = subprocess.run(
            [self.bin / program, *map(str, arguments)],
            cwd=self.work,
            env=self.variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    def svae(self, *arguments: object) -> dict:
        return json.loads(self.run("svae", *arguments, "--json"))


@pytest.fixture(scope="session")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("core"), str(wheel))


@pytest.fixture(scope="session")
def app(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("app"), f"{wheel}[app]")


def test_the_wheel_is_small_and_takes_one_name(wheel: Path) -> None:
    assert wheel.stat().st_size < 6e6
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {
        "svae_core",
        "spherical_vae_explorer",
    }
    for name in ("app.py", "pages/router.py", "assets/stage/index.js", ".streamlit/config.toml"):
        assert f"svae_core/_app/{name}" in names
    assert "svae_core/py.typed" in names


def test_every_command_runs_once(core: Environment) -> None:
    version = core.run("svae", "--version").strip()
    assert (
        version == core.run("python", "-c", "import svae_core as s; print(s.__version__)").strip()
    )
    quick = ["--dataset", "wine", "--clusters", 3, "--epochs", 3, "--hidden", 8]
    assert core.svae("datasets")["datasets"] and core.svae("methods")["methods"]
    assert core.svae("region", "--dataset", "wine")["n"] == 178
    run = core.svae("train", *quick, "--save")["run"]
    assert core.svae("certify", run)["verdict"]
    assert core.svae("compare", *quick, "--methods", "baseline,spherical")["runs"]
    assert core.svae("sweep", *quick, "--sigma2", "0.1:1:2", "--out", "map.jsonl")
    assert core.svae("attack", "--runs", 1, "--out", "attempts.jsonl")
    assert core.svae("runs", "list")["runs"]
    (core.work / "my.csv").write_text("a,b\n" + "".join(f"{i},{i * i % 7}\n" for i in range(40)))
    assert core.svae("data", "my.csv")
    for what, name in ("embeddings", "a.csv"), ("weights", "b.safetensors"), ("module", "c.py"):
        core.svae("export", run, "--what", what, "--to", name)
    assert core.svae("card", run, "--to", "README.md")["verdicts"]
    core.svae("record", "make", "own.json", *quick)
    assert core.svae("record", "replay", "own.json")["equal"]
    core.run("python", "-c", "from svae_core import certify, SphericalVAE")
    core.run("python", "-c", "import c; c.load('c.pt')")
    said = core.run("svae", "app", status=2)
    assert "pip install 'spherical-vae-explorer[app]'" in said and said.count("\n") == 1


def test_a_record_made_in_the_checkout_replays_equal(core: Environment) -> None:
    """Bit for bit where both have the same packages; the committed ones came from anywhere."""
    path = core.work / "made.json"
    quick = ["--dataset", "clusters", "--clusters", "5", "--epochs", "5", "--seeds", "2"]
    subprocess.run(
        [sys.executable, "-m", "svae_core", "record", "make", path, *quick],
        cwd=ROOT,
        env=core.variables | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    found = core.svae("record", "replay", path)
    (record,) = found["records"]
    assert found["close"], record
    assert found["equal"] or "numpy" in record["others"] or "torch" in record["others"], record
    assert core.svae("record", "replay", ROOT / "assets" / "records" / "wine.json")["close"]


@pytest.fixture(scope="session")
def served(app: Environment) -> Iterator[str]:
    port = free_port()
    command = [app.bin / "svae", "app", "--port", str(port), "--json"]
    with (
        (app.folder / "log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=app.work,
            env=app.variables,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield url
        server.send_signal(signal.SIGINT)
        server.wait(30)  # with Streamlit's status; what counts is that it ends


@pytest.mark.browser
def test_the_installed_app_serves_all_pages(served: str, browser: Browser) -> None:
    page = browser.new_page()
    for name in PAGES:
        page.goto(f"{served}/{name}")
        page.get_by_role("heading").first.wait_for(timeout=120_000)
        assert page.get_by_text("This page failed").count() == 0, name
        assert page.locator("[data-testid=stException]").count() == 0, name


@pytest.mark.browser
def test_workers_of_the_installed_app_train(served: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{served}/train?dataset=wine&clusters=3&epochs=3&hidden=8")
    page.get_by_text("Certified").or_(page.get_by_text("ertified:")).first.wait_for(timeout=240_000)


def test_a_replay_is_exported_by_the_installed_app(app: Environment) -> None:
    quick = ["--dataset", "wine", "--clusters", 3, "--epochs", 3, "--hidden", 8]
    run = app.svae("train", *quick, "--save")["run"]
    app.svae("export", run, "--what", "replay", "--to", "replay.html")
    assert "<!doctype html>" in (app.work / "replay.html").read_text("utf-8")
