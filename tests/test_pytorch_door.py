"""The shell, the band and the monitor in someone else's training loop."""

from __future__ import annotations

import copy
import functools
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.conv_vae import images, monitored, trained
from support.their_loops import OurRun
from torch import Tensor, nn

from svae_core.integrations._following import Following
from svae_core.integrations.pytorch import (
    CollapseMonitor,
    FeasibleBand,
    ShellProjection,
    project,
)
from svae_core.methods import method_for
from svae_core.problem import prepared_data
from svae_core.records import RequestError, Settings

OURS = OurRun(Settings(dataset="digits", epochs=14, hidden=32, latent_dim=4))  # 210 steps
POINTS = np.random.default_rng(0).normal(size=(300, 6)) * np.array([3, 2, 1, 1, 0.5, 0.5])


class Net(nn.Module):
    """A small VAE with everything that a look at it could disturb."""

    def __init__(self, width: int = 6, latent: int = 2) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(width, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5)
        )
        self.head, self.decoder = nn.Linear(16, 2 * latent), nn.Linear(latent, width)

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.head(self.body(x)).chunk(2, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def watched(**options: Any) -> CollapseMonitor:
    return CollapseMonitor(Net().encode, Net().decode, POINTS, **options)


# ------------------------------------------------------------------------------ the shell


@pytest.mark.slow
@given(st.integers(0, 10**6), st.sampled_from([(4, 3), (2, 1, 5, 5)]))
def test_the_projection_is_the_nearest_point_of_the_shell(seed: int, shape: tuple) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    found = project(x, 0.8, 1.2)
    radii = torch.linalg.vector_norm(found.flatten(1), dim=1)
    assert ((radii > 0.8 - 1e-6) & (radii < 1.2 + 1e-6)).all()
    assert torch.allclose(project(found, 0.8, 1.2), found, atol=1e-6)
    other = project(torch.randn(shape, generator=generator), 0.8, 1.2)
    mine = torch.linalg.vector_norm((x - found).flatten(1), dim=1)
    assert (mine <= torch.linalg.vector_norm((x - other).flatten(1), dim=1) + 1e-6).all()


def test_the_projection_is_differentiable_a_module_and_exact_in_half_precision() -> None:
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: project(x, 0.8, 1.2), x)
    layer = ShellProjection(0.5, 0.6)
    assert not layer.state_dict() and "r_min=0.5, r_max=0.6" in repr(layer)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(nn.Linear(3, 3)(torch.randn(9, 3)))
    radii = torch.linalg.vector_norm(found, dim=1)
    assert found.dtype == torch.float32 and (radii <= 0.6 + 1e-6).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: project(torch.ones(2, 2), 1.2, 0.8), "r_min is 1.2 and r_max is 0.8"),
        (lambda: project(torch.ones(2)), "need one row for each point"),
        (lambda: FeasibleBand.from_data(POINTS, clusters=300), "^clusters is 300, but there"),
        (lambda: FeasibleBand.from_data(POINTS, band=(0.5, 0.2)), "^band is 0.5 0.2, but needs"),
        (lambda: FeasibleBand.from_data(POINTS, clusters=1), "The band is empty"),
        (lambda: FeasibleBand.from_data(POINTS, collapse_loss="shell"), r"give shell=\(r_min"),
        (lambda: FeasibleBand.from_data(POINTS[:, 0]), "must hold at least two points"),
        (lambda: FeasibleBand.from_data(POINTS * np.nan), "not a finite number"),
        (lambda: band().penalty(torch.ones(3)), "must be one number"),
        (lambda: CollapseMonitor(Net().decode, Net().decode, POINTS[:, :2]).step(), "two tensors"),
        (lambda: watched(beta=-1.0), "beta is -1.0, but must be"),
        (lambda: watched(beta=math.nan), "beta is nan, but must be"),
        (lambda: watched(sigma2=0.0), "sigma2 is 0.0, but must be"),
        (lambda: watched(shell=(2.0, 1.0)), "inner radius must be smaller"),
        (lambda: watched(seed=-1), "seed is -1, but must be"),
        (lambda: Following(watched(), every=0), "every is 0, but must be"),
        (
            lambda: CollapseMonitor(Net().encode, Net().decode, POINTS * 0 + 1),
            "X are all identical",
        ),
        (
            lambda: CollapseMonitor(Net().encode, lambda z: z, POINTS).step(),
            "one tensor with 6 numbers for each of 300 latents",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        call()


# ------------------------------------------------------------------------------- the band


@functools.cache
def band(**changes: Any) -> FeasibleBand:
    return FeasibleBand.from_data(POINTS, **{"clusters": 5, **changes})


def test_the_band_is_that_of_our_own_runs() -> None:
    prepared, settings = prepared_data(OURS.settings), OURS.settings
    found = OURS.band()
    region, constants = prepared.region, method_for(settings).constants(prepared, settings)
    assert (found.W, found.delta, found.lo, found.hi) == pytest.approx(
        (region.within, region.delta, region.lo, region.hi), rel=1e-6
    )
    for name in ("weight", "lower_weight", "upper", "lower"):
        assert getattr(found, name) == pytest.approx(constants[name], rel=1e-5), name


@given(st.floats(0, 60))
def test_the_penalty_is_0_in_the_band_and_linear_outside(loss: float) -> None:
    found = band()
    given_loss = torch.tensor(loss, dtype=torch.float64, requires_grad=True)
    penalty = found.penalty(given_loss)
    penalty.backward()
    assert given_loss.grad is not None
    if loss > found.upper:
        assert penalty.item() == pytest.approx(found.weight * (loss - found.upper))
        assert given_loss.grad.item() == pytest.approx(found.weight)
    elif loss < found.lower:
        assert given_loss.grad.item() == pytest.approx(-found.lower_weight)
    else:
        assert penalty.item() == given_loss.grad.item() == 0


def test_the_weights_follow_beta_and_sigma2() -> None:
    """κβ/(2θ) above; κ·max(β/(2θ), 1/(2σ²)) below, so a small σ² does not outweigh it."""
    plain_band, more, narrow = band(), band(beta=3.0), band(sigma2=0.001)
    assert more.weight == pytest.approx(3 * plain_band.weight)
    assert narrow.weight == plain_band.weight
    assert narrow.lower_weight == pytest.approx(4.0 / (2 * 0.001))
    assert band(lower_edge=False).lower == 0
    far = FeasibleBand.from_data(POINTS + 1e6, clusters=5)
    assert (far.W, far.weight) == pytest.approx((plain_band.W, plain_band.weight), rel=1e-6)


def test_points_are_taken_as_tensors_images_and_frames() -> None:
    images = torch.tensor(POINTS, dtype=torch.float32).reshape(300, 1, 2, 3)
    found = FeasibleBand.from_data(images, clusters=5)
    assert found.delta == pytest.approx(band().delta, rel=1e-5)


# ----------------------------------------------------------------------- looking from outside


def everything_of(model: nn.Module) -> dict[str, Any]:
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    return {
        "modes": [module.training for module in model.modules()],
        "state": copy.deepcopy(model.state_dict()),
        "gradients": gradients,
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1],
        "python": random.getstate(),
        "enabled": torch.is_grad_enabled(),
    }


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_equal(one[name], other[name])
    elif isinstance(one, list):
        for mine, theirs in zip(one, other, strict=True):
            assert_equal(mine, theirs)
    elif isinstance(one, Tensor | np.ndarray):
        assert (np.asarray(one) == np.asarray(other)).all()
    else:
        assert one == other


class Owner:
    def __init__(self, model: Net) -> None:
        self.model = model

    def encode(self, x: Tensor) -> Any:
        return self.model.encode(x)


def wrappings(model: Net) -> dict[str, tuple[Any, Any]]:
    parts, owner = {"model": model}, Owner(model)

    def helper(x: Tensor) -> Any:
        return parts["model"].encode(x)

    return {
        "methods": (model.encode, model.decode),
        "functions": (lambda x: model.encode(x), lambda z: model.decode(z)),
        "modules": (nn.Sequential(model.body, model.head, Halves()), model.decoder),
        "helpers": (lambda x: helper(x), lambda z: parts["model"].decode(z)),
        "objects": (owner.encode, lambda z: owner.model.decode(z)),
    }


class Halves(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return x.chunk(2, dim=1)


@pytest.mark.parametrize("wrapping", ["methods", "functions", "modules", "helpers", "objects"])
@pytest.mark.parametrize("what", ["step", "certify"])
def test_a_look_changes_nothing(wrapping: str, what: str) -> None:
    torch.manual_seed(0)
    model = Net()
    model.body[1].eval()  # a frozen part stays frozen
    model.decode(model.encode(torch.randn(8, 6))[0]).sum().backward()
    before = everything_of(model)
    encode, decode = wrappings(model)[wrapping]
    monitor = CollapseMonitor(encode, decode, POINTS, clusters=5)
    monitor.step() if what == "step" else monitor.certify(draws=8)
    assert_equal(before, everything_of(model))


def test_a_look_within_autocast_leaves_gradients_as_they_are() -> None:
    """Weights that autocast keeps from a look without gradients would pass none on."""
    torch.manual_seed(0)
    model = Net()
    monitor = CollapseMonitor(model.encode, model.decode, POINTS)
    x = torch.randn(8, 6)
    found = []
    for looks in (False, True):
        model.zero_grad()
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            if looks:
                monitor.step()
            model.decode(model.encode(x)[0]).float().square().sum().backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(found[1]) == len(found[0]) > 0
    assert_equal(*found)


class Skipping(nn.Module):
    """Its decoder takes from the encoder what it wants, and from z next to nothing."""

    def __init__(self, labelled: bool) -> None:
        super().__init__()
        self.labelled, self.head = labelled, nn.Linear(6, 4)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.seen = torch.where(x[:, :1] > 0, 2.4, -2.4) * torch.eye(6)[0] if self.labelled else x
        mean, log_variance = self.head(x).chunk(2, dim=1)
        return 3 * mean, 0 * log_variance - 2

    def decode(self, z: Tensor) -> Tensor:
        return 0.9 * self.seen + 0.02 * z.sum(dim=1, keepdim=True)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("by_class", [False, True])
def test_a_decoder_that_keeps_what_the_encoder_saw_is_not_certified(
    labelled: bool, by_class: bool
) -> None:
    """Nor where neighbouring rows have the same label."""
    net, points = Skipping(labelled), POINTS[np.argsort(POINTS[:, 0])] if by_class else POINTS
    monitor = CollapseMonitor(net.encode, net.decode, points, clusters=3)
    assert monitor.step().loss > monitor.delta  # it answers with another point's
    with pytest.raises(RequestError, match="sees more than z"):
        monitor.certify()


def test_a_refusal_at_the_end_of_training_is_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    net = Skipping(labelled=False)
    callback = Following(CollapseMonitor(net.encode, net.decode, POINTS, clusters=3))
    callback.certify()
    assert callback.certificate is None and "sees more than z" in caplog.text


@pytest.mark.slow
def test_noise_of_its_own_does_not_hide_what_a_decoder_keeps() -> None:
    """So much that the two cannot be told apart; but every row meets what is kept of another."""
    net, strength = Skipping(labelled=False), (0.3 * POINTS.var(axis=0).sum() / 6) ** 0.5

    def decode(z: Tensor) -> Tensor:
        return net.decode(z) + strength * torch.randn(len(z), 6)

    monitor = CollapseMonitor(net.encode, decode, POINTS, clusters=3, models=(net,))
    found = monitor.certify(draws=8)
    assert found.verdict != "certified" and found.loss > monitor.delta


@pytest.mark.slow
def test_a_decoder_with_noise_of_its_own_is_no_such() -> None:
    net = Net()
    noisy = CollapseMonitor(
        net.encode, lambda z: net.decode(z) + torch.randn(len(z), 6), POINTS, models=(net,)
    )
    assert noisy.certify(draws=8).verdict in ("collapsed", "not certified")


@pytest.mark.slow
def test_a_compiled_model_is_watched() -> None:
    model = Net()
    compiled = torch.compile(model.encode, backend="eager")
    monitor = CollapseMonitor(compiled, model.decode, POINTS)
    again = CollapseMonitor(model.encode, model.decode, POINTS)
    assert monitor.step().kl == pytest.approx(again.step().kl, rel=1e-5)
    whole = torch.compile(nn.Sequential(model.body, model.head, Halves()), backend="eager")
    assert CollapseMonitor(whole, model.decode, POINTS).step().loss == again.step().loss
    assert model.training and whole.training


def test_a_reading_is_live_and_the_same_for_the_same_model() -> None:
    model = Net()
    monitor = CollapseMonitor(model.encode, model.decode, POINTS, beta=2.0, sigma2=0.5)
    one, two = monitor.step(), monitor.step(at=70)
    assert one.live and (one.step, two.step) == (0, 70)
    assert (one.loss, one.kl_per_dim) == (two.loss, two.kl_per_dim)
    assert one.kl == pytest.approx(sum(one.kl_per_dim)) and len(one.kl_per_dim) == 2
    assert one.delta == pytest.approx(POINTS.var(axis=0).sum())
    assert one.gauge == pytest.approx(1.0 / np.linalg.eigvalsh(np.cov(POINTS.T, ddof=0))[-1])
    assert "certif" not in one.sentence.lower()


def test_a_reading_compares_the_loss_with_delta_of_the_same_points() -> None:
    """One point in 20,000 lies far out, and is not among those viewed; the model is a constant."""
    points = np.random.default_rng(0).normal(size=(20_000, 3))
    points[5] = 2_000.0
    nothing = torch.zeros(len(points), 2)
    monitor = CollapseMonitor(
        lambda x: (nothing[: len(x)], nothing[: len(x)]),
        lambda z: 0 * z[:, :1].expand(-1, 3),
        points,
    )
    reading = monitor.step()
    assert monitor.delta > 500 > 5 > reading.delta > 2.5
    assert "below" not in reading.sentence


# --------------------------------------------------------------- our own run, in their loop


@pytest.mark.slow
def test_our_own_run_in_their_loop_ends_where_ours_does() -> None:
    """Nets, initial weights and random streams are ours; the loop is that of any tutorial."""
    model = OURS.start()
    band, monitor = OURS.band(), OURS.monitor(model)
    optimiser = torch.optim.Adam(model.parameters(), OURS.settings.learning_rate)
    for step, (x, noise) in enumerate(OURS.batches(0, 100)):
        optimiser.zero_grad()
        OURS.loss(model, band, x, noise).backward()
        optimiser.step()
        if step % 25 == 0:
            monitor.step(step)
    OURS.assert_it_ends_there(monitor, 100)
    assert "draws of 1,797 points" in monitor.cost


@pytest.mark.slow
@pytest.mark.parametrize(("held", "verdict"), [(False, "collapsed"), (True, "certified")])
def test_two_lines_keep_another_architecture_from_collapse(held: bool, verdict: str) -> None:
    """In its own loop under autocast, at βσ² = 3 λ_max; benchmarks/integrations.md has float32."""
    x, sigma2 = images()
    steps = 120 if held else 40
    model = trained(x, sigma2, steps, held=held, autocast=True, batch=48)
    monitor = monitored(model, x[::17], sigma2)
    with torch.autocast("cpu", torch.bfloat16):
        assert monitor.step().gauge > 2  # λ_max of these points is not quite that of all
        assert monitor.certify(draws=16).verdict == verdict
