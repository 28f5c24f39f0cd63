"""Training losses as a user would write them in torch, for the clinic's tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch.nn import functional

from svae_core.clinic.training_loss import TrainingLoss


def as_function(loss: TrainingLoss) -> Callable[..., Any]:
    """`function(x, answers, mean, log_variance)` on one batch, by torch's own reductions."""

    def function(x: Any, answers: Any, mean: Any, log_variance: Any) -> Any:
        if loss.reconstruction == "squared_error":
            each = functional.mse_loss(answers, x, reduction="none")
        elif loss.reconstruction == "binary_cross_entropy":
            each = functional.binary_cross_entropy_with_logits(answers, x, reduction="none")
        else:
            error = (loss.sharpness * (answers - x)).abs()
            # log cosh t, without the overflow of cosh
            each = (error + functional.softplus(-2 * error) - math.log(2)) / loss.sharpness
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp())
        return loss.factor * _reduced(each, loss.over_coordinates, loss.over_batch) + (
            loss.kl_weight * _reduced(kl, loss.kl_over_dimensions, loss.kl_over_batch)
        )

    return function


def _reduced(values: Any, over_row: str, over_batch: str) -> Any:
    rows = values.sum(dim=1) if over_row == "sum" else values.mean(dim=1)
    return rows.sum() if over_batch == "sum" else rows.mean()
