"""Polar posteriors: KL by quadrature, uniform norms independent of directions, gradients."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest
from support.methods import configured
from support.one_step import double

from svae_core.certificate.diagnostics import mutual_information
from svae_core.distributions.polar import Polar, draw_prior
from svae_core.distributions.von_mises_fisher import VonMisesFisher, log_mean_exp
from svae_core.records import Budget, RequestError
from svae_core.training.loop import advance, begin, certify


def polar(k: int, kappa: float, least: float, count: int = 1) -> Polar:
    direction = torch.nn.functional.normalize(torch.arange(1.0, k + 1), dim=0).double()
    around = VonMisesFisher(direction.expand(1, count, k), double(np.full((1, count), kappa)))
    return Polar(around, double(np.full((1, count), least)), 0.5, 4.0)


@pytest.mark.parametrize(
    ("k", "kappa", "longest", "width", "kl"),
    [
        *[(128, 100.0, 14.0, 0.1, 22.8409 + 4.9416), (128, 15.0, 10.0, 1.0, 0.8616 + 2.3026)],
        (256, 50.0, 7.5, 0.1, 4.6267 + 4.3175),
    ],
)
def test_the_settings_of_the_source_have_their_kl(
    k: int, kappa: float, longest: float, width: float, kl: float
) -> None:
    found = replace(polar(k, kappa, 1.0), longest=longest, width=width).kl()
    assert found.shape == (1, 1, 1) and found.item() == pytest.approx(kl, abs=1.5e-4)


@pytest.mark.parametrize(("k", "kappa"), [(2, 1.5), (3, 15.0), (9, 40.0)])
def test_the_kl_is_that_of_quadrature_and_of_the_density_of_draws(k: int, kappa: float) -> None:
    """Over the angle to μ and the norm, of q·log(q/p)."""

    def weight(angle: float) -> float:
        return math.exp(kappa * (math.cos(angle) - 1)) * math.sin(angle) ** (k - 2)

    mass = quad(weight, 0, math.pi)[0]
    even = quad(lambda angle: math.sin(angle) ** (k - 2), 0, math.pi)[0]
    cosine = quad(lambda angle: math.cos(angle) * weight(angle), 0, math.pi)[0] / mass
    direction = kappa * (cosine - 1.0) - math.log(mass / even)
    norms = quad(lambda _: math.log((1 / 0.5) / (1 / 4.0)) / 0.5, 1.0, 1.5)[0]
    assert polar(k, kappa, 1.0).kl().item() == pytest.approx(direction + norms, abs=1e-6)
    many = polar(k, kappa, 1.0, 4000)
    z = many.draw(double(np.random.default_rng(0).normal(size=(1, 4000, k))))[0].numpy()
    own = polar(k, kappa, 1.0).log_density(z.astype(np.float32))[:, 0]
    assert own.mean() == pytest.approx(direction + norms, abs=4 * own.std() / 4000**0.5)
    far = polar(k, kappa, 1.6).log_density(z)
    assert np.isneginf(far).all()


@pytest.mark.parametrize("k", [2, 3, 16])
def test_norms_are_uniform_and_independent_of_the_direction(k: int) -> None:
    count, kappa = 10_000, 5.0
    posterior = polar(k, kappa, 1.2, count)
    noise = double(np.random.default_rng(k).normal(size=(1, count, k)))
    z, mu = posterior.draw(noise)[0].numpy(), posterior.around.direction[0, 0].numpy()
    length = np.linalg.norm(z, axis=1)
    assert kstest((length - 1.2) / 0.5, "uniform").pvalue > 1e-3
    along, across = z @ mu / length, (z / length[:, None] - np.outer(z @ mu / length, mu))[:, 0]
    expected = log_mean_exp(k, double(kappa))[1].item()
    assert along.mean() == pytest.approx(expected, abs=4 / count**0.5)
    for part in (along, along**2, across, across**2):
        assert abs(np.corrcoef(part, length)[0, 1]) < 4 / count**0.5
    np.testing.assert_allclose(z.mean(axis=0), posterior.mean[0, 0].numpy(), atol=0.06)
    spread = z.var(axis=0).mean()
    assert spread == pytest.approx(posterior.variance[0, 0, 0].item(), rel=0.05)
    prior = draw_prior(noise[0], 3.0).numpy()
    assert kstest(np.linalg.norm(prior, axis=1) / 3.0, "uniform").pvalue > 1e-3
    assert np.abs(prior.mean(axis=0)).max() < 0.08


def test_gradients_of_draws_are_those_of_their_mean() -> None:
    """E z = (n + ε/2)·A·μ, so slopes of E aᵀz by μ and n are known; norms use noise across μ."""
    count, k = 20_000, 4
    noise = double(np.random.default_rng(1).normal(size=(1, count, k)))
    direction = torch.nn.functional.normalize(double([1.0, -2.0, 0.5, 1.0]), dim=0)
    tangent = double([2.0, 1.0, 0.0, 0.0]) / 5**0.5
    turn = torch.zeros((), dtype=torch.float64, requires_grad=True)
    least = torch.full((), 1.2, dtype=torch.float64, requires_grad=True)
    mu = turn.cos() * direction + turn.sin() * tangent
    around = VonMisesFisher(mu.expand(1, count, k), double(np.full((1, count), 6.0)))
    z = Polar(around, least.expand(1, count), 0.5, 4.0).draw(noise)
    slopes = torch.autograd.grad((z @ (tangent + direction)).mean(), (turn, least))
    ratio = log_mean_exp(k, double(6.0))[1].item()
    assert float(slopes[0]) == pytest.approx(1.45 * ratio, abs=0.02)
    assert float(slopes[1]) == pytest.approx(ratio, abs=0.02)


def test_densities_of_0_leave_the_information_finite() -> None:
    """Two halves of points with norms apart, and all else equal: log 2 nats, and no NaN on the way.

    Densities are asked for in blocks, in which a latent may have none at all.
    """
    count, k = 1200, 3
    near, far = polar(k, 5.0, 1.0, count), polar(k, 5.0, 2.0, count)
    least = torch.cat([near.least, far.least], dim=1)
    around = polar(k, 5.0, 1.0, 2 * count).around
    posterior = Polar(around, least, 0.5, 4.0)
    z = posterior.draw(double(np.random.default_rng(0).normal(size=(1, 2 * count, k))))[0].numpy()
    found = mutual_information(z, lambda z, some: posterior.rows(some).log_density(z), 2 * count)
    assert found == pytest.approx(math.log(2.0), abs=1e-6)


@pytest.mark.slow
def test_no_weight_moves_a_constant_kl() -> None:
    settings = replace(configured("edit_vectors")[0], epochs=2)
    weak, strong = (
        advance(begin((replace(settings, beta=beta),)), Budget(frames=False)).state
        for beta in (0.1, 10.0)
    )
    np.testing.assert_allclose(weak.parameters, strong.parameters, rtol=1e-6, atol=1e-7)
    (certificate,) = certify(weak, draws=16)
    expected = replace(polar(3, 15.0, 1.0), width=1.0, longest=10.0).kl().item()
    assert certificate.kl == pytest.approx(expected, rel=1e-5)
    assert 0.0 < certificate.mutual_information <= math.log(300)
    with pytest.raises(RequestError, match="at least 2"):
        begin((replace(settings, latent_dim=1),))
    with pytest.raises(RequestError, match="below the largest norm"):
        begin((configured("edit_vectors", width=5.0, longest=5.0)[0],))
