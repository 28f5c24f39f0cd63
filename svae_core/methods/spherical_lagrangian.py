"""Spherical VAE, Lagrangian

The decoder is projected on the shell, and β·KL is minimised under the constraint that the loss
lies at the upper edge of the band: β·KL + Λ·D, with Λ in place of 1/(2σ²), so the setting σ² has no
effect. Λ starts at β/(2λ_max), where collapse stops being stable, and follows a moving average of
D − hi: an integral controller of log Λ, in units of the change that the Gaussian rate–distortion
curve predicts, damped by the trend of the loss, and never above the weight of the penalty rule.
The guarantee holds for a trained model whose measured loss is below δ.

Source: multiplier arXiv 1810.00597 v1; band arXiv 2603.10935 v4; controller derived here
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.geometry.region import penalty_weight, require_band
from svae_core.methods import Terms
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_INSIDE = 0.01  # distance of the target below hi, as a fraction of the band's width
_AVERAGE = 20.0  # time constant of the fast moving average of the loss, in steps
_LEAST = 1e-3  # lower bound on Λ as a fraction of its start


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
        }

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """log Λ, a fast and a slow moving average of D."""
        start = self.constants(prepared, settings)["start"]
        return {"log_multiplier": np.array(start), "loss": np.zeros(()), "slow": np.zeros(())}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """β·KL + Λ·D + w·max(0, lower − D), [m]."""
        multiplier = terms.memory["log_multiplier"].exp()
        below = (constants["lower"] - terms.distortion).relu()
        return terms.beta * terms.kl + multiplier * terms.distortion + constants["weight"] * below

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """Integral control: log Λ moves by the error extrapolated `damping` horizons ahead."""
        horizon = constants["horizon"]
        first = terms.step == 0
        fast = 1.0 if first else 1.0 / _AVERAGE
        loss = terms.memory["loss"] + fast * (terms.distortion - terms.memory["loss"])
        lag = 1.0 if first else 1.0 / horizon
        slow = terms.memory["slow"] + lag * (loss - terms.memory["slow"])
        # The slow average lags by about one horizon, so fast − slow is the change per horizon.
        ahead = loss + self.config.damping * (loss - slow)
        error = ((ahead - constants["aim"]) / constants["scale"]).clamp(-1.0, 1.0)
        log = terms.memory["log_multiplier"] + error / horizon
        least = constants["start"] + math.log(_LEAST)
        log = log.maximum(least).minimum(constants["cap"])
        return {"log_multiplier": log, "loss": loss, "slow": slow}

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """β/(2Λ): Λ replaces the 1/(2σ²) of the common loss."""
        return settings.beta / (2.0 * math.exp(memory["log_multiplier"]))
