"""Models that sample as they should, with answers as other people's code gives them."""

from __future__ import annotations

import numpy as np
import torch
from adversaries import POINTS, Case, Model


def _noise(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: x + rng.normal(0, 0.3, x.shape)), None


def _linear_posterior(rng: np.random.Generator) -> tuple[Model, Model]:
    """z ~ N(2x, I), decoded by the best linear map."""

    def model(x: np.ndarray) -> np.ndarray:
        return (2 * x + rng.normal(size=x.shape)) * 0.4

    return model, lambda x: (2 * x, np.zeros_like(x))


def _torch_grad(rng: np.random.Generator) -> tuple[Model, Model]:
    layer = torch.nn.Linear(13, 13)
    with torch.no_grad():
        layer.weight.copy_(0.8 * torch.eye(13))

    def model(x: np.ndarray) -> torch.Tensor:
        mean = 2 * torch.from_numpy(x)
        return layer(0.5 * (mean + torch.randn(mean.shape)))

    def posterior(x: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        mean = 2 * torch.from_numpy(x).requires_grad_()
        return mean, torch.zeros_like(mean)

    return model, posterior


def _bfloat16(rng: np.random.Generator) -> tuple[Model, Model]:
    def posterior(x: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        mean = (2 * torch.from_numpy(x)).bfloat16()
        return mean, torch.zeros_like(mean)

    def model(x: np.ndarray) -> torch.Tensor:
        mean, _ = posterior(x)
        return 0.4 * (mean + torch.randn(mean.shape).bfloat16())

    return model, posterior


def _float16(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: (x + rng.normal(0, 0.3, x.shape)).astype(np.float16)), None


def _buffer(rng: np.random.Generator) -> tuple[Model, None]:
    out = np.empty_like(POINTS)

    def model(x: np.ndarray) -> np.ndarray:
        out[:] = x + rng.normal(0, 0.3, x.shape)
        return out

    return model, None


def _in_its_input(rng: np.random.Generator) -> tuple[Model, None]:
    def model(x: np.ndarray) -> np.ndarray:
        x += rng.normal(0, 0.3, x.shape).astype(np.float32)
        return x

    return model, None


def _frame(rng: np.random.Generator) -> tuple[Model, None]:
    import pandas

    return (lambda x: pandas.DataFrame(x + rng.normal(0, 0.3, x.shape))), None


def _lists(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: (x + rng.normal(0, 0.3, x.shape)).tolist()), None


HONEST = (
    Case("noise", "x + noise, no posterior", _noise),
    Case("linear, posterior", "z ~ N(2x, I), decoded linearly", _linear_posterior),
    Case("torch with gradients", "answers and posterior carry gradients", _torch_grad),
    Case("bfloat16", "answers and posterior in bfloat16", _bfloat16),
    Case("float16", "NumPy float16", _float16),
    Case("reused buffer", "one output array for all calls", _buffer),
    Case("answers in its input", "honest, works in place", _in_its_input),
    Case("data frame", "answers as a pandas frame", _frame),
    Case("lists", "answers as nested lists", _lists),
)
