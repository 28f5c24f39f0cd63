"""Spherical VAE, Lagrangian

The decoder is projected on the shell, and β·KL is minimised under the constraint that the loss
lies at the upper edge of the band: β·KL + Λ·D, with Λ in place of 1/(2σ²), so the setting σ² has no
effect. Λ starts at β/(2λₘₐₓ), where collapse stops being stable, and follows a moving average of
D − hi: an integral controller of log Λ, in units of the change that the Gaussian rate–distortion
curve predicts, damped by the trend of the loss, and never above the weight of the penalty rule.
The guarantee holds for a trained model whose measured loss is below δ.

Source: multiplier arXiv 1810.00597 v1; band arXiv 2603.10935 v4; controller derived here
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from svae_core.geometry.region import penalty_weight, require_band
from svae_core.methods import Averages
from svae_core.records import PreparedData, Settings, option

COMPARISONS = ("against collapse",)
_INSIDE = 0.01  # distance of the target below hi, as a fraction of the band's width
_AVERAGE = 20.0  # time constant of the fast moving average of the loss, in steps
_LEAST = math.log(1e-3)  # lower bound on log Λ, above its start


@dataclass(frozen=True)
class Config:
    """How the multiplier follows the constraint."""

    horizon: float = option(
        0.04,
        "share of the run in which the multiplier makes up for a lasting error",
        low=1e-4,
        high=1.0,
    )
    damping: float = option(
        1.5,
        "horizons ahead that the trend of the error is followed (0: not damped)",
        low=0.0,
        high=100.0,
    )


@final
class Method:
    """β·KL under a constraint that keeps the loss at the band's upper edge."""

    mark = ("sky", "circle", "dot")
    projected = True
    guards_kl = "what a measured loss below δ requires"
    guards_information = "a multiplier holds the loss at hi, below δ"

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """Target, start and scales of the controller, from the data and the band alone."""
        region = require_band(prepared.region)
        level = prepared.water_level
        active = int(np.count_nonzero(prepared.eigenvalues[: settings.latent_dim] > level))
        steps = settings.epochs * math.ceil(len(prepared.shell.points) / settings.batch_size)
        return {
            "aim": region.hi - _INSIDE * (region.hi - region.lo),
            "lower": region.lo if region.lower_edge else 0.0,
            "weight": penalty_weight(settings.beta, level),
            "start": math.log(penalty_weight(settings.beta, prepared.lambda_max, 1.0)),
            "cap": math.log(penalty_weight(settings.beta, level)),
            # Reverse water-filling: θ = β/(2Λ) and D = Σ_j min(θ, λ_j), so θ falls by the factor
            # by which Λ grows, and dD/d(log Λ) = −θ · (dimensions with λ_j > θ).
            "scale": level * max(1, active),
            "horizon": max(_AVERAGE, self.config.horizon * steps),
            "damping": self.config.damping,
        }

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """log Λ, a fast and a slow moving average of D."""
        start = self.constants(prepared, settings)["start"]
        return {"log_multiplier": np.array(start), "loss": np.zeros(()), "slow": np.zeros(())}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β/(2Λ): Λ replaces the 1/(2σ²) of the common loss."""
        return settings.beta / (2.0 * math.exp(memory["log_multiplier"]))

    @staticmethod
    def slopes(batch: Averages) -> tuple[float, float, float]:
        """β·KL + Λ·D + w·max(0, lower − D); then log Λ follows the error, extrapolated."""
        fixed, memory = batch.constants, batch.memory
        aim, lower, weight, start = fixed[0], fixed[1], fixed[2], fixed[3]
        cap, scale, horizon, damping = fixed[4], fixed[5], fixed[6], fixed[7]
        distortion, multiplier = batch.distortion, math.exp(memory[0])
        below = 1.0 if distortion < lower else 0.0
        batch.by_kl[:] = batch.beta
        value = batch.beta * batch.kl + multiplier * distortion
        value += below * weight * (lower - distortion)
        # Integral control: log Λ moves by the error extrapolated `damping` horizons ahead. The slow
        # average lags by about one horizon, so fast − slow is the change per horizon.
        first = batch.step == 0
        memory[1] += (1.0 if first else 1.0 / _AVERAGE) * (distortion - memory[1])
        memory[2] += (1.0 if first else 1.0 / horizon) * (memory[1] - memory[2])
        ahead = memory[1] + damping * (memory[1] - memory[2])
        error = min(max((ahead - aim) / scale, -1.0), 1.0)
        memory[0] = min(max(memory[0] + error / horizon, start + _LEAST), cap)
        return value, 0.0, multiplier - below * weight
