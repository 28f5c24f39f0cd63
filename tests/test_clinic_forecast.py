"""Laws of the forecast: the residual spectrum of exact linear states, and when it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from svae_core.__main__ import main
from svae_core.clinic.residual_spectrum import forecast, residual_edge

SPECTRUM = np.array([1.6, 1.25, 1, 0.85, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.06, 0.03])
C = 0.2


def linear_state(n: int, active: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points whose covariance is the spectrum, and the posteriors of a linear VAE's best state."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, len(SPECTRUM))) * np.sqrt(SPECTRUM)
    lam = SPECTRUM[:active]
    mean = np.zeros((n, 8))
    mean[:, :active] = x[:, :active] * np.sqrt(lam - C) / lam
    variance = np.ones((n, 8))
    variance[:, :active] = C / lam
    return x, mean, variance


@pytest.mark.slow
@pytest.mark.parametrize(
    ("active", "n", "within"), [(3, 4000, 0.02), (1, 1000, 0.05), (2, 1000, 0.05), (4, 1000, 0.05)]
)
def test_the_next_birth_of_a_linear_state(active: int, n: int, within: float) -> None:
    """Mean of four seeds, as a ratio to the sample's own largest dead eigenvalue."""
    ratios = []
    for seed in range(4):
        x, mean, variance = linear_state(n, active, seed)
        found = residual_edge(x, mean[:, :active], variance[:, :active], seed)
        residual = np.cov(x[:, active:].T, bias=True)
        ratios.append(found.edge / np.linalg.eigvalsh(residual)[-1])
    assert np.mean(ratios) == pytest.approx(1, abs=within)


def test_with_nothing_active_it_is_the_largest_eigenvalue() -> None:
    x, _, _ = linear_state(1000, 0, 0)
    nothing = np.empty((1000, 0))
    found = residual_edge(x, nothing, nothing)
    exact = np.linalg.eigvalsh(np.cov(x.T, bias=True))[-1]
    assert found.edge == pytest.approx(exact, rel=0.05) and found.resolved


def test_the_next_death_of_a_linear_state_is_exact() -> None:
    x, mean, variance = linear_state(600, 3, 1)
    found = forecast(x, mean, variance, C)
    assert found.active == (0, 1, 2) and found.birth_dimension == 3
    assert found.death_dimension == 2 and found.death_above == pytest.approx(SPECTRUM[2])
    assert "3 of 8 dimensions alive" in found.sentence and "next to die is 3" in found.sentence


def test_a_collapsed_state_has_nothing_to_lose() -> None:
    x, _, _ = linear_state(800, 0, 0)
    found = forecast(x, np.zeros((800, 4)), np.ones((800, 4)), 3.0)
    assert found.active == () and found.death_dimension is None and found.death_above == np.inf
    assert found.birth_below == pytest.approx(SPECTRUM[0], rel=0.15)
    assert f"1 would come alive below βσ² = {found.birth_below:.2g}" in found.sentence


def test_few_points_are_not_resolved() -> None:
    """With six active dimensions and forty points every latent belongs to one point."""
    x, mean, variance = linear_state(40, 6, 0)
    assert not residual_edge(x, mean[:, :6], variance[:, :6] * 0.01).resolved


@pytest.mark.slow
def test_the_command_forecasts_a_saved_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wine's eigenvalues are .328, .182, …: at βσ² = .25 one dimension lives, until .328."""
    how = "--dataset wine --arch linear --latent-dim 2 --method baseline --sigma2 0.25"
    slow = "--epochs 2000 --learning-rate 0.01 --batch-size 178"
    assert main(["train", *how.split(), *slow.split(), "--save", "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["run"]
    assert main(["forecast", run, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["active"]) == 1
    assert answer["death_above"] == pytest.approx(0.3275, rel=0.02)
    # 178 points read the birth a tenth too high.
    assert answer["birth_below"] == pytest.approx(0.182, rel=0.2)
