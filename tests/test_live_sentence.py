"""What a frame says of its loss: compared with δ by more than its margin, or not at all."""

import numpy as np

from svae_core.certificate.diagnostics import live_sentence


def test_a_live_loss_is_compared_with_delta_by_more_than_its_margin_or_not_at_all() -> None:
    losses = np.array([0.5, 1.5] * 50)  # standard error 0.05
    near = live_sentence(losses, 1.1, "free", 0.0)
    assert "below" not in near and "± 0.150" in near and "δ = 1.100" in near
    assert "is below δ" in live_sentence(losses, 1.2, "free", 0.0)
    assert "is above δ" in live_sentence(losses, 0.8, "free", 0.0)
    assert "above" not in live_sentence(np.full(9, 1.0), 1.0, "free", 0.0)
