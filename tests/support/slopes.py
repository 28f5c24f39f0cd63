"""A method's slopes by name, for tests: the value, its derivatives and what is remembered after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.methods import Averages


@dataclass(frozen=True)
class Slopes:
    """What a method says of one minibatch."""

    value: float
    by_loss: float
    by_distortion: float
    by_kl: np.ndarray  # [k]
    memory: dict[str, float]


def slopes_of(
    method: Any,
    constants: Mapping[str, float],
    *,
    loss: float = 0.5,
    distortion: float | None = None,
    kl: tuple[float, ...] = (0.1, 0.5),
    sigma2: float = 0.5,
    beta: float = 2.0,
    memory: Mapping[str, float] | None = None,
    step: int = 0,
    progress: float = 0.5,
) -> Slopes:
    """Evaluate; `distortion` is the loss unless it is given."""
    distortion = loss if distortion is None else distortion
    by_kl = np.full(len(kl), np.nan)
    carried = np.array([*(memory or {}).values()], np.float64)
    numbers = np.array([*constants.values()], np.float64)
    value, by_loss, by_distortion = method.slopes(
        Averages(
            *(loss, distortion, sum(kl), 0.5 / sigma2, beta, sigma2, float(step), progress),
            *(np.array(kl), numbers, carried, by_kl),
        )
    )
    after = dict(zip(memory or {}, carried.tolist(), strict=True))
    return Slopes(value, by_loss, by_distortion, by_kl, after)
