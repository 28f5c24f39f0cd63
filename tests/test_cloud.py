"""The cloud posterior: its moments, its bound on the KL, and the mixture VAE where He is 0."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from support.methods import configured

from svae_core.distributions.cloud import CloudPosterior, mean_log_square
from svae_core.distributions.gaussian import Gaussian
from svae_core.methods import Own
from svae_core.methods.cloud import concepts
from svae_core.methods.vade import MixturePosterior
from svae_core.problem import prepared_data


def cloud(ratio: float, b: int = 1, k: int = 1, c: int = 1) -> CloudPosterior:
    noise = torch.Generator().manual_seed(c + 10 * k)
    shape = 1, b, k
    return CloudPosterior(
        torch.randn(shape, generator=noise).double(),
        torch.randn(shape, generator=noise).double(),
        torch.full(shape, ratio).double(),
        torch.randn(1, 1, c, generator=noise).double().log_softmax(dim=2),
        torch.randn(1, 1, c, k, generator=noise).double(),
        torch.rand(1, 1, c, k, generator=noise).double() + 0.2,
    )


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.2])
def test_the_expected_logarithm_is_that_of_quadrature(ratio: float) -> None:
    exact = quad(
        lambda e: norm.pdf(e) * np.log((1 + ratio * e) ** 2), -12, 12, points=[-5.0], limit=300
    )[0]
    found = mean_log_square(torch.tensor(ratio).double()).item()
    assert found == pytest.approx(exact, abs=1e-5)


def test_draws_have_the_variance_and_the_kurtosis_of_a_cloud() -> None:
    ratio, n = 0.2, 400_000
    one = cloud(ratio)
    noise = torch.randn(n, 1, 1, 2, generator=torch.Generator().manual_seed(0)).double()
    z = one.draw(noise).reshape(n).numpy()
    entropy = math.exp(float(one.log_entropy))
    hyper = ratio**2 * entropy
    assert z.var() == pytest.approx(entropy + hyper, rel=0.01)
    assert float(one.variance) == pytest.approx(entropy + hyper)
    standard = (z - z.mean()) / z.std()
    excess = 6 * hyper * (2 * entropy + hyper) / (entropy + hyper) ** 2
    assert (standard**4).mean() - 3 == pytest.approx(excess, abs=0.08)


def test_its_rate_is_never_below_the_kl() -> None:
    """By quadrature in one dimension, where the density of a cloud is an integral over En'."""
    one = cloud(0.2, c=3)
    center, width = float(one.expectation), math.exp(0.5 * float(one.log_entropy))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    widths = np.abs(width * (1 + 0.2 * nodes))
    z = np.linspace(center - 14 * width, center + 14 * width, 20_001)
    q = norm.pdf(z[:, None], center, widths) @ (weights / weights.sum())
    means, sds = (v.numpy().ravel() for v in (one.means, one.variances.sqrt()))
    p = norm.pdf(z[:, None], means, sds) @ one.log_weights.exp().numpy().ravel()
    kl = np.trapezoid(np.where(q > 0, q * np.log(np.maximum(q, 1e-300) / p), 0.0), z)
    assert float(one.kl()) >= kl - 1e-6


@pytest.mark.slow
def test_without_hyper_entropy_it_is_the_mixture_vae() -> None:
    one = cloud(0.0, b=7, k=3, c=4)
    gaussian = Gaussian(one.expectation, one.log_entropy)
    mixture = MixturePosterior(gaussian, one.log_weights, one.means, one.variances)
    torch.testing.assert_close(one.kl(), mixture.kl())
    noise = torch.randn(1, 7, 6, generator=torch.Generator().manual_seed(2)).double()
    torch.testing.assert_close(one.draw(noise), mixture.draw(noise[..., :3]))


def test_concepts_are_standardised_and_drawn_as_they_are() -> None:
    settings, method = configured("cloud")
    prepared = prepared_data(settings)
    clusters, k = prepared.clusters, settings.latent_dim
    found = concepts(prepared.shell.points, clusters.labels, clusters.k, k)
    shares = np.exp(found["log_weights"])
    np.testing.assert_allclose(shares @ found["means"], 0.0, atol=1e-9)
    np.testing.assert_allclose(shares @ (found["variances"] + found["means"] ** 2), 1.0, atol=2e-3)
    flat = concepts(np.ones((20, 2)) * np.arange(20)[:, None], np.zeros(20, int), 1, 4)
    np.testing.assert_allclose(flat["means"], 0.0, atol=1e-9)
    np.testing.assert_allclose(flat["variances"], 1.0, atol=1e-9)
    arrays = {name: torch.from_numpy(value).float() for name, value in found.items()}
    noise = torch.randn(20_000, k, generator=torch.Generator().manual_seed(3))
    z = method.sample_prior(noise, Own(torch.zeros(0), arrays))
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(k), atol=0.03, rtol=0)
    torch.testing.assert_close(z.var(dim=0), torch.ones(k), atol=0.05, rtol=0)
