"""EM-type training

Encoder and decoder are never trained together. In an E-step the decoder rests and the encoder is
trained until a window of steps no longer lowers the loss; in an M-step the encoder rests and the
decoder is trained. Of a linear net with exact steps this is the EM algorithm of probabilistic PCA.
The decoder always meets an encoder that has caught up with it, as in lagging inference, but nothing
keeps the KL above 0. All steps count, so the number of steps is that of the other methods.

Source: after the abstract of Li et al., ICASSP 2023, doi 10.1109/ICASSP49357.2023.10096746; the
E-step ends by the rule of arXiv 1901.05534 v2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.methods import Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """The lengths of both steps."""

    longest: int = option(
        30, "most training steps in an E-step", label="longest E-step", low=1, high=100_000
    )
    decoder_steps: int = option(
        15, "training steps in an M-step", label="M-step", low=1, high=100_000
    )
    window: int = option(
        5,
        "training steps whose mean loss an E-step compares with that of as many before",
        label="window",
        low=1,
        high=1000,
    )
    tolerance: float = option(
        1e-4,
        "relative fall of the loss below which an E-step ends",
        label="tolerance",
        low=0.0,
        high=1.0,
    )


@final
class Method:
    """The common loss, its two halves trained in turn."""

    mark = ("purple", "circle", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """1 in an E-step; steps in it so far; loss summed over this window, mean of the last."""
        return {name: np.full((), float(name == "e")) for name in ("e", "taken", "sum", "last")}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL, [m]."""
        return base_objective(terms)

    def decoder_frozen(self, memory: dict[str, Tensor], step: int) -> Tensor:
        """[m] bool: in E-steps."""
        return memory["e"] > 0

    def encoder_frozen(self, memory: dict[str, Tensor], step: int) -> Tensor:
        """[m] bool: in M-steps."""
        return memory["e"] == 0

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """Count the step; where a window or an E- or M-step has ended, begin the next."""
        before, options = terms.memory, self.config
        in_e = before["e"] > 0
        taken, total = before["taken"] + 1, before["sum"] + base_objective(terms)
        ended, mean = taken % options.window == 0, total / options.window
        lowered = before["last"] - mean >= options.tolerance * before["last"].abs()
        converged = ended & (taken >= 2 * options.window) & ~lowered
        turn = (in_e & (converged | (taken >= options.longest))) | (
            ~in_e & (taken >= options.decoder_steps)
        )
        return {
            "e": (in_e ^ turn).to(total.dtype),
            "taken": taken.masked_fill(turn, 0.0),
            "sum": total.masked_fill(turn | ended, 0.0),
            "last": mean.where(ended, before["last"]).masked_fill(turn, 0.0),
        }
