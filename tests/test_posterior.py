"""KL and density of Gaussian posteriors against independent computations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from svae_core.distributions.gaussian import gaussian_kl, log_density, sample


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.floats(-2, 2), st.floats(-3, 1.5))
def test_kl_is_the_monte_carlo_average_of_the_log_ratio(mean, log_variance):
    noise = np.random.default_rng(0).normal(size=400_000)
    z = sample(mean, log_variance, noise)
    ratio = norm.logpdf(z, mean, np.exp(0.5 * log_variance)) - norm.logpdf(z)
    error = 4 * ratio.std() / np.sqrt(len(ratio)) + 1e-9
    assert gaussian_kl(mean, log_variance) == pytest.approx(ratio.mean(), abs=error)


@given(st.floats(-5, 5), st.floats(-10, 5))
def test_kl_is_never_negative_and_zero_only_at_the_prior(mean, log_variance):
    kl = gaussian_kl(mean, log_variance)
    assert kl >= -1e-12
    assert gaussian_kl(0.0, 0.0) == 0.0


def test_kl_agrees_with_torch_distributions_and_on_tensors():
    mean, log_variance = torch.randn(7, 3), torch.randn(7, 3)
    reference = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)),
        torch.distributions.Normal(0.0, 1.0),
    )
    torch.testing.assert_close(gaussian_kl(mean, log_variance, torch.exp), reference)


def test_log_density_agrees_with_scipy():
    rng = np.random.default_rng(1)
    z, mean, log_variance = (
        rng.normal(size=(5, 4)),
        rng.normal(size=(6, 4)),
        rng.normal(size=(6, 4)),
    )
    expected = norm.logpdf(z[:, None], mean, np.exp(0.5 * log_variance)).sum(axis=2)
    np.testing.assert_allclose(log_density(z, mean, log_variance), expected, rtol=1e-10)
