"""The law that the lesson "Kill it" shows: past each mark of σ² as many dimensions live as λ > βσ².

A healthy conventional VAE, whose σ² is then raised between two marks. The linear VAE obeys exactly;
for the mlp over ten seeds see tests/benchmarks/bench_lesson.py.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.config.settings import change
from svae_core.problem import prepared_data
from svae_core.records import Budget, Frame, Settings
from svae_core.training import loop

LATENT = 4


def alive(frame: Frame) -> int:
    return sum(kl >= COLLAPSED_KL for kl in frame.kl_per_dim)


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "epochs"), [("wine", 6000), ("breast_cancer", 1800)])
def test_a_healthy_linear_vae_keeps_as_many_dimensions_as_marks_are_above(
    dataset: str, epochs: int
) -> None:
    healthy = Settings(
        dataset=dataset,
        clusters=3,
        method="baseline",
        arch="linear",
        latent_dim=LATENT,
        sigma2=0.01,
        epochs=epochs,
        batch_size=256,
        learning_rate=3e-2,
        device="cpu",
    )
    variances = prepared_data(healthy).eigenvalues
    state = loop.begin((healthy,))
    turn = loop.step_count(state) // 4
    state = loop.advance(state, Budget(steps=turn, frames=False)).state
    assert alive(loop.first_frames(state)[0]) == LATENT
    past = [1.5 * variances[0], *np.sqrt(variances[:LATENT] * variances[1 : LATENT + 1])]
    for above, sigma2 in enumerate(past):
        killed = change(healthy, turn, "sigma2", float(sigma2))
        end = loop.advance(dataclasses.replace(state, settings=(killed,)), Budget(frames=False))
        assert alive(loop.first_frames(end.state)[0]) == above, sigma2
