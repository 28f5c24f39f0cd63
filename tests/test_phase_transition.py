"""The KL of a linear VAE at λ_max: continuous, with a jump of its slope (arXiv 2510.01621)."""

from __future__ import annotations

import numpy as np
import pytest

from svae_core.figures.phase_transition import describe_transition, phase_transition
from svae_core.records import Settings
from svae_core.studies.phase_cells import Theory

SPECTRUM = np.array([0.5, 0.2, 0.1, 0.03])


def kl_of_ppca(spectrum: np.ndarray, c: float, k: int) -> float:
    """Mean KL of the exact posteriors of probabilistic PCA with k latents at noise c, β = 1.

    From its maximum-likelihood weight W = U(Λ − c)^½ (Tipping & Bishop 1999): posteriors are
    N(M⁻¹Wᵀx, cM⁻¹) with M = WᵀW + cI, and E xxᵀ is the covariance of the data.
    """
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(len(spectrum),) * 2))[0]
    covariance = rotation @ np.diag(spectrum) @ rotation.T
    weight = rotation[:, :k] * np.sqrt(np.maximum(spectrum[:k] - c, 0.0))
    inverse = np.linalg.inv(weight.T @ weight + c * np.eye(k))
    mean = inverse @ weight.T
    spread = np.trace(mean @ covariance @ mean.T)
    posterior = c * inverse
    return 0.5 * (np.trace(posterior) + spread - k - np.linalg.slogdet(posterior)[1])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_kl_is_that_of_the_exact_posteriors_of_ppca(k: int) -> None:
    theory = Theory(tuple(SPECTRUM))
    for c in (0.02, 0.05, 0.15, 0.3, 0.499, 0.5, 0.7):
        assert theory.linear_kl(c, k) == pytest.approx(kl_of_ppca(SPECTRUM, c, k), abs=1e-12)


@pytest.mark.parametrize("spectrum, equal", [((0.5, 0.2, 0.1), 1), ((0.5, 0.5, 0.1), 2)])
def test_the_slope_jumps_at_the_largest_eigenvalue(spectrum: tuple[float, ...], equal: int) -> None:
    """Against differences of pPCA's KL; the KL itself does not jump."""
    theory, h = Theory(spectrum), 1e-6
    at, below, above = (
        kl_of_ppca(np.array(spectrum), theory.lambda_max + step, 3) for step in (0, -h, h)
    )
    assert at == pytest.approx(0, abs=1e-12) and below < 3e-6
    slope = theory.linear_slope(theory.lambda_max, 3, below=True)
    assert (at - below) / h == pytest.approx(slope, rel=1e-4)
    assert slope == pytest.approx(-equal / (2 * theory.lambda_max))
    assert (above - at) / h == pytest.approx(0, abs=1e-6)
    assert theory.linear_slope(theory.lambda_max, 3) == 0


def test_between_eigenvalues_both_slopes_are_that_of_ppca() -> None:
    theory, h = Theory(tuple(SPECTRUM)), 1e-6
    for c, k in ((0.3, 3), (0.15, 3), (0.15, 1), (0.05, 3)):
        found = (kl_of_ppca(SPECTRUM, c + h, k) - kl_of_ppca(SPECTRUM, c - h, k)) / (2 * h)
        for below in (True, False):
            assert theory.linear_slope(c, k, below) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_jumps_at_the_line_by_the_slope_below_it(dark: bool) -> None:
    theory = Theory((0.5, 0.3, 0.1))
    figure = phase_transition(theory, Settings(sigma2=0.4, latent_dim=3), dark)
    curve, own = figure.data
    first, last = (np.flatnonzero(curve.x == 1.0)[place] for place in (0, -1))
    assert (curve.y[first], curve.y[last]) == (-1.0, 0.0)
    second, after = np.flatnonzero(curve.x == 0.6)
    assert (curve.y[second], curve.y[after]) == pytest.approx((-2 / 0.6, -1 / 0.6))
    assert (own.x[0], own.y[0]) == (0.8, -1.25)
    beyond = phase_transition(theory, Settings(sigma2=5.0, latent_dim=3), dark)
    assert len(beyond.data) == 1


def test_the_sentence_gives_the_kl_both_slopes_and_the_source() -> None:
    theory = Theory(tuple(SPECTRUM))
    sentence = describe_transition(theory, Settings(sigma2=0.05, beta=2.0, latent_dim=3))
    assert f"together {kl_of_ppca(SPECTRUM, 0.1, 3):.3g} at βσ² = 0.1" in sentence
    assert "from −1 to 0" in sentence and "2510.01621" in sentence
