"""Whatever modes a caller's torch, NumPy, units and nets are in, the numbers are the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from svae_core.certificate.certify import certify
from svae_core.estimator import SphericalVAE
from svae_core.integrations.pytorch import CollapseMonitor, FeasibleBand
from svae_core.records import RequestError

POINTS = np.random.default_rng(0).normal(size=(120, 4)) * np.array([2, 1, 1, 0.5])
QUICK: dict[str, Any] = {"latent_dim": 2, "clusters": 3, "epochs": 3, "hidden": 8, "draws": 8}


@contextlib.contextmanager
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def elsewhere_by_default() -> Any:
    return torch.device("meta")


def half_precision() -> Any:
    return torch.autocast("cpu", torch.bfloat16)


def raising() -> Any:
    return np.errstate(all="raise")


MODES = [
    *(float64_by_default, elsewhere_by_default, half_precision, raising),
    *(torch.no_grad, torch.inference_mode),
]


@pytest.fixture(scope="module")
def plain() -> dict[str, SphericalVAE]:
    """By method: trained by native code, and by torch."""
    return {name: SphericalVAE(**QUICK, method=name).fit(POINTS) for name in ("spherical", "vade")}


@pytest.mark.parametrize("method", ["spherical", "vade"])
@pytest.mark.parametrize("mode", MODES)
def test_the_estimator_is_the_same_in_every_mode(
    plain: dict[str, SphericalVAE], method: str, mode: Callable[[], Any]
) -> None:
    with mode():
        modes = torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()
        model = SphericalVAE(**QUICK, method=method).fit(POINTS)
        found = model.transform(POINTS), model.score_samples(POINTS), model.sample(3)
        assert (torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()) == modes
    usual = plain[method]
    assert model.certificate_ == usual.certificate_
    expected = usual.transform(POINTS), usual.score_samples(POINTS), usual.sample(3)
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_certificate_is_given_where_underflow_raises() -> None:
    rng = np.random.default_rng(0)
    with np.errstate(all="raise"):
        found = certify(lambda x: x + 0.3 * rng.standard_normal(x.shape), POINTS, clusters=3)
    assert found.verdict == "certified"


@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_points_are_not_identical_for_being_in_small_units(
    plain: dict[str, SphericalVAE], unit: float
) -> None:
    model = SphericalVAE(**QUICK).fit(POINTS * unit)
    assert model.certificate_.loss == pytest.approx(plain["spherical"].certificate_.loss, rel=1e-3)


def test_what_float32_cannot_hold_is_named_as_it_was_given() -> None:
    points = POINTS.copy()
    points[6, 2] = 1e39
    with pytest.raises(RequestError, match=r"X holds 1e\+39 in row 7, column 3, .* divide"):
        SphericalVAE(**QUICK).fit(points)


# ----------------------------------------------------------------- what a monitor looks at


class Adapted(nn.Linear):
    """As LoRA does: the adapter is merged into the weights in evaluation, and out in training."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(inside, outside)
        self.adapter, self.merged = nn.Parameter(torch.randn(outside, inside)), False

    def train(self, mode: bool = True) -> Adapted:
        if mode == self.merged:
            self.weight.data += -self.adapter if mode else self.adapter
            self.merged = not mode
        return super().train(mode)

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z) + (0.0 if self.merged else z @ self.adapter.T)


class AdaptedVAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(4, 4), Adapted(2, 4)
        self.frozen = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout())

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.encoder(self.frozen(x)).chunk(2, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


@pytest.mark.parametrize("training", [True, False])
def test_a_look_merges_no_adapter_into_the_weights(training: bool) -> None:
    """Merged weights in training mode would leave the adapter without a gradient."""
    model = AdaptedVAE().train(training)
    model.frozen[0].training = not training  # one part by itself
    modes = [part.training for part in model.modules()]
    merged, weight = model.decoder.merged, model.decoder.weight.clone()
    CollapseMonitor(model.encode, model.decode, POINTS).step()
    assert model.decoder.merged == merged
    assert torch.allclose(model.decoder.weight, weight, atol=1e-6)
    assert [part.training for part in model.modules()] == modes


def test_a_monitor_reads_where_another_device_is_the_default() -> None:
    model = AdaptedVAE()
    usual = CollapseMonitor(model.encode, model.decode, POINTS).step()
    with torch.device("meta"):
        assert CollapseMonitor(model.encode, model.decode, POINTS).step() == usual


def test_an_encoder_that_also_gives_a_sample_is_told_what_is_needed() -> None:
    model = AdaptedVAE()

    def encode(x: Tensor) -> tuple[Tensor, ...]:
        mean, log_variance = model.encode(x)
        return mean, log_variance, mean

    with pytest.raises(RequestError, match=r"encode must give two tensors.* it gave 3 values"):
        CollapseMonitor(encode, model.decode, POINTS).step()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shell": (2.0, 1.0), "collapse_loss": "shell"}, "r_min is 2 and r_max is 1"),
        ({"shell": (-1.0, 1.0), "collapse_loss": "shell"}, "r_min is -1"),
        ({"clusters": 4.0}, "clusters is 4.0"),
    ],
)
def test_a_band_of_no_shell_or_of_no_number_is_refused(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        FeasibleBand.from_data(POINTS, **{"clusters": 3} | options)
    assert FeasibleBand.from_data(POINTS, 3, collapse_loss="shell", shell=(1.0, 1.0)).hi > 0
