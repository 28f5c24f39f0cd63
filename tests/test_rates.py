"""Spectra and Gaussian rates by water-filling, and the certificate of clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from svae_core.certificate.information_floors import (
    bernoulli_kl,
    cluster_certificate,
    cluster_entropy,
    covariance_spectrum,
    gaussian_rate,
    water_level,
)


@pytest.mark.parametrize("shape", [(300, 7), (5, 30), (1, 4)])
def test_spectrum_is_that_of_the_population_covariance(shape: tuple[int, int]) -> None:
    points = (np.random.default_rng(1).normal(size=shape) + 3).astype(np.float32)
    exact = points.astype(np.float64)
    expected = np.linalg.eigvalsh(np.cov(exact.T, bias=True))[::-1]
    found = covariance_spectrum(points)
    assert found.shape == (shape[1],) and found.dtype == np.float64
    assert np.all(np.diff(found) <= 0) and np.all(found >= 0)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found.sum() == pytest.approx(exact.var(axis=0).sum(), abs=1e-9)


spectra = st.lists(st.floats(1e-3, 10), min_size=1, max_size=8).map(
    lambda values: np.sort(np.array(values))[::-1]
)


@given(spectra, st.floats(0.001, 0.999))
def test_water_fills_to_the_loss(spectrum: np.ndarray, share: float) -> None:
    loss = share * spectrum.sum()
    level = water_level(spectrum, loss)
    assert isinstance(level, float)
    assert np.minimum(level, spectrum).sum() == pytest.approx(loss, rel=1e-9)
    assert water_level(spectrum, spectrum.sum() * 1.5) == pytest.approx(spectrum[0])
    assert np.all(gaussian_rate(spectrum, spectrum.sum() * np.array([1.0001, 2.0])) == 0)


@given(spectra, st.floats(0.01, 0.98))
def test_slope_of_the_gaussian_rate(spectrum: np.ndarray, share: float) -> None:
    loss, step = share * spectrum.sum(), 1e-6 * spectrum.sum()
    below, above = gaussian_rate(spectrum, [loss - step, loss + step])
    # the slope itself is continuous, so a finite difference lies between those at its ends
    low, high = (-0.5 / water_level(spectrum, end) for end in (loss - step, loss + step))
    assert low * (1 + 1e-5) <= (above - below) / (2 * step) <= high * (1 - 1e-5)


@pytest.mark.parametrize("d", [1, 4])
def test_equal_eigenvalues_in_closed_form(d: int) -> None:
    losses = np.array([0.1, 0.5, 1.0, 1.9]) * d
    expected = d / 2 * np.log(2 * d / losses)
    np.testing.assert_allclose(gaussian_rate(np.full(d, 2.0), losses), expected, atol=1e-12)


def test_null_directions_cost_nothing() -> None:
    spectrum = np.array([2.0, 1.0, 0.0, 0.0])
    expected = gaussian_rate(np.array([2.0, 1.0]), [0.2, 1.0])
    np.testing.assert_allclose(gaussian_rate(spectrum, [0.2, 1.0]), expected)
    assert gaussian_rate(spectrum, 0.0) == np.inf


# -------------------------------------------------------------------------------- certificate


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.05, 0.6))
def test_certificate_is_kl_at_the_clopper_pearson_limit(
    n: int, share: float, largest: float
) -> None:
    correct = round(share * n)
    limit = binomtest(correct, n, alternative="greater").proportion_ci(0.99, "exact").low
    expected = float(bernoulli_kl(limit, largest)) if limit > largest else 0.0
    assert cluster_certificate(correct, n, largest) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_certificate_grows_with_evidence_and_stays_below_the_entropy() -> None:
    values = [cluster_certificate(9 * n // 10, n, 0.1) for n in (10, 100, 1000, 100_000)]
    assert np.all(np.diff(values) > 0)
    assert values[-1] < float(bernoulli_kl(0.9, 0.1))
    assert cluster_certificate(10**6, 10**6, 0.1) < np.log(10)
    assert cluster_certificate(0, 50, 0.1) == 0 and cluster_certificate(5, 50, 0.1) == 0


def test_cluster_entropy_of_known_sizes() -> None:
    assert cluster_entropy([5, 5, 0, 5, 5]) == pytest.approx(np.log(4))
    assert cluster_entropy([9]) == 0
    assert cluster_entropy([3, 1]) == pytest.approx(0.75 * np.log(4 / 3) + 0.25 * np.log(4))


def test_bernoulli_kl_at_the_edges() -> None:
    assert bernoulli_kl(0.3, 0.3) == 0
    assert bernoulli_kl(0, 0.5) == pytest.approx(np.log(2))
    assert bernoulli_kl(1, 0.25) == pytest.approx(np.log(4))
    assert bernoulli_kl(0.5, 0) == np.inf
