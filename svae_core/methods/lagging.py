"""Lagging inference (aggressive encoder)

While the encoder lags behind the decoder, the decoder learns to ignore the latent code. So at
first k steps that train the encoder alone precede each step that trains both. This phase ends when
an epoch's mutual information (mean over minibatches, by their aggregate posterior) is no higher
than that of the epoch before; then training is conventional. All steps count, so the number of
steps is that of the other methods.

Source: arXiv 1901.05534 v2, algorithm 1 (there the inner loop ends by the loss, here after k)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.certificate.diagnostics import mutual_information
from svae_core.distributions.gaussian import Gaussian, array
from svae_core.methods import Draws, Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """The number of encoder steps."""

    ahead: int = option(
        5,
        "steps of the encoder alone before each joint one",
        label="steps ahead k",
        low=1,
        high=100,
    )


@final
class Method:
    """The common loss with a decoder that is frozen while the encoder catches up."""

    mark = ("purple", "diamond", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""
    samples = 1

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The number of steps per epoch."""
        return {"epoch": float(math.ceil(len(prepared.shell.points) / settings.batch_size))}

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """Information summed over this epoch, mean of the last one; 1 in the first phase."""
        start = {"sum": np.zeros(()), "last": np.full((), -1.0), "aggressive": np.ones(())}
        return start

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)

    def decoder_frozen(self, memory: dict[str, Tensor], step: int) -> Tensor:
        """[m] bool: in the first phase, all steps but every (k+1)-th."""
        waits = step % (self.config.ahead + 1) != self.config.ahead
        return (memory["aggressive"] > 0) & waits

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add this minibatch's information; at an epoch's end, compare with the last epoch."""
        before = terms.memory
        if not bool((before["aggressive"] > 0).any()):
            return before  # the first phase has ended for all members
        total = before["sum"] + _information(terms.draws)
        ended = (terms.step + 1) % constants["epoch"] == 0
        mean = total / constants["epoch"]
        rising = (mean > before["last"]).to(total.dtype)
        return {
            "sum": total.masked_fill(ended, 0.0),
            "last": mean.where(ended, before["last"]),
            "aggressive": (before["aggressive"] * rising).where(ended, before["aggressive"]),
        }


def _information(draws: Draws) -> Tensor:
    """I(x; z) over the points of each member's minibatch, [m] nats; at most log b."""
    assert isinstance(draws.posterior, Gaussian)
    means, log_variances = array(draws.posterior.mean), array(draws.posterior.log_variance)
    found = []
    for z, mean, log_variance in zip(array(draws.z[:, 0]), means, log_variances, strict=True):
        density = partial(_density, Gaussian(mean, log_variance))
        found.append(mutual_information(z, density, len(z)))
    return draws.losses.new_tensor(found)


def _density(posterior: Gaussian, z: np.ndarray, block: slice) -> np.ndarray:
    return posterior.rows(block).log_density(z)
