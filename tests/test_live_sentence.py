"""What a frame says of its loss: compared with δ by more than its margin, or not at all."""

import re

import numpy as np
import pytest

from svae_core.certificate.certify import certify
from svae_core.certificate.diagnostics import live_sentence


def test_a_live_loss_is_compared_with_delta_by_more_than_its_margin_or_not_at_all() -> None:
    losses = np.array([0.5, 1.5] * 50)  # standard error 0.05
    near = live_sentence(losses, 1.1, "free", 0.0)
    assert "below" not in near and "± 0.150" in near and "δ = 1.100" in near
    assert "is below δ" in live_sentence(losses, 1.2, "free", 0.0)
    assert "is above δ" in live_sentence(losses, 0.8, "free", 0.0)
    assert "above" not in live_sentence(np.full(9, 1.0), 1.0, "free", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "loss", "delta"), [(1e-4, "e-10", "e-08"), (1e5, "e+08", "e+10")]
)
def test_sentences_can_be_read_in_any_units(scale: float, loss: str, delta: str) -> None:
    """A loss of 0.000 that is below a δ of 0.000 says nothing."""
    rng = np.random.default_rng(0)
    points = scale * rng.normal(size=(60, 3))
    found = certify(lambda x: x + rng.normal(0, 0.1 * scale, x.shape), points, draws=20)
    number = r"[\d.]+"
    assert re.search(rf"the measured loss {number}{re.escape(loss)} \(", found.sentence)
    assert re.search(rf"is below δ = {number}{re.escape(delta)} \(free\)", found.sentence)


def test_a_live_loss_can_be_read_in_small_units() -> None:
    told = live_sentence(np.array([1e-6, 3e-6] * 50), 3e-6, "free", 1.0)
    assert "Loss 2e-06 (± 3e-07) is below δ = 3e-06" in told
