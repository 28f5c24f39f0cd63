"""The mixture VAE of two levels: its rate in special cases, and against quadrature."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from support.methods import configured
from support.one_step import double
from torch.distributions import Normal, kl_divergence

from svae_core.distributions.gaussian import Gaussian
from svae_core.distributions.two_level import LevelPath, TwoLevel, log_responsibilities
from svae_core.methods import Own, Terms
from svae_core.methods.vade import MixturePosterior


def two_level(components: int, k: int, seed: int, bends: bool = True) -> TwoLevel:
    """Posteriors of 6 points; `bends`: whether components depend on w."""
    settings, method = configured("gmvae_wyz", components=components, width=8)
    settings = replace(settings, latent_dim=k, seed=seed)
    parameters = double(method.parameters(settings))[None] * 2.0  # type: ignore[attr-defined]
    if not bends:
        parameters[:, : (k + 1) * 8] = 0.0
    rng = np.random.default_rng([seed, 5])
    q, upper = (
        Gaussian(double(rng.normal(size=(1, 6, k))), double(rng.normal(size=(1, 6, k)) - 1))
        for _ in range(2)
    )
    return TwoLevel(q, upper, lambda w: method.heads(parameters, w))  # type: ignore[attr-defined]


def normal(gaussian: Gaussian) -> Normal:
    return Normal(gaussian.mean, (0.5 * gaussian.log_variance).exp())


def test_one_component_is_a_hierarchy_without_a_choice() -> None:
    posterior = two_level(1, 3, 0)
    noise = double(np.random.default_rng(0).normal(size=(1, 6, 6)))
    path = posterior.path(noise)
    means, log_variances = posterior.heads(posterior.upper.draw(noise[..., 3:]))
    prior = Normal(means[..., 0, :], (0.5 * log_variances[..., 0, :]).exp())
    rate = kl_divergence(normal(posterior.gaussian), prior).sum(-1)
    rate = rate + kl_divergence(normal(posterior.upper), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(path.rate, rate, rtol=1e-8, atol=1e-8, check_dtype=False)
    assert path.assigned.abs().max() == 0.0


def test_components_that_ignore_w_leave_the_bound_of_vade() -> None:
    """With responsibilities at the drawn z, as in VaDE's paper; never below its best."""
    posterior = two_level(4, 2, 1, bends=False)
    noise = double(np.random.default_rng(1).normal(size=(1, 6, 4)))
    path, q = posterior.path(noise), posterior.gaussian
    means, log_variances = (part[0, 0].numpy() for part in posterior.heads(noise[..., 2:]))
    deviation = np.exp(0.5 * log_variances)
    logs = norm.logpdf(path.z[0].numpy()[:, None], means, deviation).sum(axis=2)
    r = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    np.testing.assert_allclose(r.sum(axis=1), 1.0, rtol=1e-12)
    each = kl_divergence(
        Normal(q.mean[0][:, None], (0.5 * q.log_variance[0]).exp()[:, None]),
        Normal(double(means), double(deviation)),
    ).sum(-1)
    upper = posterior.upper.kl().sum(-1)[0].numpy()
    choice = (r * np.log(4 * r)).sum(axis=1)
    np.testing.assert_allclose(path.assigned[0], choice, rtol=1e-9)
    expected = (r * each.numpy()).sum(axis=1) + choice
    np.testing.assert_allclose(path.rate[0].numpy() - upper, expected, rtol=1e-9)
    shape, weights = (1, 1, *means.shape), torch.full((1, 1, 4), -math.log(4.0)).double()
    best = MixturePosterior(
        q, weights, double(means).view(shape), double(log_variances).exp().view(shape)
    )
    assert (expected >= best.kl()[0, :, 0].numpy() - 1e-9).all()
    assert (expected > best.kl()[0, :, 0].numpy() + 1e-6).any()


def test_responsibilities_are_shares() -> None:
    posterior = two_level(5, 3, 2)
    w = double(np.random.default_rng(2).normal(size=(1, 6, 3)))
    means, log_variances = posterior.heads(w)
    assert (means[0, 0] - means[0, 1]).abs().max() > 0.1  # they depend on w
    r = log_responsibilities(means[..., 2, :], means, log_variances).exp()
    torch.testing.assert_close(r.sum(-1), torch.ones(1, 6).double())
    assert (r > 0).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("components", [1, 3])
def test_the_rate_is_never_below_the_divergence_from_the_prior(components: int, seed: int) -> None:
    """In one dimension, where p(z) = ∫ p(w)·Σ_c N(z; μ_c(w), s_c(w))/K dw is a quadrature."""
    posterior = two_level(components, 1, seed)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    # All pairs of nodes for (z, w): the mean rate of each point.
    pairs = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    rates = posterior.path(double(pairs).unsqueeze(1).expand(-1, 6, -1)).rate.numpy()
    mean_rate = np.outer(weights, weights).ravel() @ rates
    w = np.linspace(-8, 8, 2001)
    means, log_variances = (p[0].numpy()[..., 0] for p in posterior.heads(double(w).view(1, -1, 1)))
    mass = norm.pdf(w)[:, None] * (w[1] - w[0]) / components
    q = normal(posterior.gaussian)
    for point in range(6):
        m, s = float(q.mean[0, point]), float(q.stddev[0, point])
        z = m + s * nodes
        density = [(mass * norm.pdf(v, means, np.exp(0.5 * log_variances))).sum() for v in z]
        exact = weights @ (norm.logpdf(z, m, s) - np.log(density))
        assert mean_rate[point] >= exact - 1e-6


def test_a_choice_of_component_below_lambda_costs_its_lambda_and_has_no_slope() -> None:
    """And above it, what it costs."""
    _, method = configured("gmvae_wyz", free=0.5)
    for cost, slope in ((0.2, 0.0), (0.9, 2.0)):
        assigned = torch.full((1, 4), cost, requires_grad=True)
        path = LevelPath(z=torch.zeros(1, 4, 2), rate=1.0 + assigned, assigned=assigned)
        terms = Terms(
            loss=torch.tensor([3.0]),
            kl_per_dim=path.rate.mean(dim=1, keepdim=True),
            sigma2=torch.tensor([0.5]),
            half_precision=torch.tensor([1.0]),
            beta=torch.tensor([2.0]),
            step=0,
            progress=0.0,
            memory={},
            draws=type("Draws", (), {"paths": (path,)})(),
        )
        value = method.objective(terms, {})  # type: ignore[attr-defined]
        assert value.item() == pytest.approx(3.0 + 2.0 * (1.0 + max(0.5, cost)))
        (found,) = torch.autograd.grad(value.sum(), assigned)
        assert found.sum().item() == pytest.approx(slope, abs=1e-6)


def test_draws_from_the_prior_are_those_of_the_mixture() -> None:
    settings, method = configured("gmvae_wyz", components=3, width=4)
    parameters = torch.from_numpy(method.parameters(settings)).float()  # type: ignore[attr-defined]
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(6000, 3))).float()
    z = method.sample_prior(noise, Own(parameters))  # type: ignore[attr-defined]
    w = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 20_000, 3))).float()
    means, log_variances = method.heads(parameters[None], w)  # type: ignore[attr-defined]
    centre = means.mean(dim=(1, 2))[0]
    square = (means**2 + log_variances.exp()).mean(dim=(1, 2))[0]
    torch.testing.assert_close(z.mean(dim=0), centre, rtol=0.0, atol=0.08)
    torch.testing.assert_close((z**2).mean(dim=0), square, rtol=0.08, atol=0.0)
