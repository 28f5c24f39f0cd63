"""Exported models answer as the trained one does, and need none of this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from svae_core.datasets import scan_datasets
from svae_core.integrations.exchange import plain, write_module, write_program
from svae_core.integrations.plain_model import PlainVAE, load
from svae_core.records import Budget, RequestError, Settings
from svae_core.training import loop
from svae_core.training.evaluate import Model, decode, encode

assert "digits" in scan_datasets()
SHORT: dict[str, Any] = {"dataset": "digits", "epochs": 1, "hidden": 32, "latent_dim": 3}


def trained(**settings: Any) -> Model:
    state = loop.begin((Settings(**SHORT | settings),))
    (model,) = loop.models(loop.advance(state, Budget(steps=4, frames=False)).state)
    return model


def assert_same(model: Model, other: PlainVAE) -> None:
    points = model.prepared.shell.points[:50]
    posterior = encode(model, points)
    with torch.no_grad():
        mean, log_variance = other.encode(torch.from_numpy(points))
        answers = other.decode(torch.from_numpy(posterior.mean))
    assert np.abs(mean.numpy() - posterior.mean).max() < 1e-5
    assert np.abs(log_variance.exp().numpy() - posterior.variance).max() < 1e-5
    assert np.abs(answers.numpy() - decode(model, posterior.mean)).max() < 1e-5


@pytest.mark.parametrize(
    "arch", ["linear", "mlp", "resmlp", "conv", "autoregressive", "gru", "causal"]
)
@pytest.mark.parametrize("method", ["spherical", "baseline"])
def test_the_plain_module_answers_as_the_trained_model(arch: str, method: str) -> None:
    model = trained(arch=arch, method=method)
    assert_same(model, plain(model))


@pytest.mark.parametrize("radial_map", ["linear", "rank"])
def test_data_go_to_the_shell_and_back(radial_map: str) -> None:
    model = trained(radial_map=radial_map)
    data = model.prepared.dataset.points[:50]
    other = plain(model)
    shell = other.to_shell(torch.from_numpy(data))
    assert np.abs(shell.numpy() - model.prepared.shell.points[:50]).max() < 1e-6
    assert np.abs(other.from_shell(shell).numpy() - data).max() < 1e-4 * np.abs(data).max()
    center = other.to_shell(other.center[None].float())
    assert torch.linalg.vector_norm(center).item() == pytest.approx(0.8, abs=1e-3)


@pytest.mark.slow
def test_the_written_module_runs_without_this_package(tmp_path: Path) -> None:
    model = trained()
    other = plain(model)
    write_module(other, tmp_path / "model.py")
    assert_same(model, load(tmp_path / "model.pt"))
    code = (
        "import sys, torch, model\n"
        "vae = model.load('model.pt')\n"
        "print(*vae.decode(torch.ones(1, 3)).flatten().tolist())\n"
        "assert not [name for name in sys.modules if name.startswith('svae')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    with torch.no_grad():
        expected = other.decode(torch.ones(1, 3)).numpy()
    assert np.abs(np.array(done.stdout.split(), float) - expected).max() < 1e-6


@pytest.mark.slow
def test_an_exported_program_answers_for_any_number_of_rows(tmp_path: Path) -> None:
    model = trained()
    other = plain(model)
    encoder, decoder = write_program(other, tmp_path / "model.pt2")
    points = torch.from_numpy(model.prepared.shell.points[:7])
    mean, log_variance = torch.export.load(encoder).module()(points)
    expected = other.encode(points)
    assert torch.allclose(mean, expected[0], atol=1e-5)
    assert torch.allclose(log_variance, expected[1], atol=1e-5)
    answers = torch.export.load(decoder).module()(mean)
    assert torch.allclose(answers, other.decode(mean), atol=1e-5)


@pytest.mark.parametrize("method", ["vmf", "bn_vae", "delta_vae", "vade"])
def test_a_posterior_that_is_not_the_encoders_is_refused(method: str) -> None:
    with pytest.raises(RequestError, match="has a posterior of its own"):
        plain(trained(method=method))
