"""The analytic oracle: a trained linear VAE against the closed form of pPCA (arXiv 1911.02469).

With c = βσ²: a dimension is active where λ_i > c, then KL_i = ½ log(λ_i/c); the sampled
reconstruction is Σ_{i≤k} min(c, λ_i) + Σ_{i>k} λ_i. Only the covariance of the data enters.
"""

from dataclasses import replace

import numpy as np
import pytest
from support.effort import effort

from svae_core.problem import prepared_data
from svae_core.records import Budget, Settings
from svae_core.training.loop import advance, begin, certify

LATENT = 4


def closed_form(eigenvalues: np.ndarray, c: float) -> tuple[np.ndarray, float]:
    kl = np.maximum(0.0, 0.5 * np.log(eigenvalues[:LATENT] / c))
    loss = np.minimum(c, eigenvalues[:LATENT]).sum() + eigenvalues[LATENT:].sum()
    return kl, float(loss)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "epochs"),
    [("wine", 3000), ("breast_cancer", 1000), *effort(0, 1) * [("digits", 1000)]],
)
def test_training_reaches_the_closed_form(dataset, epochs):
    base = Settings(
        dataset=dataset,
        clusters=3,
        method="baseline",
        arch="linear",
        latent_dim=LATENT,
        epochs=epochs,
        batch_size=256,
        learning_rate=3e-2,
        device="cpu",
    )
    eigenvalues = prepared_data(base).eigenvalues
    between = float(np.sqrt(eigenvalues[2] * eigenvalues[3]))
    values = (1.5 * float(eigenvalues[0]), between, 0.4 * float(eigenvalues[3]))
    members = tuple(replace(base, sigma2=value) for value in values)
    end = advance(begin(members), Budget(frames=False)).state
    for settings, found in zip(members, certify(end), strict=True):
        kl, loss = closed_form(eigenvalues, settings.sigma2)
        reached = np.sort(found.kl_per_dim)[::-1]
        # 2 %, and for dimensions with next to no information 0.004 nats.
        np.testing.assert_allclose(reached, kl, rtol=0.02, atol=0.004)
        assert found.kl == pytest.approx(kl.sum(), rel=0.02, abs=0.004)
        assert found.active_units == np.count_nonzero(
            1 - settings.sigma2 / eigenvalues[:LATENT] > 0.01
        )
        assert found.loss == pytest.approx(loss, rel=0.02)
        assert found.verdict == ("collapsed" if kl.sum() == 0 else "certified")
