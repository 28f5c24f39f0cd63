"""Spherical Cauchy posteriors: reference values, quadrature, draws, and both ends of ρ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as settings_
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln
from support.information_laws import TOY

from svae_core.distributions.spherical_cauchy import (
    SphericalCauchy,
    kl_to_uniform,
    mean_cosine,
    rho_of_kl,
)
from svae_core.records import RequestError
from svae_core.training.loop import begin


def double(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize(
    ("k", "rho", "kl", "cosine"),
    [
        *[(2, 0.5, 0.287682, 0.5), (3, 0.5, 0.746531, 0.632031), (3, 0.9, 3.921594, 0.972749)],
        *[(8, 0.5, 3.262472, 0.754297), (16, 0.9, 33.300589, 0.993635)],
        *[(17, 0.9, 35.555622, 0.993695), (128, 0.5, 64.554971, 0.797716)],
        (128, 0.99, 583.7213, 0.999949),
    ],
)
def test_its_reference_values(k: int, rho: float, kl: float, cosine: float) -> None:
    assert kl_to_uniform(k, double(rho)).item() == pytest.approx(kl, rel=1e-6)
    assert mean_cosine(k, double(rho)).item() == pytest.approx(cosine, abs=1e-6)


@settings_(max_examples=20)
@given(st.integers(2, 40), st.floats(0.001, 0.98))
def test_kl_and_mean_are_those_of_the_density(k: int, rho: float) -> None:
    """By quadrature over the angle to μ; d = 3 joins its closed form to the series."""
    surface = gammaln(k / 2) - gammaln((k - 1) / 2) - 0.5 * np.log(np.pi)

    def expected(of) -> float:  # type: ignore[no-untyped-def]
        def integrand(angle: float) -> float:
            t = np.cos(angle)
            log = (k - 1) * np.log((1 - rho**2) / (1 + rho**2 - 2 * rho * t))
            return float(of(t, log) * np.exp(surface + log) * np.sin(angle) ** (k - 2))

        # The density is narrow near 0 for ρ near 1: more nodes there.
        width = (1 - rho) / rho
        ends = [e for e in (width, 10 * width) if e < np.pi]
        return float(quad(integrand, 0, np.pi, points=ends, limit=400, epsabs=1e-11)[0])

    assert expected(lambda t, log: 1.0) == pytest.approx(1.0, abs=1e-7)
    kl = kl_to_uniform(k, double(rho)).item()
    assert kl == pytest.approx(expected(lambda t, log: log), rel=1e-6, abs=1e-8)
    cosine = mean_cosine(k, double(rho)).item()
    assert cosine == pytest.approx(expected(lambda t, log: t), abs=1e-7)


@settings_(max_examples=20)
@given(st.integers(2, 512), st.floats(-9, -1e-3))
def test_it_stays_finite_to_both_ends_of_rho(k: int, exponent: float) -> None:
    for value in (10.0**exponent, 1.0 - 10.0**exponent):
        rho = double(min(value, 1.0 - 1e-7)).requires_grad_(True)
        kl, cosine = kl_to_uniform(k, rho), mean_cosine(k, rho)
        (slope,) = torch.autograd.grad(kl, rho, retain_graph=True)
        assert torch.isfinite(kl) and torch.isfinite(slope) and slope >= 0
        assert -1e-9 <= cosine.item() <= 1.0 + 1e-9
        assert kl.item() >= -1e-9


@pytest.mark.parametrize(("k", "rho"), [(3, 0.5), (8, 0.9)])
def test_draws_have_the_law_that_they_should(k: int, rho: float) -> None:
    noise = torch.Generator().manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(1, 1, k, generator=noise), dim=-1)
    posterior = SphericalCauchy(direction.expand(1, 20_000, k), torch.full((1, 20_000), rho))
    z = posterior.draw(torch.randn(1, 20_000, k, generator=noise))[0].double().numpy()
    np.testing.assert_allclose((z**2).sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(z.mean(axis=0), posterior.mean[0, 0].double().numpy(), atol=0.02)
    assert z.var(axis=0).mean() == pytest.approx(float(posterior.variance[0, 0, 0]), rel=0.05)
    # The mean of log q(z) − log uniform over draws is the KL.
    log = posterior.rows(slice(0, 1)).log_density(z)
    assert log.mean() == pytest.approx(posterior.kl()[0, 0, 0].item(), rel=0.02)


def test_the_first_rho_has_a_tenth_of_a_nat_and_one_latent_dimension_no_sphere() -> None:
    for k in (2, 3, 8, 128):
        assert kl_to_uniform(k, double(rho_of_kl(k, 0.1))).item() == pytest.approx(0.1, rel=1e-9)
    with pytest.raises(RequestError, match="at least 2"):
        begin((replace(TOY, method="spcauchy", latent_dim=1),))
