"""KL annealing

The weight of the KL grows from 0 to β, once over the first part of the run (linear) or repeatedly
(cyclical), so that the decoder learns to use the latents before the KL penalises them. At the end
the loss is the conventional one: where collapse is stable under it, annealing does not prevent it.

Source: arXiv 1511.06349 (linear), arXiv 1903.10145 (cyclical: 4 cycles, half of each rising)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings, option

COMPARISONS = ("against collapse",)


@dataclass(frozen=True)
class Config:
    """The schedule of the KL weight."""

    schedule: str = option("linear", "once, or in cycles", choices=("linear", "cyclical"))
    share: float = option(
        0.5, "share of the run (or of a cycle) in which the weight grows", low=0.01, high=1.0
    )
    cycles: int = option(4, "cycles of the cyclical schedule", low=1, high=1000)


@final
class Method:
    """The common loss with an annealed KL weight."""

    mark = ("vermillion", "square", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """The share of a cycle in which the weight grows, and the number of cycles."""
        cycles = self.config.cycles if self.config.schedule == "cyclical" else 1
        return {"share": self.config.share, "cycles": float(cycles)}

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """D/(2σ²) + r·β·KL; r is the ramp at this step, from 0 to 1; 1 at the end."""
        share, cycles = batch.constants[0], batch.constants[1]
        passed = batch.progress * cycles
        # Capped, so that progress 1 is the end of the last cycle, not the start of another.
        within = passed - min(math.floor(passed), cycles - 1.0)
        weight = min(1.0, within / share) * batch.beta
        batch.by_kl[:] = weight
        value = batch.loss * batch.half_precision + weight * batch.kl
        return value, batch.half_precision, 0.0
