"""von Mises–Fisher posteriors: reference values, densities, gradients, many dimensions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as settings_
from hypothesis import strategies as st
from scipy.stats import vonmises_fisher
from support.effort import effort
from support.information_laws import TOY
from support.methods import configured

from svae_core.distributions.von_mises_fisher import VonMisesFisher, angle, log_mean_exp
from svae_core.records import Budget, RequestError
from svae_core.training.loop import advance, begin, certify


def double(value):
    return torch.tensor(float(value), dtype=torch.float64)


@pytest.mark.parametrize(
    ("k", "kappa", "kl"),
    [
        *[(3, 1, 0.151596), (3, 10, 1.995732), (8, 5, 1.094198)],
        *[(16, 30, 7.201998), (128, 64, 12.074419)],
    ],
)
def test_vmf_kl_has_its_reference_values(k, kappa, kl):
    direction = torch.nn.functional.normalize(torch.ones(1, 1, k), dim=-1)
    posterior = VonMisesFisher(direction, torch.full((1, 1), float(kappa)))
    assert posterior.kl().item() == pytest.approx(kl, abs=2e-6)


@settings_(max_examples=25)
@given(st.integers(2, 512), st.floats(-3, 5))
def test_vmf_stays_finite_and_consistent_from_2_to_512_dimensions(k, exponent):
    kappa = double(10.0**exponent)
    value, ratio = log_mean_exp(k, kappa)
    assert 0.0 < ratio < 1.0
    nearby = 1e-2 * kappa
    slope = (log_mean_exp(k, kappa + nearby)[0] - log_mean_exp(k, kappa - nearby)[0]) / (2 * nearby)
    assert ratio.item() == pytest.approx(slope.item(), rel=1e-3, abs=1e-6)
    assert (kappa * ratio - value).item() >= -1e-9
    share = ((torch.arange(1000, dtype=torch.float64) + 0.5) / 1000).requires_grad_(True)
    kappas = kappa.expand(1000).clone().requires_grad_(True)
    theta = angle(k, kappas, share)
    gradients = torch.autograd.grad(theta.sum(), (kappas, share))
    assert all(torch.isfinite(part).all() for part in (theta, *gradients))
    assert theta.detach().cos().mean().item() == pytest.approx(ratio.item(), abs=3e-4)


@pytest.mark.parametrize(("k", "kappa"), [(3, 2.0), (8, 20.0), (32, 50.0)])
def test_vmf_draws_have_the_density_and_the_direction_they_should(k, kappa):
    noise = torch.Generator().manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(1, 1, k, generator=noise), dim=-1)
    posterior = VonMisesFisher(direction.expand(1, 10_000, k), torch.full((1, 10_000), kappa))
    z = posterior.draw(torch.randn(1, 10_000, k, generator=noise))[0].numpy().astype(float)
    np.testing.assert_allclose((z**2).sum(axis=1), 1.0, atol=1e-4)
    reference = vonmises_fisher(direction[0, 0].double().numpy(), kappa)
    others = reference.rvs(10_000, random_state=1)
    mu = direction[0, 0].double().numpy()
    np.testing.assert_allclose(z.mean(axis=0), others.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(np.var(z @ mu), np.var(others @ mu), rtol=0.08)
    uniform = math.lgamma(k / 2) - math.log(2) - k / 2 * math.log(math.pi)
    own = posterior.rows(slice(0, 3)).log_density(z[:4])
    np.testing.assert_allclose(
        own[:, 0] + uniform,
        reference.logpdf(z[:4] / np.linalg.norm(z[:4], axis=1)[:, None]),
        atol=1e-4,
    )


def test_vmf_gradients_are_those_of_the_expectation():
    """d/dκ E t = 1 − A² − (k−1)A/κ, through draws; and the KL's, through its closed form."""
    k, shares = 8, (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    kappa = double(5.0).requires_grad_(True)
    (drawn,) = torch.autograd.grad(angle(k, kappa.expand(4000), shares).cos().mean(), kappa)
    ratio = log_mean_exp(k, kappa.detach())[1]
    exact = 1 - ratio**2 - (k - 1) * ratio / 5.0
    assert drawn.item() == pytest.approx(exact.item(), rel=2e-3)
    kappas = torch.full((1, 1), 5.0, requires_grad=True)
    posterior = VonMisesFisher(torch.nn.functional.normalize(torch.ones(1, 1, k), dim=-1), kappas)
    (slope,) = torch.autograd.grad(posterior.kl().sum(), kappas)
    assert slope.item() == pytest.approx(5.0 * exact.item(), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "epochs"), [({"kappa": 1.5}, effort(20, 100)), ({"least": 1.5}, 20)]
)
def test_vmf_trains_in_128_dimensions_with_a_small_concentration(options, epochs):
    """Where implementations by scaled Bessel functions give NaN."""
    settings, _ = configured("vmf", **options)
    settings = replace(settings, latent_dim=128, epochs=epochs, batch_size=300)
    (certificate,) = certify(advance(begin((settings,)), Budget(frames=False)).state, draws=16)
    assert np.isfinite([certificate.loss, certificate.kl, certificate.mutual_information]).all()
    assert certificate.kl >= 0.00878 if "kappa" in options else certificate.kl > 0


def test_vmf_needs_a_sphere():
    with pytest.raises(RequestError, match="at least 2"):
        begin((replace(TOY, method="vmf", latent_dim=1),))
