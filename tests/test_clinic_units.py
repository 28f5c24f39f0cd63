"""Laws of the unit gauge: formulas against autograd, against known values, and against training."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from support.loss_functions import as_function

from svae_core.__main__ import main
from svae_core.clinic.code_bases import CODE_BASES
from svae_core.clinic.training_loss import TrainingLoss, scaled
from svae_core.clinic.unit_gauge import diagnose_loss, gauge_of
from svae_core.config.fields import RequestError

DIGITS = load_digits().data / 16
POINTS = np.random.default_rng(0).uniform(size=(40, 5)) ** [1, 2, 3, 1, 2]
REDUCTIONS = st.sampled_from(("sum", "mean"))
WEIGHTS = st.floats(1e-4, 1e4)

LOSSES = st.builds(
    TrainingLoss,
    reconstruction=st.sampled_from(("squared_error", "binary_cross_entropy", "log_cosh")),
    over_coordinates=REDUCTIONS,
    over_batch=REDUCTIONS,
    factor=WEIGHTS,
    sharpness=st.floats(0.1, 10),
    kl_over_dimensions=REDUCTIONS,
    kl_over_batch=REDUCTIONS,
    kl_weight=WEIGHTS,
)


@pytest.mark.slow
@given(LOSSES, st.integers(1, 9))
def test_formulas_agree_with_autograd(loss: TrainingLoss, latent_dim: int) -> None:
    stated = diagnose_loss(loss, POINTS, latent_dim, batch_size=len(POINTS))
    derived = gauge_of(as_function(loss), POINTS, latent_dim)
    assert derived.gauge == pytest.approx(stated.gauge, rel=1e-6)
    assert derived.can_live == stated.can_live
    assert derived.wakes * loss.kl_weight == pytest.approx(stated.wakes, rel=1e-6)


@pytest.mark.parametrize(
    ("how", "gauge"),
    [
        ({"over_coordinates": "mean"}, 45.8),
        ({"over_coordinates": "mean", "kl_weight": 0.00025}, 0.0114),
        ({}, 0.715),
        ({"factor": 0.5}, 1.43),
    ],
)
def test_squared_error_on_digits(how: dict[str, object], gauge: float) -> None:
    found = diagnose_loss(TrainingLoss(**how), DIGITS, 16)  # type: ignore[arg-type]
    assert found.gauge == pytest.approx(gauge, rel=5e-3)
    # c = βσ², and Λ = 2 λ_max of the data as they enter the net.
    assert found.threshold == pytest.approx(2 * np.linalg.eigvalsh(np.cov(DIGITS.T, bias=True))[-1])
    assert found.beta_sigma2 == pytest.approx(found.ratio / 2)


def test_cross_entropy_on_digits() -> None:
    summed = diagnose_loss(TrainingLoss("binary_cross_entropy"), DIGITS, 4)
    assert summed.threshold == pytest.approx(3.352, abs=5e-4)
    # λ_B is at most the number of pixels, so a mean over them always lets collapse be stable.
    mean = diagnose_loss(TrainingLoss("binary_cross_entropy", over_coordinates="mean"), DIGITS, 4)
    assert mean.gauge > 1 and mean.ratio == DIGITS.shape[1]


def test_the_weight_that_was_meant_gives_the_stated_beta_and_sigma2() -> None:
    loss = TrainingLoss(over_coordinates="mean", kl_over_batch="sum", kl_weight=3.0)
    meant = diagnose_loss(loss, DIGITS, 8, batch_size=64, beta=0.5, sigma2=0.2).meant
    assert diagnose_loss(
        replace(loss, kl_weight=meant), DIGITS, 8, batch_size=64
    ).beta_sigma2 == pytest.approx(0.5 * 0.2)


@pytest.mark.parametrize("side", [0.999, 1.001])
def test_dimensions_wake_at_the_weights_that_are_named(side: float) -> None:
    loss = TrainingLoss(over_coordinates="mean")
    found = diagnose_loss(loss, DIGITS, 8)
    first = diagnose_loss(replace(loss, kl_weight=side * found.wakes), DIGITS, 8)
    last = diagnose_loss(replace(loss, kl_weight=side * found.wakes_all), DIGITS, 8)
    assert (first.can_live, last.can_live) == ((1, 8) if side < 1 else (0, 7))


def test_points_that_do_not_fit_are_refused_in_one_sentence() -> None:
    with pytest.raises(RequestError, match=r"needs values from 0 to 1, but .* scale them"):
        diagnose_loss(TrainingLoss("binary_cross_entropy"), DIGITS * 16, 4)
    for points, said in (
        (POINTS * np.nan, "not a finite number"),
        (POINTS[:, 0], "must be a table"),
        (POINTS[:0], "must be a table"),
    ):
        with pytest.raises(RequestError, match=said):
            diagnose_loss(TrainingLoss(), points, 2)
        with pytest.raises(RequestError, match=said):
            gauge_of(lambda x, y, m, s: (x - y).square().sum(), points, 2)
    for name, value in (("batch_size", 0), ("beta", -1.0), ("sigma2", 0.0), ("latent_dim", 0)):
        with pytest.raises(RequestError, match=f"{name} is {value}, but must be"):
            diagnose_loss(TrainingLoss(), POINTS, **({"latent_dim": 2} | {name: value}))
    listed = gauge_of(
        lambda x, y, m, s: (x - y).square().sum() + kl(m, s).sum(), POINTS.tolist(), 2
    )
    assert listed.gauge == pytest.approx(diagnose_loss(TrainingLoss(), POINTS, 2).gauge)
    with pytest.raises(RequestError, match="no curvature"):
        gauge_of(lambda x, y, m, s: (x - y).abs().sum() + m.square().sum(), POINTS, 2)
    with pytest.raises(RequestError, match="has no KL"):
        gauge_of(lambda x, y, m, s: (x - y).square().sum(), POINTS, 2)


def test_every_code_base_has_a_source_and_a_gauge_or_a_reason() -> None:
    assert len(CODE_BASES) >= 20 and len({base.name for base in CODE_BASES}) == len(CODE_BASES)
    for base in CODE_BASES:
        assert base.source and base.remark in base.note
        unread = "looked up" in base.note or "documentation was read" in base.note
        assert unread == (base.read != "code"), "what was not read in code says so"
        if base.loss is None:
            assert base.remark
        else:
            assert 0 < diagnose_loss(base.loss, DIGITS, 16).gauge < np.inf


def test_the_command_diagnoses_a_code_base(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["gauge", "--dataset", "digits", "--code-base", "pythae", "--json"]
    assert main(asked) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["beta_sigma2"] == 1.0 and answer["source"].startswith("clementchadebec")
    assert main([*asked, "--kl-weight", "0.25"]) == 0
    assert json.loads(capsys.readouterr().out)["beta_sigma2"] == 0.25
    assert main(["gauge", "--code-base", "scvi"]) == 2
    assert "no exact gauge" in capsys.readouterr().err


def trained(loss: TrainingLoss, points: np.ndarray, steps: int, latent_dim: int = 3) -> float:
    """KL, nats, summed over dimensions, at the end of a plain loop with exactly this loss."""
    torch.manual_seed(0)
    x = torch.from_numpy(scaled(points, loss.scaling)).float()
    d = x.shape[1]
    encoder, decoder = torch.nn.Linear(d, 2 * latent_dim), torch.nn.Linear(latent_dim, d)
    function = as_function(loss)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 2e-2)
    for _ in range(steps):
        mean, log_variance = encoder(x).chunk(2, 1)
        noise = loss.noise_scale * torch.exp(log_variance / 2) * torch.randn_like(mean)
        value = function(x, decoder(mean + noise), mean, log_variance)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
    return float(kl.sum(1).mean().detach())


@pytest.mark.slow
@pytest.mark.parametrize("reconstruction", ["squared_error", "binary_cross_entropy", "log_cosh"])
def test_a_plain_loop_ends_as_the_gauge_says(reconstruction: str) -> None:
    loss = TrainingLoss(reconstruction, over_coordinates="mean", kl_over_batch="sum", sharpness=5.0)
    points = DIGITS[:120]
    edge = diagnose_loss(loss, points, 3, batch_size=len(points)).wakes
    below, above = (
        trained(replace(loss, kl_weight=share * edge), points, 500) for share in (0.6, 1.4)
    )
    assert below > 0.1 and above < 0.01


def test_another_prior_is_another_unit_of_z_and_no_other_gauge() -> None:
    def loss(x: torch.Tensor, y: torch.Tensor, m: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        kl = ((m - 3).square() + s.exp()) / 4 - 1 - s + math.log(4)  # to N(3, 4)
        return (x - y).square().sum(dim=1).mean() / 2 + kl.sum(dim=1).mean() / 2

    def usual(x: torch.Tensor, y: torch.Tensor, m: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        kl = m.square() + s.exp() - 1 - s
        return (x - y).square().sum(dim=1).mean() / 2 + kl.sum(dim=1).mean() / 2

    assert gauge_of(loss, POINTS, 2).gauge == pytest.approx(gauge_of(usual, POINTS, 2).gauge)


@pytest.mark.parametrize("over", ["dimensions", "points"])
def test_weights_of_the_kl_that_differ_have_no_gauge_together(over: str) -> None:
    shape = (1, 3) if over == "dimensions" else (len(POINTS), 1)
    weights = torch.linspace(1, 10, max(shape), dtype=torch.float64).reshape(shape)

    def loss(x: torch.Tensor, y: torch.Tensor, m: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        kl = weights[:, : m.shape[1]] * (m.square() + s.exp() - 1 - s) / 2
        return (x - y).square().sum(dim=1).mean() + kl.sum(dim=1).mean()

    with pytest.raises(RequestError, match=r"10 times as much .* one weight: give all the same"):
        gauge_of(loss, POINTS, 3)
    if over == "dimensions":
        alone = gauge_of(loss, POINTS, 1)
        assert alone.gauge == pytest.approx(diagnose_loss(TrainingLoss(), POINTS, 1).gauge)


def kl(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2


def test_a_root_of_the_mean_and_a_loss_in_float32_have_a_gauge() -> None:
    """Near the best constant √S moves by the change of S over 2√S, so the weight is that."""
    plain = gauge_of(lambda x, y, m, s: (x - y).square().mean() + kl(m, s).sum(1).mean(), POINTS, 2)
    root = gauge_of(
        lambda x, y, m, s: (x - y).float().square().mean().sqrt() + kl(m, s).sum(1).mean(),
        POINTS,
        2,
    )
    share = 2 * np.sqrt(POINTS.var(axis=0).mean())
    assert root.gauge == pytest.approx(plain.gauge * share, rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda x, y, m, s: (x - y).square().sum(dim=1) + m.square().sum(dim=1), "one number"),
        (lambda x, y, m, s: float((x - y).detach().square().sum()), "of float"),
        (lambda x, y, m, s: (y - x).log().sum() + m.square().sum(), "not a finite number"),
        (lambda x, y, m, s: -(x - y).square().sum() - m.square().sum(), "to be maximised"),
        (lambda x, y, m, s: (x - y).square().sum() + m[:, 0].square().sum(), "every dimension"),
        (lambda x, y, m, s: (x - y).square().sum() + m.square().sum(), "of the log-variance"),
        (
            lambda x, y, m, s: (x - y).square().sum() + (kl(m, s) * torch.tensor([1, 9])).sum(),
            "KL of some dimensions",
        ),
        (lambda x, y, m, s: (x - y).square().sum(dim=1).sqrt().sum() + kl(m, s).sum(), "couples"),
        (lambda x, y, m, s: (x - y).cumsum(1).square().sum() + kl(m, s).sum(), "couples"),
        (
            lambda x, y, m, s: (x - y).square().sum() + random.random() * kl(m, s).sum(),
            "another value at every call",
        ),
    ],
)
def test_what_is_no_loss_to_minimise_is_refused_in_one_sentence(
    loss: Callable[..., object], said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        gauge_of(loss, POINTS, 2)
