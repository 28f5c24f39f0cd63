"""The command line's contract: JSON alone on standard output; errors are one sentence, exit 2."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svae_core.__main__ import main
from svae_core.commands import scan_commands

ROOT = Path(__file__).resolve().parent.parent
QUICK = ["--epochs", "4", "--dataset", "wine", "--clusters", "3", "--latent-dim", "2"]


def answer(capsys, *arguments):
    status = main([*arguments, "--json"])
    out = capsys.readouterr().out
    assert status == 0
    assert out.count("\n") == 1  # one object and nothing else
    return json.loads(out)


@pytest.mark.slow
def test_region_of_digits(capsys):
    found = answer(capsys, "region", "--dataset", "digits", "--clusters", "10")
    assert found["W"] == pytest.approx(0.512, rel=0.01)
    assert found["T"] == pytest.approx(0.948, rel=0.01)
    assert found["delta"]["shell"] == pytest.approx(1.578, rel=0.01)
    assert found["delta"]["between"] == pytest.approx(0.436, rel=0.01)
    assert found["lambda_max"] == pytest.approx(0.141, rel=0.01)
    assert not found["empty"]
    assert set(found) >= {
        *("dataset", "n", "ambient_dim", "clusters", "W", "B", "T", "delta", "collapse_loss"),
        *("lo", "hi", "empty", "lambda_max", "floors", "water_level", "penalty_weight"),
    }
    floors = found["floors"]
    assert 0 < floors["elementary"] <= floors["tight"] and floors["proved"] <= floors["tight"]


def test_region_with_an_empty_band_says_so(capsys):
    found = answer(
        capsys, "region", "--dataset", "wine", "--clusters", "3", "--collapse-loss", "between"
    )
    assert found["empty"] is True
    assert found["lo"] is None and found["floors"] is None
    assert "empty" in found["explanation"]


@pytest.mark.slow
def test_train_answers_in_full(capsys):
    found = answer(capsys, "train", *QUICK, "--method", "baseline")
    assert set(found) >= {
        *("method", "seed", "epochs", "loss", "loss_margin", "delta", "lo", "hi", "in_band", "kl"),
        *("kl_per_dim", "active_units", "mutual_information", "mi_ceiling", "floors", "verdict"),
        *("sentence", "seconds", "samples_per_second", "run", "engine"),
    }
    assert found["engine"] in ("native", "torch")
    assert found["method"] == "baseline" and len(found["kl_per_dim"]) == 2
    assert math.isfinite(found["loss"]) and found["run"] is None


@pytest.mark.slow
def test_compare_runs_every_method_with_every_seed(capsys):
    found = answer(capsys, "compare", *QUICK, "--methods", "baseline,spherical", "--seeds", "2")
    assert [(run["method"], run["seed"]) for run in found["runs"]] == [
        *(("baseline", 0), ("baseline", 1), ("spherical", 0), ("spherical", 1))
    ]


def test_listings(capsys):
    assert "digits" in {row["name"] for row in answer(capsys, "datasets")["datasets"]}
    methods = answer(capsys, "methods")["methods"]
    assert {"baseline", "spherical"} <= {row["name"] for row in methods}
    assert all(row["title"] and row["source"] for row in methods)


@pytest.mark.parametrize("command", ["", *scan_commands()])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "--help" in capsys.readouterr().out


_LIGHT = """
import contextlib, io, sys
from svae_core.__main__ import main
for words in ("methods", "datasets", "runs", "data", "--help", "train --help", "attack --help"):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(words.split())
print(*(set(sys.modules) & {"torch", "sklearn", "scipy", "numba", "umap", "pandas", "loky"}))
"""


@pytest.mark.slow
def test_commands_that_compute_nothing_import_nothing_heavy(tmp_path):
    home = os.environ | {"SVAE_HOME": str(tmp_path)}
    code = [sys.executable, "-c", _LIGHT]
    done = subprocess.run(code, cwd=ROOT, env=home, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("region --dataset nosuch", "Unknown dataset 'nosuch'"),
        ("train --method nosuch", "nosuch"),
        ("compare --methods baseline,nosuch", "nosuch"),
        ("region --dataset wine --clusters 178", "only 178 points"),
        ("region --dataset wine --clusters 500", "only 178 points"),
        (
            "region --dataset wine --clusters few",
            "--clusters is 'few', but must be a finite number or",
        ),
        ("region --band 0.5 1.5", "--band"),
        ("region --band -0.1 0.5", "--band"),
        ("region --band 0.6 0.4", "--band"),
        ("region --band nan 0.4", "--band"),
        ("region --r-min 1.2 --r-max 0.8", "--r-min"),
        ("region --r-min 1 --r-max 1", "--r-min"),
        ("train --sigma2 nan", "--sigma2"),
        ("train --sigma2 -1", "--sigma2"),
        ("train --beta inf", "--beta"),
        ("train --latent-dim 0", "--latent-dim"),
        ("train --arch cubic", "--arch"),
        ("train --epochs 0", "--epochs"),
        ("train --device cuda", "CUDA"),
        ("train --spherical.strength -1", "strength"),
        ("compare --seeds 0", "--seeds"),
        ("compare --methods ,", "--methods"),
        ("compare --seeds 1000000000", "2,000,000,000 runs, but at most 100,000"),
        ("attack --runs 1000000000", "--runs is 1000000000, but must be from 1 to 100,000"),
        ("compare --methods spherical baseline", "arguments: baseline; see"),
        ("compare --methods spherical baseline", "compare --help"),
        ("record make a.json b.json", "one file"),
        ("record replay nosuch.json", "nosuch.json"),
        ("record table pyproject.toml", "no record"),
        ("record replay assets/records --tolerance 2", "--tolerance"),
        ("train --clusters 1 --collapse-loss between", "empty"),
        ("region --nosuch 3", "nosuch"),
        ("region --n-points 1000000", "1797"),
        ("region --dataset mnist", "mnist"),
        ("diagnose --model vmf", "--model selects from a saved RUN"),
        ("diagnose nosuch.npz", "There is no file nosuch.npz"),
        ("diagnose --page x.html", "--page is about a FILE of arrays"),
        ("doctor --port eighty", "--port is eighty, but must be from 1 to 65535"),
        ("doctor --port 99999", "--port is 99999, but must be from 1 to 65535"),
        ("diagnose --reconstruction cubic", "must be one of"),
        ("dance", "dance"),
        ("train --bn-vae.gamma 1", "the nearest is --bn_vae.gamma; see"),
    ],
)
def test_bad_requests_get_one_sentence(arguments, says, capsys):
    if "cuda" in arguments and shutil.which("nvidia-smi"):
        arguments, says = "train --device tpu", "--device"
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1 and "Traceback" not in captured.err


@pytest.mark.slow
def test_a_new_dataset_and_method_file_appear_everywhere(tmp_path):
    """Two files are added to a copy of the package; nothing else is edited."""
    shutil.copytree(ROOT / "svae_core", tmp_path / "svae_core")
    (tmp_path / "svae_core/datasets/toy.py").write_text(TOY_DATASET)
    (tmp_path / "svae_core/methods/toy_method.py").write_text(TOY_METHOD)

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "svae_core", *arguments, "--json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    assert "toy" in {row["name"] for row in run("datasets")["datasets"]}
    row = next(row for row in run("methods")["methods"] if row["name"] == "toy_method")
    assert row["options"] == {"pull": 0.5}
    trained = run(
        *("train", "--dataset", "toy", "--toy.spread", "0.2", "--method", "toy_method"),
        *("--toy_method.pull", "0.1", "--epochs", "2", "--clusters", "3"),
    )
    assert trained["method"] == "toy_method"

    shutil.copytree(ROOT / "pages", tmp_path / "pages")
    shutil.copytree(ROOT / "assets", tmp_path / "assets")
    (tmp_path / "look.py").write_text(
        "from pages.widgets import settings\nsettings.training_controls(settings.data_controls())\n"
    )
    seen = subprocess.run(
        [sys.executable, "-c", LOOK_AT_PAGES],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(seen.stdout.splitlines()[-1])
    assert "A toy" in shown["datasets"] and "A toy method" in shown["methods"]
    assert {"toy.spread", "toy_method.pull"} <= set(shown["widgets"])


LOOK_AT_PAGES = """
import json
from streamlit.testing.v1 import AppTest

page = AppTest.from_file("look.py", default_timeout=300)
page.query_params.update({"dataset": "toy", "method": "toy_method"})
page.run()
assert not page.exception, page.exception
widgets = [*page.selectbox, *page.number_input, *page.slider]
options = {box.key: box.options for box in page.selectbox}
print(json.dumps({
    "datasets": options["dataset"],
    "methods": options["method"],
    "widgets": [widget.key for widget in widgets],
}))
"""


TOY_DATASET = '''"""A toy

Points around three corners.

Source: this test
"""
from dataclasses import dataclass
import numpy as np
from svae_core.records import Dataset, option


@dataclass(frozen=True)
class Config:
    spread: float = option(0.1, "how far points stray", low=0.0, high=1.0)


def load(config: Config, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    points = np.eye(3)[rng.integers(3, size=120)] + config.spread * rng.normal(size=(120, 3))
    return Dataset("toy", "A toy", points.astype(np.float32))
'''

TOY_METHOD = '''"""A toy method

The baseline with a pull on the KL.

Source: this test, arXiv 0000.00000
"""
from dataclasses import dataclass
from svae_core.methods import base_objective
from svae_core.records import option


@dataclass(frozen=True)
class Config:
    pull: float = option(0.5, "strength of the pull", low=0.0, high=10.0)


class Method:
    projected = True
    guards_kl = ""
    guards_information = ""

    def __init__(self, config):
        self.config = config

    def constants(self, ground, settings):
        return {"pull": self.config.pull}

    def objective(self, terms, constants):
        return base_objective(terms) + constants["pull"] * terms.kl
'''
