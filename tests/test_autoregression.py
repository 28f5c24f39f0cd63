"""An over-powerful decoder: what teacher forcing measures, and what bounds the loss of g(z)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from svae_core.nets.architectures.autoregressive import free_running, teacher_forced
from svae_core.records import Budget, Settings, State
from svae_core.training.loop import advance, begin, certify, models

#: βσ² is well below λ_max: an mlp does not collapse here.
BASE = Settings(
    dataset="digits",
    n_points=500,
    arch="autoregressive",
    sigma2=0.05,
    latent_dim=4,
    hidden=32,
    epochs=120,
    learning_rate=5e-3,
    device="cpu",
)


@pytest.fixture(scope="module")
def state() -> State:
    members = (replace(BASE, method="baseline"), BASE)
    return advance(begin(members), Budget(frames=False)).state


def _taught(state: State, index: int) -> float:
    """The error of a member under teacher forcing, on all its points, with z at its mean."""
    model = models(state)[index]
    points = torch.from_numpy(model.prepared.shell.points).unsqueeze(0)
    mean, _ = model.networks.encode(points)
    fitted = model.networks.predict(mean, points)
    return float((fitted - points).square().sum(dim=2).mean())


def _innovations(points: np.ndarray) -> np.ndarray:
    """Var(x_j | x_<j) of each coordinate, linearly: squares of the covariance's Cholesky factor."""
    covariance = np.cov(points.T.astype(np.float64), bias=True)
    return np.diag(np.linalg.cholesky(covariance + 1e-9 * np.eye(len(covariance)))) ** 2


@pytest.mark.slow
@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 999))
def test_running_freely_is_the_recursion_step_by_step(d: int, b: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(2, b, d, generator=generator, dtype=torch.float64)
    couplings = torch.randn(2, d, d, generator=generator, dtype=torch.float64)
    lower = couplings.tril(-1)  # no other entry counts
    wanted = torch.zeros(2, b, d, dtype=torch.float64)
    for j in range(d):
        wanted[:, :, j] = outputs[:, :, j] + (wanted * lower[:, None, j]).sum(dim=2)
    found = free_running(outputs, couplings)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(
        teacher_forced(outputs, couplings, outputs, found), found
    )  # its own best teacher


def test_a_coordinate_is_foretold_from_those_before_it_only() -> None:
    couplings = torch.randn(1, 5, 5)
    points = torch.randn(1, 1, 5, requires_grad=True)
    for j in range(5):
        (seen,) = torch.autograd.grad(
            teacher_forced(torch.zeros(1, 1, 5), couplings, points, points)[0, 0, j], points
        )
        assert seen[0, 0, j:].abs().max() == 0


@pytest.mark.slow
def test_the_classical_collapse_where_an_mlp_would_live(state: State) -> None:
    """A healthy βσ², and yet: what z could say is foretold without it."""
    plain, spherical = certify(state)
    assert plain.gauge < 0.5
    assert plain.verdict == "collapsed"
    mlp = replace(BASE, arch="mlp", method="baseline", epochs=60)
    (alive,) = certify(advance(begin((mlp,)), Budget(frames=False)).state)
    assert alive.verdict == "certified" and alive.kl > 1.0
    assert spherical.verdict == "certified" and spherical.kl > spherical.floors.tight > 0.5


@pytest.mark.slow
def test_teacher_forcing_falls_to_the_innovation_variances_without_a_word_from_z(
    state: State,
) -> None:
    """And lies far below δ: taken for the loss of g(z), it would certify a collapsed model."""
    points = models(state)[0].prepared.shell.points
    floor = _innovations(points).sum()
    taught, plain = _taught(state, 0), certify(state)[0]
    assert floor <= taught * 1.001 < 1.15 * floor
    assert taught < 0.5 * plain.delta and plain.kl < 0.01
    assert plain.loss > 0.98 * plain.delta  # what is measured: the decoder running freely


@pytest.mark.slow
def test_the_collapse_is_predicted_by_the_largest_innovation(state: State) -> None:
    """βσ² against the variance left to foretell, not against the data's own λ_max."""
    ground = models(state)[0].prepared
    assert _innovations(ground.shell.points).max() < BASE.sigma2 < ground.lambda_max
    below = replace(BASE, method="baseline", sigma2=0.002)
    (alive,) = certify(advance(begin((below,)), Budget(frames=False)).state)
    assert alive.verdict != "collapsed" and alive.kl > 1.0
