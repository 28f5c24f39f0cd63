"""Annealed variational objectives: the bound, gradients, and Gaussian chains in closed form."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from support.methods import configured
from support.one_step import double, first_weights, seen_by, written
from torch.distributions import Normal

from svae_core.distributions.chain import Chain
from svae_core.methods import Terms, base_objective
from svae_core.methods import avo as avo_module
from svae_core.nets.networks import Networks
from svae_core.problem import prepared_data
from svae_core.records import Settings


def avo(arch: str = "mlp", **options: Any) -> Settings:
    return replace(configured("avo", **options)[0], arch=arch, beta=1.7, latent_dim=2)


def draws_for(settings: Settings, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points and noise of a chain."""
    points = prepared_data(settings).shell.points[:count]
    steps = dict(settings.method_options).get("steps", 3)
    rng = np.random.default_rng(seed)
    return double(points), double(rng.normal(size=(len(points), (1 + steps) * 2)))


def log_target(
    terms: Terms, nets: Networks, x: torch.Tensor, z: torch.Tensor, alpha: float
) -> torch.Tensor:
    """β·log f_t(z) + β·(k/2)·log 2π of latents [1, b, k], by its definition, for points [b, d]."""
    encoded, beta, sigma2 = terms.draws.encoded, float(terms.beta), float(terms.sigma2)
    start = Normal(encoded.mean, (0.5 * encoded.log_variance).exp()).log_prob(z).sum(-1)
    prior = Normal(0.0, 1.0).log_prob(z).sum(-1)
    fit = -((nets.decode(z) - x) ** 2).sum(-1) / (2 * sigma2)
    free = 0.5 * z.shape[-1] * math.log(2 * math.pi)
    return (beta * ((1 - alpha) * start + alpha * prior + free) + alpha * fit).detach()


def latents_of(method: Any, terms: Terms) -> list[torch.Tensor]:
    """z_0 … z_T, [1, b, k] each."""
    noise, start = terms.draws.noise[:, 0], terms.draws.posterior.start
    first = start.draw(noise[..., :2])
    steps = method.steps(terms.draws.encoded)
    return [
        first,
        *(z for z, _ in steps.taken(first, noise[..., 2:], terms.draws.encoded.features, apart=1)),
    ]


@pytest.mark.parametrize("arch", ["linear", "mlp"])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_annealed_steps_add_up_to_the_bound_on_every_path(steps: int, arch: str) -> None:
    """The targets in between cancel."""
    settings = avo(arch, steps=steps)
    points, noise = draws_for(settings, 4, steps)
    for x, one in zip(points.split(1), noise.split(1), strict=True):  # path by path
        method, nets, terms = seen_by(settings, first_weights(settings), x, one)
        each = method.annealed(terms)
        before = [
            log_target(terms, nets, x, z, t / steps)
            for t, z in enumerate(latents_of(method, terms)[:-1])
        ]
        total = each.sum() + torch.stack(before).sum()
        torch.testing.assert_close(total, base_objective(terms)[0], rtol=1e-6, atol=1e-6)


def test_one_annealed_step_has_the_gradients_of_the_bound_but_none_for_the_start() -> None:
    settings = avo("mlp", steps=1)
    points, noise = draws_for(settings, 9, 0)
    method, nets, terms = seen_by(settings, first_weights(settings), points, noise)
    own, layers = nets.extra, nets.arch.layers
    decoder = [nets.tensors[i] for i in range(len(layers)) if layers[i].name.startswith("dec")]
    read_out = nets.tensors[nets.arch.reads_out]
    leaves = [own, *sum(decoder, ()), *read_out]
    annealed, bound = (
        torch.autograd.grad(each.sum(), leaves, retain_graph=True, allow_unused=True)
        for each in (method.annealed(terms), base_objective(terms))
    )
    for mine, whole in zip(annealed[:-2], bound[:-2], strict=True):
        assert whole.abs().max() > 1e-3
        torch.testing.assert_close(mine, whole, rtol=1e-9, atol=1e-9)
    for none, whole in zip(annealed[-2:], bound[-2:], strict=True):
        assert none is None or none.abs().max() == 0.0
        assert whole.abs().max() > 1e-3


def made(gate: float, mean: Any, variance: Any) -> np.ndarray:
    """What a step's last layer must give for this gate (its logit), mean and variance."""
    spread = np.log(np.expm1(np.sqrt(variance))) + avo_module._SHIFT
    return np.concatenate([np.full(len(mean), gate), mean, spread])


def gaussian_chain(moved: float = 0.0) -> tuple[Any, ...]:
    """Chains of one point between a Gaussian start and a Gaussian posterior, at their optimum.

    Each q_t is the normalised target t, and each r_t the one before. `moved`: added to the means.
    """
    settings, steps = avo("linear", steps=3), 3
    d, c = len(prepared_data(settings).shell.center), settings.beta * settings.sigma2
    weight = (np.array([[0.9], [0.4]]) * ortho_group.rvs(d, random_state=0)[:2]) * c**0.5
    x = np.linspace(-0.5, 0.5, d)
    start = np.array([0.3, -1.0]), np.array([0.8, 0.2])  # mean, variance
    precision = 1.0 + (weight**2).sum(axis=1) / c
    posterior = weight @ x / c / precision, 1.0 / precision
    alphas = np.arange(steps + 1) / steps
    variances = [1 / ((1 - a) / start[1] + a / posterior[1]) for a in alphas]
    means = [
        s * ((1 - a) * start[0] / start[1] + a * posterior[0] / posterior[1])
        for a, s in zip(alphas, variances, strict=True)
    ]
    layers: dict[str, Any] = {
        "encoder.0": (None, start[0]),
        "variance": (None, np.log(start[1])),
        "decoder.2": (weight, None),
    }
    for t in range(steps):
        layers[f"q{t}.1"] = None, made(60.0, means[t + 1] + moved, variances[t + 1])
        layers[f"r{t}.1"] = None, made(60.0, means[t], variances[t])
    return settings, written(settings, layers), double(x).unsqueeze(0), means, variances


def test_a_gaussian_chain_closes_the_gap_of_every_step() -> None:
    """With q_t the target itself, log q_t − log r_t − log f_t is a constant: −log of its mass."""
    settings, row, x, means, variances = gaussian_chain()
    for noise in double(np.random.default_rng(3).normal(size=(5, 1, 8))):
        method, nets, terms = seen_by(settings, row.clone(), x, noise)
        latents = latents_of(method, terms)
        mass = [
            float(log_target(terms, nets, x, double(mean).view(1, 1, -1), t / 3))
            + 0.5 * settings.beta * float(np.log(variance).sum())
            for t, (mean, variance) in enumerate(zip(means, variances, strict=True))
        ]
        assert mass[0] == pytest.approx(0.0, abs=1e-6) and abs(mass[3]) > 0.1
        for t, found in enumerate(method.annealed(terms)[0].tolist()):
            before = float(log_target(terms, nets, x, latents[t], t / 3))
            assert found + before == pytest.approx(mass[t] - mass[t + 1], abs=1e-5)


def test_a_step_that_misses_its_target_pays_the_divergence() -> None:
    settings, row, x, _, variances = gaussian_chain()
    other, moved = gaussian_chain(moved=0.3)[:2]
    # ±√8 along each of the 8 numbers: mean 0 and covariance 1, so squares average exactly.
    noise = double(np.concatenate([np.eye(8), -np.eye(8)]) * 8**0.5)
    values = []
    for given in (row, moved):
        method, _, terms = seen_by(settings, given, x.expand(16, -1), noise)
        values.append(method.annealed(terms)[0].detach().numpy())
    gaps = np.array([0.5 * (0.3**2 / variance).sum() for variance in variances[1:]])
    assert other == settings
    # The reverse step meets what the step before made, so it pays as well, but for the first.
    paid = gaps + np.concatenate([[0.0], gaps[:-1]])
    np.testing.assert_allclose(values[1] - values[0], settings.beta * paid, rtol=1e-5)


def test_a_chain_that_only_adds_noise_has_the_rate_of_a_wider_start() -> None:
    """Gates shut and equal noise both ways: log q_t − log r_t is 0, and Var z_T = s + T·sd²."""
    settings = avo("linear", steps=3)
    mean, log_s, added = np.array([0.4, -0.7]), np.array([-1.0, 0.2]), np.array([0.3, 0.05])
    layers: dict[str, Any] = {"encoder.0": (None, mean), "variance": (None, log_s)}
    layers |= {f"{way}{t}.1": (None, made(-60.0, mean, added)) for way in "qr" for t in range(3)}
    points = double(np.zeros((400, len(prepared_data(settings).shell.center))))
    noise = double(np.tile(np.concatenate([np.eye(8), -np.eye(8)]) * 8**0.5, (25, 1)))
    _, _, terms = seen_by(settings, written(settings, layers), points, noise)
    exact = 0.5 * (mean**2 + np.exp(log_s) + 3 * added - 1.0 - log_s).sum()
    assert terms.kl.item() == pytest.approx(exact, rel=1e-6)
    chain = terms.draws.posterior
    assert isinstance(chain, Chain)
    # In evaluation, over some paths of each point.
    np.testing.assert_allclose(chain.mean[0].detach(), np.tile(mean, (400, 1)), atol=1e-6)
    variance = chain.variance[0].mean(dim=0).detach()
    np.testing.assert_allclose(variance, np.exp(log_s) + 3 * added, rtol=0.05)
    assert chain.kl().mean().item() == pytest.approx(exact, abs=0.06)


def test_annealed_steps_come_in_their_share_and_are_the_same_for_all_members() -> None:
    drawn = [np.random.default_rng([step, 73]).random() < 0.2 for step in range(2000)]
    assert np.mean(drawn) == pytest.approx(0.2, abs=0.03)
    settings = avo("linear", steps=2)
    points, noise = draws_for(settings, 5, 0)
    for share in (0.0, 1.0):
        _, _, terms = seen_by(settings, first_weights(settings), points, noise)
        method = avo_module.Method(avo_module.Config(steps=2, share=share))
        bound = torch.equal(method.objective(terms, {}), base_objective(terms))
        assert bound == (share == 0.0)


@pytest.mark.parametrize("arch", ["mlp", "gru"])
def test_losses_of_other_latents_are_those_that_the_step_has_itself(arch: str) -> None:
    """For a decoder taught step by step too, with the same dropped steps."""
    settings = Settings(
        dataset="names",
        n_points=60,
        clusters=3,
        arch=arch,
        hidden=8,
        latent_dim=2,
        method="avo",
        word_dropout=0.4 if arch == "gru" else 0.0,
        device="cpu",
    )
    points, noise = draws_for(settings, 5, 0)
    method, _, terms = seen_by(settings, first_weights(settings), points, noise)
    again = terms.draws.losses_of(terms.draws.z.repeat(1, 3, 1, 1))
    torch.testing.assert_close(again, terms.draws.losses.repeat(1, 3, 1))
    assert torch.isfinite(method.annealed(terms)).all()
