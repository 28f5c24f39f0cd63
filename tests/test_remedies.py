"""Answers to collapse from 2023 to 2026, each against what is known of it in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.information_laws import TOY
from support.methods import configured

from svae_core.methods import Draws, Encoded, Terms
from svae_core.methods.latent_reconstruction import defect
from svae_core.methods.sigreg import statistic
from svae_core.records import Budget, State
from svae_core.training.evaluate import decode, encode
from svae_core.training.loop import advance, begin, certify, models


def encoded(mean: torch.Tensor, log_variance: torch.Tensor, memory: dict) -> Encoded:  # type: ignore[type-arg]
    return Encoded(mean, log_variance, {}, memory, torch.zeros(1, 0), training=True)


def terms(loss: torch.Tensor, sigma2: float, latent: Encoded) -> Terms:
    """Terms of one minibatch of one member whose KL and draws are not asked for."""
    number = torch.tensor([sigma2]).double()
    draws = Draws(latent, None, None, None)  # type: ignore[arg-type]
    none = torch.zeros(1, 1)
    return Terms(loss[None], none, number, 0.5 / number, number / number, 0, 0.0, {}, draws)


# ---------------------------------------------------------------------------- scaled latents


def test_unscaled_latents_are_the_conventional_vae() -> None:
    one, _ = configured("scale_vae", spread=0.0)
    mine = advance(begin((one,)), Budget(steps=30)).state
    conventional = advance(begin((replace(TOY, method="baseline"),)), Budget(steps=30)).state
    np.testing.assert_allclose(mine.parameters, conventional.parameters, atol=2e-4)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_collapse_is_stable_above_the_eigenvalue_times_the_factor_squared(factor: float) -> None:
    """Near collapse of a linear net, m = a·x and g(z) = w·z: does any small (a, w) lower the loss?

    To second order it is (w² − 2·w·f·a·λ)/(2σ²) + a²·λ/2 + w²·…, indefinite where λ·f² > σ².
    """
    _, method = configured("scale_vae", factor=factor)
    x = torch.randn(1, 4000, 1, generator=torch.Generator().manual_seed(0)).double()
    spread = float(x.square().mean())
    memory = {"factors": torch.full((1, 1), factor).double()}

    def value(a: float, w: float, sigma2: float) -> float:
        latent = encoded(a * x, torch.zeros_like(x), memory=memory)
        posterior = method.posterior(latent)
        gap = x - w * posterior.mean
        loss = gap.square().mean() + w * w * posterior.variance.mean()
        return float(method.objective(terms(loss, sigma2, latent), {}))

    for share, rises in ((0.98, False), (1.02, True)):
        sigma2 = share * factor**2 * spread
        around = [
            value(1e-3 * math.cos(t), 1e-3 * math.sin(t) * math.sqrt(sigma2), sigma2)
            for t in np.linspace(0, math.pi, 60)
        ]
        assert (min(around) > value(0.0, 0.0, sigma2)) == rises
    settings = replace(TOY, sigma2=2.0, beta=3.0)
    shown = method.effective_beta_sigma2(settings, 1.0, 5, {"largest": factor})
    assert shown == pytest.approx(6.0 / factor**2)


def test_means_that_have_shrunk_are_spread_again() -> None:
    settings, _ = configured("scale_vae", spread=2.0)
    trained = advance(begin((replace(settings, sigma2=8.0, epochs=40),)), Budget(frames=False))
    factors = trained.state.memory["scale_vae:factors"][0]
    assert (factors >= 1.0).all() and (factors <= 100.0).all() and factors.max() > 2.0
    assert trained.state.memory["scale_vae:largest"][0] == factors.max()


# ---------------------------------------------------------------------------- SIGReg


@pytest.mark.parametrize("n", [16, 500])
def test_the_statistic_of_standard_normal_values_is_the_same_for_every_number(n: int) -> None:
    values = torch.randn(1, n, 4000, generator=torch.Generator().manual_seed(n)).double()
    # √(2π) − √(2π/3) = 1.0594 on the whole line, 1.053 within ±3 by the trapezoidal rule.
    assert statistic(values).mean().item() == pytest.approx(1.053, abs=0.03)


def test_the_statistic_of_collapsed_means_grows_with_their_number() -> None:
    for n in (16, 500):
        assert statistic(torch.zeros(1, n, 1).double()).item() == pytest.approx(0.402 * n, rel=2e-3)


@pytest.mark.slow
def test_of_drawn_latents_the_statistic_cannot_tell_a_collapsed_posterior() -> None:
    """z ~ N(0, I) whatever the point: the null value, with no information in it at all."""
    z = torch.randn(1, 500, 4000, generator=torch.Generator().manual_seed(1)).double()
    means = torch.zeros(1, 500, 1).double()
    assert statistic(z).mean().item() < 1.1 and statistic(means).item() > 150.0


@pytest.mark.slow
def test_means_stay_spread_where_drawn_latents_collapse() -> None:
    means, _ = configured("sigreg")
    draws, _ = configured("sigreg", of="draws")
    both = tuple(replace(each, sigma2=3.0, epochs=40) for each in (means, draws))
    of_means, of_draws = certify(advance(begin(both), Budget(frames=False)).state, draws=8)
    assert of_means.mutual_information > 0.4
    assert of_draws.mutual_information < 0.1


# ---------------------------------------------------------------------------- latent reconstruction


def test_the_latent_comes_back_shrunk_at_the_linear_optimum_and_not_at_all_at_collapse() -> None:
    """m(g(z))_j = (1 − βσ²/λ_j)·z_j at the optimum of a linear VAE; loss (βσ²/λ_j)²."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 3)))[0]
    spectrum, c = np.array([2.0, 1.0, 0.8]), 0.3
    decoder = axes * np.sqrt(spectrum - c)
    precision = decoder.T @ decoder + c * np.eye(3)
    encoder = np.linalg.solve(precision, decoder.T)
    z = rng.normal(size=(1, 400_000, 3))
    found = z @ decoder.T @ encoder.T
    np.testing.assert_allclose(found, (1 - c / spectrum) * z, atol=1e-9)
    loss = float(defect(torch.from_numpy(found), torch.from_numpy(z)))
    assert loss == pytest.approx(((c / spectrum) ** 2).mean(), rel=0.01)
    assert float(defect(torch.zeros(1, 400_000, 3), torch.from_numpy(z))) == pytest.approx(
        1, rel=0.01
    )


@pytest.mark.slow
def test_the_loss_asks_the_member_s_own_networks() -> None:
    """With a large weight the trained encoder finds the prior's latents again."""
    strong, _ = configured("latent_reconstruction", weight=30.0)
    plain, _ = configured("latent_reconstruction", weight=0.0)
    both = tuple(replace(each, sigma2=0.5, epochs=40) for each in (strong, plain))
    state = advance(begin(both), Budget(frames=False)).state
    found = [_defect_of(state, index) for index in range(2)]
    assert found[0] < 0.6 and found[1] > found[0] + 0.2


def _defect_of(state: State, index: int) -> float:
    settings = state.settings[index]
    z = np.random.default_rng(1).normal(size=(200, settings.latent_dim)).astype(np.float32)
    model = list(models(state))[index]
    again = encode(model, decode(model, z)).mean
    return float(np.square(again - z).mean())
