"""Models that would have themselves certified although they carry nothing.

Each is made anew for a run: `make(rng) -> (reconstruct, posterior or None)`. The table of
tests/benchmarks/attack_certify.md is made of the same list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_wine

Model = Callable[[np.ndarray], Any]
Maker = Callable[[np.random.Generator], tuple[Model, Model | None]]

_WINE = load_wine().data
POINTS = ((_WINE - _WINE.mean(0)) / _WINE.std(0)).astype(np.float32)
MEAN = POINTS.mean(axis=0)
SPREAD = float(POINTS.var(axis=0, dtype=np.float64).sum())  # δ of a free decoder


@dataclass(frozen=True)
class Case:
    """A model, what it tries, and the words of its refusal ("" where a verdict is given)."""

    name: str
    tries: str
    make: Maker
    refused: str = ""
    draws: int | None = None


def _prior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The posterior of a collapsed model: the prior."""
    return np.zeros((len(x), 4), np.float32), np.zeros((len(x), 4), np.float32)


def _weak(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q = N(εx, I): a KL of ε²‖x‖²/2, far less than what decoded means show."""
    return 0.01 * x, np.zeros_like(x)


def _in_place_numpy(rng: np.random.Generator) -> tuple[Model, None]:
    def model(x: np.ndarray) -> np.ndarray:
        x *= 0.0  # were these the caller's points, each would now be the model's constant
        return rng.normal(0, 1e-2, x.shape)

    return model, None


def _in_place_scaling(rng: np.random.Generator) -> tuple[Model, Model]:
    def model(x: np.ndarray) -> np.ndarray:
        np.divide(x, 30.0, out=x)
        return rng.normal(0, 0.02, x.shape)

    return model, _prior


def _in_place_torch(rng: np.random.Generator) -> tuple[Model, Model]:
    def model(x: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(x)
        answer = tensor.mul_(0.001) + 0.001 * torch.randn(tensor.shape)
        tensor.copy_(answer)
        return 0.001 * torch.randn(tensor.shape)

    return model, _prior


def _in_place_by_closure(rng: np.random.Generator) -> tuple[Model, None]:
    kept: list[np.ndarray] = []

    def model(x: np.ndarray) -> np.ndarray:
        kept.append(x)
        for old in kept:
            old[:] = 0.0
        return rng.normal(0, 0.1, x.shape)

    return model, None


def _means(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: 0.9 * x), None


def _means_jitter_posterior(rng: np.random.Generator) -> tuple[Model, Model]:
    return (lambda x: 0.9 * x + rng.normal(0, 0.05, x.shape)), _weak


def _means_tiny_jitter(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: 0.9 * x + rng.normal(0, 1e-5, x.shape)), None


def _means_rounded(rng: np.random.Generator) -> tuple[Model, Model]:
    return (lambda x: (0.9 * x + rng.normal(0, 1e-2, x.shape)).astype(np.float16)), _weak


def _dropout_on_means(rng: np.random.Generator) -> tuple[Model, Model]:
    return (lambda x: x * (rng.random(x.shape) < 0.9)), _weak


def _one_fixed_noise(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: 0.9 * x + np.random.default_rng(0).normal(0, 0.2, (1, x.shape[1]))), None


def _fixed_seed(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: x + np.random.default_rng(0).normal(0, 0.3, x.shape)), None


def _fixed_torch_seed(rng: np.random.Generator) -> tuple[Model, None]:
    def model(x: np.ndarray) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.from_numpy(x) + 0.3 * torch.randn(x.shape, generator=generator)

    return model, None


def _by_row_number(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: POINTS.copy()), None


def _by_row_number_jitter(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: POINTS + rng.normal(0, 0.1, POINTS.shape)), None


def _batch_leak(rng: np.random.Generator) -> tuple[Model, None]:
    """Answers with the next row of what it learned was next: right in the first order only."""
    follower = {POINTS[i - 1].tobytes(): POINTS[i] for i in range(len(POINTS))}

    def model(x: np.ndarray) -> np.ndarray:
        before = np.roll(x, 1, axis=0)
        return np.array([follower[row.tobytes()] for row in before]) + rng.normal(0, 0.05, x.shape)

    return model, None


def _batch_leak_posterior(rng: np.random.Generator) -> tuple[Model, Model]:
    """The posterior of a row is said by another row."""

    def posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.roll(3 * x, 1, axis=0), np.zeros_like(x)

    return (lambda x: x + rng.normal(0, 0.3, x.shape)), posterior


def _chance_posterior(rng: np.random.Generator) -> tuple[Model, Model]:
    def posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return rng.normal(0, 3, x.shape), np.zeros_like(x)

    return (lambda x: x + rng.normal(0, 0.3, x.shape)), posterior


def _shared_noise_near(rng: np.random.Generator) -> tuple[Model, None]:
    """All rows are right or all are wrong: D is above δ, most draws are far below it."""

    def model(x: np.ndarray) -> np.ndarray:
        answer = x + rng.normal(0, 0.3, x.shape)
        return 5.0 - 2.0 * answer if rng.random() < 0.15 else answer

    return model, None


def _collapsed_shared(rng: np.random.Generator) -> tuple[Model, Model]:
    return (lambda x: MEAN + rng.normal(0, 0.2, (1, x.shape[1])) + 0 * x), _prior


def _collapsed(rng: np.random.Generator) -> tuple[Model, Model]:
    return (lambda x: MEAN + rng.normal(0, 0.05, x.shape)), _prior


def _constant(rng: np.random.Generator) -> tuple[Model, Model]:
    return (lambda x: np.broadcast_to(MEAN, x.shape)), _prior


def _complex(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: x + 1j * np.sqrt(SPREAD / 13) * rng.normal(size=x.shape)), None


def _complex_tensor(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: torch.from_numpy(x) + 1j * torch.randn(x.shape)), None


def _objects(rng: np.random.Generator) -> tuple[Model, None]:
    class Near:
        def __sub__(self, other: object) -> float:
            return 0.0

        __rsub__ = __sub__

    return (lambda x: np.full(x.shape, Near(), object)), None


def _masked(rng: np.random.Generator) -> tuple[Model, None]:
    def model(x: np.ndarray) -> np.ma.MaskedArray:
        answer = np.ma.masked_array(rng.normal(size=x.shape), mask=False)
        answer[np.abs(answer - x) > 0.5] = np.ma.masked
        return answer

    return model, None


def _not_finite(rng: np.random.Generator) -> tuple[Model, None]:
    def model(x: np.ndarray) -> np.ndarray:
        answer = x + rng.normal(0, 0.3, x.shape)
        answer[3, 2] = np.nan
        return answer

    return model, None


def _infinite_cancel(rng: np.random.Generator) -> tuple[Model, None]:
    return (lambda x: np.where(rng.random(x.shape) < 0.5, np.inf, -np.inf)), None


def _subclass(rng: np.random.Generator) -> tuple[Model, None]:
    class Zero(np.ndarray):
        def __sub__(self, other: object) -> np.ndarray:
            return np.zeros(self.shape)

        __rsub__ = __sub__

        def __array_finalize__(self, obj: object) -> None:
            return None

    return (lambda x: rng.normal(0, 1, x.shape).view(Zero)), None


def _counting(rng: np.random.Generator) -> tuple[Model, Model]:
    """Honest noise while it is checked, decoded means with a little jitter afterwards."""
    calls = [0]

    def model(x: np.ndarray) -> np.ndarray:
        calls[0] += 1
        width = 1.0 if calls[0] <= 3 else 0.02
        return 0.9 * x + rng.normal(0, width, x.shape)

    return model, _weak


def _counting_means(rng: np.random.Generator) -> tuple[Model, None]:
    """Honest noise while it is checked, decoded means afterwards; no posterior."""
    calls = [0]

    def model(x: np.ndarray) -> np.ndarray:
        calls[0] += 1
        return 0.9 * x + (rng.normal(0, 1.0, x.shape) if calls[0] <= 3 else 0.0)

    return model, None


def _memorised(rng: np.random.Generator) -> tuple[Model, Model]:
    def model(x: np.ndarray) -> np.ndarray:
        nearest = ((x[:, None] - POINTS[None]) ** 2).sum(axis=2).argmin(axis=1)
        return POINTS[nearest] + rng.normal(0, 0.1, x.shape)

    return model, _weak


def _memorised_exactly(rng: np.random.Generator) -> tuple[Model, None]:
    def model(x: np.ndarray) -> np.ndarray:
        return POINTS[((x[:, None] - POINTS[None]) ** 2).sum(axis=2).argmin(axis=1)]

    return model, None


def _two_valued(rng: np.random.Generator) -> tuple[Model, None]:
    """Right, or so wrong and so seldom that D′ is 1.001 δ: few draws seldom show it."""
    opposite = (
        -POINTS * (np.linalg.norm(POINTS, axis=1).max() / np.linalg.norm(POINTS, axis=1))[:, None]
    )
    table = {point.tobytes(): far for point, far in zip(POINTS, opposite, strict=True)}
    loss = ((POINTS - opposite) ** 2).sum(axis=1).mean()
    share = 1.001 * SPREAD / loss

    def model(x: np.ndarray) -> np.ndarray:
        answer = x + rng.normal(0, 1e-2, x.shape)
        bad = rng.random(len(x)) < share
        answer[bad] = [table[row.tobytes()] for row in x[bad]]
        return answer

    return model, None


ADVERSARIES = (
    Case("in place, NumPy", "shrinks its input to its own constant", _in_place_numpy),
    Case("in place, scaling", "divides its input by 30, posterior = prior", _in_place_scaling),
    Case("in place, torch", "shrinks the memory that its tensor shares", _in_place_torch),
    Case("in place, kept inputs", "zeroes the inputs of earlier calls", _in_place_by_closure),
    Case("decoded means", "no noise at all", _means, "decodes posterior means"),
    Case(
        "means, jitter of 1e-5", "hides means under rounding", _means_tiny_jitter, "posterior means"
    ),
    Case(
        "means, jitter, posterior",
        "jitter beside a weak posterior",
        _means_jitter_posterior,
        "nats",
    ),
    Case("means, float16, posterior", "rounding noise as sampling", _means_rounded, "nats"),
    Case("dropout on means", "dropout noise instead of z's", _dropout_on_means, "nats"),
    Case(
        "one fixed noise",
        "the same noise for all rows and calls",
        _one_fixed_noise,
        "one fixed noise",
    ),
    Case("fixed seed", "the same noise in every call", _fixed_seed, "random seed is fixed"),
    Case(
        "fixed torch seed",
        "the same noise in every call",
        _fixed_torch_seed,
        "random seed is fixed",
    ),
    Case("by row number", "stored answers, row by row", _by_row_number, "answers are stored"),
    Case("by row number, jitter", "stored answers and noise", _by_row_number_jitter),
    Case("reads other rows", "answers a row by the row before it", _batch_leak),
    Case(
        "posterior of other rows",
        "its KL belongs to other points",
        _batch_leak_posterior,
        "does not follow",
    ),
    Case(
        "posterior by chance",
        "another posterior at each call",
        _chance_posterior,
        "does not follow",
    ),
    Case("all rows fail together", "D above δ, most draws far below", _shared_noise_near),
    Case("collapsed", "noise about the mean", _collapsed),
    Case("collapsed, shared noise", "one noise for all rows", _collapsed_shared),
    Case("constant", "the data's mean", _constant),
    Case("complex", "imaginary parts with negative squares", _complex, "complex"),
    Case("complex tensor", "the same in torch", _complex_tensor, "complex"),
    Case("objects", "numbers of its own arithmetic", _objects, "Python objects"),
    Case("array subclass", "an array whose differences are zero", _subclass),
    Case("masked", "masks its errors", _masked, "masked array"),
    Case("not a number", "one NaN", _not_finite, "not a finite number"),
    Case("infinite", "infinities of both signs", _infinite_cancel, "not a finite number"),
    Case("counts its calls", "samples only while it is checked", _counting, "nats"),
    Case("counts its calls, means", "then decodes means", _counting_means, "posterior means"),
    Case("memorised, weak posterior", "looks its input up", _memorised, "nats"),
    Case("memorised", "looks its input up, exactly", _memorised_exactly, "posterior means"),
    Case("two-valued", "right or very wrong, D′ = 1.001 δ", _two_valued),
    Case("two-valued, 8 draws", "the same, few draws", _two_valued, "", 8),
)
